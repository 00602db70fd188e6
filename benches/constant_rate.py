"""Asks a server at a constant rate, with the program of that name in benches/peers."""

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness import CannotMeasure, pinned_to
from servers import Programs, Server

PERCENTILES = ("50", "90", "99", "99.9", "99.99")


@dataclass(frozen=True)
class Load:
    connections: int
    rate: float
    """Requests a second, on all connections together."""
    seconds: float
    pipeline: int = 1
    """Requests that are sent at a time on one connection."""
    heads: Path | None = None
    """A file of request heads that take turns; without one, the smallest head is sent."""


@dataclass(frozen=True)
class Answers:
    """Latencies from the intended time of each request, in µs."""

    requests: int
    percentiles: dict[str, float]
    longest: float
    generator_late: float
    """The 99th percentile of how late the generator itself sent."""
    curve: list[tuple[float, float]]
    """Shares of the requests, and the latency that they did not exceed."""


@dataclass(frozen=True)
class Generator:
    program: str
    core: int
    """It spins, so nothing else should run there."""

    @staticmethod
    def beside_a_server(programs: Programs) -> tuple["Generator", int]:
        """A generator, and the core that is left for the server."""
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise CannotMeasure("there is one core: the server and the generator need one each")
        return Generator(programs.peer("constant-rate"), cores[0]), cores[-1]

    def ask(self, server: Server, load: Load, when_warm: Callable[[], None] = lambda: None) -> Answers:
        """Calls `when_warm` when the connections are open and the requests begin to be counted."""
        command = [self.program, server.url, "--connections", str(load.connections), "--rate", str(load.rate)]
        command += ["--seconds", str(load.seconds), "--pipeline", str(load.pipeline)]
        if load.heads:
            command += ["--heads", str(load.heads)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, preexec_fn=pinned_to(self.core), **pipes) as running:
            try:
                # A line of standard error says that it measures, or why it cannot.
                said = running.stderr.readline().strip()
                if said == "measuring":
                    when_warm()
                    said = running.stderr.readline().strip()
                output = running.stdout.read()
            finally:
                running.kill()
        if said or not output:
            where = f"{server.name} at {load.rate:,.0f} requests/s on {load.connections:,} connections"
            raise CannotMeasure(f"{where}: {said}")
        found = json.loads(output)
        return Answers(
            found["requests"],
            found["percentiles"],
            found["max"],
            found["generator_late_p99"],
            [(share, latency) for share, latency in found["curve"]],
        )
