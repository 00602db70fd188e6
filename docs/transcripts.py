#!/usr/bin/env python3
"""The transcripts in the documents: runs what they show, and writes what it printed where `<!-- transcript: NAME -->` stands.

docs/transcripts.py          # prints those of a real run
docs/transcripts.py --write  # puts them into README.md and docs/

Needs target/release/nowd and nowcheck (or $NOWD and $NOWCHECK) and what the tests need. The kernel's word on this machine's
clock is replaced by that of a machine with NTP, so that they show what such a machine prints.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support import servers, time_server  # noqa: E402
from support.nowcheck import clean_environment  # noqa: E402
from support.process import Child, poll  # noqa: E402
from support.tools import binary, compiled, faketime  # noqa: E402

MARK = re.compile(r"<!-- transcript: (\w+) -->\n```console\n(.*?)```\n", re.DOTALL)

# The bound that the kernel of a machine with NTP states, in microseconds.
KERNEL_SAYS = "1240"


class Machine:
    """A machine with NTP: runs commands and keeps what a user would have seen."""

    def __init__(self, stack: ExitStack):
        self.stack = stack
        self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.shim = compiled("kernel_word", self.directory)
        self.shown: list[str] = []
        self.ports: dict[int, int] = {}

    def environment(self, ahead: float = 0) -> dict[str, str]:
        shifted = faketime(f"{ahead:+g}s") if ahead else {}
        preloaded = " ".join(filter(None, [str(self.shim), shifted.get("LD_PRELOAD")]))
        return shifted | {"KERNEL_SAYS": KERNEL_SAYS, "LD_PRELOAD": preloaded}

    def nowd(self, shown_port: int, ahead: float = 0) -> str:
        """Its address."""
        server = servers.start_nowd(**self.environment(ahead))
        self.stack.callback(server.stop)
        return self.address(server.port, shown_port)

    def time_server(self, shown_port: int, ahead: float = 0) -> str:
        server = time_server.start_chronyd(self.directory, ahead)
        self.stack.callback(server.child.end)
        return self.address(server.port, shown_port)

    def address(self, port: int, shown_port: int) -> str:
        self.ports[port] = shown_port
        return f"127.0.0.1:{port}"

    def run(self, *command: str) -> int:
        """Runs a command to its end."""
        program = [binary("nowcheck"), *command[1:]] if command[0] == "nowcheck" else list(command)
        kept = clean_environment(**self.environment())
        done = subprocess.run(program, capture_output=True, text=True, timeout=60, env=kept, check=False)
        self.show(command, done.stdout + done.stderr)
        return done.returncode

    def run_for(self, lines: int, *command: str, hidden: tuple[str, ...] = (), **variables: str) -> None:
        """Runs a command until it has printed so many lines, and interrupts it. What is `hidden` of it is not shown."""
        kept = clean_environment(**self.environment(), **variables)
        child = Child([binary(command[0]), *command[1:], *hidden], env=kept)
        try:
            poll(lambda: len(child.stdout.lines) >= lines, f"{lines} lines")
            child.process.send_signal(signal.SIGINT)
            child.wait()
        finally:
            child.end()
        lines = child.stdout.text.splitlines()
        self.show(command, "\n".join([*lines[:-1], "^C", lines[-1], ""]))

    def show(self, command: tuple[str, ...], output: str) -> None:
        self.shown.append(f"$ {' '.join(command)}\n{output.rstrip()}\n")

    def text(self) -> str:
        text = "".join(self.shown)
        for port, shown in self.ports.items():
            text = re.sub(rf"\b{port}\b", str(shown), text)
        return text


def first(machine: Machine) -> None:
    right, wrong = machine.nowd(8080), machine.nowd(8081, -3)
    machine.run("curl", "-s", f"http://{right}/now")
    machine.run("nowcheck", f"http://{right}")
    code = machine.run("nowcheck", f"http://{wrong}")
    machine.show(("echo $?",), str(code))


def checking(machine: Machine) -> None:
    right, free = machine.nowd(8080), servers.start_nowd()
    machine.run("nowcheck", f"http://{right}")
    # Its port is nobody's now.
    free.stop()
    machine.run("nowcheck", f"http://{machine.address(free.port, 8082)}")
    machine.run_for(3, "nowcheck", f"http://{right}", "--every", "1s")


def references(machine: Machine) -> None:
    right = machine.nowd(8080)
    servers_ = [machine.time_server(4001), machine.time_server(4002), machine.time_server(4003, 5)]
    flags = [word for server in servers_ for word in ("--reference", f"ntp:{server}")]
    machine.run("nowcheck", f"http://{right}", *flags)


def plugin(machine: Machine) -> None:
    port = machine.nowd(8080).rsplit(":", 1)[1]
    machine.run("nowcheck", "-H", "127.0.0.1", "-p", port, "-w", "0.5", "-c", "1", "--output", "nagios")


def serving(machine: Machine) -> None:
    """Free ports in the place of 8080."""
    child = Child([binary("nowd"), "--listen", "0.0.0.0:0", "--listen", "[::]:0"], env=clean_environment())
    try:
        line = child.stderr.wait_for(" listening on .*").string
    finally:
        child.end()
    for port in re.findall(r":(\d+)(?= |$)", line.strip()):
        machine.ports[int(port)] = 8080
    machine.show(("nowd", "--listen", ":8080", "--listen", "'[::]:8080'"), line)


def watching(machine: Machine) -> None:
    right = machine.nowd(8080)
    state = machine.directory / "nowcheck"
    state.mkdir()
    hidden = ("--listen", "127.0.0.1:0")
    machine.run_for(2, "nowcheck", "watch", f"http://{right}", hidden=hidden, STATE_DIRECTORY=str(state))
    [port] = re.findall(r"dashboard on http://127.0.0.1:(\d+)/", machine.shown[-1])
    machine.ports[int(port)] = 9464
    machine.shown[-1] = machine.shown[-1].replace(str(machine.directory), "/var/lib")


SCENES: dict[str, Callable[[Machine], None]] = {
    scene.__name__: scene for scene in (first, checking, references, plugin, serving, watching)
}


def transcript(name: str) -> str:
    with ExitStack() as stack:
        machine = Machine(stack)
        SCENES[name](machine)
        return machine.text()


def documents() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield from sorted((ROOT / "docs").glob("*.md"))


def shown() -> dict[str, str]:
    """What the documents show, by the name of the transcript."""
    return {found[1]: found[2] for page in documents() for found in MARK.finditer(page.read_text())}


def likeness(text: str) -> list[str]:
    """A transcript without what differs from run to run: numbers with their signs and units, names of instances, dates, and
    that the machine was busy."""
    text = re.sub(r"; \d+ answers? discarded, because this machine was too busy", "", text)
    text = re.sub(r"instance\"?[: ]\"?[0-9a-f]{8}", "instance NAME", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "INSTANT", text)
    text = re.sub(r"[-+]?\d[\d.,:]*(?: (?:ns|µs|ms|s|%)(?![\w]))?", "N", text)
    return text.splitlines()


def write() -> None:
    for page in documents():
        text = page.read_text()
        new = MARK.sub(lambda found: f"<!-- transcript: {found[1]} -->\n```console\n{transcript(found[1])}```\n", text)
        if new != text:
            page.write_text(new)


if __name__ == "__main__":
    os.chdir(ROOT)
    if "--write" in sys.argv[1:]:
        write()
    else:
        for scene in SCENES:
            print(f"== {scene}\n{transcript(scene)}")
