"""Performance data of monitoring plugins, read strictly.

The grammar is that of the Monitoring Plugins Development Guidelines: `'label'=value[UOM];[warn];[crit];[min];[max]`,
separated by blanks. This reader takes no exponents, no `µ`, no thousands separator and no missing digit.
"""

import re
from dataclasses import dataclass

NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"
RANGE = rf"@?(?:(?:~|{NUMBER}):)?(?:{NUMBER})?"
ITEM = re.compile(
    rf"(?P<label>'(?:[^'=]|'')+'|[^\s'=;|]+)=(?P<value>{NUMBER}|U)(?P<unit>s|us|ms|%|B|KB|MB|TB|c|)"
    rf"(?:;(?P<warn>{RANGE}))?(?:;(?P<crit>{RANGE}))?(?:;(?P<min>(?:{NUMBER})?))?(?:;(?P<max>(?:{NUMBER})?))?(?=\s|$)"
)


@dataclass
class Item:
    label: str
    value: float | None
    unit: str
    warn: str
    crit: str


@dataclass
class Output:
    service: str
    status: str
    text: str
    items: dict[str, Item]
    more: list[str]
    """The lines after the first: long output."""
    first: dict[str, Item]
    """The data on the first line."""


def parse(stdout: str) -> Output:
    assert stdout.endswith("\n"), repr(stdout)
    first, *more = stdout.splitlines()
    assert first.count("|") == 1, f"the first line holds the text and the data, once: {first}"
    text, data = first.split("|")
    below, _, more_data = "\n".join(more).partition("|")
    assert "|" not in more_data, f"only one bar in long output begins more data: {more}"
    head = re.fullmatch(r"([A-Z]+) (OK|WARNING|CRITICAL|UNKNOWN)(?: - | ?: )(.+?)\s*", text)
    assert head, f"SERVICE STATUS - text: {text!r}"
    on_first, all_items = items(data), items(f"{data} {more_data}")
    return Output(head[1], head[2], head[3], all_items, below.splitlines(), on_first)


def items(data: str) -> dict[str, Item]:
    found, rest = {}, data.strip()
    while rest:
        match = ITEM.match(rest)
        assert match, f"not performance data: {rest!r}"
        label = match["label"].strip("'").replace("''", "'")
        assert label not in found, f"{label} twice: {data!r}"
        value = None if match["value"] == "U" else float(match["value"])
        found[label] = Item(label, value, match["unit"], match["warn"] or "", match["crit"] or "")
        rest = rest[match.end() :].lstrip()
    return found


def in_range(text: str, value: float) -> bool:
    """Whether `value` is quiet under the threshold `text` (a range of the guidelines): `1` is 0..1, `-1:1`, `~:1`."""
    inverse, text = text.startswith("@"), text.removeprefix("@")
    start, _, end = text.rpartition(":")
    low = float("-inf") if start == "~" else float(start or 0)
    high = float(end) if end else float("inf")
    inside = low <= value <= high
    return inside != inverse
