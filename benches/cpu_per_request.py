#!/usr/bin/env python3
"""CPU time that one request costs: nowd, a bare epoll loop that parses nothing, and nginx.

All three send the same number of bytes for each request, each has one thread, and all are measured in one
run, in turn, on the same core, so that the ratios mean something although the microseconds depend on the
machine. The CPU time is what the kernel charged to the server, divided by the responses that wrk received.
"""

import argparse
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from harness import (
    CannotMeasure,
    announced_url,
    executable,
    fetch,
    headers,
    pinned_to,
    process,
    run,
    table,
)
from nginx import start as start_one

GOAL_EPOLL_LOOP = 1.10
GOAL_NGINX = 1.00

# Exact figures instead of wrk's rounded ones. Only `done` is defined, so nothing runs in a request's path.
WRK_REPORT = """
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("\\nmeasured %d %d %d %d\\n", summary.duration, summary.requests, summary.bytes,
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
class Measurement:
    """One run of the load generator against one server."""

    total_us: float
    user_us: float
    requests_per_second: float


@dataclass
class Server:
    name: str
    url: str
    pid: int
    measurements: list[Measurement] = field(default_factory=list)

    def median(self, figure) -> float:
        return statistics.median(figure(measurement) for measurement in self.measurements)

    @property
    def total_us(self) -> float:
        return self.median(lambda m: m.total_us)


def start_nowd(stack: contextlib.ExitStack, program: str, core: int) -> Server:
    command = [program, "--listen", "127.0.0.1:0", "--threads", "1"]
    server = stack.enter_context(process(command, core, stderr=subprocess.PIPE))
    url = announced_url(server, server.stderr)
    # nowd writes no line for a request, so the pipe cannot fill.
    return Server("nowd", f"{url}/now", server.pid)


def start_epoll_loop(stack: contextlib.ExitStack, program: str, core: int, response: Path) -> Server:
    server = stack.enter_context(process([program, str(response)], core, stdout=subprocess.PIPE))
    return Server("epoll loop", f"{announced_url(server, server.stdout)}/now", server.pid)


def start_nginx(stack: contextlib.ExitStack, program: str, core: int, response: bytes, directory: Path) -> Server:
    """nginx with the headers of `response` and a body that makes its response as long."""
    head, _, body = response.partition(b"\r\n\r\n")
    # nginx writes lines of its own (Server, Connection); the body is cut by as much as they are long.
    with contextlib.ExitStack() as trial:
        longer = len(fetch(nginx(trial, program, core, head, body, directory).url)) - len(response)
    body = body[:-longer] if longer > 0 else body + b" " * -longer
    return nginx(stack, program, core, head, body, directory)


def nginx(
    stack: contextlib.ExitStack, program: str, core: int, head: bytes, body: bytes, directory: Path
) -> Server:
    lines = "server_tokens off;\nkeepalive_requests 1000000000;"
    master, url = start_one(stack, program, directory, location(head, body.decode()), lines, core=core)
    worker = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text().split()
    return Server("nginx", url, int(worker[0]))


def location(head: bytes, body: str) -> str:
    """What answers /now with that body, and those of the headers that nginx does not write itself."""

    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"

    fields = {name.lower(): value for name, value in headers(head)}
    content_type = fields.pop("content-type", "text/plain")
    for written_by_nginx_itself in ("date", "content-length", "server", "connection"):
        fields.pop(written_by_nginx_itself, None)
    lines = "\n".join(f"add_header {name} {quoted(value)};" for name, value in fields.items())
    return f"location = /now {{\ndefault_type {quoted(content_type)};\n{lines}\nreturn 200 {quoted(body)};\n}}"



def measure(server: Server, wrk: list[str], core: int, seconds: int, response_length: int) -> Measurement:
    command = [*wrk, f"-d{seconds}s", server.url]
    before = CpuTime.of(server.pid)
    finished = subprocess.run(command, preexec_fn=pinned_to(core), capture_output=True, text=True)
    after = CpuTime.of(server.pid)

    report = [line.split()[1:] for line in finished.stdout.splitlines() if line.startswith("measured ")]
    if finished.returncode != 0 or not report:
        raise CannotMeasure(f"wrk failed against {server.name}: {(finished.stderr or finished.stdout).strip()}")
    duration_us, requests, received, errors = map(int, report[0])
    if errors or not requests:
        raise CannotMeasure(f"{server.name} answered {requests} requests and failed {errors}:\n{finished.stdout}")
    # When wrk stops, a few responses are half read, and those bytes are in its count.
    if abs(received / requests - response_length) > 1:
        raise CannotMeasure(
            f"{server.name} sent {received / requests:.1f} bytes a response and not {response_length}: "
            "the comparison would not be fair; run it again"
        )

    total_us = (after.nanoseconds - before.nanoseconds) / 1000 / requests
    user = after.user_ticks - before.user_ticks
    ticks = user + after.system_ticks - before.system_ticks
    return Measurement(total_us, total_us * user / ticks if ticks else 0.0, requests / (duration_us / 1e6))


def report(servers: list[Server]) -> str:
    nowd, epoll_loop, rival = servers
    rows = []
    for server in servers:
        totals = [measurement.total_us for measurement in server.measurements]
        user_us = server.median(lambda m: m.user_us)
        rows.append([
            server.name,
            f"{server.total_us:.2f}",
            f"{user_us:.2f}",
            f"{server.median(lambda m: m.total_us - m.user_us):.2f}",
            f"{min(totals):.2f}–{max(totals):.2f}",
            f"{server.total_us / epoll_loop.total_us:.2f}",
            f"{server.total_us / rival.total_us:.2f}",
            f"{server.median(lambda m: m.requests_per_second):,.0f}",
        ])
    titles = ["server", "µs CPU/request", "user", "system", "min–max", "÷ epoll loop", "÷ nginx", "requests/s"]
    lines = [table(titles, rows), ""]
    for peer, goal in ((epoll_loop, GOAL_EPOLL_LOOP), (rival, GOAL_NGINX)):
        ratio = nowd.total_us / peer.total_us
        lines.append(f"goal: nowd ≤ {goal:.2f} × {peer.name}: {ratio:.3f}, {'met' if ratio <= goal else 'NOT MET'}")
    return "\n".join(lines)


def version(nginx_program: str) -> str:
    said = subprocess.run([nginx_program, "-v"], capture_output=True, text=True).stderr
    return said.rpartition(" ")[2].strip().replace("/", " ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    parser.add_argument("--epoll-loop", default="target/release/epoll-loop", metavar="PATH")
    parser.add_argument("--runs", type=int, default=5, help="of each server (default: %(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="of each run (default: %(default)s)")
    parser.add_argument("--connections", type=int, default=32, help="open at a time (default: %(default)s)")
    options = parser.parse_args()

    build = "build it with `cargo build --release --locked -p nowd -p rivals`"
    install = "install it with `sudo scripts/setup-tests packages`"
    nowd_program = executable(options.nowd, build)
    epoll_loop_program = executable(options.epoll_loop, build)
    # Debian keeps nginx where the search path of an ordinary user does not reach.
    search = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
    programs = {name: shutil.which(name, path=search) for name in ("wrk", "nginx")}
    for name, path in programs.items():
        if path is None:
            raise CannotMeasure(f"{name} is missing: {install}")

    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = cores[0], cores[min(1, len(cores) - 1)]
    if server_core == load_core:
        print("Only one core: servers and load generator take turns on it, so caches are colder than with two.")

    with tempfile.TemporaryDirectory(prefix="nowd-bench-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        script = directory / "report.lua"
        script.write_text(WRK_REPORT)
        wrk = [programs["wrk"], "-t1", f"-c{options.connections}", "-s", str(script)]

        nowd = start_nowd(stack, nowd_program, server_core)
        response = fetch(nowd.url)
        recorded = directory / "response"
        recorded.write_bytes(response)
        servers = [
            nowd,
            start_epoll_loop(stack, epoll_loop_program, server_core, recorded),
            start_nginx(stack, programs["nginx"], server_core, response, directory),
        ]
        for server in servers:
            if len(fetch(server.url)) != len(response):
                raise CannotMeasure(f"{server.name} does not send {len(response)} bytes as nowd does; run it again")

        print(
            f"CPU time a request: {options.runs} alternating runs of {options.seconds} s, "
            f"{options.connections} connections, {len(response)} bytes a response, "
            f"server on core {server_core}, wrk on core {load_core}, {version(programs['nginx'])}, "
            f"Linux {platform.release()} {platform.machine()}.\n",
            flush=True,
        )
        for server in servers:  # caches, branch predictors, connection tables; not counted
            measure(server, wrk, load_core, 1, len(response))
        for turn in range(options.runs):
            # Another one begins each time: whatever drifts in the machine hits them all alike.
            first = turn % len(servers)
            for server in servers[first:] + servers[:first]:
                server.measurements.append(measure(server, wrk, load_core, options.seconds, len(response)))
    print(report(servers))


if __name__ == "__main__":
    run(main)
