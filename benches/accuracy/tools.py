"""The tools that are compared, each with the options that serve it best, and what their answers claim."""

import email.utils
import enum
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from harness import CannotMeasure

HERE = Path(__file__).resolve().parent
LIMIT = 1.0
"""Seconds: the question is whether a clock is within this."""

PROVEN = "proven"
WHOLE_SECONDS = "whole seconds"

PATIENCE = 40.0
"""Seconds after which a tool is taken to have said nothing. All of them end sooner unless something is broken."""


class Claim(enum.Enum):
    WITHIN = "within"
    BEYOND = "beyond"
    NONE = "cannot say"


@dataclass(frozen=True)
class Question:
    """What a tool is asked, and where it runs."""

    url: str
    options: Sequence[str] = ()
    """That nowcheck needs for it."""
    gently: bool = False
    """Whether requests side by side would be too much for the service."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """In addition to that of this process."""
    kernel_error: float | None = None
    """Seconds that the kernel admits about this machine's clock, because `environment` makes it say so."""


@dataclass(frozen=True)
class Answer:
    """What one run of a tool said."""

    claim: Claim
    words: str
    """For an answer that is no figure, or more than one."""
    offset: float | None = None
    """Seconds that the service is ahead, as the tool has it."""
    half_width: float | None = None
    """How far off that may be, as the tool has it."""
    intervals: tuple[tuple[float, float], ...] = ()
    """Where the offsets of the service's clocks are proven to be; only nowcheck says so."""
    requests: int | None = None
    seconds: float = 0.0


@dataclass(frozen=True)
class Tool:
    name: str
    width: str
    """How wide its answers are, by its own account."""
    version: str
    ask: Callable[[Question], Answer]


@dataclass(frozen=True)
class Finished:
    code: int | None
    """None when it did not end in time."""
    stdout: str
    stderr: str
    seconds: float


def finish(command: list[str], more: Mapping[str, str] | None = None) -> Finished:
    began = time.monotonic()
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            env=environment() | dict(more or {}),
        )
    except subprocess.TimeoutExpired:
        return Finished(None, "", "", time.monotonic() - began)
    return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def environment() -> dict[str, str]:
    """Without what would send a tool through a proxy or change how it writes."""
    unwanted = re.compile(".*_PROXY|NOWCHECK_.*|NO_COLOR|RUST_.*", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not unwanted.fullmatch(name)}
    return kept | {"LC_ALL": "C"}


def version_of(command: list[str]) -> str:
    done = finish(command)
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    if found is None:
        raise CannotMeasure(f"`{' '.join(command)}` tells no version: {(done.stdout + done.stderr).strip()}")
    return found[0]


def judged(offset: float) -> Claim:
    return Claim.WITHIN if abs(offset) <= LIMIT else Claim.BEYOND


# ------------------------------------------------------------------------------------------------------------ nowcheck


def nowcheck(program: str, fresh_date: bool = False) -> Tool:
    more = ("--date-cache", "0s") if fresh_date else ()

    def ask(question: Question) -> Answer:
        # The services run on this machine, by its clock: whether anything vouches for that one makes no difference here,
        # except where the kernel is made to.
        trust = ("--trust-system-clock",) if question.kernel_error is None else ()
        command = [program, question.url, *question.options, *more, *trust, "--output", "json"]
        done = finish(command, question.environment)
        try:
            outcome = json.loads(done.stdout)
            [target] = outcome["targets"]
        except (ValueError, KeyError) as reason:
            raise CannotMeasure(f"{' '.join(command)} wrote no outcome ({reason}): {done.stdout}{done.stderr}") from reason
        admitted = outcome["reference"]["max_error"]
        if question.kernel_error is not None and (admitted is None or admitted < question.kernel_error):
            raise CannotMeasure(f"the kernel's word was not replaced for {program}: is it linked statically?")
        offsets = [backend["offset"] for backend in target["backends"]]
        # Of several clocks the one that is the furthest off is what a reader looks at.
        worst = max(offsets, key=lambda o: abs(o["estimate"]), default=None)
        claim = {
            "in_sync": Claim.WITHIN,
            "desynchronized": Claim.WITHIN if target["status"] == "WARNING" else Claim.BEYOND,
            # Somebody who asks for the time gets a wrong one.
            "stale_cache": Claim.BEYOND,
            # That a service is down is a claim too, and none of these services is.
            "down": Claim.BEYOND,
        }.get(target["reason"], Claim.NONE)
        return Answer(
            claim,
            {"stale_cache": "stale cache", "down": "down"}.get(target["reason"], ""),
            worst and worst["estimate"],
            worst and (worst["latest"] - worst["earliest"]) / 2,
            tuple((o["earliest"], o["latest"]) for o in offsets),
            target["requests"],
            done.seconds,
        )

    version = version_of([program, "--version"])
    if fresh_date:
        return Tool("nowcheck --date-cache 0s", PROVEN, version, ask)
    return Tool("nowcheck", PROVEN, version, ask)


