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
        how = "The kernel's `netem` made the links what they are."
    else:
        how = (
            "The kernel that this was measured on has no `netem`, so a program"
            " ([`bad_link.py`](../tests/servers/bad_link.py)) carried the packets from one to the other, each"
            f" {seconds(report['lateness'])} later than it was meant to on average."
        )
    offsets = ", ".join(f"{offset:+g}" if offset else "0" for offset in OFFSETS)
    lines = [
        "# How sharp the proof is over a network",
        "",
        *textwrap.wrap(
            "What `nowcheck` proves is an interval, and a network makes it wider: by half of the shortest round trip"
            " on either side. How the two ways share that round trip does not matter, nor does what is lost or late.",
            WIDTH,
        ),
        "",
        "| network, there and back | " + " | ".join(COLUMNS) + " |",
        "|---|" + "---:|" * len(COLUMNS),
        *("| " + " | ".join(cells) + " |" for cells in rows),
        "",
        *textwrap.wrap(
            f"Each row is {ROUNDS} rounds against nowd with a clock that is {offsets} s ahead, in turn; a third of them"
            " over IPv4, a third over IPv6, a third over both. The limit is 1 s. *Truth inside*: the share of rounds"
            " whose every interval holds the clock's true offset. *Wrong*: an OK or a CRITICAL that is not so. An"
            " UNKNOWN is the honest answer where the interval straddles the limit: 1.1 s, through 200 ms that may all"
            " be one way's. Most of the duration goes into looking for further backends behind each address.",
            WIDTH,
        ),
        "",
        *textwrap.wrap(
            f"Checker and server are network namespaces on one machine, and so their clocks are one. {how}",
            WIDTH,
            break_on_hyphens=False,
        ),
        "",
        "This page is written by [`docs/network.py`](network.py), which holds these rounds.",
    ]
    return "\n".join(lines) + "\n"


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
