"""What a situation is, where its services are started, and how its truth is measured before anybody else asks."""

import contextlib
import email.utils
import math
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness import CannotMeasure, fetch, header
from tools import LIMIT

ROOT = Path(__file__).resolve().parents[2]

HOUR, DAY = 3600.0, 86400.0
Reader = Callable[[bytes, bytes], tuple[float, float]]
"""The head and the body of an answer -> the instants between which its time lies."""


@dataclass(frozen=True)
class Programs:
    nowd: str
    faketime: str
    nginx: str | None
    kernel_word: str | None
    """A library that answers for the kernel how far this machine's clock is to be trusted (tests/support)."""


@dataclass
class Stage:
    """Where the services of one situation are started, and ended with it."""

    programs: Programs
    stack: contextlib.ExitStack
    truths: list[Callable[[], None]] = field(default_factory=list)

    def is_ahead(self, url: str, offset: float, read: Reader) -> None:
        """Makes sure of it, now and whenever `make_sure` is called."""
        self.truths.append(lambda: make_sure(url, offset, read))
        self.truths[-1]()

    def make_sure(self) -> None:
        """That the truth is still what it was."""
        for truth in self.truths:
            truth()


@dataclass(frozen=True)
class Situation:
    group: str
    name: str
    truth: tuple[float, ...]
    """Seconds that the clocks behind the service are ahead."""
    start: Callable[[Stage], str]
    """Starts it, makes sure of the truth, and gives the URL to ask."""
    options: tuple[str, ...] = ()
    """That nowcheck needs here."""
    stale: bool = False
    needs_nginx: bool = False
    date_only: bool = False
    direct: bool = False
    gently: bool = False
    """Whether it takes little at a time: each tool finds it rested, and asks one after the other."""
    kernel_error: float | None = None
    """Seconds that the kernel admits about the clock of the machine that asks; None: whatever it says here."""

    @property
    def within(self) -> bool:
        """Whether everybody who asks this service is told a time that is within the limit."""
        return not self.stale and all(abs(offset) <= LIMIT for offset in self.truth)


# ----------------------------------------------------------------------------------------------------------- programs


def shifted(faketime: str, offset: float) -> dict[str, str]:
    """The environment that gives a program a wall clock that is `offset` seconds ahead. The monotonic clock stays.

    The command `faketime` would stand between this program and the server, and a signal would end it alone; so it is
    only asked what it puts into the environment. `FAKETIME_SHARED` is memory that it takes away again when it ends.
    """
    if not offset:
        return {}
    command = [faketime, "-m", "--exclude-monotonic", "-f", f"{offset:+.9g}s", "env", "-0"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    pairs = (line.split("=", 1) for line in told.split("\0") if "=" in line)
    wanted = re.compile("LD_PRELOAD|DYLD_.*|FAKETIME|(FAKETIME_)?DONT_FAKE_MONOTONIC|FAKETIME_DONT_FAKE_MONOTONIC")
    # It would read its settings again every ten seconds, and nginx writes its own name over them.
    kept = {"FAKETIME_CACHE_DURATION": str(int(DAY))}
    return kept | {name: value for name, value in pairs if wanted.fullmatch(name)}


def python_server(stage: Stage, program: Path, *arguments: str) -> str:
    """A server of ours, which ends when its stdin does."""
    command = [sys.executable, "-B", str(program), *arguments]
    server = stage.stack.enter_context(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    stage.stack.callback(server.kill)
    line = server.stdout.readline().decode().strip()
    if not line.startswith("listening on "):
        raise CannotMeasure(f"{program} did not say what it listens on; it said: {line!r}")
    return line.removeprefix("listening on ")


# ------------------------------------------------------------------------------------------------------- the truth


def exactly(instant: float) -> tuple[float, float]:
    return instant, instant


def date_in(head: bytes) -> tuple[float, float]:
    """What a Date of whole seconds can mean."""
    begin = email.utils.parsedate_to_datetime(header(head, "date")).timestamp()
    return begin, begin + 1.0


def make_sure(url: str, offset: float, read: Reader) -> None:
    """That the service is `offset` seconds ahead: its answers, bracketed by this machine's clock, must allow that and
    little else. A second of asking meets the second's edge, so that also a Date leaves little else."""
    low, high = -math.inf, math.inf
    end = time.monotonic() + 1.2
    while (low + 0.03 < high) and time.monotonic() < end:
        began = time.time()
        head, _, body = fetch(url).partition(b"\r\n\r\n")
        ended = time.time()
        earliest, latest = read(head, body)
        low, high = max(low, earliest - ended), min(high, latest - began)
        time.sleep(0.005)
    # A microsecond for figures that went through floats.
    if not low - 1e-6 <= offset <= high + 1e-6:
        raise CannotMeasure(
            f"{url} was to be {offset:+g} s ahead and is between {low:+.6f} and {high:+.6f} s: "
            "can faketime shift this program, or is it linked statically?"
        )


# ------------------------------------------------------------------------------------------------------------ words


def signed(offset: float) -> str:
    if not offset:
        return "right"
    amount = {HOUR: "1 h", DAY: "a day"}.get(abs(offset), f"{abs(offset):g} s")
    return f"{amount} {'ahead' if offset > 0 else 'behind'}"
