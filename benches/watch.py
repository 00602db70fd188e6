#!/usr/bin/env python3
"""What a check of the monitor costs, beside blackbox_exporter and a loop that only connects; and 5,000 checks on one core.

benches/watch.py --nowd PATH --nowcheck PATH --connect-loop PATH [--blackbox PATH] [--write FILE]

All ask the same nowd at the same rate, on the same core, one after the other in turn. What counts is the processor time of
the asking process. Medians are shown, and the ratios matter: this machine's load does not move them much.
"""

import argparse
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

from harness import CannotMeasure, announced_url, executable, free_port, machine, process, run, table, write_block

RATE = 100
"""Checks a second: a hundred services, each once a second."""

MEASURED_CORE, SERVER_CORE = 1, 0

CROWDS = (1, 100, 1_000, 5_000)
"""Checks of one monitor."""
CROWD_PERIOD, CROWD_SECONDS = 30, 60


def cpu_seconds(pid: int) -> float:
    """The processor time of all threads of a process, in nanoseconds and not in ticks."""
    # The identifier that clock_getcpuclockid(3) makes.
    return time.clock_gettime((~pid << 3) | 2)


def resident_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def configuration(folder: Path, url: str, count: int, every: str) -> tuple[Path, int]:
    port = free_port()
    text = f'[server]\nlisten = "127.0.0.1:{port}"\n[history]\npath = "history.db"\n'
    text += f'[defaults]\nevery = "{every}"\ntimeout = "{min(int(every[:-1]), 10)}s"\ntrust_system_clock = true\n'
    for number in range(count):
        text += f'[[check]]\nname = "check {number}"\nurl = "{url}/now"\n'
    file = folder / "nowcheck.toml"
    file.write_text(text)
    return file, port


