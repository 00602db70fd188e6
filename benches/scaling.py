#!/usr/bin/env python3
"""How nowd and other servers scale: connections, threads and pipelining; and what it takes to start them.

All get the same modest rate of requests, from a generator that spins on a core of its own. So a server wakes up for
nearly every request, which costs more than in cpu_per_request.py, where many requests wait each time.
"""

import argparse
import contextlib
import re
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from constant_rate import Generator, Load
from cpu_time import CpuTime
from footprint import BYTES_A_MEGABYTE, first_answer_ms
from harness import CannotMeasure, announced_url, fetch, machine, process, raise_open_files, run, table, write_block
from nginx import Size, stop
from servers import FLOOR, Programs, Server, Starter, names, versions

CONNECTIONS = (1, 64, 1_000, 10_000, 20_000)

THREADS = (1, 2)

WITH_THREADS = ("nowd", "nginx", "HAProxy")

KNOWN_PORT = ("nginx", "HAProxy")
"""Those that do not choose a port and announce it."""

STARTS = 20

PIPELINE = (1, 4, 16)

OTHER_CONNECTIONS = 64
"""Where the number of connections is not what varies."""

SPARE_FILES = 1_000
"""What a server or the generator opens beside the connections. nowd keeps some hundreds in reserve."""


@dataclass(frozen=True)
class Cost:
    """Of one server under one load."""

    cpu_us: float
    peak_memory: int
    p99_us: float


@dataclass(frozen=True)
class Bench:
    generator: Generator
    core: int
    programs: Programs
    response: bytes
    """nowd's, which the other servers send too."""
    runs: int
    rate: float
    seconds: float

    def load(self, connections: int = OTHER_CONNECTIONS, pipeline: int = 1) -> Load:
        return Load(connections, self.rate, self.seconds, pipeline)

    @contextlib.contextmanager
    def started(self, name: str, size: Size):
        """One fresh server: a peak of memory is that of the whole process so far."""
        with tempfile.TemporaryDirectory(prefix="nowd-bench-") as folder, contextlib.ExitStack() as stack:
            yield Starter(stack, self.core, Path(folder), self.programs, size, self.response).start(name)

    def cost(self, name: str, load: Load, threads: int = 1) -> Cost:
        with self.started(name, Size(threads, load.connections + SPARE_FILES // 10)) as server:
            before: list[CpuTime] = []
            answers = self.generator.ask(server, load, lambda: before.append(CpuTime.of(server.pids)))
            used = CpuTime.of(server.pids).nanoseconds - before[0].nanoseconds
            return Cost(used / 1_000 / answers.requests, server.memory_bytes("VmHWM"), answers.percentiles["99"])

    def costs(self, servers: list[str], loads: list[Callable[[str], Cost]]) -> dict[str, list[Cost]]:
        """The medians of each server under each load."""
        found: dict[str, list[list[Cost]]] = {name: [[] for _ in loads] for name in servers}
        for turn in range(self.runs):
            # Another one begins each time: whatever drifts in the machine hits them all alike.
            first = turn % len(servers)
            for number, load in enumerate(loads):
                for name in servers[first:] + servers[:first]:
                    found[name][number].append(load(name))
        return {name: [median(costs) for costs in runs] for name, runs in found.items()}


def median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.cpu_us for cost in costs),
        round(statistics.median(cost.peak_memory for cost in costs)),
        statistics.median(cost.p99_us for cost in costs),
    )


