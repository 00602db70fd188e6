"""Runs the health check as its users do, and holds every JSON that it writes against its schema."""

import json
import os
import re
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jsonschema import Draft202012Validator, FormatChecker

from support.process import WAIT, Child
from support.tools import ROOT, binary

EXIT = {"OK": 0, "WARNING": 1, "CRITICAL": 2, "UNKNOWN": 3}

# What `--timeout` plus 0.2 s leaves for the process itself: starting it and the noise of a busy machine (the tests
# may run side by side, with a debug build) are not the check's, but the clock of the test counts them.
TIMEOUT_SLACK = 0.2
START_UP = 0.3


def messages(notes: list[dict]) -> list[str]:
    """Notes as sentences, without their codes."""
    return [note["message"] for note in notes]


@dataclass
class Run:
    """One run that has ended. `outcome` is what `--output json` said."""

    exit: int
    stdout: str
    stderr: str
    seconds: float
    outcome: dict | None = None

    @property
    def target(self) -> dict:
        """The only target."""
        (target,) = self.outcome["targets"]
        return target

    @property
    def backend(self) -> dict:
        """The only backend of the only target."""
        (backend,) = self.target["backends"]
        return backend

    @property
    def failure(self) -> dict:
        failure = self.target["failure"]
        assert failure is not None, f"no failure in {json.dumps(self.outcome, indent=1)}"
        return failure

    @property
    def words(self) -> str:
        """All that the outcome says of the target in words."""
        target = self.target
        failure = [target["failure"]["message"]] if target["failure"] else []
        return "\n".join([self.outcome["summary"], target["summary"], *failure, *messages(target["notes"])])

    @property
    def verdict(self) -> tuple[str, str]:
        return self.outcome["status"], self.outcome["reason"]

    def __str__(self) -> str:
        return f"exit {self.exit} after {self.seconds:.3f} s\nstdout: {self.stdout}\nstderr: {self.stderr}"


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what would change the output or the trust of the program under test."""
    unwanted = re.compile(
        "CI|NO_COLOR|CLICOLOR.*|FORCE_COLOR|SSL_CERT_(FILE|DIR)|RUST_.*|NOWCHECK_.*|.*_PROXY", re.IGNORECASE
    )
    kept = {name: value for name, value in os.environ.items() if not unwanted.fullmatch(name)}
    return kept | {"LC_ALL": "C.UTF-8"} | more


def trusting(*arguments: str) -> list[str]:
    """These arguments, and that this machine's clock may be trusted: the kernel of a machine that runs tests seldom vouches
    for it, and the services under test share it. Not where the reference itself is under test."""
    flags = ("--reference", "--strict", "--trust-system-clock")
    has_reference = any(argument.startswith(flags) for argument in arguments)
    return [*arguments] if has_reference else [*arguments, "--trust-system-clock"]


def nowcheck(
    *arguments: str, environment: dict[str, str] | None = None, trust: bool = True, prefix: Sequence[str] = ()
) -> Run:
    """Runs it to its end, whatever the output is. `prefix` is a program that runs it."""
    command = [*prefix, binary("nowcheck"), *(trusting(*arguments) if trust else arguments)]
    begin = time.monotonic()
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="strict",
        timeout=WAIT + 40,
        env=clean_environment(**(environment or {})),
    )
    seconds = time.monotonic() - begin
    assert "panicked" not in done.stderr, done.stderr
    return Run(done.returncode, done.stdout, done.stderr, seconds)


def check(*arguments: str, **how) -> Run:
    """One round with `--output json`; the JSON is valid, agrees with itself and with the exit code."""
    run = nowcheck(*arguments, "--output", "json", **how)
    lines = run.stdout.splitlines()
    assert len(lines) == 1, f"one JSON object on one line was expected:\n{run}"
    run.outcome = parse_outcome(lines[0])
    assert run.exit == EXIT[run.outcome["status"]], f"the exit code and the JSON do not agree:\n{run}"
    return run


def start(*arguments: str) -> Child:
    """Starts it to run on (`--every`); whoever starts it ends it."""
    return Child([binary("nowcheck"), *trusting(*arguments)], env=clean_environment())


@cache
def schema() -> Draft202012Validator:
    text = (ROOT / "contract" / "nowcheck.schema.json").read_text()
    return Draft202012Validator(json.loads(text), format_checker=FormatChecker())


def parse_outcome(line: str) -> dict:
    def no_constant(name: str):
        raise AssertionError(f"{name} is not JSON: {line}")

    outcome = json.loads(line, parse_constant=no_constant)
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in schema().iter_errors(outcome)]
    assert not errors, "\n".join([*errors, line])
    agree_with_itself(outcome)
    return outcome


def agree_with_itself(outcome: dict) -> None:
    """What a schema cannot say."""
    said = json.dumps(outcome, indent=1)
    statuses = {target["status"] for target in outcome["targets"]}
    assert outcome["status"] in statuses, f"a verdict that no target has: {said}"
    if outcome["reference"]["status"] in ("unsynchronized", "unknown"):
        judged = [*outcome["targets"], *(one for target in outcome["targets"] for one in target["backends"])]
        assert not [one for one in judged if one["status"] == "OK"], f"OK without proof: {said}"
    assert (outcome["status"] == "OK") == (outcome["reason"] == "in_sync"), said
    assert outcome["checked_at"].endswith("Z"), said
    for target in outcome["targets"]:
        assert (target["status"] == "OK") == (target["reason"] == "in_sync"), said
        if target["reason"] == "down":
            assert target["failure"] is not None, f"down, and not why: {said}"
        assert sum(backend["samples"] for backend in target["backends"]) <= target["requests"], said
        if target["address"] is not None:
            assert re.fullmatch(r"[0-9.]+:\d+|\[[0-9a-f:.]+(%\d+)?\]:\d+", target["address"]), said
        for backend in target["backends"]:
            offset, trip = backend["offset"], backend["round_trip"]
            assert offset["earliest"] <= offset["estimate"] <= offset["latest"], said
            middle = (offset["earliest"] + offset["latest"]) / 2
            assert abs(offset["estimate"] - middle) <= 1e-6, f"the estimate is not the middle: {said}"
            assert trip["min"] <= trip["median"] <= trip["max"], said
            judged_rightly(backend, outcome["limits"], said)


def judged_rightly(backend: dict, limits: dict, said: str) -> None:
    """The verdict of a backend follows from its own interval: nothing is guessed."""
    if backend["reason"] not in ("in_sync", "desynchronized", "undetermined", "reference_not_vouched_for"):
        return
    earliest, latest = backend["offset"]["earliest"], backend["offset"]["latest"]
    limit = limits["max_offset"]
    proven_right = -limit <= earliest <= latest <= limit
    proven_wrong = earliest > limit or latest < -limit
    follows = {
        "OK": proven_right,
        "WARNING": proven_right,  # by a clock for which nothing vouches, perhaps
        "CRITICAL": proven_wrong,
        # Answers without a name may be of several clocks: their overlap is then true of none.
        "UNKNOWN": not proven_wrong and (not proven_right or backend["instance"] is None),
    }
    assert follows[backend["status"]], f"{backend['status']} does not follow from [{earliest}, {latest}]: {said}"
