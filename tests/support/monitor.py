"""Runs `nowcheck watch`, and asks it what it sees."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from support.nowcheck import clean_environment
from support.process import Child, poll
from support.tools import ROOT, binary


class Monitor:
    """A running monitor. Its records are JSON lines on standard output."""

    def __init__(self, *arguments: str | Path, environment: dict[str, str] | None = None):
        command = [binary("nowcheck"), "watch", *map(str, arguments), "--log", "json"]
        self.child = Child(command, env=clean_environment(**(environment or {})))
        try:
            self.child.stdout.wait_for('"event":"started"')
        except AssertionError as error:
            self.child.end()
            raise AssertionError(f"{error}\nstderr: {self.child.stderr.text}") from error
        self.url = self.records("started")[0]["listen"].rstrip("/")

    @property
    def status_page(self) -> str:
        """Where its status page is."""
        return poll(lambda: self.records("status_page"), "the status page is served")[0]["listen"].rstrip("/")

    def records(self, event: str | None = None) -> list[dict]:
        """The records so far, or those of one kind."""
        lines = [json.loads(line) for _, line in list(self.child.stdout.lines)]
        records = [line for line in lines if "event" in line]
        return [record for record in records if event in (None, record["event"])]

    def metric_lines(self) -> list[dict]:
        """Lines for CloudWatch, which stand between the records."""
        lines = [json.loads(line) for _, line in list(self.child.stdout.lines)]
        return [line for line in lines if "_aws" in line]

    def get(self, path: str, **headers: str) -> tuple[int, str, str]:
        """Status, type and body."""
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["Content-Type"], answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers["Content-Type"], error.read().decode()

    def checks(self) -> dict[str, dict]:
        """All checks, by name."""
        return {check["name"]: check for check in json.loads(self.get("/api/v1/checks")[2])["checks"]}

    def check(self, name: str) -> dict:
        return self.checks()[name]

    def wait_for(self, name: str, status: str, seconds: float = 20) -> dict:
        """The check, once it has that status."""

        def found():
            check = self.check(name)
            return check if check["status"] == status else None

        return poll(found, f"{name} is {status}; it is {self.check(name)}", seconds)

    def wait_for_rounds(self, name: str, more: int, seconds: float = 20) -> dict:
        """The check, once so many more rounds of it were held."""
        before = sum(self.check(name)["rounds"].values())

        def found():
            check = self.check(name)
            return check if sum(check["rounds"].values()) >= before + more else None

        return poll(found, f"{more} more rounds of {name}", seconds)

    def reload(self) -> None:
        self.child.signal(signal.SIGHUP)

    def stop(self) -> int:
        """Ends it as a supervisor does. Returns the exit code."""
        if self.child.process.poll() is None:
            self.child.signal(signal.SIGTERM)
            code = self.child.wait(10)
        else:
            code = self.child.wait(1)
        self.child.end()
        return code


def configuration(folder: Path, *checks: tuple[str, str], every: str = "1s", more: str = "") -> Path:
    """A file that watches these (name, URL), and has `more` behind it."""
    text = f"""
[server]
listen = "127.0.0.1:0"
[history]
path = "history.db"
[defaults]
every = "{every}"
timeout = "{every}"
trust_system_clock = true
"""
    for name, url in checks:
        text += f'[[check]]\nname = "{name}"\nurl = "{url}"\n'
    file = folder / "nowcheck.toml"
    file.write_text(text + more)
    return file


def simulated_history(file: Path, days: int, *names: str) -> None:
    """Writes the past of checks with these names, up to now: drift, steps, outages, and time without a monitor."""
    command = ["cargo", "build", "--quiet", "--locked", "--package", "nowcheck-watch", "--example", "simulated_history"]
    subprocess.run(command, cwd=ROOT, check=True, timeout=900)
    program = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "examples" / "simulated_history"
    subprocess.run([program, file, str(days), *names], check=True, timeout=300)
