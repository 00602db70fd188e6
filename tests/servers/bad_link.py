"""A star of bad links: one far end, and near ends that each reach it over a link of their own.

    python3 bad_link.py LINKS [--without-netem]

Every end is a network namespace. They have no names: they live as long as this process, and so cannot be left behind.
The delays, the jitter and the losses are the kernel's (`tc … netem`) where it has that; elsewhere the links are pairs
of TUN devices, and this program carries each packet from one to the other: late, or not at all.

The first line on stdout is JSON: how to enter the ends, and who makes them bad; or why all of that is impossible
here, and then it exits with 77. Each line on stdin tells a link:

    {"link": 0, "out": {"delay": 0.1, "jitter": 0.02, "loss": 0.05}, "back": {…}}

`out` is the way from the near end to the far one. The delay of a packet is drawn evenly from delay ± jitter, each on
its own, so packets overtake one another as they do with netem. Each line is answered by `told`, when it is so.
The program ends when its stdin is closed; its last line is `report {JSON}`.
"""

import argparse
import ctypes
import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500

libc = ctypes.CDLL(None, use_errno=True)


def system(name: str, *arguments) -> None:
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise PermissionError(number, f"{name}: {os.strerror(number)}")


def ip(*commands: str) -> None:
    """Several at once: starting programs is what takes time here."""
    subprocess.run(["ip", "-batch", "-"], check=True, input="\n".join(commands), text=True)


def address(link: int, end: int, family: int) -> str:
    """Of one end of a link: the near one is 2, the far one 1."""
    return f"10.77.{link}.{end}" if family == 4 else f"fd77:0:0:{link:x}::{end}"


# ------------------------------------------------------------------------------------------------------ namespaces


