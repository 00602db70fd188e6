"""The servers that are checked: nowd itself, and the one with a fault of its choice."""

import http.client
import json
import os
import sys
import time
from dataclasses import dataclass, field

from support.process import Child
from support.tools import ROOT, binary, faketime, lacking

FAULTY = ROOT / "tests" / "servers" / "faulty.py"


@dataclass
class Server:
    child: Child
    host: str
    port: int
    scheme: str = "http"
    report: dict = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Without a path: the check has to know that it means `/now`."""
        return f"{self.scheme}://{self.host}:{self.port}"

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (names in lower case) and body, as a client other than nowcheck sees them."""
        connection = http.client.HTTPConnection(self.host.strip("[]"), self.port, timeout=10)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def stop(self) -> None:
        self.child.end()


class FaultyServer(Server):
    def stop(self) -> dict:
        """Ends the server; what it saw is in `report`."""
        if not self.report:
            self.child.process.stdin.close()
            self.child.wait()
            last = self.child.stdout.lines[-1][1]
            assert last.startswith("report "), f"the server broke:\n{self.child.stderr.text}"
            self.report = json.loads(last.removeprefix("report "))
        return self.report


def start_faulty(behavior: str, *options: str, tls=None, name: str | None = None) -> FaultyServer:
    """`tls` is the certificate and its key (two paths); `name` is the host to put into the URL."""
    extra = ["--tls-cert", str(tls[0]), "--tls-key", str(tls[1])] if tls else []
    child = Child([sys.executable, "-B", str(FAULTY), behavior, *map(str, options), *extra])
    try:
        found = child.stdout.wait_for(r"^listening on (.+):(\d+)$")
    except AssertionError:
        child.end()
        raise AssertionError(f"the faulty server did not start:\n{child.stderr.text}") from None
    return FaultyServer(child, name or found[1], int(found[2]), "https" if tls else "http")


def start_nowd(offset: float = 0.0, port: int = 0, **environment: str) -> Server:
    """nowd on the loopback, its wall clock `offset` seconds ahead; on a free port, or on that of one that has ended."""
    clock = faketime(f"{offset:+g}s") if offset else {}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NOWD_")}
    # No load balancer has to see that it drains: it may end at once.
    command = [binary("nowd"), "--listen", f"127.0.0.1:{port}", "--drain-delay", "0s"]
    child = Child(command, env=kept | clock | environment)
    try:
        found = child.stderr.wait_for(r"listening on http://(\[[^\]]+\]|[^:/\s]+):(\d+)")
    except AssertionError:
        child.end()
        raise
    server = Server(child, found[1], int(found[2]))
    if offset:
        make_sure_of_the_offset(server, offset)
    return server


def make_sure_of_the_offset(server: Server, offset: float) -> None:
    """faketime works through the dynamic loader: a statically linked nowd would keep the right time, and every test
    with it would lie."""
    before = time.time()
    told = json.loads(server.get("/now")[2])["unix_time"]
    after = time.time()
    said = told - after
    # A busy machine may take long to answer: the truth is between the two readings.
    if not told - after - 0.2 <= offset <= told - before + 0.2:
        server.stop()
        lacking(f"faketime cannot shift this nowd by {offset:+g} s (it is {said:+.3f} s): is it linked statically?")
