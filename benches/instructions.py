#!/usr/bin/env python3
"""How many instructions a request takes in user space, and a round of nowcheck, counted by valgrind.

Unlike time, that is the same on a busy machine, so it shows what a change of the code costs. What the kernel does for a
request (most of the time) is not in it.
"""

import argparse
import contextlib
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
from servers import Programs, Server, Starter, names

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
"""Of nowd."""

NOT_BY_VALGRIND = ("Go",)
"""valgrind cannot run Go's runtime."""


def counted(start, requests_to, count: int) -> int:
    """Instructions from start to end, with so many requests in between. `start` runs a server with a prefix for its command,
    and `requests_to` makes them for a host."""
    with tempfile.TemporaryDirectory(prefix="nowd-callgrind-") as folder:
        # A file for each process: nginx's worker answers.
        under = ("valgrind", "--quiet", "--tool=callgrind", "--trace-children=yes", f"--callgrind-out-file={folder}/%p")
        with contextlib.ExitStack() as stack:
            server = start(stack, under)
            url = urlsplit(server.url)
            with socket.create_connection((url.hostname, url.port), timeout=DEADLINE_SECONDS) as connection:
                for request in islice(requests_to(url.netloc), count):
                    connection.sendall(request)
                    response_from(connection)
            server.process.terminate()
            server.process.wait(DEADLINE_SECONDS)
        return sum(total(file.read_bytes()) for file in Path(folder).iterdir())


def per_request(start, requests_to) -> int:
    few, many = (counted(start, requests_to, count) for count in (FEW, MANY))
    return round((many - few) / (MANY - FEW))


def same(target: str, lines: str = ""):
    return lambda host: repeat(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode())


def of_now(programs: Programs, response: bytes) -> str:
    """`GET /now` with both heads, for those servers that valgrind can run."""
    rows = []
    for name in (name for name in names() if name not in NOT_BY_VALGRIND):
        start = starter(programs, name, response)
        rows.append([name, *(f"{per_request(start, requests_to):,}" for requests_to in (same("/now"), balancer_to))])
    return table(["GET /now", "wrk's head", "a balancer's head"], rows)


def starter(programs: Programs, name: str, response: bytes):
    """What starts a server under a tool."""

    def start(stack: contextlib.ExitStack, under: tuple[str, ...]) -> Server:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nowd-bench-")))
        return Starter(stack, None, folder, programs, response=response, under=under).start(name)

    return start


def balancer_to(host: str):
    return balancer_requests("/now", host)


def total(output: bytes) -> int:
    """The instructions that callgrind counted, by what it printed or wrote into its file."""
    if not (count := re.search(rb"(?:Collected :|\ntotals:) (\d+)", output)):
        raise CannotMeasure(f"valgrind did not say how many instructions it counted: {output.decode(errors='replace')}")
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
    with process([nowd, *FLAGS], stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        (few, few_requests), (many, many_requests) = (
            counted_rounds(nowcheck, url, rounds) for rounds in (FEW_ROUNDS, MANY_ROUNDS)
        )
    rounds, requests = MANY_ROUNDS - FEW_ROUNDS, many_requests - few_requests
    figures = [f"{(many - few) / rounds:,.0f}", f"{requests / rounds:.1f}", f"{(many - few) / requests:,.0f}"]
    return table(["nowcheck", "instructions", "requests", "instructions a request"], [["a full round", *figures]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Programs.add_arguments(parser)
    parser.add_argument("--nowcheck", default="target/release/nowcheck", metavar="PATH")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()
    programs = Programs.given(options)
    nowcheck = executable(options.nowcheck, "build it with `scripts/bench`")
    if shutil.which("valgrind") is None:
        raise CannotMeasure("there is no valgrind; install it (the package has that name)")

    with contextlib.ExitStack() as stack:
        response = fetch(starter(programs, "nowd", b"")(stack, ()).url)
    nowd = starter(programs, "nowd", response)
    rows = [[f"GET {target}", f"{per_request(nowd, same(target, lines)):,}"] for target, lines in TARGETS.items()]
    tables = [of_now(programs, response), table(["nowd", "instructions"], rows), of_rounds(programs.nowd, nowcheck)]
    text = "\n\n".join(tables)
    print(f"Instructions in user space, over {MANY - FEW:,} requests on one connection.\n\n{text}")
    if options.write:
        write_block(options.write, "bench-instructions", text)


if __name__ == "__main__":
    run(main)
