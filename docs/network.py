#!/usr/bin/env python3
"""Writes docs/network.md: how wide the proven intervals are over networks of many kinds, measured here and now.

docs/network.py            # holds the rounds (a minute or two) and rewrites docs/network.md
docs/network.py FILE       # writes it there

Needs what the tests need: network namespaces, faketime, and the built nowd and nowcheck ($NOWD, $NOWCHECK).
"""

import argparse
import statistics
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.network import CONDITIONS, FAMILIES, OFFSETS, Beds, Condition, Held, Job  # noqa: E402

WIDTH = 118

ROUNDS = 40
"""Of each condition."""

COLUMNS = [
    "rounds",
    "truth inside",
    "half-width, median",
    "half-width, worst",
    "OK",
    "CRITICAL",
    "UNKNOWN",
    "wrong",
    "duration, median",
    "requests, median",
]


def jobs(condition: Condition) -> list[Job]:
    families = list(FAMILIES)
    return [
        Job(condition, OFFSETS[number % len(OFFSETS)], families[number % len(families)]) for number in range(ROUNDS)
    ]


def seconds(value: float) -> str:
    """Three figures, in the unit that fits."""
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size or unit == "µs":
            amount = value / size
            return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"
    raise AssertionError


def row(condition: Condition, rounds: list[Held]) -> list[str]:
    widths = [width for held in rounds for width in held.half_widths]
    statuses = [held.run.outcome["status"] for held in rounds]
    inside = sum(held.holds_the_truth for held in rounds) / len(rounds)
    return [
        condition.name,
        str(len(rounds)),
        f"{100 * inside:.3g} %",
        seconds(statistics.median(widths)),
        seconds(max(widths)),
        *(str(statuses.count(status)) for status in ("OK", "CRITICAL", "UNKNOWN")),
        str(sum(held.is_wrong for held in rounds)),
        seconds(statistics.median(held.run.outcome["duration"] for held in rounds)),
        f"{statistics.median(held.requests for held in rounds):.0f}",
    ]


def document(rows: list[list[str]], made_by: str, report: dict) -> str:
    if made_by == "netem":
        links = "The kernel's `netem` delays and drops their packets."
    else:
        links = (
            "The kernel of this machine has no `netem`. So a program ([`bad_link.py`](../tests/servers/bad_link.py))"
            " carried the packets between them. On average it delivered each packet"
            f" {seconds(report['lateness'])} later than intended."
        )
    offsets = ", ".join(f"{offset:+g}" if offset else "0" for offset in OFFSETS)
    lines = [
        "# How sharp the proof is over a network",
        "",
        *wrapped(
            "This page is for people who check services over slow or lossy networks. `nowcheck` proves an interval, and"
            " a network makes that interval wider: by at most half of the shortest round trip on either side. It does"
            " not matter how the two ways share the round trip, or which packets are lost or late."
        ),
        "",
        "| network, there and back | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
        *("| " + " | ".join(cells) + " |" for cells in rows),
        "",
        "| column | meaning |",
        "|---|---|",
        "| truth inside | the share of rounds in which every interval holds the clock's true offset |",
        "| wrong | rounds with an OK or a CRITICAL that is not true |",
        "",
        *wrapped(
            "UNKNOWN is the right answer when the interval crosses the limit. For example, a clock is 1.1 s ahead, and"
            " the round trip takes 200 ms. All of those 200 ms may belong to one way, so the clock may be within 1 s."
            " Most of the duration is the search for other backends behind each address."
        ),
        "",
        "## How it was measured",
        "",
        *wrapped(f"Each row is {ROUNDS} rounds against nowd. The limit is 1 s."),
        "",
        *item(f"**Clocks**: {offsets} s ahead, in turn."),
        *item("**IP versions**: IPv4, IPv6 and both, in turn."),
        *item(
            "**Machine**: checker and server are network namespaces on one machine, so both read the same clock."
            f" {links}"
        ),
        "",
        "[`docs/network.py`](network.py) runs these rounds and writes this page.",
    ]
    return "\n".join(lines) + "\n"


def wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False)


def item(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="* ", subsequent_indent="  ", break_on_hyphens=False)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", type=Path, default=ROOT / "docs/network.md")
    file = arguments.parse_args().file
    beds = Beds(OFFSETS)
    try:
        rows = [row(condition, beds.hold(jobs(condition))) for condition in CONDITIONS]
    finally:
        report = beds.stop()
    file.write_text(document(rows, beds.network.made_by, report))


if __name__ == "__main__":
    main()
