#!/usr/bin/env python3
"""How little nowd needs: time until the first answer, memory, size of the binary; and how long one check takes.

Measured on the static binary, which is the one that goes into the image.
"""

import argparse
import contextlib
import platform
import statistics
import subprocess
import time
from pathlib import Path

from harness import (
    DEADLINE_SECONDS,
    CannotMeasure,
    announced_url,
    executable,
    fetch,
    free_port,
    process,
    run,
    table,
    write_block,
)

GOAL_FIRST_ANSWER_MS = 10.0
GOAL_MEMORY_MB = 5.0
GOAL_BINARY_MB = 4.0
GOAL_CHECK_MS = 60.0

STATIC_NOWD = f"build/static/{platform.machine()}-unknown-linux-gnu/release/nowd"

BYTES_A_MEGABYTE = 1_000_000


def first_answer_ms(command: list[str], url: str, core: int | None = None, stop=lambda _: None) -> float:
    """From the start of a server to the first 200 that a client receives."""
    # The port is known before the start, because the client must knock before anybody can say that it is open.
    started = time.perf_counter()
    with process(command, core, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while (elapsed := time.perf_counter() - started) < DEADLINE_SECONDS:
                with contextlib.suppress(OSError):
                    fetch(url)
                    return (time.perf_counter() - started) * 1000
                if server.poll() is not None:
                    break
        finally:
            stop(server)
    raise CannotMeasure(f"nothing answered at {url} within {elapsed:.1f} s; run `{' '.join(command)}` to see why")


def first_answer_of_nowd_ms(nowd: str) -> float:
    address = f"127.0.0.1:{free_port()}"
    return first_answer_ms([nowd, "--listen", address], f"http://{address}/now")


def memory_bytes(pid: int, file: str, field: str) -> int:
    """A field of a /proc file that the kernel gives in kB, by which it means 1024 bytes."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise CannotMeasure(f"this kernel does not tell {field} in /proc/PID/{file}")


def check_ms(nowcheck: str, url: str) -> tuple[float, int]:
    """One whole round of the check as a process: its duration and its exit code."""
    started = time.perf_counter()
    # nowd runs on this machine, by the same clock.
    command = [nowcheck, url, "--trust-system-clock"]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=10 * DEADLINE_SECONDS)
    elapsed = (time.perf_counter() - started) * 1000
    # 2 is "down or desynchronized", which nowd on this machine is not; a negative one is a crash.
    if finished.returncode not in (0, 1, 3):
        raise CannotMeasure(f"nowcheck {url} ended with {finished.returncode}: {finished.stdout}{finished.stderr}")
    return elapsed, finished.returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nowd", default=STATIC_NOWD, metavar="PATH")
    parser.add_argument("--nowcheck", default="target/release/nowcheck", metavar="PATH")
    parser.add_argument("--runs", type=int, default=20, help="of each timed figure (default: %(default)s)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the table into")
    options = parser.parse_args()
    nowd = executable(options.nowd, "build it with `scripts/bench`")
    nowcheck = executable(options.nowcheck, "build it with `cargo build --release --locked -p nowcheck-cli`")

    first_answers = [first_answer_of_nowd_ms(nowd) for _ in range(options.runs)]
    with process([nowd, "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        fetch(f"{url}/now")
        resident = memory_bytes(server.pid, "status", "VmRSS")
        proportional = memory_bytes(server.pid, "smaps_rollup", "Pss")
        checks = [check_ms(nowcheck, url) for _ in range(options.runs)]

    def row(name: str, figures: list[float], unit: str, goal: float) -> list[str]:
        figure = statistics.median(figures)
        spread = f"{min(figures):.1f}–{max(figures):.1f}" if len(figures) > 1 else ""
        return [name, f"{figure:.2f} {unit}", spread, f"≤ {goal:g} {unit}", "met" if figure <= goal else "NOT MET"]

    rows = [
        row("nowd: start to first answer", first_answers, "ms", GOAL_FIRST_ANSWER_MS),
        row("nowd: memory after one request (RSS)", [resident / BYTES_A_MEGABYTE], "MB", GOAL_MEMORY_MB),
        row("nowd: static binary", [Path(nowd).stat().st_size / BYTES_A_MEGABYTE], "MB", GOAL_BINARY_MB),
        row("nowcheck: one round", [elapsed for elapsed, _ in checks], "ms", GOAL_CHECK_MS),
    ]
    figures = table(["", "measured", "min–max", "goal", ""], rows)
    print(f"What nowd needs, and how long a check takes: medians of {options.runs}.\n\n{figures}")
    if options.write:
        write_block(options.write, "bench-footprint", figures)
    print(f"\nMemory in proportion, where pages are shared (PSS): {proportional / BYTES_A_MEGABYTE:.2f} MB.")
    if undecided := sum(code != 0 for _, code in checks):
        print(f"{undecided} of {options.runs} checks were not OK: run `{options.nowcheck}` against a nowd to see why.")


if __name__ == "__main__":
    run(main)
