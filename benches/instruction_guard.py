#!/usr/bin/env python3
"""Holds the instructions of the hot paths to those that are stored, so that none changes without notice.

`make instruction-counts` builds what is counted, and fails if a count differs from benches/instruction_counts.json by more
than 3 %. ARGS=--write stores what it counted; say in the commit why it changed.

Counts depend on the compiler and on the C library, which are stored with them. With others there is nothing to compare, and
the exit code is 77.
"""

import argparse
import contextlib
import json
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from harness import CannotMeasure, announced_url, executable, free_port, process, run, table
from instructions import (
    DEADLINE_SECONDS,
    FEW_ROUNDS,
    FLAGS,
    MANY_ROUNDS,
    TOOL,
    balancer_to,
    counted_rounds,
    per_request,
    same,
    starter,
    total,
)
from servers import Programs

STORED = Path(__file__).with_name("instruction_counts.json")
TOLERANCE = 0.03
TRIES = 3
"""Most that disturbs a count adds to it. So the least of some is taken, and more are made only if it does not fit."""
NOT_COMPARABLE = 77

CHECKS = 4
WINDOWS, WINDOW_SECONDS = 6, 30
"""A round may be cut by either end of a window, so a window holds many."""
MAIN_THREAD = "1"
FEW_WRITES, MANY_WRITES = 50, 250


def toolchain() -> str:
    """What counts depend on beside the sources: who compiles them, and what chooses between variants at run time."""

    def version(*command: str) -> str:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return re.search(r"\d+(\.\d+)*", said)[0]

    flags = Path("/proc/cpuinfo").read_text().split()
    vectors = "AVX2" if "avx2" in flags else "no AVX2"
    return (
        f"rustc {version('rustc', '--version')}, cc {version('cc', '-dumpfullversion')}, {' '.join(platform.libc_ver())}, "
        f"valgrind {version('valgrind', '--version')}, {platform.machine()} with {vectors}"
    )


def of_a_request(nowd: str, requests_to) -> int:
    return per_request(starter(Programs(nowd, epoll_loop="", peers=""), "nowd", response=b""), requests_to)


def of_a_round(nowd: str, nowcheck: str) -> int:
    with process([nowd, *FLAGS], stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        (few, _), (many, _) = (counted_rounds(nowcheck, url, rounds) for rounds in (FEW_ROUNDS, MANY_ROUNDS))
    return round((many - few) / (MANY_ROUNDS - FEW_ROUNDS))


def of_a_write(program: str) -> int:
    """A round that is written in a transaction of its own. The program is not optimized: what counts is what SQLite does."""
    counts = []
    for rounds in (FEW_WRITES, MANY_WRITES):
        with tempfile.TemporaryDirectory() as folder:
            command = [*TOOL, program, folder, str(rounds)]
            counts.append(total(subprocess.run(command, capture_output=True, check=True, timeout=DEADLINE_SECONDS).stderr))
    few, many = counts
    return round((many - few) / (MANY_WRITES - FEW_WRITES))


def of_a_steady_round(nowd: str, nowcheck: str) -> int:
    """A round of the monitor that takes a single request, without the threads that write the history and the log."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        private = f"127.0.0.1:{free_port()}"
        server = stack.enter_context(process([nowd, *FLAGS, f"--admin-listen={private}"], stderr=subprocess.PIPE))
        monitor = WatchedMonitor(stack, folder, nowcheck, announced_url(server, server.stderr), f"http://{private}/metrics")
        for _ in range(WINDOWS):
            if count := monitor.window():
                return count
    raise CannotMeasure(f"in {WINDOWS} windows there was none without a doubt that took more requests; run it again")


class WatchedMonitor:
    """A monitor with a history under valgrind, whose checks are asked once a second."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path, nowcheck: str, url: str, metrics: str):
        port = free_port()
        self.folder, self.metrics = folder, metrics
        self.api = f"http://127.0.0.1:{port}/api/v1/checks"
        checks = "".join(f'[[check]]\nname = "check {number}"\nurl = "{url}/now"\n' for number in range(CHECKS))
        (folder / "nowcheck.toml").write_text(
            f'[server]\nlisten = "127.0.0.1:{port}"\n[history]\npath = "history.db"\n'
            f'[defaults]\nevery = "1s"\ntimeout = "1s"\ntrust_system_clock = true\n{checks}'
        )
        tool = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={folder}/counts"]
        command = [*tool, nowcheck, "watch", "--config", str(folder / "nowcheck.toml"), "--log", "json"]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.pid = stack.enter_context(process(command, **pipes)).pid
        # The first rounds are full ones, and under valgrind they take their time.
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.rounds() < 5 * CHECKS:
            if time.monotonic() > deadline:
                raise CannotMeasure("the monitor does not hold its rounds under valgrind")
            time.sleep(0.5)

    def rounds(self) -> int:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(self.api, timeout=10) as answer:
                return sum(sum(check["rounds"].values()) for check in json.load(answer)["checks"])
        return 0

    def requests(self) -> int:
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("nowd_http_requests_total{"))

    def window(self) -> int | None:
        """The instructions of a round in some seconds; none if a round took more than a request."""
        self.counted()
        rounds, requests = self.rounds(), self.requests()
        time.sleep(WINDOW_SECONDS)
        rounds, requests = self.rounds() - rounds, self.requests() - requests
        counts = self.counted()
        # One of each may be under way at the beginning and at the end.
        if rounds == 0 or abs(rounds - requests) > 1:
            return None
        return round(counts[MAIN_THREAD] / rounds)

    def counted(self) -> dict[str, int]:
        """The instructions of each thread since the last call."""
        for file in self.folder.glob("counts*"):
            file.unlink()
        subprocess.run(["callgrind_control", "--dump", str(self.pid)], capture_output=True, check=True, timeout=60)
        found = {}
        for file in self.folder.glob("counts*"):
            text = file.read_text()
            thread, count = (re.search(rf"^{word}: (\d+)", text, re.MULTILINE) for word in ("thread", "totals"))
            if thread and count:
                found[thread[1]] = int(count[1])
        return found


