#!/usr/bin/env python3
"""What the dashboard of the monitor costs: a check over a year, and 5,000 checks on one page.

benches/dashboard.py --nowd PATH --nowcheck PATH --simulated-history PATH [--checks 100] [--write FILE]

The monitor runs on one core and holds its rounds meanwhile. Times are of the client, over the loopback, from the request to
the first byte or the last one. The slowest of the requests is shown beside the median.
"""

import argparse
import http.client
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from harness import CannotMeasure, announced_url, executable, free_port, machine, process, run, write_block
from watch import MEASURED_CORE, SERVER_CORE, Monitor


def get(port: int, path: str) -> tuple[float, float, int]:
    """Seconds to the first byte, seconds to the last one, and bytes of the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.connect()
        begin = time.monotonic()
        connection.request("GET", path)
        answer = connection.getresponse()
        first = time.monotonic() - begin
        body = answer.read()
        if answer.status != 200:
            raise CannotMeasure(f"{path} is answered with {answer.status}")
        return first, time.monotonic() - begin, len(body)
    finally:
        connection.close()


def row(name: str, port: int, path: str, times: int = 20) -> str:
    measured = [get(port, path) for _ in range(times)]
    firsts, wholes = ([each[nth] * 1e3 for each in measured] for nth in (0, 1))
    size = max(each[2] for each in measured)
    return (
        f"| {name} | {statistics.median(firsts):.1f} ms, at most {max(firsts):.1f} "
        f"| {statistics.median(wholes):.1f} ms, at most {max(wholes):.1f} | {size / 1e3:.0f} kB |"
    )


def of_a_year(nowcheck: str, simulated: str, url: str, checks: int) -> list[str]:
    """The pages of one of so many checks that were watched for a year."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, port = Path(temporary), free_port()
        names = [f"check {number}" for number in range(checks)]
        subprocess.run([simulated, str(folder / "history.db"), "366", *names], check=True)
        text = f'[server]\nlisten = "127.0.0.1:{port}"\n[history]\npath = "history.db"\n[defaults]\ntrust_system_clock = true\n'
        text += "".join(f'[[check]]\nname = "{name}"\nurl = "{url}/now"\n' for name in names)
        file = folder / "nowcheck.toml"
        file.write_text(text)
        command = [nowcheck, "watch", "--config", str(file), "--log", "json"]
        with process(command, MEASURED_CORE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            deadline = time.monotonic() + 30
            while True:
                try:
                    if b"<svg" in body(port, "/checks/check%2042"):
                        break
                except OSError:
                    pass
                if time.monotonic() > deadline:
                    raise CannotMeasure("the monitor does not show its check within 30 s")
                time.sleep(0.2)
            # The first rounds, and the packing of the last hours, are over then.
            time.sleep(10)
            ranges = ("hour", "day", "week", "quarter", "year")
            return [row(f"a check over the last {each}", port, f"/checks/check%2042?range={each}") for each in ranges]


def body(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    finally:
        connection.close()


def of_many(nowcheck: str, url: str, count: int) -> list[str]:
    monitor = Monitor(nowcheck, url, count, "30s")
    try:
        time.sleep(5)
        return [
            row(f"{count:,} checks, the first page", monitor.port, "/"),
            row(f"{count:,} checks, filtered by text", monitor.port, "/?q=499"),
            row(f"{count:,} checks, filtered by status", monitor.port, "/?status=down"),
        ]
    finally:
        monitor.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("nowd", "nowcheck", "simulated-history"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--checks", type=int, default=100)
    parser.add_argument("--many", type=int, default=5_000)
    parser.add_argument("--write", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.checks < 43:
        parser.error("--checks has to be 43 or more")
    programs = (given.nowd, given.nowcheck, given.simulated_history)
    nowd, nowcheck, simulated = (executable(path, "build it first") for path in programs)
    with process([nowd, "--listen", "127.0.0.1:0"], SERVER_CORE, stderr=subprocess.PIPE) as server:
        url = announced_url(server, server.stderr)
        threading.Thread(target=server.stderr.read, daemon=True).start()
        rows = of_a_year(nowcheck, simulated, url, given.checks) + of_many(nowcheck, url, given.many)
    heading = "| page | first byte | whole | size |\n|---|---|---|---|"
    text = f"""Measured on {machine()}: 20 requests each over the loopback, median and slowest, while \
the monitor holds its rounds. {given.checks} checks have a history of a year.

{heading}
{chr(10).join(rows)}
"""
    print(text)
    if given.write:
        write_block(given.write, "bench-dashboard", text)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    run(main)