def connection_counts() -> list[int]:
    """As many as the limit on open files allows: one file each in the server, and one in the generator."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = (hard - SPARE_FILES) // 100 * 100
    if most < CONNECTIONS[-2]:
        raise CannotMeasure(
            f"the limit on open files is {hard}: raise it to {CONNECTIONS[-1] + SPARE_FILES} (ulimit -n)"
        )
    raise_open_files(min(hard, CONNECTIONS[-1] + SPARE_FILES))
    return [min(count, most) for count in CONNECTIONS]


def of_connections(bench: Bench) -> str:
    counts = connection_counts()
    # The default of an argument keeps the count of this turn.
    loads = [lambda name, count=count: bench.cost(name, bench.load(count)) for count in counts]
    costs = bench.costs(names(), loads)
    titles = [f"{count:,}" for count in counts]
    few = counts.index(OTHER_CONNECTIONS)
    cpu = [
        [name, f"{of[-1].cpu_us / of[few].cpu_us:.2f}", *(f"{cost.cpu_us:.1f}" for cost in of)]
        for name, of in costs.items()
    ]
    memory = []
    for name, of in costs.items():
        each = (of[-1].peak_memory - of[0].peak_memory) / (counts[-1] - counts[0]) / 1024
        megabytes = [f"{cost.peak_memory / BYTES_A_MEGABYTE:.1f}" for cost in of]
        memory.append([name, f"{each:.1f}", *megabytes])
    limited = ""
    if counts[-1] < CONNECTIONS[-1]:
        limited = f"The limit on open files here allows {counts[-1]:,} connections instead of {CONNECTIONS[-1]:,}.\n\n"
    return (
        f"{limited}{table(['µs CPU/request, by connections', f'{titles[-1]} ÷ {titles[few]}', *titles], cpu)}\n\n"
        f"{table(['peak memory (RSS), by connections', 'KiB for each', *(f'{title}, MB' for title in titles)], memory)}"
    )


def of_threads(bench: Bench) -> str:
    installed = [name for name in names() if name in WITH_THREADS]
    loads = [lambda name, count=count: bench.cost(name, bench.load(), count) for count in THREADS]
    rows = [
        [name, *(f"{cost.cpu_us:.1f}" for cost in of), f"{of[1].cpu_us / of[0].cpu_us:.2f}"]
        for name, of in bench.costs(installed, loads).items()
    ]
    return table(["µs CPU/request", "1 thread", "2 threads", "2 ÷ 1"], rows)


def of_pipelining(bench: Bench) -> str:
    # The epoll loop takes whatever it receives for one request.
    able = [name for name in names() if name != FLOOR]
    loads = [lambda name, count=count: bench.cost(name, bench.load(pipeline=count)) for count in PIPELINE]
    rows = [
        [name, *(f"{cost.cpu_us:.1f}" for cost in of), f"{of[-1].cpu_us / of[0].cpu_us:.2f}"]
        for name, of in bench.costs(able, loads).items()
    ]
    titles = [f"{count} at a time" for count in PIPELINE]
    return table(["µs CPU/request", *titles, f"{PIPELINE[-1]} ÷ {PIPELINE[0]}"], rows)


def start_ms(server: Server, core: int) -> float:
    """From another start of the program to the first 200 that a client receives."""
    command = server.process.args
    if server.name in KNOWN_PORT:
        return first_answer_ms(command, server.url, core, stop)
    begun = time.perf_counter()
    with process(command, core, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        said = running.stderr if server.name == "nowd" else running.stdout
        fetch(f"{announced_url(running, said)}/now")
        return (time.perf_counter() - begun) * 1_000


def with_its_libraries(program: str) -> int:
    """Bytes of a program and of the shared libraries that it loads: an image of it alone holds at least these."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    libraries = re.findall(r"(/\S+) \(0x", said)
    return sum(Path(file).resolve().stat().st_size for file in {program, *libraries})


def of_starting(bench: Bench) -> str:
    rows = []
    for name in names():
        with bench.started(name, Size()) as server:
            resident = server.memory_bytes("VmRSS")
            program = server.process.args[0]
            sizes = [Path(program).stat().st_size, with_its_libraries(program)]
            if name in KNOWN_PORT:
                # The others need its port.
                stop(server.process)
            taken = [start_ms(server, bench.core) for _ in range(STARTS)]
        megabytes = [f"{size / BYTES_A_MEGABYTE:.1f}" for size in (resident, *sizes)]
        rows.append([name, f"{statistics.median(taken):.1f}", *megabytes])
    titles = ["ms to the first answer", "MB after it (RSS)", "MB of the program's file", "MB with the libraries that it loads"]
    return table(["server", *titles], rows)


PARTS = {
    "connections": of_connections,
    "threads": of_threads,
    "pipelining": of_pipelining,
    "starting": of_starting,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    Programs.add_arguments(parser)
    parser.add_argument("--runs", type=int, default=3, help="of each figure (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="of each run (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=5_000, help="requests a second (default: %(default)s)")
    parser.add_argument("--only", choices=PARTS, help="one of the tables, which --write then leaves alone")
    parser.add_argument("--write", type=Path, metavar="FILE", help="the page to write the tables into")
    options = parser.parse_args()
    programs = Programs.given(options)
    generator, core = Generator.beside_a_server(programs)
    with process([programs.nowd, "--listen=127.0.0.1:0"], stderr=subprocess.PIPE) as nowd:
        response = fetch(f"{announced_url(nowd, nowd.stderr)}/now")
    bench = Bench(generator, core, programs, response, options.runs, options.rate, options.seconds)

    if options.only:
        print(PARTS[options.only](bench))
        return
    head = (
        f"Measured on {machine()}: {options.rate:,.0f} requests/s, {options.runs} alternating runs of "
        f"{options.seconds:g} s, medians; one thread each, on one core; {versions()}."
    )
    texts = {name: part(bench) for name, part in PARTS.items()}
    print("\n\n".join([head, *texts.values()]))
    if options.write:
        for name, text in texts.items():
            write_block(options.write, f"bench-scaling-{name}", f"{head}\n\n{text}" if name == "connections" else text)


if __name__ == "__main__":
    run(main)
