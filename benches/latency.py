#!/usr/bin/env python3
"""How long answers take at a constant rate: nowd, a bare epoll loop that parses nothing, and others.

All servers get the same two rates: 10 % and 70 % of what the least capable one can serve. Each server has one thread on
one core, and the generator spins on another. Latencies count from the time at which a request should have been sent. So
they hold what a stall of the server delayed, and also the generator's own lateness.
"""

import argparse
import contextlib
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import request_heads
from constant_rate import PERCENTILES, Answers, Generator, Load
from cpu_time import waited_seconds
from harness import CannotMeasure, machine, pinned_to, raise_open_files, run, table, write_block
from latency_plot import Panel, plot
from servers import FLOOR, Programs, Server, Starter, found, versions

CONNECTIONS = (64, 1_000)

SHARES = (0.1, 0.7)
"""Of the capacity of the least capable server."""

CAPACITY_SECONDS = 2

WAITED = 0.01
"""A larger share of the time without its core, and a server's highest latencies are partly those of other work."""

OF_SEVERAL_THREADS = ("Go",)
"""Its threads wait for each other, which says nothing of other work."""


@dataclass
class Setting:
    """A rate and a number of connections, and what each server did with them."""

    share: float
    rate: float
    connections: int
    answers: dict[str, list[Answers]] = field(default_factory=dict)
    waited: dict[str, list[float]] = field(default_factory=dict)
    """The share of each run in which the server was ready to run and something else had its core."""

    @property
    def title(self) -> str:
        return f"{self.connections:,} connections, {self.rate:,.0f} requests/s ({self.share:.0%})"

    def median(self, server: str, figure) -> float:
        return statistics.median(figure(answers) for answers in self.answers[server])

    def percentile(self, server: str, name: str) -> float:
        return self.median(server, lambda answers: answers.percentiles[name])

    def table(self) -> str:
        ratios = ("50", "99", "99.9")
        titles = ["server", *(f"p{name} ÷ {FLOOR}" for name in ratios)]
        titles += [*(f"p{name} µs" for name in PERCENTILES), "longest", "server waited", "generator late"]
        rows = []
        for server in self.answers:
            row = [server]
            row += [f"{self.percentile(server, name) / self.percentile(FLOOR, name):.2f}" for name in ratios]
            row += [f"{self.percentile(server, name):,.0f}" for name in PERCENTILES]
            row += [f"{self.median(server, lambda answers: answers.longest):,.0f}"]
            row += [f"{statistics.median(self.waited[server]):.1%}"]
            row += [f"{self.median(server, lambda answers: answers.generator_late):,.1f}"]
            rows.append(row)
        return table(titles, rows)

    def panel(self) -> Panel:
        curves = {}
        for server, runs in self.answers.items():
            points = zip(*(answers.curve for answers in runs), strict=True)
            curves[server] = [(point[0][0], statistics.median(latency for _, latency in point)) for point in points]
        return Panel(self.title, curves)


def capacity(server: Server, core: int, connections: int) -> float:
    """Requests a second when each connection sends the next request as soon as it has the answer."""
    if (wrk := found("wrk")) is None:
        raise CannotMeasure("wrk is missing: install it with `sudo scripts/setup-tests packages`")
    command = [wrk, "-t1", f"-c{connections}", f"-d{CAPACITY_SECONDS}s", server.url]
    finished = subprocess.run(command, preexec_fn=pinned_to(core), capture_output=True, text=True)
    rate = re.search(r"Requests/sec: +([\d.]+)", finished.stdout)
    if finished.returncode != 0 or rate is None or "errors" in finished.stdout or "Non-2xx" in finished.stdout:
        raise CannotMeasure(f"wrk failed against {server.name}: {(finished.stderr or finished.stdout).strip()}")
    return float(rate[1])


def heads_file(server: Server, head: str, directory: Path) -> Path | None:
    if head == "minimal":
        return None
    host = urlsplit(server.url).netloc
    file = directory / f"heads-{host}"
    file.write_text("".join(request_heads.balancer("/now", host, n) for n in range(request_heads.TRACES)), newline="")
    return file


