"""Bad networks: a server, and checkers that reach it over links of their own (tests/servers/bad_link.py).

What is true is known: nowd runs under faketime on this machine, and so its clock is ahead of the checker's by exactly
that shift, whatever the links do.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache

from support.nowcheck import EXIT, Run, agree_with_itself, clean_environment, schema, trusting
from support.process import WAIT, Child, poll
from support.tools import ROOT, binary, faketime, lacking, need

BAD_LINK = ROOT / "tests" / "servers" / "bad_link.py"

EXACT = 2e-6
"""Seconds. faketime's shift is exact to less than that."""

LIMIT = 1.0

ASK = """
import json, sys, time, urllib.request
before = time.time()
said = json.load(urllib.request.urlopen(sys.argv[1], timeout=5))["unix_time"]
print([before, said, time.time()])
"""


@dataclass(frozen=True)
class Way:
    """One direction of a link: seconds, and a share. A packet's delay is drawn evenly from delay ± jitter."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True)
class Condition:
    """What a link does to the requests (`out`) and to the answers (`back`)."""

    out: Way
    back: Way
    name: str = ""

    def __str__(self) -> str:
        said = (
            f"{way} {w.delay * 1e3:.0f} ± {w.jitter * 1e3:.0f} ms, {w.loss:.1%} lost"
            for way, w in (("out", self.out), ("back", self.back))
        )
        return self.name or "; ".join(said)


def symmetric(name: str, delay: float, jitter: float = 0.0, loss: float = 0.0) -> Condition:
    return Condition(Way(delay / 2, jitter, loss), Way(delay / 2, jitter, loss), name)


def asymmetric(name: str, out: float, back: float, jitter: float = 0.0, loss: float = 0.0) -> Condition:
    return Condition(Way(out, jitter, loss), Way(back, jitter, loss), name)


@cache
def some_faketime() -> dict[str, str]:
    return faketime("+1s")


def shifted_by(offset: float) -> dict[str, str]:
    """The environment of faketime, which is asked only once: it fails where a namesake of its process left things
    behind, and here are many servers."""
    return some_faketime() | {"FAKETIME": f"{offset:+g}s"} if offset else {}


class Network:
    """One far end with servers, and `links` near ends. Ended by `stop`; what it made goes away with its process."""

    def __init__(self, links: int, *options: str):
        need("ip")
        need("nsenter")
        self.links = links
        self._child = Child([sys.executable, "-B", str(BAD_LINK), str(links), *options])
        self._lock = threading.Lock()
        self._told = 0
        self._servers: list[Child] = []
        try:
            said = json.loads(self._child.stdout.wait_for(r"^\{.*\}$", 3 * WAIT).string)
        except AssertionError:
            self._child.end()
            raise AssertionError(f"the bad links did not come about:\n{self._child.stderr.text}") from None
        if "impossible" in said:
            self._child.end()
            lacking(f"network namespaces with links between them are not to be had here: {said['impossible']}")
        self.made_by: str = said["links"]
        """`netem` or `carried`."""
        self._entries: dict[str, list[str]] = said["enter"]

    def inside(self, where: int | str, *command: str) -> list[str]:
        """The command line that runs `command` at the near end of a link, or at the `far` end."""
        return ["nsenter", *self._entries[str(where)], *command]

    def tell(self, link: int, condition: Condition) -> None:
        """Makes a link as bad as that. It is so when this returns."""
        line = json.dumps({"link": link, "out": asdict(condition.out), "back": asdict(condition.back)})
        with self._lock:
            self._told += 1
            self._child.process.stdin.write(line + "\n")
            self._child.process.stdin.flush()
            self._child.stdout.wait_for_count(1 + self._told)

    def nowd(self, offset: float, port: int) -> None:
        """A nowd at the far end, on all of its addresses, its wall clock `offset` seconds ahead."""
        # Only nowd itself: a program that gives way to another under faketime leaves things behind in /dev/shm.
        clock = [f"{name}={value}" for name, value in shifted_by(offset).items()]
        listen = [f"--listen=0.0.0.0:{port}", f"--listen=[::]:{port}", "--drain-delay=0s"]
        server = Child(self.inside("far", "env", *clock, binary("nowd"), *listen), env=clean_environment())
        self._servers.append(server)
        server.stderr.wait_for(r"listening on ")
        # A nowd that faketime cannot shift would make every test here lie.
        before, said, after = json.loads(poll(lambda: self._ask(port), f"an answer of nowd at port {port}"))
        if not before + offset - 0.001 <= said <= after + offset + 0.001:
            ahead = f"{said - after:+.3f} to {said - before:+.3f} s"
            lacking(f"faketime cannot shift this nowd by {offset:+g} s (it is {ahead}): is it linked statically?")

    def _ask(self, port: int) -> str:
        """What a nowd says, between two readings of this machine's clock."""
        command = self.inside("far", sys.executable, "-c", ASK, f"http://127.0.0.1:{port}/now")
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT, env=clean_environment()
        )
        return done.stdout if done.returncode == 0 else ""

    def check(self, link: int, *arguments: str) -> Run:
        """One round from the near end of a link, held to all that `support.nowcheck.check` holds it to."""
        command = self.inside(link, binary("nowcheck"), *trusting(*arguments), "--output", "json")
        begin = time.monotonic()
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT + 40,
            env=clean_environment(),
        )
        run = Run(done.returncode, done.stdout, done.stderr, time.monotonic() - begin)
        assert len(done.stdout.splitlines()) == 1, f"one JSON object on one line was expected:\n{run}"
        run.outcome = json.loads(done.stdout)
        assert not [error.message for error in schema().iter_errors(run.outcome)], str(run)
        agree_with_itself(run.outcome)
        assert run.exit == EXIT[run.outcome["status"]], f"the exit code and the JSON do not agree:\n{run}"
        return run

    def stop(self) -> dict:
        """Ends the servers and the links. Gives what the links say of themselves."""
        for server in self._servers:
            server.end()
        if self._child.process.poll() is None and not self._child.process.stdin.closed:
            self._child.process.stdin.close()
        try:
            self._child.wait()
        except subprocess.TimeoutExpired:
            self._child.end()
        last = self._child.stdout.lines[-1][1] if self._child.stdout.lines else ""
        assert last.startswith("report "), f"the bad links broke:\n{self._child.stderr.text}"
        return json.loads(last.removeprefix("report "))