# ------------------------------------------------------------------------------------------------------------- htpdate


def htpdate(program: str) -> Tool:
    """`-p 9` is the finest search for the second's edge that it has. `-d` makes it say what it measured; without that
    it says how far it would move this machine's clock, and since version 1.3.7 that is half as far below a second. From
    `-p 2` on it needs a connection that stays open; where it gets none, it is asked once more with `-p 1`."""

    def ask(question: Question) -> Answer:
        requests, seconds = 0, 0.0
        for precision in ("9", "1"):
            done = finish([program, "-q", "-d", "-p", precision, question.url], question.environment)
            # One request comes before those that are shown, to learn how long they take.
            requests += done.stdout.count("=>") + 1
            seconds += done.seconds
            measured = re.search(r"^offset: (-?[0-9.]+)$", done.stdout, re.MULTILINE)
            if done.code == 0 and measured is not None:
                offset = float(measured[1])
                return Answer(judged(offset), "", offset, requests=requests, seconds=seconds)
        return Answer(Claim.NONE, "no offset", requests=requests, seconds=seconds)

    return Tool("htpdate", "not told", version_of([program, "-v"]), ask)


# ---------------------------------------------------------------------------------------------------------- check_http


def check_http(program: str) -> Tool:
    """`-d` looks for a text in the headers. A `Date` within a second, in whole seconds, is that of the second in which
    it is asked, of the next or of the one before. It is asked for the three at once, lest a second ends between them;
    and once more when none is there, as monitoring systems do before they call somebody. A service that takes little at
    a time is asked for the same one after the other."""

    def found(question: Question, date: str) -> Finished:
        parts = urlsplit(question.url)
        # `-N`: the headers are enough, and not every server ends the connection after the body.
        command = [program, "-I", parts.hostname, "-p", str(parts.port), "-u", parts.path, "-N", "-d", date]
        return finish(command, question.environment)

    def ask(question: Question) -> Answer:
        began = time.monotonic()
        for requests in (3, 6):
            this_second = int(time.time())
            dates = {ahead: email.utils.formatdate(this_second + ahead, usegmt=True) for ahead in (0, 1, -1)}
            with ThreadPoolExecutor(1 if question.gently else len(dates)) as pool:
                asked = {ahead: pool.submit(found, question, date) for ahead, date in dates.items()}
            done = {ahead: future.result() for ahead, future in asked.items()}
            seconds = time.monotonic() - began
            for ahead, finished in done.items():
                if finished.code == 0:
                    return Answer(Claim.WITHIN, "", float(ahead), requests=requests, seconds=seconds)
                if "not found on" not in finished.stdout:
                    return Answer(Claim.NONE, first_words(finished.stdout), requests=requests, seconds=seconds)
        return Answer(Claim.BEYOND, "none of the three", requests=requests, seconds=seconds)

    return Tool("check_http", WHOLE_SECONDS, version_of([program, "-V"]), ask)


def first_words(stdout: str) -> str:
    """What a plugin says before its performance data."""
    return " ".join(stdout.partition("|")[0].split())


def document_age(program: str, url: str) -> str:
    """What `check_http -M` says, which compares two headers of one answer."""
    parts = urlsplit(url)
    done = finish([program, "-I", parts.hostname, "-p", str(parts.port), "-u", parts.path, "-M", "1"])
    return re.sub(r"( -)? \d+ bytes in .*", "", first_words(done.stdout))


# ---------------------------------------------------------------------------------------------------------- the naive


def naive(mode: str, name: str, width: str) -> Tool:
    def ask(question: Question) -> Answer:
        done = finish([sys.executable, "-I", "-S", str(HERE / "naive.py"), mode, question.url], question.environment)
        try:
            offset = float(done.stdout)
        except ValueError:
            why = done.stderr.strip().rpartition("\n")[2]
            missing = "no `current_time`" if mode == "hms" and ("KeyError" in why or "JSON" in why) else why
            return Answer(Claim.NONE, missing, requests=1, seconds=done.seconds)
        return Answer(judged(offset), "", offset, requests=1, seconds=done.seconds)

    return Tool(name, width, ".".join(map(str, sys.version_info[:3])), ask)


# ------------------------------------------------------------------------------------------------------------- finding


def find(name: str, given: str | None, places: Sequence[Path] = ()) -> str | None:
    """The path of a program: the one given, one in `places`, or one in the PATH."""
    if given:
        if not os.access(given, os.X_OK):
            raise CannotMeasure(f"{given} is to be {name}, and is no program")
        return str(Path(given).resolve())
    # Debian keeps servers and plugins where the search path of an ordinary user does not reach.
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", ""), "/usr/sbin", "/usr/lib/nagios/plugins"])
    return shutil.which(name, path=path)
