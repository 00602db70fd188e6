#!/usr/bin/env python3
"""Where the instructions of a request go: the functions of nowd that take most of a `GET /now`, counted by callgrind.

benches/profile.py --nowd PATH [--write FILE]      # of a program with its symbols; `make profile` builds it
"""

import argparse
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections import Counter
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from harness import CannotMeasure, announced_url, executable, process, response_from, run, table, write_block
from instructions import DEADLINE_SECONDS, FEW, FLAGS, MANY, balancer_to, same

TOP = 25
HEADS = {"wrk's head": same("/now"), "a balancer's head": balancer_to}
LONGEST_NAME = 90


def by_function(nowd: str, requests_to, count: int) -> Counter:
    """Instructions of each function itself, without those that it calls, from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        counts = f"{folder}/counts"
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={counts}"]
        with process([*tool, nowd, *FLAGS], stderr=subprocess.PIPE) as server:
            url = urlsplit(announced_url(server, server.stderr))
            with socket.create_connection((url.hostname, url.port), timeout=DEADLINE_SECONDS) as connection:
                for request in islice(requests_to(url.netloc), count):
                    connection.sendall(request)
                    response_from(connection)
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=DEADLINE_SECONDS)
        annotate = ["callgrind_annotate", "--threshold=100", "--auto=no", "--show-percs=no", counts]
        told = subprocess.run(annotate, capture_output=True, text=True, check=True).stdout
    found: Counter = Counter()
    for line in told.splitlines():
        # 1,234  file:function [object]
        if match := re.match(r"^\s*([\d,]+)\s+\S+?:(.+?)(?: \[[^\]]*\])?$", line):
            found[match[2]] += int(match[1].replace(",", ""))
    if not found:
        raise CannotMeasure("callgrind_annotate named no function; is the program stripped?")
    return found


def shortened(function: str) -> str:
    """A name without hashes, type parameters and the frames of the calls around it."""
    name = re.sub(r"::h[0-9a-f]{16}|'\d+$", "", function)
    while (plain := re.sub(r"<[^<>]*>", "", name.replace("->", "→"))) != name and plain.strip(":& "):
        name = plain
    name = name.removeprefix("::")
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"


def of_a_request(nowd: str, requests_to) -> Counter:
    few, many = (by_function(nowd, requests_to, count) for count in (FEW, MANY))
    return Counter({name: (many[name] - few[name]) / (MANY - FEW) for name in many})


def report(head: str, found: Counter) -> str:
    total = sum(found.values())
    merged: Counter = Counter()
    for name, count in found.items():
        merged[shortened(name)] += count
    rows = [[f"`{name}`", f"{count:,.0f}", f"{count / total:.1%}"] for name, count in merged.most_common(TOP) if count >= 1]
    rest = total - sum(count for _, count in merged.most_common(TOP))
    rows += [["everything else", f"{rest:,.0f}", f"{rest / total:.1%}"], ["together", f"{total:,.0f}", ""]]
    return f"With {head}:\n\n{table(['function', 'instructions', 'share'], rows)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/profile/release/nowd", metavar="PATH")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()
    nowd = executable(options.nowd, "build it with `make profile`")
    for tool in ("valgrind", "callgrind_annotate"):
        if shutil.which(tool) is None:
            raise CannotMeasure(f"there is no {tool}; install valgrind with `sudo scripts/setup-tests packages`")
    text = "\n\n".join(report(head, of_a_request(nowd, requests_to)) for head, requests_to in HEADS.items())
    print(text)
    if options.write:
        write_block(options.write, "profile", text)


if __name__ == "__main__":
    run(main)