# ------------------------------------------------------------------------------------------------- rounds and truth


FAMILIES = {"IPv4": "v4.link{}.test", "IPv6": "v6.link{}.test", "both": "link{}.test"}


@dataclass(frozen=True)
class Job:
    """A round that is to be held."""

    condition: Condition
    offset: float
    family: str = "both"
    arguments: tuple[str, ...] = ()


@dataclass
class Held:
    """A round that was held, beside the truth."""

    job: Job
    run: Run

    @property
    def intervals(self) -> list[tuple[float, float]]:
        backends = (backend for target in self.run.outcome["targets"] for backend in target["backends"])
        return [(backend["offset"]["earliest"], backend["offset"]["latest"]) for backend in backends]

    @property
    def half_widths(self) -> list[float]:
        return [(latest - earliest) / 2 for earliest, latest in self.intervals]

    @property
    def requests(self) -> int:
        return sum(target["requests"] for target in self.run.outcome["targets"])

    @property
    def holds_the_truth(self) -> bool:
        return all(early - EXACT <= self.job.offset <= late + EXACT for early, late in self.intervals)

    @property
    def is_wrong(self) -> bool:
        """An OK or a CRITICAL that is not so. The server is up all the time, and so nothing is down."""
        wrong_clock = abs(self.job.offset) > LIMIT
        status, reason = self.run.verdict
        if status == "OK":
            return wrong_clock
        return status == "CRITICAL" and not (wrong_clock and reason == "desynchronized")

    def __str__(self) -> str:
        return f"{self.job.offset:+g} s over {self.job.family}, {self.job.condition}: {self.run}"


class Beds:
    """A network whose server shows each of some offsets on a port of its own, and which takes rounds side by side."""

    def __init__(self, offsets: Iterable[float], links: int = 16):
        self.network = Network(links)
        try:
            self.ports = {offset: 8000 + number for number, offset in enumerate(sorted(set(offsets)))}
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(self.network.nowd, self.ports.keys(), self.ports.values()))
        except BaseException:
            self.network.stop()
            raise

    def hold(self, jobs: list[Job]) -> list[Held]:
        """Rounds on all links at once. They mostly wait, and so they hardly disturb each other."""
        free = list(range(self.network.links))

        def hold_one(job: Job) -> Held:
            link = free.pop()
            try:
                self.network.tell(link, job.condition)
                host = FAMILIES[job.family].format(link)
                url = f"http://{host}:{self.ports[job.offset]}"
                return Held(job, self.network.check(link, url, *job.arguments))
            finally:
                free.append(link)

        with ThreadPoolExecutor(self.network.links) as pool:
            return list(pool.map(hold_one, jobs))

    def stop(self) -> dict:
        return self.network.stop()


# ------------------------------------------------------------------------------------------- the published conditions

OFFSETS = [0.0, 0.5, -0.5, 0.9, -0.9, 1.1, -1.1, 3.0, -3.0, 3600.0]
"""Of the servers whose rounds are published, each in turn."""

CONDITIONS = [
    symmetric("no delay", 0.0),
    symmetric("10 ms", 0.010),
    symmetric("50 ms", 0.050),
    symmetric("200 ms", 0.200),
    symmetric("50 ms, jitter ± 20 ms each way", 0.050, jitter=0.020),
    symmetric("200 ms, jitter ± 50 ms each way", 0.200, jitter=0.050),
    asymmetric("190 ms out, 10 ms back", 0.190, 0.010),
    asymmetric("10 ms out, 190 ms back", 0.010, 0.190),
    asymmetric("60 ms out, 10 ms back, jitter ± 10 ms each way", 0.060, 0.010, jitter=0.010),
    symmetric("20 ms, 1 % of the packets lost each way", 0.020, loss=0.01),
    symmetric("50 ms, 5 % of the packets lost each way", 0.050, loss=0.05),
    asymmetric("190 ms out, 10 ms back, jitter ± 10 ms, 5 % lost each way", 0.190, 0.010, jitter=0.010, loss=0.05),
]
"""The rows of docs/network.md."""
