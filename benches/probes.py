#!/usr/bin/env python3
"""What a round on request costs: `/probe` of one instance, on one core.

benches/probes.py --nowd PATH --nowcheck PATH [--seconds N] [--write FILE]

A client asks for rounds of one nowd over kept connections, as Prometheus does. What counts is the processor time of the
probing process: it does not depend on how much of the other core the client and nowd take.
"""

import argparse
import asyncio
import contextlib
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from harness import CannotMeasure, announced_url, executable, free_port, process, run
from watch import MEASURED_CORE, SERVER_CORE, cpu_seconds, machine, resident_mb

RATE = 50
"""Rounds a second, when their cost is measured."""

CROWD = 64
"""Clients side by side, when it is measured how many rounds can be held."""

SILENT = 512
"""Targets that never answer, at the same time: the most rounds that one instance holds."""

# (what it is, lines of the module)
MODULES = {
    "default": ("as by default: backends are searched over up to 8 connections", ""),
    "half": ('`miss_probability = "50%"`: backends are met over time', 'miss_probability = "50%"\n'),
}


@contextlib.contextmanager
def prober(nowcheck: str):
    """A running instance: its process id and its port."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        text = f'[server]\nlisten = "127.0.0.1:{port}"\n[history]\npath = "none"\n[defaults]\ntrust_system_clock = true\n'
        for name, (_, lines) in MODULES.items():
            text += f'[[probe]]\nmodule = "{name}"\nallow = ["http://127.0.0.1:*/*"]\n{lines}'
        file = Path(folder) / "nowcheck.toml"
        file.write_text(text)
        command = [nowcheck, "watch", "--config", str(file), "--log", "json"]
        with process(command, MEASURED_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
            deadline = time.monotonic() + 10
            while not is_ready(port):
                if time.monotonic() > deadline:
                    raise CannotMeasure("nowcheck does not become ready")
                time.sleep(0.05)
            yield running.pid, port


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Client:
    """Asks for rounds, one after the other, over one kept connection."""

    def __init__(self, port: int, target: str, module: str):
        self.port = port
        path = f"/probe?module={module}&target={quote(target, safe='')}"
        self.request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\n\r\n".encode()
        self.took: list[float] = []
        self.good = 0

    async def ask(self, until: float, period: float = 0, first: float = 0) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        due = time.monotonic() + first
        while time.monotonic() < until:
            await asyncio.sleep(max(0, due - time.monotonic()))
            begin = time.monotonic()
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            self.took.append(time.monotonic() - begin)
            self.good += b"\nprobe_success 1" in body
            due = max(due + period, time.monotonic() - period)
        writer.close()


async def crowd(port: int, target: str, module: str, count: int, seconds: float, rate: float = 0) -> list[Client]:
    clients = [Client(port, target, module) for _ in range(count)]
    until = time.monotonic() + seconds
    period = count / rate if rate else 0
    await asyncio.gather(*(client.ask(until, period, period * nth / count) for nth, client in enumerate(clients)))
    return clients


def measured(pid: int, port: int, target: str, module: str, seconds: float) -> dict[str, float]:
    """The cost of a round at a moderate rate, and how many can be held."""
    asyncio.run(crowd(port, target, module, 4, 1, RATE))
    before = cpu_seconds(pid)
    clients = asyncio.run(crowd(port, target, module, 4, seconds, RATE))
    rounds = sum(len(client.took) for client in clients)
    cost = (cpu_seconds(pid) - before) / rounds
    begin, before = time.monotonic(), cpu_seconds(pid)
    full = asyncio.run(crowd(port, target, module, CROWD, seconds))
    length = time.monotonic() - begin
    took = sorted(one for client in full for one in client.took)
    every = clients + full
    return {
        "cost": cost,
        "most": len(took) / length,
        "share": (cpu_seconds(pid) - before) / length,
        "middle": statistics.median(took),
        "late": took[int(len(took) * 0.99)],
        "bad": sum(len(client.took) - client.good for client in every),
        "all": sum(len(client.took) for client in every),
        "memory": resident_mb(pid),
    }


def of_silence(pid: int, port: int) -> tuple[float, float, float]:
    """The memory before and while targets are silent, and how long it takes to find a page meanwhile."""
    with socket.create_server(("127.0.0.1", 0), backlog=4_096) as silent:
        before = resident_mb(pid)
        target = f"http://127.0.0.1:{silent.getsockname()[1]}/now"
        asking = threading.Thread(target=lambda: asyncio.run(crowd(port, target, "half", SILENT, 0.5)))
        asking.start()
        time.sleep(4)
        begin = time.monotonic()
        ready = is_ready(port)
        took = time.monotonic() - begin
        memory = resident_mb(pid)
        asking.join()
    if not ready:
        raise CannotMeasure("nowcheck serves nothing while targets are silent")
    return before, memory, took


def page(results: dict[str, dict[str, float]], silence: tuple[float, float, float], seconds: float) -> str:
    """The figures as tables, and what follows from them."""
    rows = [
        (f"processor time of a round, at {RATE} rounds a second", lambda one: f"{one['cost'] * 1e3:.2f} ms"),
        (f"rounds a second with {CROWD} clients, at most", lambda one: f"{one['most']:.0f}"),
        ("processor time of the instance then", lambda one: f"{one['share']:.0%} of a core"),
        ("processor time of a round then", lambda one: f"{one['share'] / one['most'] * 1e3:.2f} ms"),
        ("time of an answer then: median", lambda one: f"{one['middle'] * 1e3:.0f} ms"),
        ("time of an answer then: 99th percentile", lambda one: f"{one['late'] * 1e3:.0f} ms"),
        ("rounds that did not succeed", lambda one: f"{one['bad']:.0f} of {one['all']:.0f}"),
        ("memory", lambda one: f"{one['memory']:.0f} MB"),
    ]
    heads = [about for about, _ in MODULES.values()]
    lines = [f"| | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    lines += [f"| {name} | {' | '.join(of(results[module]) for module in MODULES)} |" for name, of in rows]
    before, memory, took = silence
    sums = ["| targets, each every 30 s | " + " | ".join(heads) + " |", "|---|" + "---|" * len(heads)]
    for targets in (1_000, 10_000, 100_000):
        cores = [targets / 30 * results[module]["cost"] / 0.6 for module in MODULES]
        sums.append(f"| {targets:,} | {' | '.join(f'{one:.2g} cores' for one in cores)} |")
    return f"""Measured on {machine()}: one instance on one core, one nowd as the target, over the loopback and
without TLS, {seconds:g} s each.

{chr(10).join(lines)}

While {SILENT} targets at once were silent, the instance grew from {before:.0f} to {memory:.0f} MB, and `/readyz` answered in {took * 1e3:.0f} ms.

From the cost at {RATE} rounds a second follows, with six tenths of each core in use:

{chr(10).join(sums)}
"""


BEGIN, END = "<!-- bench-probes -->", "<!-- /bench-probes -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nowd", "nowcheck"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--write", type=Path, metavar="FILE")
    given = parser.parse_args()
    nowd, nowcheck = (executable(path, "build it first") for path in (given.nowd, given.nowcheck))
    with process([nowd, "--listen", "127.0.0.1:0"], SERVER_CORE, stderr=subprocess.PIPE) as server, prober(nowcheck) as (pid, port):
        target = announced_url(server, server.stderr) + "/now"
        threading.Thread(target=server.stderr.read, daemon=True).start()
        results = {module: measured(pid, port, target, module, given.seconds) for module in MODULES}
        silence = of_silence(pid, port)
    text = page(results, silence, given.seconds)
    print(text)
    if given.write:
        before, rest = given.write.read_text().split(BEGIN)
        given.write.write_text(f"{before}{BEGIN}\n{text}{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(main)