def least(count: Callable[[], int], stored: int | None) -> int:
    """The least of some counts. One that fits what is stored is enough."""
    found = count()
    for _ in range(TRIES - 1):
        if fits(found, stored):
            break
        found = min(found, count())
    return found


def fits(count: int, stored: int | None) -> bool:
    return stored is not None and abs(count - stored) <= TOLERANCE * stored


def count_all(nowd: str, nowcheck: str, write_history: str, stored: dict[str, int]) -> dict[str, int]:
    paths = {
        "GET /now, wrk's head": lambda: of_a_request(nowd, same("/now")),
        "GET /now, a balancer's head": lambda: of_a_request(nowd, balancer_to),
        "nowcheck: a full round": lambda: of_a_round(nowd, nowcheck),
        "nowcheck watch: a steady round": lambda: of_a_steady_round(nowd, nowcheck),
        "nowcheck watch: a round into the history": lambda: of_a_write(write_history),
    }
    return {name: least(count, stored.get(name)) for name, count in paths.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default="target/release/nowd", metavar="PATH")
    parser.add_argument("--nowcheck", default="target/release/nowcheck", metavar="PATH")
    parser.add_argument("--write-history", default="target/debug/examples/write_history", metavar="PATH")
    parser.add_argument("--write", action="store_true", help=f"store the counts in {STORED.name}")
    options = parser.parse_args()
    programs = (options.nowd, options.nowcheck, options.write_history)
    programs = [executable(path, "`make instruction-counts` builds it") for path in programs]
    if shutil.which("valgrind") is None:
        raise CannotMeasure("there is no valgrind; install it with `sudo scripts/setup-tests packages`")
    stored = json.loads(STORED.read_text()) if STORED.exists() else {"toolchain": "", "counts": {}}
    if not options.write and stored["toolchain"] != (here := toolchain()):
        print(f"Nothing to compare: the counts are of {stored['toolchain']}, and this is {here}.")
        sys.exit(NOT_COMPARABLE)

    counts = count_all(*programs, {} if options.write else stored["counts"])
    rows = []
    for name, count in counts.items():
        before = stored["counts"].get(name)
        rows.append([name, f"{count:,}", f"{before:,}" if before else "", f"{count / before - 1:+.1%}" if before else ""])
    print(table(["instructions", "counted", "stored", ""], rows))
    if options.write:
        STORED.write_text(json.dumps({"toolchain": toolchain(), "counts": counts}, indent=2) + "\n")
        return
    strayed = [name for name, count in counts.items() if not fits(count, stored["counts"].get(name))]
    if strayed:
        raise CannotMeasure(
            f"more than {TOLERANCE:.0%} from what is stored: {', '.join(strayed)}. If that is meant, store it with "
            "`make instruction-counts ARGS=--write`, and say in the commit why it changed"
        )


if __name__ == "__main__":
    run(main)
