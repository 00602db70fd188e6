#!/usr/bin/env python3
"""CPU time of a request, and memory of an idle connection: nowd, a bare epoll loop that parses nothing, and others.

All of them send the same number of bytes for each request, each has one thread, and all are measured in one run, in turn,
so that the ratios mean something although the microseconds depend on the machine. The CPU time is what the kernel charged
to the server, divided by the responses that wrk received.

wrk takes turns with the server on one core, and neither interrupts the other (SCHED_BATCH). So each server gets a request
of every connection each time that it wakes up. With a core of its own, a server that is faster than wrk would wake up more
often for fewer requests, and appear to cost more.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import request_heads
from connections import SECONDS_UNTIL_AT_REST, open_connections
from cpu_time import CpuTime
from harness import CannotMeasure, fetch, machine, pinned_to, raise_open_files, run, table, write_block
from servers import FLASK, FLOOR, Measurement, Programs, Server, Starter, found, versions

HEADS = {
    "wrk's head": ("nothing but the `Host`", 1.10),
    "a balancer's head": ("15 headers, with a trace id that changes each time", 1.25),
}
"""What is sent, in words; and the goal: at most so many times the epoll loop, and less than every other server."""

IDLE_CONNECTIONS = 1_000

# Exact figures instead of wrk's rounded ones. Only `done` is defined, so nothing runs in a request's path.
WRK_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nmeasured %d %d %d\\n", summary.requests, summary.bytes,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """How the servers are asked."""

    wrk: str
    core: int
    connections: int
    response_length: int
    directory: Path

    def command(self, server: Server, head: str, seconds: float) -> list[str]:
        script = self.directory / "wrk.lua"
        lines = "" if head == "wrk's head" else request_heads.wrk_script("/now", urlsplit(server.url).netloc)
        script.write_text(WRK_REPORT + lines)
        return [self.wrk, "-t1", f"-c{self.connections}", "-s", str(script), f"-d{seconds}s", server.url]


def measure(server: Server, load: Load, head: str, seconds: int) -> Measurement:
    command = load.command(server, head, seconds)
    before = CpuTime.of(server.pids)
    finished = subprocess.run(command, preexec_fn=pinned_to(load.core), capture_output=True, text=True)
    after = CpuTime.of(server.pids)

    report = [line.split()[1:] for line in finished.stdout.splitlines() if line.startswith("measured ")]
    if finished.returncode != 0 or not report:
        raise CannotMeasure(f"wrk failed against {server.name}: {(finished.stderr or finished.stdout).strip()}")
    requests, received, errors = map(int, report[0])
    if errors or not requests:
        raise CannotMeasure(f"{server.name} answered {requests} requests and failed {errors}:\n{finished.stdout}")
    # When wrk stops, a few responses are half read, and those bytes are in its count.
    if abs(received / requests - load.response_length) > 1:
        raise CannotMeasure(
            f"{server.name} sent {received / requests:.1f} bytes a response and not {load.response_length}: "
            "the comparison would not be fair; run it again"
        )

    total_us = (after.nanoseconds - before.nanoseconds) / 1000 / requests
    user = after.user_ticks - before.user_ticks
    ticks = user + after.system_ticks - before.system_ticks
    return Measurement(total_us, total_us * user / ticks if ticks else 0.0)


def idle_kib(server: Server) -> float:
    """Memory for each connection that has asked once, in KiB."""
    url = urlsplit(server.url)
    before = server.memory_bytes("VmRSS")
    connections = open_connections((url.hostname, url.port), IDLE_CONNECTIONS)
    time.sleep(SECONDS_UNTIL_AT_REST)
    after = server.memory_bytes("VmRSS")
    for connection in connections:
        connection.close()
    return max(0, after - before) / IDLE_CONNECTIONS / 1024


def ratio(server: Server, other: Server) -> float:
    """The median of the ratios in each turn: what drifts in the machine is in both."""
    turns = zip(server.measurements, other.measurements, strict=True)
    return statistics.median(one.total_us / another.total_us for one, another in turns)


def report(servers: list[Server]) -> str:
    """The table of one head."""
    by_name = {server.name: server for server in servers}
    nowd, floor = by_name["nowd"], by_name[FLOOR]
    rows = []
    for server in servers:
        totals = [measurement.total_us for measurement in server.measurements]
        user_us = server.median(lambda m: m.user_us)
        rows.append(
            [
                server.name,
                f"{ratio(server, floor):.2f}",
                f"{ratio(server, nowd):.2f}",
                f"{server.total_us:.2f}",
                f"{user_us:.2f}",
                f"{server.median(lambda m: m.total_us - m.user_us):.2f}",
                f"{min(totals):.2f}–{max(totals):.2f}",
            ]
        )
    titles = ["server", f"÷ {FLOOR}", "÷ nowd", "µs CPU/request", "user", "system", "min–max"]
    return table(titles, rows)


def verdict(servers: list[Server], goal: float) -> str:
    by_name = {server.name: server for server in servers}
    nowd, floor = by_name.pop("nowd"), by_name.pop(FLOOR)
    to_floor = ratio(nowd, floor)
    above = ", ".join(name for name, server in by_name.items() if ratio(server, nowd) <= 1)
    return (
        f"Goal: at most {goal:.2f} × the epoll loop: {to_floor:.2f}, {'met' if to_floor <= goal else 'not met'}. "
        f"Goal: below every other server: {f'not met ({above})' if above else 'met'}."
    )


def measured(servers: list[Server], load: Load, head: str, options) -> str:
    """The table of one head, and whether its goal is met."""
    for server in servers:
        server.measurements.clear()
        # Caches, branch predictors, connection tables; not counted.
        measure(server, load, head, 1)
    for turn in range(options.runs):
        # Another one begins each time: whatever drifts in the machine hits them all alike.
        first = turn % len(servers)
        for server in servers[first:] + servers[:first]:
            server.measurements.append(measure(server, load, head, options.seconds))
    description, goal = HEADS[head]
    return f"With {head} ({description}):\n\n{report(servers)}\n\n{verdict(servers, goal)}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Programs.add_arguments(parser)
    parser.add_argument("--runs", type=int, default=15, help="of each server (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=1, help="of each run (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="open at a time (default: %(default)s)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()
    if (wrk := found("wrk")) is None:
        raise CannotMeasure("wrk is missing: install it with `sudo scripts/setup-tests packages`")

    core = max(os.sched_getaffinity(0))
    # The servers and wrk inherit this, and the limit on open files.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    raise_open_files(2 * (IDLE_CONNECTIONS + 100))

    with tempfile.TemporaryDirectory(prefix="nowd-bench-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        starter = Starter(stack, core, directory, Programs.given(options))
        servers = starter.all() + starter.slow()
        load = Load(wrk, core, options.connections, len(fetch(servers[0].url)), directory)
        text = (
            f"Measured on {machine()}: {options.runs} alternating runs of {options.seconds} s, medians; "
            f"{options.connections} connections, {load.response_length} bytes a response, one thread each, on one "
            f"core with wrk; {versions()}.\n"
        )
        for head in HEADS:
            text += f"\n{measured(servers, load, head, options)}"
        # gunicorn holds no connections that are idle.
        rows = [[server.name, f"{idle_kib(server):.1f}"] for server in servers if server.name != FLASK]
    text += f"\n{table(['server', 'KiB for each idle connection'], rows)}\n"
    print(text)
    if options.write:
        write_block(options.write, "bench-request", text)


if __name__ == "__main__":
    run(main)
