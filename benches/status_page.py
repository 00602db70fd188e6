#!/usr/bin/env python3
"""What the status page costs the measuring: 1,000 requests a second beside the rounds of one instance, on one core.

benches/status_page.py --nowd PATH --nowcheck PATH [--seconds N] [--write FILE]

The same rounds are held with and without readers. Readers keep their connections, as a proxy does, or open one for each
request. They have no cache: every answer is the whole page.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import CannotMeasure, announced_url, executable, free_port, machine, process, run, write_block
from watch import MEASURED_CORE, SERVER_CORE, cpu_seconds, resident_mb

CHECKS, PUBLIC = 200, 20
"""Checks, each every second, and those of them that the page shows."""

RATE = 1_000
"""Requests a second."""

READERS = 50
"""Readers side by side."""


@contextlib.contextmanager
def watching(nowcheck: str, url: str):
    """A running instance: its process id, and the ports of its dashboard and its status page."""
    with tempfile.TemporaryDirectory() as folder:
        port, public = free_port(), free_port()
        text = f'[server]\nlisten = "127.0.0.1:{port}"\nstatus_page = "127.0.0.1:{public}"\n'
        text += '[history]\npath = "history.db"\n'
        text += '[defaults]\nevery = "1s"\ntimeout = "1s"\ntrust_system_clock = true\n'
        for number in range(CHECKS):
            text += f'[[check]]\nname = "check {number}"\nurl = "{url}/now"\npublic = {str(number < PUBLIC).lower()}\n'
        file = Path(folder) / "nowcheck.toml"
        file.write_text(text)
        command = [nowcheck, "watch", "--config", str(file), "--log", "json"]
        with process(command, MEASURED_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            deadline = time.monotonic() + 30
            while len(get(public)) < 1_000 or min(sum(one["rounds"].values()) for one in checks(port)) < 3:
                if time.monotonic() > deadline:
                    raise CannotMeasure("nowcheck does not become ready")
                time.sleep(0.2)
            yield running.pid, port, public


def get(port: int, path: str = "/") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except OSError:
        return b""
    finally:
        connection.close()


def checks(port: int) -> list[dict]:
    return json.loads(get(port, "/api/v1/checks") or b'{"checks": [{"rounds": {}}]}')["checks"]


async def read(port: int, until: float, first: float, keeps: bool, took: list[float]) -> None:
    period = READERS / RATE
    due = time.monotonic() + first
    reader = writer = None
    while time.monotonic() < until:
        await asyncio.sleep(max(0, due - time.monotonic()))
        begin = time.monotonic()
        if writer is None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200 "):
            raise CannotMeasure(f"the status page answers {head[:30]!r}")
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
        took.append(time.monotonic() - begin)
        if not keeps:
            writer.close()
            writer = None
        # Who is late does not ask less.
        due += period
    if writer:
        writer.close()


async def crowd(port: int, seconds: float, keeps: bool, took: list[float]) -> None:
    until = time.monotonic() + seconds
    await asyncio.gather(*(read(port, until, nth / RATE, keeps, took) for nth in range(READERS)))


def total(of: list[dict], what: str) -> int:
    return sum(sum(one[what].values()) for one in of)


def measured(pid: int, port: int, public: int, seconds: float, keeps: bool | None) -> dict[str, float]:
    """What the rounds are like while so many read; nobody, if it is not said whether they keep their connections."""
    took: list[float] = []
    before, cpu, begin = checks(port), cpu_seconds(pid), time.monotonic()

    def work() -> None:
        if keeps is None:
            time.sleep(seconds)
        else:
            asyncio.run(crowd(public, seconds, keeps, took))

    reading = threading.Thread(target=work)
    reading.start()
    late = []
    while reading.is_alive():
        reading.join(1)
        late += [one["round"]["lateness_seconds"] for one in checks(port)]
    length, cpu = time.monotonic() - begin, cpu_seconds(pid) - cpu
    after = checks(port)
    rounds, missed = (total(after, what) - total(before, what) for what in ("rounds", "missed"))
    late.sort()
    took.sort()
    return {
        "cpu": cpu / length,
        "rounds": rounds,
        "missed": missed,
        "late": late[int(len(late) * 0.99)],
        "bad": sum(one["status"] != "ok" for one in after),
        "answers": len(took) / length,
        "middle": statistics.median(took) if took else 0,
        "slow": took[int(len(took) * 0.99)] if took else 0,
        "memory": resident_mb(pid),
    }


def page(results: dict[str, dict[str, float]], size: int, seconds: float) -> str:
    def cost(one: dict[str, float]) -> str:
        return f"{(one['cpu'] - results['nobody']['cpu']) / one['answers'] * 1e6:.0f} µs" if one["answers"] else "–"

    rows = [
        ("answers a second", lambda one: f"{one['answers']:,.0f}"),
        ("time of an answer: median", lambda one: f"{one['middle'] * 1e3:.1f} ms" if one["answers"] else "–"),
        ("time of an answer: 99th percentile", lambda one: f"{one['slow'] * 1e3:.1f} ms" if one["answers"] else "–"),
        ("processor time of an answer", cost),
        ("rounds held", lambda one: f"{one['rounds']:,.0f}"),
        ("slots without a round", lambda one: f"{one['missed']:.0f}"),
        ("lateness of rounds: 99th percentile", lambda one: f"{one['late'] * 1e3:.1f} ms"),
        ("checks that were not ok at the end", lambda one: f"{one['bad']:.0f} of {CHECKS}"),
        ("processor time of the instance", lambda one: f"{one['cpu']:.0%} of a core"),
        ("memory", lambda one: f"{one['memory']:.0f} MB"),
    ]
    heads = {
        "nobody": "nobody reads",
        "kept": f"{RATE:,} a second over {READERS} kept connections",
        "fresh": f"{RATE:,} a second, a connection for each",
    }
    lines = [f"| | {' | '.join(heads.values())} |", "|---|" + "---|" * len(heads)]
    lines += [f"| {name} | {' | '.join(of(results[head]) for head in heads)} |" for name, of in rows]
    return f"""Measured on {machine()}: one instance on one core watches {CHECKS} checks, each every second, {PUBLIC} of
them public; {seconds:g} s each. An answer is the whole page of {size / 1e3:.0f} kB.

{chr(10).join(lines)}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nowd", "nowcheck"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--write", type=Path, metavar="FILE")
    given = parser.parse_args()
    nowd, nowcheck = (executable(path, "build it first") for path in (given.nowd, given.nowcheck))
    with process([nowd, "--listen", "127.0.0.1:0"], SERVER_CORE, stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        threading.Thread(target=server.stderr.read, daemon=True).start()
        os.sched_setaffinity(0, {SERVER_CORE})
        with watching(nowcheck, url) as (pid, port, public):
            kinds = {"nobody": None, "kept": True, "fresh": False}
            results = {name: measured(pid, port, public, given.seconds, keeps) for name, keeps in kinds.items()}
            size = len(get(public))
    text = page(results, size, given.seconds)
    print(text)
    if given.write:
        write_block(given.write, "bench-status-page", text)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(main)
