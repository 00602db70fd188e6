#!/usr/bin/env python3
"""How many instructions nowd takes in user space for a request, and nowcheck for a round, counted by valgrind.

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
from urllib.parse import urlsplit

from harness import CannotMeasure, announced_url, executable, process, response_from, run, table

DEADLINE_SECONDS = 120.0
"""For a whole run: valgrind makes a program some fifty times slower."""

TOOL = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]

FEW_ROUNDS, MANY_ROUNDS = 20, 120

FEW, MANY = 500, 2500
"""Requests of two runs. What they differ by is free of the start and the end of the process."""

TARGETS = {
    "/now": "",
    "/now?tz=Europe/Madrid": "",
    "/healthz": "",
    "/": "Accept-Encoding: gzip\r\n",
    "/nothing": "",
}


def counted(nowd: str, target: str, lines: str, requests: int) -> int:
    """Instructions from start to end, with so many requests in between."""
    flags = ["--listen=127.0.0.1:0", "--threads=1", "--drain-delay=0s"]
    with process([*TOOL, nowd, *flags], stderr=subprocess.PIPE) as server:
        url = urlsplit(announced_url(server, server.stderr))
        request = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{lines}\r\n".encode()
        with socket.create_connection((url.hostname, url.port), timeout=DEADLINE_SECONDS) as connection:
            for _ in range(requests):
                connection.sendall(request)
                response_from(connection)
        server.send_signal(signal.SIGTERM)
        return total(server.communicate(timeout=DEADLINE_SECONDS)[1])


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


def print_rounds(nowd: str, nowcheck: str) -> None:
    """What a round costs against nowd, which runs without valgrind."""
    with process([nowd, "--listen=127.0.0.1:0", "--drain-delay=0s"], stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        (few, few_requests), (many, many_requests) = (
            counted_rounds(nowcheck, url, rounds) for rounds in (FEW_ROUNDS, MANY_ROUNDS)
        )
    rounds, requests = MANY_ROUNDS - FEW_ROUNDS, many_requests - few_requests
    print(f"\nInstructions in user space of a full round of nowcheck, over {rounds} of them.\n")
    figures = [f"{(many - few) / rounds:,.0f}", f"{requests / rounds:.1f}", f"{(many - few) / requests:,.0f}"]
    print(table(["", "instructions", "requests", "instructions a request"], [["a round", *figures]]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    parser.add_argument("--nowcheck", default="target/release/nowcheck", metavar="PATH")
    options = parser.parse_args()
    nowd = executable(options.nowd, "build it with `scripts/bench`")
    nowcheck = executable(options.nowcheck, "build it with `scripts/bench`")
    if shutil.which("valgrind") is None:
        raise CannotMeasure("there is no valgrind; install it (the package has that name)")

    rows = []
    for target, lines in TARGETS.items():
        few, many = (counted(nowd, target, lines, requests) for requests in (FEW, MANY))
        rows.append([f"GET {target}", f"{(many - few) / (MANY - FEW):,.0f}"])
    print(f"Instructions in user space for a request, over {MANY - FEW:,} of them on one connection.\n")
    print(table(["", "instructions"], rows))
    print_rounds(nowd, nowcheck)


if __name__ == "__main__":
    run(main)
