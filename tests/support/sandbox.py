"""A copy of this machine that is thrown away: its files as an overlay, its own network (a loopback), its own mounts.

What is installed, written and started in it leaves no trace. It takes root, as `make test` has on CI.
"""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

from support.process import Child
from support.tools import compiled, lacking, need

SETUP = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
ip link set lo up
echo ready
exec cat
"""

ENVIRONMENT = {
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
}


class Sandbox:
    def __init__(self, folder: Path):
        need("unshare")
        need("nsenter")
        need("ip")
        self.folder = folder / "sandbox"
        self.folder.mkdir()
        command = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", SETUP, "sh", str(self.folder)]
        self._holder = Child(command)
        self._children: list[Child] = []
        self.environment = dict(ENVIRONMENT)
        try:
            self._holder.stdout.wait_for("^ready$")
        except AssertionError:
            self._holder.end()
            lacking(f"an overlay of this machine cannot be mounted (are you root?): {self._holder.stderr.text.strip()}")

    def inside(self, *command: str) -> list[str]:
        """The command line that runs `command` inside."""
        enter = ["nsenter", "--target", str(self._holder.process.pid), "--mount", "--net"]
        environment = [f"{name}={value}" for name, value in self.environment.items()]
        return [*enter, "chroot", f"{self.folder}/root", "/usr/bin/env", "-i", *environment, *command]

    def run(
        self, *command: str, given: str | bytes = b"", code: int | None = 0, seconds: float = 60
    ) -> subprocess.CompletedProcess:
        """Runs it to its end. An exit code other than `code` is an error; None takes any."""
        given = given.encode() if isinstance(given, str) else given
        done = subprocess.run(self.inside(*command), input=given, capture_output=True, timeout=seconds, check=False)
        done.stdout, done.stderr = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        assert code in (None, done.returncode), f"{shlex.join(command)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def shell(self, line: str, **options) -> subprocess.CompletedProcess:
        """As cron, Nagios and NRPE do it."""
        return self.run("/bin/sh", "-c", line, **options)

    def start(self, *command: str) -> Child:
        """Runs it until the sandbox ends."""
        self._children.append(Child(self.inside(*command)))
        return self._children[-1]

    def write(self, path: str, content: str | bytes, mode: str = "644") -> None:
        given = content if isinstance(content, bytes) else content.encode()
        self.run("/bin/sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1" && chmod "$2" "$1"', "sh", path, mode, given=given)

    def read(self, path: str) -> str:
        return self.run("cat", path).stdout

    def exists(self, path: str) -> bool:
        return self.run("test", "-e", path, code=None).returncode == 0

    def synchronize(self, folder: Path) -> None:
        """From now on the kernel vouches for the clock to 250 µs, for every program in here that is linked dynamically."""
        self.write("/usr/local/lib/kernel_word.so", compiled("kernel_word", folder).read_bytes(), "755")
        self.write("/etc/ld.so.preload", "/usr/local/lib/kernel_word.so\n")
        self.environment["KERNEL_SAYS"] = "250"

    def stop(self) -> None:
        for child in self._children:
            child.end()
        # The mounts go away with the last process in them.
        self._holder.end()