def measure(servers: list[Server], generator: Generator, settings: list[Setting], options, directory: Path) -> None:
    """Adds what was measured to the settings."""
    heads = {server.name: heads_file(server, options.head, directory) for server in servers}
    for turn in range(options.runs):
        # Another one begins each time: whatever drifts in the machine hits them all alike.
        first = turn % len(servers)
        for setting in settings:
            for server in servers:
                setting.answers.setdefault(server.name, [])
                setting.waited.setdefault(server.name, [])
            for server in servers[first:] + servers[:first]:
                load = Load(setting.connections, setting.rate, options.seconds, heads=heads[server.name])
                begun, before = time.monotonic(), waited_seconds(server.pids)
                setting.answers[server.name].append(generator.ask(server, load))
                waited = waited_seconds(server.pids) - before
                setting.waited[server.name].append(waited / (time.monotonic() - begun))


def report(settings: list[Setting], least: tuple[str, float], options) -> str:
    name, rate = least
    text = (
        f"Measured on {machine()}: {options.runs} alternating runs of {options.seconds:g} s after a second of warm-up, "
        f"medians; the {options.head} head, one thread each; {versions()}. The least capable server with "
        f"{' or '.join(f'{count:,}' for count in CONNECTIONS)} connections is {name} with {rate:,.0f} requests/s.\n"
    )
    if disturbance := disturbed(settings):
        text += f"\n{disturbance}\n"
    for setting in settings:
        fewest = min(answers.requests for runs in setting.answers.values() for answers in runs)
        text += f"\n{setting.title}, {fewest:,} requests a run:\n\n{setting.table()}\n"
    return text


def disturbed(settings: list[Setting]) -> str:
    """How other work on the machine is in the figures; nothing if it is not."""
    rows = [(setting, server) for setting in settings for server in setting.answers]
    late = sum(
        setting.median(server, lambda answers: answers.generator_late) > setting.percentile(server, "99") / 10
        for setting, server in rows
    )
    waited = max(
        statistics.median(setting.waited[server]) for setting, server in rows if server not in OF_SEVERAL_THREADS
    )
    told = []
    if late:
        told.append(f"In {late} of {len(rows)} rows the generator's lateness is more than a tenth of the p99.")
    if waited > WAITED:
        told.append(f"Other work had a server's core for up to {waited:.1%} of the time, and is in the highest percentiles.")
    return "\n".join(told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Programs.add_arguments(parser)
    parser.add_argument("--runs", type=int, default=5, help="of each server and rate (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="of each run (default: %(default)s)")
    parser.add_argument("--head", choices=["minimal", "balancer"], default="minimal")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="where to draw the percentiles")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write into, with latency.svg beside it")
    options = parser.parse_args()
    programs = Programs.given(options)
    generator, core = Generator.beside_a_server(programs)
    raise_open_files(2 * max(CONNECTIONS))

    with tempfile.TemporaryDirectory(prefix="nowd-bench-") as name, contextlib.ExitStack() as stack:
        servers = Starter(stack, core, Path(name), programs).all()
        capacities = {
            server.name: min(capacity(server, generator.core, count) for count in CONNECTIONS) for server in servers
        }
        least = min(capacities.items(), key=lambda item: item[1])
        settings = [
            Setting(share, round(least[1] * share, -2), connections) for share in SHARES for connections in CONNECTIONS
        ]
        measure(servers, generator, settings, options, Path(name))
    text = report(settings, least, options)
    print(text)
    drawn = plot([setting.panel() for setting in settings], "Latency at a constant rate")
    for file in [options.plot, options.write and options.write.with_name("latency.svg")]:
        if file:
            file.write_text(drawn)
    if options.write:
        picture = "![Latency by percentile, one line for each server](latency.svg)"
        write_block(options.write, "bench-latency", f"{text}\n{picture}")


if __name__ == "__main__":
    run(main)
