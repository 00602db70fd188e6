#!/usr/bin/env python3
"""What one round of nowcheck costs beside other ways to ask a service for its time: check_http, curl, a Python script.

All of them ask the same nowd over the loopback, in turn, each as a process of its own. The processor time is what the
kernel charged to those processes, and the requests are what nowd counted. How often each tool is wrong, and how wide its
answers are, is not measured here: it is read from docs/accuracy.md.
"""

import argparse
import re
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "accuracy"))

import tools
from harness import (
    CannotMeasure,
    announced_urls,
    executable,
    fetch,
    machine,
    process,
    read_table,
    run,
    table,
    write_block,
)
from tools import Claim, Question

ACCURACY = Path(__file__).resolve().parents[1] / "docs" / "accuracy.md"

NOWCHECK = "nowcheck"
NAIVE = "naive, instants"

MEANING = (
    "nowcheck sends more requests than the others because it proves its verdict: they bound the offset, and they look for "
    "other clocks behind the URL. check_http and the script compare readings with their own clock and give no bound; curl does "
    "not judge."
)


@dataclass(frozen=True)
class Round:
    seconds: float
    cpu_seconds: float
    """User and system, of all processes of the round."""
    requests: int


@dataclass
class Asker:
    """One way to ask for the time."""

    name: str
    version: str
    ask: Callable[[str], float]
    """Asks the URL, and returns the seconds that it took."""
    judges: bool = True
    """Whether it says if the clock is right."""
    rounds: list[Round] = field(default_factory=list)

    def median(self, figure: Callable[[Round], float]) -> float:
        return statistics.median(map(figure, self.rounds))


def of_tool(tool: tools.Tool) -> Asker:
    """A tool as benches/accuracy asks it."""

    def ask(url: str) -> float:
        answer = tool.ask(Question(url))
        if answer.claim is not Claim.WITHIN:
            raise CannotMeasure(f"{tool.name} says of a nowd on this machine: {answer.claim.value} {answer.words}")
        return answer.seconds

    return Asker(tool.name, tool.version, ask)


def curl(program: str) -> Asker:
    def ask(url: str) -> float:
        done = tools.finish([program, "--silent", "--show-error", "--fail", url])
        if done.code != 0:
            raise CannotMeasure(f"{program} {url} ended with {done.code}: {done.stderr.strip()}")
        return done.seconds

    return Asker("curl", tools.version_of([program, "--version"]), ask, judges=False)


def askers(options) -> tuple[list[Asker], list[str]]:
    """Those that are here, and a sentence on each that is not."""
    nowcheck = executable(options.nowcheck, "build it with `cargo build --release --locked -p nowcheck-cli`")
    chosen, lacking = [of_tool(tools.nowcheck(nowcheck))], []
    if check_http := tools.find("check_http", options.check_http):
        chosen.append(of_tool(tools.check_http(check_http)))
    else:
        lacking.append(
            "check_http is not measured: it is not installed (`sudo apt-get install monitoring-plugins-basic` does that)."
        )
    chosen.append(of_tool(tools.naive("datetime", NAIVE, "not told")))
    if program := tools.find("curl", None):
        chosen.append(curl(program))
    else:
        lacking.append("curl is not measured: it is not installed (`sudo scripts/setup-tests packages` does that).")
    return chosen, lacking


def counted_requests(metrics: str) -> int:
    """What nowd has answered so far, on all routes."""
    figures = re.findall(rb"^nowd_http_requests_total\{[^}]*\} (\d+)$", fetch(metrics), re.MULTILINE)
    if not figures:
        raise CannotMeasure(f"{metrics} has no nowd_http_requests_total")
    return sum(map(int, figures))


def held(asker: Asker, url: str, metrics: str) -> Round:
    def charged() -> float:
        # To processes that ended and were waited for: those of the round, because nothing else ends meanwhile.
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    requests, cpu = counted_requests(metrics), charged()
    seconds = asker.ask(url)
    return Round(seconds, charged() - cpu, counted_requests(metrics) - requests)


def measure(chosen: list[Asker], nowd: str, runs: int) -> None:
    command = [nowd, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    with process(command, stderr=subprocess.PIPE) as server:
        service, metrics = announced_urls(server, server.stderr, 2)
        url = f"{service}/now"
        for asker in chosen:
            held(asker, url, metrics)  # Caches; not counted.
        for turn in range(runs):
            # Another one begins each time: whatever drifts in the machine hits them all alike.
            first = turn % len(chosen)
            for asker in chosen[first:] + chosen[:first]:
                asker.rounds.append(held(asker, url, metrics))


def costs(chosen: list[Asker]) -> str:
    """The table of what a round costs."""
    [proof] = [asker for asker in chosen if asker.name == NOWCHECK]

    def cells(asker: Asker, figure: Callable[[Round], float]) -> list[str]:
        figures = [1000 * figure(each) for each in asker.rounds]
        return [f"{1000 * asker.median(figure):.2f}", f"{min(figures):.1f}–{max(figures):.1f}"]

    rows = []
    for asker in chosen:
        ratios = [asker.median(f) / proof.median(f) for f in (lambda r: r.seconds, lambda r: r.cpu_seconds)]
        rows.append([
            asker.name,
            *(f"{ratio:.2f}" for ratio in ratios),
            f"{asker.median(lambda r: r.requests):g}",
            *cells(asker, lambda r: r.seconds),
            *cells(asker, lambda r: r.cpu_seconds),
        ])
    titles = ["", "time ÷ nowcheck", "CPU ÷ nowcheck", "requests", "ms", "min–max", "ms of CPU", "min–max"]
    return table(titles, rows)


def worth(chosen: list[Asker], page: Path) -> str:
    """The table of what a round is worth, by the page on accuracy."""
    known = read_table(page.read_text(), "how often") if page.exists() else {}
    rows = []
    for asker in chosen:
        if not asker.judges:
            rows.append([asker.name, "no verdict", "none"])
            continue
        figures = known.get(asker.name, {})
        if not {"how often", "width"} <= figures.keys():
            raise CannotMeasure(
                f"{page} has no figures of {asker.name}: `make compare-accuracy ARGS=--write` measures and writes them"
            )
        rows.append([asker.name, figures["how often"], figures["width"]])
    return table(["", "wrong verdicts", "width"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    parser.add_argument("--nowcheck", default="target/release/nowcheck", metavar="PATH")
    parser.add_argument("--check-http", metavar="PATH", help="default: the one in PATH; left out if there is none")
    parser.add_argument("--accuracy", default=ACCURACY, type=Path, metavar="FILE", help="default: docs/accuracy.md")
    parser.add_argument("--runs", type=int, default=50, help="of each (default: %(default)s)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()

    chosen, lacking = askers(options)
    # First: what is lacking there is known before anything is measured.
    verdicts = worth(chosen, options.accuracy)
    measure(chosen, executable(options.nowd, "build it with `scripts/bench`"), options.runs)
    versions = ", ".join(f"{asker.name.replace(NAIVE, 'Python')} {asker.version}" for asker in chosen)
    text = "\n\n".join([
        f"Measured on {machine()}: {options.runs} alternating rounds of each over the loopback, medians; {versions}.",
        costs(chosen),
        "How often each is wrong, and how wide its answers are, in the situations of [accuracy](accuracy.md):",
        verdicts,
        MEANING,
        *lacking,
    ])
    print(text)
    if options.write:
        write_block(options.write, "bench-rounds", text)


if __name__ == "__main__":
    run(main)
