#!/usr/bin/env python3
"""How many instructions a request takes in user space, and a round of nowcheck, counted by valgrind.

Unlike time, that is the same on a busy machine, so it shows what a change of the code costs. What the kernel does for a
request (most of the time) is not in it.
"""

import argparse
import json
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from itertools import islice, repeat
from pathlib import Path
from urllib.parse import urlsplit

from harness import CannotMeasure, announced_url, executable, fetch, process, response_from, run, table, write_block
from request_heads import balancer_requests

DEADLINE_SECONDS = 120.0
"""For a whole run: valgrind makes a program some fifty times slower."""

TOOL = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]

FEW_ROUNDS, MANY_ROUNDS = 20, 120

FEW, MANY = 500, 2500
"""Requests of two runs. What they differ by is free of the start and the end of the process."""

TARGETS = {
    "/now?tz=Europe/Madrid": "",
    "/healthz": "",
    "/": "Accept-Encoding: gzip\r\n",
    "/nothing": "",
}

FLAGS = ["--listen=127.0.0.1:0", "--threads=1", "--drain-delay=0s"]


def counted(command: list[str], requests_to, count: int) -> int:
    """Instructions from start to end, with so many requests in between. `requests_to` makes them for a host."""
    with process([*TOOL, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        # nowd says on standard error where it listens, and valgrind what it counted; the others on standard output.
        url = urlsplit(announced_url(server, server.stderr if command[1:] == FLAGS else server.stdout))
        with socket.create_connection((url.hostname, url.port), timeout=DEADLINE_SECONDS) as connection:
            for request in islice(requests_to(url.netloc), count):
                connection.sendall(request)
                response_from(connection)
        server.send_signal(signal.SIGTERM)
        return total(server.communicate(timeout=DEADLINE_SECONDS)[1])


def per_request(command: list[str], requests_to) -> str:
    few, many = (counted(command, requests_to, count) for count in (FEW, MANY))
    return f"{(many - few) / (MANY - FEW):,.0f}"


def same(target: str, lines: str = ""):
    return lambda host: repeat(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())


def of_now(options) -> str:
    """`GET /now` with both heads, for those servers that valgrind can run."""
    nowd = executable(options.nowd, "build it with `scripts/bench`")
    with process([nowd, *FLAGS], stderr=subprocess.PIPE) as server:
        response = fetch(f"{announced_url(server, server.stderr)}/now")
    rows = []
    with tempfile.NamedTemporaryFile() as file:
        file.write(response)
        file.flush()
        commands = {
            "nowd": [nowd, *FLAGS],
            "epoll loop": [options.epoll_loop, file.name],
            "hyper": [f"{options.peers}/hyper-now", file.name],
            "axum": [f"{options.peers}/axum-now", file.name],
        }
        for name, command in commands.items():
            counts = [per_request(command, requests_to) for requests_to in (same("/now"), balancer_to)]
            rows.append([name, *counts])
    return table(["GET /now", "wrk's head", "a balancer's head"], rows)


def balancer_to(host: str):
    return balancer_requests("/now", host)


def total(said: bytes) -> int:
    """The instructions that valgrind says it counted."""
    if not (count := re.search(rb"Collected : (\d+)", said)):
        raise CannotMeasure(f"valgrind did not say how many instructions it counted: {said.decode(errors='replace')}")
    return int(count[1])


def counted_rounds(nowcheck: str, url: str, rounds: int) -> tuple[int, int]:
    """Instructions from start to end, with so many rounds in between; and the requests of these rounds."""
    flags = [url, "--every=50ms", "--output=json", "--trust-system-clock"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with process([*TOOL, nowcheck, *flags], **pipes) as checker:
        requests = 0
        for _ in range(rounds):
            outcome = json.loads(checker.stdout.readline())
            requests += sum(target["requests"] for target in outcome["targets"])
        checker.send_signal(signal.SIGTERM)
        return total(checker.communicate(timeout=DEADLINE_SECONDS)[1]), requests


def of_rounds(nowd: str, nowcheck: str) -> str:
    """What a round costs against nowd, which runs without valgrind."""
    with process([nowd, "--listen=127.0.0.1:0", "--drain-delay=0s"], stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        (few, few_requests), (many, many_requests) = (
            counted_rounds(nowcheck, url, rounds) for rounds in (FEW_ROUNDS, MANY_ROUNDS)
        )
    rounds, requests = MANY_ROUNDS - FEW_ROUNDS, many_requests - few_requests
    figures = [f"{(many - few) / rounds:,.0f}", f"{requests / rounds:.1f}", f"{(many - few) / requests:,.0f}"]
    return table(["nowcheck", "instructions", "requests", "instructions a request"], [["a full round", *figures]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    parser.add_argument("--nowcheck", default="target/release/nowcheck", metavar="PATH")
    parser.add_argument("--epoll-loop", default="target/release/epoll-loop", metavar="PATH")
    parser.add_argument("--peers", default="target/peers/release", metavar="DIRECTORY", help="of axum-now and hyper-now")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()
    nowd = executable(options.nowd, "build it with `scripts/bench`")
    nowcheck = executable(options.nowcheck, "build it with `scripts/bench`")
    if shutil.which("valgrind") is None:
        raise CannotMeasure("there is no valgrind; install it (the package has that name)")

    rows = [
        [f"GET {target}", per_request([nowd, *FLAGS], same(target, lines))] for target, lines in TARGETS.items()
    ]
    text = "\n\n".join([of_now(options), table(["nowd", "instructions"], rows), of_rounds(nowd, nowcheck)])
    print(f"Instructions in user space, over {MANY - FEW:,} requests on one connection.\n\n{text}")
    if options.write:
        write_block(options.write, "bench-instructions", text)


if __name__ == "__main__":
    run(main)