class Monitor:
    """A running `nowcheck watch` of so many checks."""

    def __init__(self, nowcheck: str, url: str, count: int, every: str):
        self.folder = tempfile.TemporaryDirectory()
        file, self.port = configuration(Path(self.folder.name), url, count, every)
        command = [nowcheck, "watch", "--config", str(file), "--log", "json"]
        self.running = process(command, MEASURED_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.pid = self.running.__enter__().pid
        deadline = time.monotonic() + 60
        while not all(check["round"] for check in self.checks()):
            if time.monotonic() > deadline:
                raise CannotMeasure("the monitor has not held all first rounds within a minute")
            time.sleep(0.5)

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        except OSError:
            return b'{"checks": [{"round": null}]}'
        finally:
            connection.close()

    def checks(self) -> list[dict]:
        return json.loads(self.get("/api/v1/checks"))["checks"]

    def rounds(self) -> int:
        return sum(sum(check["rounds"].values()) for check in self.checks())

    def stop(self) -> None:
        self.running.__exit__(None, None, None)
        self.folder.cleanup()


def of_the_monitor(nowcheck: str, url: str, seconds: float) -> float:
    monitor = Monitor(nowcheck, url, RATE, "1s")
    try:
        time.sleep(2)
        rounds, before = monitor.rounds(), cpu_seconds(monitor.pid)
        time.sleep(seconds)
        after, held = cpu_seconds(monitor.pid), monitor.rounds() - rounds
    finally:
        monitor.stop()
    return (after - before) / held * 1e6


def of_blackbox(blackbox: str, url: str, seconds: float) -> float:
    port = free_port()
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write("modules: {now: {prober: http, timeout: 5s, http: {preferred_ip_protocol: ip4}}}\n")
        file.flush()
        command = [blackbox, f"--config.file={file.name}", f"--web.listen-address=127.0.0.1:{port}"]
        with process(command, MEASURED_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as exporter:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            deadline = time.monotonic() + 10
            while True:
                try:
                    connection.connect()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise CannotMeasure("blackbox_exporter does not listen") from None
                    time.sleep(0.1)

            def probe() -> None:
                connection.request("GET", f"/probe?module=now&target={url}/now")
                if b"probe_success 1" not in connection.getresponse().read():
                    raise CannotMeasure("blackbox_exporter's probe does not succeed")

            for _ in range(RATE):
                probe()
            before, count, begin = cpu_seconds(exporter.pid), 0, time.monotonic()
            while time.monotonic() - begin < seconds:
                probe()
                count += 1
                time.sleep(max(0, begin + count / RATE - time.monotonic()))
            after = cpu_seconds(exporter.pid)
            connection.close()
    return (after - before) / count * 1e6


def of_the_loop(connect_loop: str, url: str, seconds: float) -> float:
    command = [connect_loop, url.removeprefix("http://"), str(RATE), str(round(seconds))]
    with process(command, MEASURED_CORE, stdout=subprocess.PIPE) as loop:
        done = loop.stdout.readline().strip()
        _, status, usage = os.wait4(loop.pid, 0)
        loop.returncode = os.waitstatus_to_exitcode(status)
        used = usage.ru_utime + usage.ru_stime
    if int(done) != RATE * round(seconds):
        raise CannotMeasure(f"of {RATE * round(seconds)} requests of the loop {done.decode()} were answered")
    return used / int(done) * 1e6


def many(nowcheck: str, url: str, count: int, every: int, seconds: float) -> dict[str, float]:
    """So many checks on one core."""
    monitor = Monitor(nowcheck, url, count, f"{every}s")
    try:
        time.sleep(every)
        rounds, before, begin = monitor.rounds(), cpu_seconds(monitor.pid), time.monotonic()
        time.sleep(seconds)
        used, took = cpu_seconds(monitor.pid) - before, time.monotonic() - begin
        held = monitor.rounds() - rounds
        checks = monitor.checks()
        lateness = sorted(check["round"]["lateness_seconds"] for check in checks)
        begin = time.monotonic()
        page = monitor.get("/")
        return {
            "checks": count,
            "rounds": held,
            "missed": sum(sum(check["missed"].values()) for check in checks),
            "not_ok": sum(check["status"] != "ok" for check in checks),
            "share": used / took,
            "micros": used / held * 1e6,
            "memory": resident_mb(monitor.pid),
            "late": lateness[int(len(lateness) * 0.99)],
            "page_seconds": time.monotonic() - begin,
            "page_bytes": len(page),
        }
    finally:
        monitor.stop()


def of_crowds(crowds: list[dict[str, float]]) -> str:
    """A column for each number of checks."""
    rows = {
        "slots without a round": lambda crowd: f"{crowd['missed']} of {crowd['rounds'] + crowd['missed']:,}",
        "checks that were not ok": lambda crowd: f"{crowd['not_ok']}",
        "processor time, of the core": lambda crowd: f"{crowd['share']:.2%}",
        "processor time of a round, µs": lambda crowd: f"{crowd['micros']:,.0f}",
        "memory, MB": lambda crowd: f"{crowd['memory']:.0f}",
        "lateness, 99th percentile, ms": lambda crowd: f"{crowd['late'] * 1e3:.1f}",
        "the page of all checks, ms": lambda crowd: f"{crowd['page_seconds'] * 1e3:.0f}",
        "its size, MB": lambda crowd: f"{crowd['page_bytes'] / 1e6:.2f}",
    }
    titles = [f"checks, every {CROWD_PERIOD} s, on one core, history on", *(f"{crowd['checks']:,}" for crowd in crowds)]
    return table(titles, [[name, *(figure(crowd) for crowd in crowds)] for name, figure in rows.items()])


def of_costs(rows: list[tuple[str, list[float]]], floor: str, peer: str) -> str:
    medians = {name: statistics.median(values) for name, values in rows}
    lines = ["| | µs of processor time a check | × the loop | × blackbox_exporter |", "|---|---|---|---|"]
    for name, value in medians.items():
        beside = f"{value / medians[peer]:.2f}" if peer in medians else "–"
        lines.append(f"| {name} | {value:.0f} | {value / medians[floor]:.2f} | {beside} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nowd", "nowcheck", "connect-loop"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--blackbox")
    parser.add_argument("--crowds", type=int, nargs="+", default=CROWDS, metavar="CHECKS")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--write", type=Path, metavar="FILE")
    given = parser.parse_args()
    nowd, nowcheck, loop = (executable(path, "build it first") for path in (given.nowd, given.nowcheck, given.connect_loop))

    measured: dict[str, list[float]] = {}
    with process([nowd, "--listen", "127.0.0.1:0"], SERVER_CORE, stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        threading.Thread(target=server.stderr.read, daemon=True).start()
        for _ in range(3):
            measured.setdefault("connect, send, receive, close", []).append(of_the_loop(loop, url, given.seconds))
            measured.setdefault("`nowcheck watch`, history on", []).append(of_the_monitor(nowcheck, url, given.seconds))
            if given.blackbox:
                measured.setdefault("blackbox_exporter", []).append(of_blackbox(given.blackbox, url, given.seconds))
        crowds = [many(nowcheck, url, count, CROWD_PERIOD, CROWD_SECONDS) for count in given.crowds]

    text = f"""Measured on {machine()}: {RATE} checks a second of one nowd over the loopback, three runs of \
{given.seconds:g} s in turn, medians.

{of_costs(list(measured.items()), "connect, send, receive, close", "blackbox_exporter")}

{of_crowds(crowds)}
"""
    print(text)
    if given.write:
        write_block(given.write, "bench-watch", text)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(main)
