"""Machines of their own, each with an address in one network, that can be cut off from each other.

Each is a network namespace with a link to a switch in a further one. It takes root, as `make test` has on CI. All of it goes
away with the processes that hold the namespaces.
"""

import subprocess

from support.process import Child
from support.tools import lacking, need

HOLD = """
set -e
ip link set lo up
echo ready
exec cat
"""

SWITCH = """
set -e
ip link set lo up
ip link add name switch type bridge
ip link set switch up
ip address add 10.99.0.254/24 dev switch
echo ready
exec cat
"""


class Islands:
    """So many machines with the addresses 10.99.0.1, 10.99.0.2, …; and 10.99.0.254, which all of them reach."""

    SHARED = "10.99.0.254"

    def __init__(self, count: int):
        need("unshare")
        need("nsenter")
        need("ip")
        self.count = count
        self._holders: list[Child] = []
        try:
            for script in [SWITCH, *[HOLD] * count]:
                self._holders.append(Child(["unshare", "--net", "sh", "-c", script]))
                self._holders[-1].stdout.wait_for("^ready$")
        except AssertionError:
            said = self._holders[-1].stderr.text.strip()
            self.stop()
            lacking(f"network namespaces with a switch between them are not to be had here (are you root?): {said}")
        for nth in range(1, count + 1):
            pid = str(self._holders[nth].process.pid)
            self.run(0, "ip", "link", "add", f"to{nth}", "type", "veth", "peer", "name", "eth0", "netns", pid)
            self.run(0, "ip", "link", "set", f"to{nth}", "master", "switch", "up")
            self.run(nth, "ip", "address", "add", f"{self.address(nth)}/24", "dev", "eth0")
            self.run(nth, "ip", "link", "set", "eth0", "up")

    @staticmethod
    def address(nth: int) -> str:
        return f"10.99.0.{nth}"

    def inside(self, nth: int, *command: str) -> list[str]:
        """The command line that runs `command` on a machine; 0 is the one that all reach."""
        return ["nsenter", "--target", str(self._holders[nth].process.pid), "--net", *command]

    def run(self, nth: int, *command: str) -> str:
        done = subprocess.run(self.inside(nth, *command), capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def cut(self, one: int, other: str) -> None:
        """Nothing goes from a machine to an address any more: it knows that, and the other side hears nothing."""
        self.run(one, "ip", "route", "replace", "unreachable", f"{other}/32")

    def mend(self) -> None:
        """All reach each other again."""
        for nth in range(self.count + 1):
            self.run(nth, "ip", "route", "flush", "type", "unreachable")

    def stop(self) -> None:
        for holder in self._holders:
            holder.end()
