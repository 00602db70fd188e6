"""A machine with names of its own: a network namespace with its own /etc/hosts, /etc/resolv.conf and name servers.

    python3 own_names.py

A right time service listens on port 8000 of all its addresses (127.0.0.0/8, ::1, and fe80::77 on the interface `lo`);
a time server on UDP port 1123. The first line on stdout is JSON: how to enter the namespaces, or why they are
impossible here, and then it exits with 77. Each line on stdin says what the names are from now on:

    {"hosts": "127.0.0.1 a\\n", "resolv": "nameserver 127.0.0.1\\n", "servers": {"127.0.0.1": {"a.example": {…}}}}

What a name server says of a name is `{"A": […], "AAAA": […], "delay": 0.5}`: addresses, or one of `SERVFAIL`,
`REFUSED`, `NXDOMAIN` and `silence`. `*` stands for every other name; without it that is NXDOMAIN. Each line is answered
by one that has what the name servers were asked since the last one. The program ends when its stdin is closed.
"""

import http.server
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

from bad_link import MS_BIND, ip, leave_the_machine, new_namespace, system

TYPES = {1: "A", 28: "AAAA"}
CODES = {"SERVFAIL": 2, "NXDOMAIN": 3, "REFUSED": 5}
NTP_ERA = 2_208_988_800


class Service(http.server.BaseHTTPRequestHandler):
    """A right clock."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        seconds, nanos = divmod(time.time_ns(), 10**9)
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        body = json.dumps({"datetime": f"{clock}.{nanos:09}Z", "instance": "names"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class DualStack(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 64


def serve_time() -> None:
    threading.Thread(target=DualStack(("::", 8000), Service).serve_forever, daemon=True).start()
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.bind(("::", 1123))

    def answer() -> None:
        while True:
            request, sender = server.recvfrom(100)
            now = time.time() + NTP_ERA
            stamp = struct.pack(">II", int(now), int(now % 1 * 2**32))
            head = struct.pack(">BBbbII4s", 0x24, 1, 6, -20, 0, 0, b"GPS\0")
            server.sendto(head + stamp + request[40:48] + stamp + stamp, sender)

    threading.Thread(target=answer, daemon=True).start()


class NameServer:
    """The DNS over UDP at one address."""

    def __init__(self, host: str):
        self.zone: dict = {}
        self.asked: list[list[str]] = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 53))
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        while True:
            request, sender = self.socket.recvfrom(1000)
            threading.Thread(target=self.answer, args=(request, sender), daemon=True).start()

    def answer(self, request: bytes, sender: tuple) -> None:
        labels, at = [], 12
        while request[at]:
            labels.append(request[at + 1 : at + 1 + request[at]].decode())
            at += 1 + request[at]
        name, kind = ".".join(labels).lower(), TYPES.get(int.from_bytes(request[at + 1 : at + 3]), "other")
        self.asked.append([name, kind])
        what = self.zone.get(name, self.zone.get("*", {"A": "NXDOMAIN", "AAAA": "NXDOMAIN"}))
        said = what.get(kind, [])
        time.sleep(what.get("delay", 0))
        if said == "silence":
            return
        addresses = [] if isinstance(said, str) else [socket.inet_pton(family(one), one) for one in said]
        code = CODES[said] if isinstance(said, str) else 0
        question = request[12 : at + 5]
        records = b"".join(
            b"\xc0\x0c" + request[at + 1 : at + 5] + struct.pack(">IH", 5, len(one)) + one for one in addresses
        )
        head = struct.pack(">HHHHH", 0x8180 | code, 1, len(addresses), 0, 0)
        self.socket.sendto(request[:2] + head + question + records, sender)


def family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def bound_file(path: str) -> str:
    """A file of our own in the place of one of the machine's."""
    number, name = tempfile.mkstemp()
    os.close(number)
    os.chmod(name, 0o644)
    system("mount", name.encode(), path.encode(), None, MS_BIND, None)
    # The mount keeps it.
    os.unlink(name)
    return path


def main() -> int:
    try:
        entry = leave_the_machine()
        new_namespace()
        ip("addr add fe80::77/64 dev lo nodad")
        files = {"hosts": bound_file("/etc/hosts"), "resolv": bound_file("/etc/resolv.conf")}
    except (OSError, subprocess.CalledProcessError) as error:
        print(json.dumps({"impossible": str(error)}), flush=True)
        return 77
    serve_time()
    servers: dict[str, NameServer] = {}
    print(json.dumps({"enter": [*entry, f"--net=/proc/{os.getpid()}/ns/net"]}), flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        for what, path in files.items():
            with open(path, "w") as file:
                file.write(told[what])
        asked = {host: server.asked for host, server in servers.items()}
        for server in servers.values():
            server.zone, server.asked = {"*": {"A": "silence", "AAAA": "silence"}}, []
        for host, zone in told["servers"].items():
            if host not in servers:
                servers[host] = NameServer(host)
            servers[host].zone = zone
        print(json.dumps({"asked": asked}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
