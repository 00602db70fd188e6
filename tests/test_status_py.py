"""`status.py`, the old name of the health check, still does what those who call it expect."""

import os
import shutil
import subprocess
import sys

import pytest

from support.nowcheck import clean_environment, trusting
from support.process import WAIT
from support.tools import ROOT, binary

STATUS = ROOT / "status.py"


def status_py(*arguments: str, script=STATUS, **environment: str | None) -> subprocess.CompletedProcess:
    """An environment variable that is None is taken away."""
    if "NOWCHECK" not in environment:
        environment["NOWCHECK"] = binary("nowcheck")
    merged = clean_environment() | environment
    return subprocess.run(
        [sys.executable, "-B", str(script), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT,
        env={name: value for name, value in merged.items() if value is not None},
    )


@pytest.fixture
def echo(tmp_path) -> str:
    """A program that stands in for nowcheck and shows how it was called."""
    path = tmp_path / "bin" / "nowcheck"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\nexit 2\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    "form", ["http://127.0.0.1:{port}/", "http://127.0.0.1:{port}", "127.0.0.1:{port}", "localhost:{port}"]
)
def test_the_old_ways_to_name_a_site_are_understood(faulty, form):
    done = status_py(*trusting(form.format(port=faulty("answers").port)))
    assert done.returncode == 0, done
    assert "OK" in done.stdout


def test_a_wrong_clock_is_still_an_error(faulty):
    done = status_py(faulty("answers", "--offset", 3).url)
    assert done.returncode == 2, done
    assert "CRITICAL" in done.stdout


@pytest.mark.parametrize("given", [["example.com"], ["--max-offset", "2s", "example.com"], ["--help"], [], ["a b", ""]])
def test_arguments_are_handed_on_as_they_are(echo, given):
    done = status_py(*given, NOWCHECK=echo)
    assert done.stdout == "".join(f"<{word}>" for word in given)
    assert done.returncode == 2, "the exit code is nowcheck's"


def test_the_program_is_found_on_the_path(echo):
    done = status_py("example.com", NOWCHECK=None, PATH=f"{os.path.dirname(echo)}:/usr/bin:/bin")
    assert done.stdout == "<example.com>"


@pytest.mark.parametrize("profile", ["release", "debug"])
def test_the_program_is_found_where_cargo_builds_it(tmp_path, echo, profile):
    built = tmp_path / "tree" / "target" / profile / "nowcheck"
    built.parent.mkdir(parents=True)
    script = shutil.copy(STATUS, tmp_path / "tree")
    shutil.copy(echo, built)
    done = status_py("example.com", script=script, NOWCHECK=None, PATH="/usr/bin:/bin")
    assert done.stdout == "<example.com>"


def test_without_the_program_it_says_how_to_build_it(tmp_path):
    script = shutil.copy(STATUS, tmp_path)
    done = status_py("example.com", script=script, NOWCHECK=None, PATH="/usr/bin:/bin")
    assert done.returncode == 3
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "pip install -r requirements.txt" in done.stderr


def test_the_old_way_to_install_it_works_as_ever(tmp_path, faulty):
    """A virtual environment, its requirements, and the call: as every page about the old health check had it."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True, timeout=6 * WAIT)
    # The build is that of the release binary, so it takes what cargo has built there already. Other tests run that.
    program = ROOT / "target/release/nowcheck"
    before = program.stat().st_ino if program.exists() else None
    pip = [str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "-r", "requirements.txt"]
    subprocess.run(pip, cwd=ROOT, check=True, timeout=1_200)
    assert before in (None, program.stat().st_ino), "the wheel was built with other flags or features, and replaced the program"
    call = [str(venv / "bin" / "python3"), "-B", str(STATUS), *trusting(faulty("answers").url)]
    environment = clean_environment() | {"NOWCHECK": "", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(call, capture_output=True, text=True, timeout=WAIT, env=environment, check=False)
    assert done.returncode == 0 and "OK" in done.stdout, done
    version = subprocess.run([str(venv / "bin" / "nowcheck"), "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("nowcheck "), version
