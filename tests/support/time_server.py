"""Time servers: real ones (chronyd) that are right, that lie or that do not know the time; and tests/servers/ntp.py for
what a real one is hard to be talked into."""

import getpass
import json
import os
import shutil
import socket
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

from support.balancer import bound
from support.process import Child, poll
from support.tools import ROOT, faketime, lacking

NTP = ROOT / "tests" / "servers" / "ntp.py"

CONFIGURATION = """\
port {port}
bindaddress {host}
allow
cmdport 0
bindcmdaddress /
pidfile {directory}/{port}.pid
"""


@dataclass
class TimeServer:
    child: Child
    host: str
    port: int
    report: dict = field(default_factory=dict)

    @property
    def reference(self) -> str:
        """As `--reference` takes it, and as the outcome names it."""
        return f"ntp:[{self.host}]:{self.port}" if ":" in self.host else f"ntp:{self.host}:{self.port}"

    @property
    def address(self) -> str:
        return self.reference.removeprefix("ntp:")

    def stop(self) -> None:
        self.child.end()


class ScriptedTimeServer(TimeServer):
    def stop(self) -> dict:
        """Ends the server; what it saw is in `report`."""
        if not self.report:
            self.child.process.stdin.close()
            self.child.wait()
            last = self.child.stdout.lines[-1][1]
            assert last.startswith("report "), f"the time server broke:\n{self.child.stderr.text}"
            self.report = json.loads(last.removeprefix("report "))
        return self.report


def start_ntp(*options: object, **environment: str) -> ScriptedTimeServer:
    """tests/servers/ntp.py; its flags say what is wrong with it."""
    child = Child([sys.executable, "-B", str(NTP), *map(str, options)], env=os.environ | environment)
    try:
        found = child.stdout.wait_for(r"^listening on \[?([^\]]+)\]?:(\d+)$")
    except AssertionError:
        child.end()
        raise AssertionError(f"the time server did not start:\n{child.stderr.text}") from None
    return ScriptedTimeServer(child, found[1], int(found[2]))


def chronyd_program() -> str:
    # scripts/setup-tests puts it among the project's tools: Debian's package would replace whatever keeps the clock
    # of this machine right.
    places = [str(ROOT / "build/tools/bin"), os.environ.get("PATH", ""), "/usr/sbin"]
    path = shutil.which("chronyd", path=os.pathsep.join(places))
    if path is None:
        lacking("the program `chronyd` is not installed (scripts/setup-tests gets it)")
    return path


def start_chronyd(
    directory: Path, offset: float = 0.0, host: str = "127.0.0.1", knows_the_time: bool = True
) -> TimeServer:
    """A chronyd that serves this machine's time, `offset` seconds ahead; with `-x` it never touches that clock."""
    (taken,) = bound([host], socket.SOCK_DGRAM)
    port = taken.getsockname()[1]
    file = directory / f"chrony-{port}.conf"
    # Without that line it knows of no clock that is right, not even its own.
    local = "local stratum 10\n" if knows_the_time else ""
    file.write_text(CONFIGURATION.format(port=port, host=host, directory=directory) + local)
    family = "-6" if ":" in host else "-4"
    command = [chronyd_program(), family, "-d", "-x", "-U", "-u", getpass.getuser(), "-f", str(file)]
    clock = faketime(f"{offset:+g}s") if offset else {}
    taken.close()
    child = Child(command, env=os.environ | clock)
    server = TimeServer(child, host, port)
    try:
        poll(lambda: answers(server, knows_the_time), "an answer of chronyd")
    except AssertionError:
        child.end()
        raise AssertionError(f"chronyd does not answer:\n{child.stderr.text}") from None
    return server


def answers(server: TimeServer, knows_the_time: bool) -> bool:
    assert server.child.process.poll() is None, f"it ended:\n{server.child.stderr.text}"
    with socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_DGRAM) as ask:
        ask.settimeout(0.2)
        ask.connect((server.host, server.port))
        try:
            ask.send(struct.pack("!B39x8s", 0x23, b"question"))
            answer = ask.recv(100)
        except OSError:
            return False
    assert answer[24:32] == b"question", "somebody else answers at this port"
    is_unsynchronized = answer[0] >> 6 == 3
    return is_unsynchronized != knows_the_time
