#!/usr/bin/env python3
"""CPU time that one request costs, and memory an idle connection: nowd, a bare epoll loop that parses nothing, and others.

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
import resource
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import request_heads
from connections import SECONDS_UNTIL_AT_REST, open_connections
from footprint import memory_bytes
from harness import CannotMeasure, executable, fetch, machine, pinned_to, run, table, write_block
from servers import (
    Measurement,
    Server,
    found,
    start_haproxy,
    start_nginx,
    start_nowd,
    start_with_response,
    version,
)

HEADS = {
    "wrk's head": ("nothing but the `Host`", 1.10),
    "a balancer's head": ("15 headers, with a trace id that changes each time", 1.25),
}
"""What is sent, in words; and the goal: at most so many times the epoll loop, and less than every other server."""

FLOOR = "epoll loop"

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
class CpuTime:
    """What the kernel charged to a process so far."""

    nanoseconds: int
    user_ticks: int
    system_ticks: int

    @staticmethod
    def of(pid: int) -> "CpuTime":
        # /proc/PID/stat counts in ticks of 10 ms; schedstat in nanoseconds, but for one thread and without the
        # split. The total is taken from schedstat, and the split, which is an estimate anyway, from stat.
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        try:
            threads = list(Path(f"/proc/{pid}/task").iterdir())
            nanoseconds = sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)
        except FileNotFoundError:  # a kernel without CONFIG_SCHED_INFO
            nanoseconds = (int(user) + int(system)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        return CpuTime(nanoseconds, int(user), int(system))


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
    before = CpuTime.of(server.pid)
    finished = subprocess.run(command, preexec_fn=pinned_to(load.core), capture_output=True, text=True)
    after = CpuTime.of(server.pid)

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
    before = memory_bytes(server.pid, "status", "VmRSS")
    connections = open_connections((url.hostname, url.port), IDLE_CONNECTIONS)
    time.sleep(SECONDS_UNTIL_AT_REST)
    after = memory_bytes(server.pid, "status", "VmRSS")
    for connection in connections:
        connection.close()
    return max(0, after - before) / IDLE_CONNECTIONS / 1024


def report(servers: list[Server]) -> str:
    """The table of one head."""
    by_name = {server.name: server for server in servers}
    nowd, floor = by_name["nowd"], by_name[FLOOR]
    rows = []
    for server in servers:
        totals = [measurement.total_us for measurement in server.measurements]
        user_us = server.median(lambda m: m.user_us)
        rows.append([
            server.name,
            f"{server.total_us / floor.total_us:.2f}",
            f"{server.total_us / nowd.total_us:.2f}",
            f"{server.total_us:.2f}",
            f"{user_us:.2f}",
            f"{server.median(lambda m: m.total_us - m.user_us):.2f}",
            f"{min(totals):.2f}–{max(totals):.2f}",
        ])
    titles = ["server", f"÷ {FLOOR}", "÷ nowd", "µs CPU/request", "user", "system", "min–max"]
    return table(titles, rows)


def verdict(servers: list[Server], goal: float) -> str:
    by_name = {server.name: server.total_us for server in servers}
    nowd, floor = by_name.pop("nowd"), by_name.pop(FLOOR)
    ratio = nowd / floor
    above = ", ".join(name for name, total in by_name.items() if total <= nowd)
    return (
        f"Goal: at most {goal:.2f} × the epoll loop: {ratio:.2f}, {'met' if ratio <= goal else 'not met'}. "
        f"Goal: below every other server: {f'not met ({above})' if above else 'met'}."
    )


def start_all(stack: contextlib.ExitStack, options, core: int, directory: Path) -> list[Server]:
    build = "run `make bench`, which builds it"
    nowd = start_nowd(stack, executable(options.nowd, build), core)
    response = fetch(nowd.url)
    recorded = directory / "response"
    recorded.write_bytes(response)
    servers = [nowd, start_with_response(stack, FLOOR, executable(options.epoll_loop, build), core, recorded)]
    for name in ("hyper", "axum"):
        program = f"{options.peers}/{name}-now"
        servers.append(start_with_response(stack, name, executable(program, build), core, recorded))
    for name, start in (("nginx", start_nginx), ("haproxy", start_haproxy)):
        if program := found(name):
            servers.append(start(stack, program, core, response, directory))
        else:
            print(f"{name} is not measured: it is not installed (`sudo scripts/setup-tests packages` does that).")
    for server in servers:
        if len(fetch(server.url)) != len(response):
            raise CannotMeasure(f"{server.name} does not send {len(response)} bytes as nowd does; run it again")
    return servers


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
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    parser.add_argument("--epoll-loop", default="target/release/epoll-loop", metavar="PATH")
    parser.add_argument("--peers", default="target/peers/release", metavar="DIRECTORY", help="of axum-now and hyper-now")
    parser.add_argument("--runs", type=int, default=7, help="of each server (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=2, help="of each run (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="open at a time (default: %(default)s)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()
    if (wrk := found("wrk")) is None:
        raise CannotMeasure("wrk is missing: install it with `sudo scripts/setup-tests packages`")

    core = max(os.sched_getaffinity(0))
    # The servers and wrk inherit this, and the limit on open files.
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    needed, (_, hard) = IDLE_CONNECTIONS + 100, resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * needed, hard), hard))

    with tempfile.TemporaryDirectory(prefix="nowd-bench-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        servers = start_all(stack, options, core, directory)
        load = Load(wrk, core, options.connections, len(fetch(servers[0].url)), directory)
        versions = ", ".join(
            f"{name} {version([program, '-v'])}"
            for name in ("nginx", "HAProxy")
            if (program := found(name.lower()))
        )
        text = (
            f"Measured on {machine()}: {options.runs} alternating runs of {options.seconds} s, medians; "
            f"{options.connections} connections, {load.response_length} bytes a response, one thread each, on one "
            f"core with wrk; {versions}.\n"
        )
        for head in HEADS:
            text += f"\n{measured(servers, load, head, options)}"
        rows = [[server.name, f"{idle_kib(server):.1f}"] for server in servers]
    text += f"\n{table(['server', 'KiB for each idle connection'], rows)}\n"
    print(text)
    if options.write:
        write_block(options.write, "bench-request", text)


if __name__ == "__main__":
    run(main)
