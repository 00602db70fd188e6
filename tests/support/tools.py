"""What has to be on the machine beside Python: found, or skipped by name; in CI a missing tool is a failure."""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def lacking(what: str) -> None:
    """Skips the test because of `what`; on CI (variable `CI` set) fails it, so that nothing is silently untested."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (in CI that is a failure, elsewhere the test is skipped)", pytrace=False)
    pytest.skip(what)


def need(tool: str) -> str:
    """The path of a program."""
    path = shutil.which(tool)
    if path is None:
        lacking(f"the program `{tool}` is not installed")
    return path


def binary(name: str) -> str:
    """The path of one of the project's own programs: $NOWD or $NOWCHECK, else what cargo built last."""
    variable = name.upper()
    given = os.environ.get(variable)
    if given:
        if not os.access(given, os.X_OK):
            pytest.fail(f"${variable} is {given}, and that is no program", pytrace=False)
        return given
    for profile in ("release", "debug"):
        path = ROOT / "target" / profile / name
        if path.exists():
            return str(path)
    pytest.fail(f"{name} is not built: run `cargo build --release --bin {name}`, or set ${variable}", pytrace=False)


def compiled(name: str, directory: Path) -> Path:
    """tests/support/NAME.c as a library that stands before the system's (`LD_PRELOAD`), in the directory."""
    library, source = directory / f"{name}.so", ROOT / "tests" / "support" / f"{name}.c"
    command = [need("cc"), "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", str(library), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return library


@cache
def faketime(shift: str) -> dict[str, str]:
    """The environment that gives a program another wall clock, such as `+3s`. The monotonic clock stays: a wrong clock
    is wrong by the wall, not in how fast it goes.

    The command `faketime` would stand between the test and the program, and a signal would end it alone; so it is only
    asked what it puts into the environment. `FAKETIME_SHARED` is memory that it takes away again when it ends.
    """
    command = [need("faketime"), "-m", "--exclude-monotonic", "-f", shift, "env", "-0"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    pairs = (line.split("=", 1) for line in told.split("\0") if "=" in line)
    wanted = re.compile("LD_PRELOAD|DYLD_.*|FAKETIME|(FAKETIME_)?DONT_FAKE_MONOTONIC")
    return {name: value for name, value in pairs if wanted.fullmatch(name)}
