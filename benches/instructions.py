#!/usr/bin/env python3
"""How many instructions nowd takes in user space for a request, counted by valgrind.

Unlike time, that is the same on a busy machine, so it shows what a change of the code costs. What the kernel does for a
request (most of the time) is not in it.
"""

import argparse
import re
import shutil
import signal
import socket
import subprocess
from urllib.parse import urlsplit

from harness import CannotMeasure, announced_url, executable, process, response_from, run, table

DEADLINE_SECONDS = 120.0
"""For a whole run: valgrind makes a program some fifty times slower."""

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
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    flags = ["--listen=127.0.0.1:0", "--threads=1", "--drain-delay=0s"]
    with process([*tool, nowd, *flags], stderr=subprocess.PIPE) as server:
        url = urlsplit(announced_url(server, server.stderr))
        request = f"GET {target} HTTP/1.1\r\nHost: {url.netloc}\r\n{lines}\r\n".encode()
        with socket.create_connection((url.hostname, url.port), timeout=DEADLINE_SECONDS) as connection:
            for _ in range(requests):
                connection.sendall(request)
                response_from(connection)
        server.send_signal(signal.SIGTERM)
        said = server.communicate(timeout=DEADLINE_SECONDS)[1].decode(errors="replace")
    if not (total := re.search(r"Collected : (\d+)", said)):
        raise CannotMeasure(f"valgrind did not say how many instructions it counted: {said}")
    return int(total[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    options = parser.parse_args()
    nowd = executable(options.nowd, "build it with `scripts/bench`")
    if shutil.which("valgrind") is None:
        raise CannotMeasure("there is no valgrind; install it (the package has that name)")

    rows = []
    for target, lines in TARGETS.items():
        few, many = (counted(nowd, target, lines, requests) for requests in (FEW, MANY))
        rows.append([f"GET {target}", f"{(many - few) / (MANY - FEW):,.0f}"])
    print(f"Instructions in user space for a request, over {MANY - FEW:,} of them on one connection.\n")
    print(table(["", "instructions"], rows))


if __name__ == "__main__":
    run(main)