def leave_the_machine() -> list[str]:
    """Goes where namespaces may be made: as root at once, else by way of a user namespace. Gives the words that take
    nsenter there too."""
    try:
        system("unshare", CLONE_NEWNS)
        entry = []
    except PermissionError:
        user, group = os.getuid(), os.getgid()
        system("unshare", CLONE_NEWUSER | CLONE_NEWNS)
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        entry = [f"--user=/proc/{os.getpid()}/ns/user", "--preserve-credentials"]
    system("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    return [*entry, f"--mount=/proc/{os.getpid()}/ns/mnt"]


def name_the_far_ends(links: int) -> None:
    """`linkN.test` has the addresses of both families; `v4.` and `v6.` before it take one."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for link in range(links):
        for family in (4, 6):
            lines.append(f"{address(link, 1, family)} link{link}.test v{family}.link{link}.test")
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.chmod(file.name, 0o644)
        system("mount", file.name.encode(), b"/etc/hosts", None, MS_BIND, None)


def new_namespace() -> int:
    """Makes a network namespace and goes there."""
    system("unshare", CLONE_NEWNET)
    ip("link set dev lo up")
    return os.open("/proc/self/ns/net", os.O_RDONLY)


def go_to(namespace: int) -> None:
    system("setns", namespace, CLONE_NEWNET)


def bring_up(device: str, link: int, end: int) -> None:
    other = 3 - end
    ip(
        f"link set dev {device} mtu {MTU} up",
        f"addr add {address(link, end, 4)} peer {address(link, other, 4)} dev {device}",
        f"addr add {address(link, end, 6)} peer {address(link, other, 6)} dev {device} nodad",
    )


def has_netem() -> bool:
    command = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    return done.returncode == 0


# ----------------------------------------------------------------------------------------------------------- links


@dataclass
class Way:
    """One direction of a link."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0


class KernelLinks:
    """veth pairs with netem at both ends."""

    name = "netem"

    def __init__(self, far: int, nears: list[int]):
        self.far, self.nears = far, nears
        for link, near in enumerate(nears):
            go_to(near)
            # Nobody asks for hardware addresses, so none of those questions can be lost: both ends have the same one.
            hardware = f"address 02:00:00:00:00:{link:02x} arp off"
            ip(
                f"link add to-far type veth peer name to{link}",
                f"link set dev to-far {hardware}",
                f"link set dev to{link} {hardware}",
                f"link set dev to{link} netns /proc/{os.getpid()}/fd/{far}",
            )
            bring_up("to-far", link, 2)
            go_to(far)
            bring_up(f"to{link}", link, 1)

    def tell(self, link: int, out: Way, back: Way) -> None:
        for namespace, device, way in ((self.nears[link], "to-far", out), (self.far, f"to{link}", back)):
            go_to(namespace)
            words = ["tc", "qdisc", "replace", "dev", device, "root", "netem", "limit", "10000"]
            words += ["delay", f"{way.delay * 1e6:.0f}us", f"{way.jitter * 1e6:.0f}us"]
            words += ["loss", f"{way.loss * 100:g}%"]
            subprocess.run(words, check=True, stdin=subprocess.DEVNULL)

    def serve(self, commands: "Commands") -> None:
        while commands.read():
            pass

    def report(self) -> dict:
        return {}


@dataclass
class Carried:
    packets: int = 0
    lost: int = 0
    refused: int = 0
    lateness: float = 0.0
    most_lateness: float = 0.0


@dataclass(order=True)
class Packet:
    due: float
    number: int
    leaves_by: int = field(compare=False)
    data: bytes = field(compare=False)


class CarriedLinks:
    """Pairs of TUN devices. What comes out of one is put into the other when its time has come."""

    name = "carried"

    def __init__(self, far: int, nears: list[int]):
        self.random = random.Random(1)
        self.ways: dict[int, Way] = {}
        self.other: dict[int, int] = {}
        self.near_ends: list[int] = []
        self.carried = Carried()
        for link, near in enumerate(nears):
            go_to(near)
            near_end = tun("to-far")
            bring_up("to-far", link, 2)
            go_to(far)
            far_end = tun(f"to{link}")
            bring_up(f"to{link}", link, 1)
            self.near_ends.append(near_end)
            self.other |= {near_end: far_end, far_end: near_end}
            self.ways |= {near_end: Way(), far_end: Way()}

    def tell(self, link: int, out: Way, back: Way) -> None:
        near_end = self.near_ends[link]
        self.ways[near_end], self.ways[self.other[near_end]] = out, back

    def serve(self, commands: "Commands") -> None:
        queue: list[Packet] = []
        # epoll counts in milliseconds, and those are what is at stake here.
        selector = selectors.SelectSelector()
        for end in [*self.other, commands.fileno()]:
            selector.register(end, selectors.EVENT_READ)
        while True:
            wait = max(0.0, queue[0].due - time.monotonic()) if queue else None
            for key, _ in selector.select(wait):
                if key.fd == commands.fileno():
                    if not commands.read():
                        return
                else:
                    self.take(key.fd, queue)
            while queue and queue[0].due <= time.monotonic():
                self.put(heapq.heappop(queue))

    def take(self, end: int, queue: list[Packet]) -> None:
        while True:
            try:
                data = os.read(end, 65536)
            except BlockingIOError:
                return
            # Each at its own time: on a slow machine the last of many comes long after the first.
            now = time.monotonic()
            way = self.ways[end]
            self.carried.packets += 1
            if self.random.random() < way.loss:
                self.carried.lost += 1
                continue
            delay = way.delay + self.random.uniform(-way.jitter, way.jitter)
            heapq.heappush(queue, Packet(now + max(0.0, delay), self.carried.packets, self.other[end], data))

    def put(self, packet: Packet) -> None:
        try:
            os.write(packet.leaves_by, packet.data)
        except OSError:
            self.carried.refused += 1
        late = time.monotonic() - packet.due
        self.carried.lateness += late
        self.carried.most_lateness = max(self.carried.most_lateness, late)

    def report(self) -> dict:
        delivered = max(1, self.carried.packets - self.carried.lost)
        return vars(self.carried) | {"lateness": self.carried.lateness / delivered}


def tun(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return end


# ------------------------------------------------------------------------------------------------------------ main


class Commands:
    """What is asked on stdin."""

    def __init__(self, links):
        self.links = links
        self.rest = b""

    def fileno(self) -> int:
        return sys.stdin.fileno()

    def read(self) -> bool:
        more = os.read(self.fileno(), 65536)
        *lines, self.rest = (self.rest + more).split(b"\n")
        for line in lines:
            told = json.loads(line)
            self.links.tell(told["link"], Way(**told["out"]), Way(**told["back"]))
            print("told", flush=True)
        return bool(more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("links", type=int, choices=range(1, 100), metavar="LINKS")
    parser.add_argument("--without-netem", action="store_true", help="carry the packets even if the kernel could")
    options = parser.parse_args()

    try:
        entry = leave_the_machine()
        name_the_far_ends(options.links)
        trial = new_namespace()
        by_kernel = has_netem() and not options.without_netem
        far, nears = new_namespace(), [new_namespace() for _ in range(options.links)]
        os.close(trial)
        links = (KernelLinks if by_kernel else CarriedLinks)(far, nears)
    except (OSError, subprocess.CalledProcessError) as error:
        # No namespaces for this user, no device for packets, no IPv6, no `ip`.
        print(json.dumps({"impossible": str(error)}), flush=True)
        sys.exit(77)
    entries = {name: [*entry, f"--net=/proc/{os.getpid()}/fd/{namespace}"] for name, namespace in named(far, nears)}
    print(json.dumps({"links": links.name, "enter": entries}), flush=True)
    links.serve(Commands(links))
    print("report " + json.dumps(links.report()), flush=True)


def named(far: int, nears: list[int]) -> list[tuple[str, int]]:
    return [("far", far), *((str(link), near) for link, near in enumerate(nears))]


if __name__ == "__main__":
    main()
