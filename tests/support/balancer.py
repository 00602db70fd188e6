"""A real load balancer: HAProxy, in front of servers of any kind, on 127.0.0.1 and ::1."""

import http.client
import socket
from collections.abc import Sequence
from pathlib import Path

from support.process import Child, poll
from support.tools import need

CONFIGURATION = """\
defaults
    mode {mode}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    # Who does not answer is not replaced by one who does: the check has to see it.
    retries 0
"""


class Balancer:
    """HAProxy on one free port. `behind` says which servers stand behind which of its addresses."""

    def __init__(self, directory: Path, behind: dict[str, Sequence[int]], balance: str, mode: str = "http"):
        sockets = bound(list(behind))
        self.port: int = sockets[0].getsockname()[1]
        parts = [CONFIGURATION.format(mode=mode)]
        for number, (listener, ports) in enumerate(zip(sockets, behind.values(), strict=True)):
            parts.append(f"frontend public{number}\n    bind fd@{listener.fileno()}\n")
            parts.append(f"    default_backend clocks{number}\nbackend clocks{number}\n    balance {balance}\n")
            parts += [f"    server clock{index} 127.0.0.1:{port}\n" for index, port in enumerate(ports)]
        file = directory / f"haproxy-{self.port}.cfg"
        file.write_text("".join(parts))
        # The sockets are handed over, so that nobody can take the port in between.
        self._child = Child(
            [need("haproxy"), "-db", "-f", str(file)], pass_fds=[listener.fileno() for listener in sockets]
        )
        for listener in sockets:
            listener.close()
        try:
            poll(lambda: all(self._answers(address) for address in behind), "an answer through the balancer")
        except AssertionError:
            self.stop()
            raise AssertionError(f"haproxy did not start:\n{self._child.stderr.text}") from None

    def _answers(self, address: str) -> bool:
        assert self._child.process.poll() is None, f"haproxy ended:\n{self._child.stderr.text}"
        connection = http.client.HTTPConnection(address, self.port, timeout=5)
        try:
            connection.request("GET", "/now")
            connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()
        return True

    def url(self, host: str) -> str:
        """`host` as it stands in a URL: 127.0.0.1, [::1], or a name below localhost for both."""
        return f"http://{host}:{self.port}"

    def stop(self) -> None:
        self._child.end()


def bound(addresses: list[str], kind: int = socket.SOCK_STREAM) -> list[socket.socket]:
    """Sockets on one free port of all these addresses. They do not listen: that is for whom they are handed to."""
    for _ in range(50):
        port, sockets = 0, []
        try:
            for address in addresses:
                listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
                sockets.append(listener)
                listener.bind((address, port))
                port = listener.getsockname()[1]
            return sockets
        except OSError:
            # Free on one address and taken on the other: another port.
            for listener in sockets:
                listener.close()
            if port == 0:
                raise
    raise AssertionError(f"no port is free on all of {addresses}")


WITH_CHECKS = """\
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 10s
    timeout http-keep-alive 30s
    retries {retries}
    option redispatch 1
    retry-on {retry_on}
frontend public
    bind fd@{listener}
    default_backend clocks
backend clocks
    balance roundrobin
    option forwardfor
    option httpchk GET /readyz
    http-check expect status 200
    # A tenth of a second, so that a test need not wait; ten times as often as one would ask in earnest.
    default-server {check} inter 100ms fall 2 rise 1 pool-purge-delay {idle}
"""


class Proxy:
    """A balancer that runs as a process: how it starts, and how it ends."""

    name: str
    host: str
    port: int
    _child: Child

    def wait_until_it_answers(self) -> None:
        try:
            poll(self._answers, f"an answer through {self.name}")
        except AssertionError:
            self.stop()
            raise AssertionError(f"{self.name} did not start:\n{self._child.stderr.text}") from None

    def _answers(self) -> bool:
        assert self._child.process.poll() is None, f"{self.name} ended:\n{self._child.stderr.text}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def log(self) -> str:
        return self._child.stderr.text

    def stop(self) -> None:
        self._child.end()


class CheckedBalancer(Proxy):
    """HAProxy as one runs it in earnest: it asks `/readyz`, and what fails is tried again elsewhere.

    `retries` 0 takes the second away, `check` False the first. `idle` is how long it keeps connections to servers."""

    name = "haproxy"
    host = "127.0.0.1"

    def __init__(
        self,
        directory: Path,
        servers: Sequence[tuple[str, int]],
        retries: int = 3,
        check: bool = True,
        idle: str = "5s",
    ):
        (listener,) = bound([self.host])
        self.port: int = listener.getsockname()[1]
        text = WITH_CHECKS.format(
            listener=listener.fileno(),
            retries=retries,
            retry_on="conn-failure empty-response" if retries else "none",
            check="check" if check else "no-check",
            idle=idle,
        )
        text += "".join(f"    server clock{number} {host}:{port}\n" for number, (host, port) in enumerate(servers))
        file = directory / f"haproxy-{self.port}.cfg"
        file.write_text(text)
        self._child = Child([need("haproxy"), "-db", "-f", str(file)], pass_fds=[listener.fileno()])
        listener.close()
        self.wait_until_it_answers()
