"""Child processes whose lines can be waited for, and that are ended by their own handle."""

import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

WAIT = 20.0
"""Seconds after which a test gives up on something that should come at once. Only a broken program waits so long."""

TOO_LATE = "TOO LATE"
"""Stands in the message of what was not as prompt as it has to be: of `within`, and of a deadline shorter than `WAIT`."""


def poll(condition, what: str, seconds: float = WAIT):
    """The first true value of `condition()`; an error that names `what` when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what}: {_missed(seconds)}")
        time.sleep(0.005)
    return value


def _missed(seconds: float) -> str:
    return f"{TOO_LATE}, not within {seconds:g} s" if seconds < WAIT else f"not within {seconds:g} s"


@contextmanager
def within(seconds: float, what: str) -> Iterator[None]:
    """What is done here takes no longer than that. A machine that is busy with other things may hold it up: a test that
    fails by `TOO_LATE` alone is run twice more (see conftest.py)."""
    begin = time.monotonic()
    yield
    took = time.monotonic() - begin
    assert took < seconds, f"{TOO_LATE}: {took:.2f} s for what takes less than {seconds:g} s: {what}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Lines:
    """A pipe's lines, as they come, with the monotonic instant of each."""

    def __init__(self, pipe):
        self.lines: list[tuple[float, str]] = []
        self.ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe) -> None:
        for line in pipe:
            with self._changed:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)

    def wait_for(self, pattern: str, seconds: float = WAIT) -> re.Match:
        """The first line that `pattern` is found in."""
        return self.wait_until(
            lambda: next((m for _, line in self.lines if (m := re.search(pattern, line))), None),
            f"a line that matches {pattern!r}",
            seconds,
        )

    def wait_for_count(self, count: int, seconds: float = WAIT) -> None:
        self.wait_until(lambda: len(self.lines) >= count, f"{count} lines", seconds)

    def wait_until(self, condition, what: str, seconds: float):
        end = time.monotonic() + seconds
        with self._changed:
            while not (value := condition()):
                left = end - time.monotonic()
                if self.ended or left <= 0:
                    why = "the process closed the pipe" if self.ended else _missed(seconds)
                    raise AssertionError(f"{what}: {why}; it wrote:\n{self.text}")
                self._changed.wait(left)
        return value

    def join(self) -> None:
        self._thread.join(WAIT)


class Child:
    """A running program with its two outputs read in the background."""

    def __init__(self, command: list[str], **popen):
        self.command = command
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            **popen,
        )
        self.stdout, self.stderr = Lines(self.process.stdout), Lines(self.process.stderr)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, seconds: float = WAIT) -> int:
        """The exit code, once it has ended and all of its output is read."""
        code = self.process.wait(seconds)
        self.stdout.join()
        self.stderr.join()
        return code

    def end(self) -> None:
        """Ends it, kindly first."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.wait()
