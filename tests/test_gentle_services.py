"""Services that take few connections or requests are not down; and a broken backend does not hide behind that."""

import itertools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from support.balancer import Balancer, bound
from support.nginx import Nginx
from support.nowcheck import check, nowcheck

NANOS = 1_000_000_000


def document(instance: str | None = None) -> bytes:
    seconds, rest = divmod(time.time_ns(), NANOS)
    said = {"datetime": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09}Z"}
    return json.dumps(said | ({"instance": instance} if instance else {})).encode()


def answer(status: str = "200 OK", body: bytes | None = None, *headers: str) -> bytes:
    body = document() if body is None else body
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def heard(connection: socket.socket) -> bool:
    """Whether a whole request came."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return False
        data += part
    return True


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def serving(take: Callable[[socket.socket], None], backlog: int = 64, *hosts: str) -> Iterator[int]:
    """Hands each connection to `take`, one after the other; it may go on in a thread."""
    listeners = bound(list(hosts) or ["127.0.0.1"])

    def loop(listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            take(connection)

    for listener in listeners:
        listener.listen(backlog)
        threading.Thread(target=loop, args=(listener,), daemon=True).start()
    try:
        yield listeners[0].getsockname()[1]
    finally:
        for listener in listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


class Device:
    """Serves `most` connections at a time, an answer each, which takes it `took` seconds."""

    def __init__(self, most: int, beyond: str, took: float = 0.04):
        self.beyond, self.took = beyond, took
        self.seats = threading.Semaphore(most)
        self.most_at_once = 0
        self.turned_away = 0

    def __call__(self, connection: socket.socket) -> None:
        if self.beyond == "wait":
            self.seats.acquire()
        elif not self.seats.acquire(blocking=False):
            self.turned_away += 1
            threading.Thread(target=self.turn_away, args=(connection,), daemon=True).start()
            return
        threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def turn_away(self, connection: socket.socket) -> None:
        try:
            match self.beyond:
                case "reset":
                    reset(connection)
                case "close":
                    connection.close()
                case "silence":
                    time.sleep(30)
                case status:
                    if heard(connection):
                        connection.sendall(answer(status, b"busy", "Connection: close"))
        except OSError:
            pass
        finally:
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        # Free before the answer is sent: a client that comes back at once must not depend on this machine's scheduler.
        with connection:
            try:
                asked = heard(connection)
                if asked:
                    time.sleep(self.took)
            except OSError:
                asked = False
            finally:
                self.seats.release()
            with suppress(OSError):
                if asked:
                    connection.sendall(answer("200 OK", None, "Connection: close"))


class Limited:
    """Answers by `decide`, which says the status of each request and headers."""

    def __init__(self, decide: Callable[[], tuple[str, list[str]]]):
        self.decide, self.lock = decide, threading.Lock()
        self.requests: list[float] = []

    def __call__(self, connection: socket.socket) -> None:
        threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while heard(connection):
                    with self.lock:
                        self.requests.append(time.monotonic())
                        status, headers = self.decide()
                    connection.sendall(answer(status, None if status == "200 OK" else b"limited", *headers))
            except OSError:
                pass


def bucket(burst: int, each: float, status: str) -> Callable[[], tuple[str, list[str]]]:
    """A token bucket as that of nginx: what is rejected does not count."""
    level, last = 0.0, time.monotonic()

    def decide() -> tuple[str, list[str]]:
        nonlocal level, last
        now = time.monotonic()
        level, last = max(0.0, level - (now - last) / each), now
        if level > burst:
            return status, []
        level += 1
        return "200 OK", []

    return decide


def notes(run) -> list[str]:
    return [note["code"] for note in run.target["notes"]]


@pytest.mark.parametrize("most", [1, 2, 4])
@pytest.mark.parametrize("beyond", ["reset", "close", "503 Service Unavailable", "502 Bad Gateway", "silence", "wait"])
def test_a_device_that_takes_few_connections_at_a_time_is_in_sync(most, beyond):
    device = Device(most, beyond)
    with serving(device) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    if device.turned_away > 0:
        assert "few_connections" in notes(run), run.target["notes"]


def test_a_device_of_one_connection_that_takes_its_time_is_in_sync():
    with serving(Device(1, "reset", took=0.2)) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert "asked over one connection at a time" in run.words, run.words


@pytest.mark.parametrize("beyond", ["reset", "503 Service Unavailable", "wait"])
@pytest.mark.parametrize("took", [0.4, 0.8])
def test_a_slow_device_of_one_connection_is_in_sync_while_the_time_suffices(beyond, took):
    with serving(Device(1, beyond, took)) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("beyond", ["reset", "silence", "wait"])
@pytest.mark.parametrize("took", [1.5, 3])
def test_a_device_that_is_too_slow_for_the_time_is_never_down(beyond, took):
    with serving(Device(1, beyond, took)) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)


@pytest.mark.parametrize("options", [[], ["--max-offset", "5s"]])
@pytest.mark.parametrize("took", [2.6, 4])
def test_what_waits_behind_another_request_when_the_time_is_over_is_not_down(took, options):
    with serving(Device(1, "wait", took)) as port:
        run = check(f"http://127.0.0.1:{port}", *options)
        text = nowcheck(f"http://127.0.0.1:{port}", *options)
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)
    assert "this machine" not in run.words, run.words
    if options:
        # 7 answers before the last quarter of the time; one that waited behind another is taken to be slower than it is.
        advised = re.search(r"allow more time: --timeout (\d+)s\.", text.stdout)
        assert advised and 7 * took / 0.75 <= int(advised[1]) <= 65, str(text)


def test_the_time_that_is_advised_for_a_slow_device_suffices():
    with serving(Device(1, "wait", 2.6)) as port:
        run = check(f"http://127.0.0.1:{port}", "--max-offset", "5s", "--timeout", "25s")
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_a_slow_device_over_one_connection_has_too_little_time_for_enough_of_them():
    with serving(Device(1, "wait", 2.6)) as port:
        run = check(f"http://127.0.0.1:{port}", "--connections", "1", "--max-offset", "5s")
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)
    assert "the timeout was too short for enough connections" in run.words, run.words


def test_nothing_is_claimed_of_a_slow_server_that_serves_many_at_a_time():
    with serving(Device(100, "wait", 3)) as port:
        run = check(f"http://127.0.0.1:{port}", "--max-offset", "4s")
        text = nowcheck(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert not {"few_connections", "rate_limited"} & set(notes(run)), run.target["notes"]
    assert "set a greater --max-offset" in text.stdout, str(text)


def test_a_device_that_was_told_to_be_asked_over_one_connection_turns_nothing_away():
    device = Device(1, "reset")
    with serving(device) as port:
        run = check(f"http://127.0.0.1:{port}", "--connections", "1")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert device.turned_away == 0 and run.target["requests"] == 8, str(run)


def test_a_small_backlog_is_not_taken_for_silence():
    """Connections beyond the backlog are not even opened, and the kernel tries again after a second."""

    def one_after_the_other(connection: socket.socket) -> None:
        with connection:
            try:
                if heard(connection):
                    time.sleep(0.05)
                    connection.sendall(answer("200 OK", None, "Connection: close"))
            except OSError:
                pass

    with serving(one_after_the_other, backlog=0) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("beyond", ["reset", "503 Service Unavailable"])
def test_two_addresses_may_be_one_small_device(beyond):
    """It takes one connection at a time, whichever of its addresses it comes to."""
    with serving(Device(1, beyond, took=0.02), 64, "127.0.0.1", "::1") as port:
        run = check(
            f"http://device.example:{port}", "--resolve", "device.example:127.0.0.1", "--resolve", "device.example:[::1]"
        )
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert len(run.outcome["targets"]) == 2, str(run)


@pytest.mark.parametrize("beyond", ["reset", "503 Service Unavailable"])
def test_many_addresses_and_urls_may_be_one_small_device(beyond):
    hosts = [f"127.0.0.{last}" for last in range(1, 5)]
    with serving(Device(1, beyond, took=0.02), 64, *hosts) as port:
        resolve = [flag for host in hosts for flag in ("--resolve", f"device.example:{host}")]
        one_name = check(f"http://device.example:{port}", *resolve)
        two_urls = check(f"http://127.0.0.1:{port}/now", f"http://127.0.0.2:{port}/time")
    for run, count in ((one_name, 4), (two_urls, 2)):
        assert run.verdict == ("OK", "in_sync"), str(run)
        assert len(run.outcome["targets"]) == count, str(run)


def test_what_is_down_beside_others_is_down():
    with serving(Device(100, "wait", 0.02)) as port, serving(reset) as dead:
        run = check(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{dead}", f"http://127.0.0.1:{port}/time")
    assert [target["status"] for target in run.outcome["targets"]] == ["OK", "CRITICAL", "OK"], str(run)
    assert run.seconds < 3, str(run)


def test_a_connection_that_only_finds_out_the_protocol_is_counted_and_does_not_take_long():
    connections = []

    def close_or_be_silent(connection: socket.socket) -> None:
        connections.append(connection)
        if len(connections) <= 2:
            connection.close()

    with serving(close_or_be_silent) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.target["connections"] == len(connections) == 3, str(run)
    assert run.seconds < 1.5, str(run)


def test_an_accident_at_the_first_connection_is_not_down():
    device, accidents = Device(100, "wait", 0.001), iter(range(1))
    with serving(lambda one: reset(one) if next(accidents, None) is not None else device(one)) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)


@pytest.mark.parametrize("files", [10, 12, 14, 16])
def test_what_this_machine_lacks_is_not_the_fault_of_the_service(files):
    device = Device(100, "wait")
    with serving(device) as port:
        run = check(f"http://127.0.0.1:{port}", prefix=["prlimit", f"--nofile={files}"])
    assert run.verdict in (("OK", "in_sync"), ("UNKNOWN", "checker_fault")), str(run)
    assert not {"few_connections", "rate_limited"} & set(notes(run)), run.target["notes"]


@pytest.mark.parametrize("status", ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"])
@pytest.mark.parametrize(("burst", "each"), [(0, 0.1), (5, 0.1), (5, 0.4)])
def test_a_limit_on_requests_is_never_down(status, burst, each):
    service = Limited(bucket(burst, each, status))
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert "rate_limited" in notes(run) or status.startswith("500"), run.target["notes"]


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
def test_a_limit_that_leaves_too_few_answers_makes_the_result_unknown(status):
    good = iter(range(3))
    service = Limited(lambda: ("200 OK" if next(good, None) is not None else status, []))
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}", "--timeout", "4s")
        text = nowcheck(f"http://127.0.0.1:{port}", "--timeout", "1s")
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)
    says_so = status.startswith("429")
    assert ("asked too often" in run.target["summary"]) == says_so, run.target["summary"]
    assert ("rate_limited" in notes(run)) == says_so, run.target["notes"]
    assert len(service.requests) < 30, len(service.requests)
    if says_so:
        assert "a longer --timeout" in text.stdout, str(text)


def test_a_limit_that_resets_connections_is_not_down():
    answers = iter(range(6))
    device = Device(100, "wait", 0.001)
    with serving(lambda one: device(one) if next(answers, None) is not None else reset(one)) as port:
        run = check(f"http://127.0.0.1:{port}", "--connections", "2")
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)
    assert not {"few_connections", "rate_limited"} & set(notes(run)), run.target["notes"]


def test_the_pause_that_a_service_names_is_learned():
    again = 0.0

    def decide() -> tuple[str, list[str]]:
        nonlocal again
        if time.monotonic() < again:
            return "429 Too Many Requests", ["Retry-After: 1"]
        again = time.monotonic() + 1
        return "200 OK", []

    service = Limited(decide)
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert len(service.requests) <= 10, service.requests


@pytest.mark.parametrize("words", [b'{"error": "Rate limit exceeded"}', b"Too Many Requests", b'{"code": "RATE_LIMIT"}'])
def test_a_limit_that_says_so_in_its_body_alone_is_not_down(words):
    decide = bucket(5, 0.1, "429")

    def take(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while heard(connection):
                connection.sendall(answer("200 OK", None if decide()[0] == "200 OK" else words))

    with serving(lambda one: threading.Thread(target=take, args=(one,), daemon=True).start()) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert "rate_limited" in notes(run), run.target["notes"]


@pytest.mark.parametrize("status", ["430 Shopify Security Rejection", "529 Site is overloaded"])
def test_a_limit_is_not_down_whatever_number_it_says(status):
    service = Limited(bucket(6, 0.5, status))
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict in (("OK", "in_sync"), ("UNKNOWN", "undetermined")), str(run)
    assert len(service.requests) <= 60, len(service.requests)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
@pytest.mark.parametrize("each", [0.1, 0.5])
def test_a_limit_that_rounds_its_pause_down_to_nothing_is_asked_with_pauses_all_the_same(status, each):
    limit = bucket(6, each, status)
    service = Limited(lambda: (lambda said, _: (said, ["Retry-After: 0"] if said == status else []))(*limit()))
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict in (("OK", "in_sync"), ("UNKNOWN", "undetermined")), str(run)
    assert len(service.requests) <= 60, len(service.requests)


def test_a_service_that_says_nothing_but_429_is_not_said_to_be_down():
    service = Limited(lambda: ("429 Too Many Requests", []))
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}", "--timeout", "2s")
    assert run.verdict == ("UNKNOWN", "undetermined"), str(run)
    assert len(service.requests) <= 5, len(service.requests)


@pytest.mark.parametrize(
    ("backends", "headers"), [(2, []), (4, []), (7, []), (8, []), (2, ["Retry-After: 1"]), (6, ["Retry-After: 1"])]
)
def test_one_backend_of_several_that_rejects_everything_as_too_much_is_not_hidden(backends, headers):
    """They take turns, connection by connection."""
    turns = itertools.count()

    def take(connection: socket.socket) -> None:
        status = "429 Too Many Requests" if next(turns) % backends == backends - 1 else "200 OK"
        threading.Thread(target=Limited(lambda: (status, headers)).serve, args=(connection,), daemon=True).start()

    claim = "one of several backends rejects all of its requests"
    # The more there are, the rarer it is met, and the longer it looks like a limit.
    is_claimed = not headers and backends <= 4
    with serving(take) as port:
        # On a busy machine a round may end before it has met it often enough to claim that.
        for _ in range(3):
            run = check(f"http://127.0.0.1:{port}")
            assert run.verdict == ("UNKNOWN", "undetermined"), str(run)
            if not is_claimed or claim in run.words:
                break
    if is_claimed:
        assert claim in run.words, run.words
        assert "keeps_rejecting" in notes(run), run.target["notes"]


@pytest.mark.parametrize("status", ["403 Forbidden", "429 Too Many Requests", "420 Enhance Your Calm"])
def test_a_limit_without_a_header_that_begins_after_good_answers_is_not_down(status):
    good = iter(range(20))
    service = Limited(lambda: ("200 OK" if next(good, None) is not None else status, []))
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}", "--samples", "8", "--timeout", "4s")
    assert run.verdict[0] in ("OK", "UNKNOWN"), str(run)


def test_one_backend_of_several_that_forbids_everything_is_down():
    turns = itertools.count()

    def take(connection: socket.socket) -> None:
        status = "403 Forbidden" if next(turns) % 4 == 3 else "200 OK"
        threading.Thread(target=Limited(lambda: (status, [])).serve, args=(connection,), daemon=True).start()

    with serving(take) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("CRITICAL", "down"), str(run)


def test_a_service_is_asked_again_when_it_said_it_wants_to_be():
    started = time.monotonic()
    # Two requests each second, and what comes earlier is told when that is.
    windows: dict[int, int] = {}

    def decide() -> tuple[str, list[str]]:
        window = int(time.monotonic() - started)
        windows[window] = windows.get(window, 0) + 1
        if windows[window] > 4:
            return "429 Too Many Requests", ["Retry-After: 1"]
        return "200 OK", []

    service = Limited(decide)
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    gaps = [later - earlier for earlier, later in zip(service.requests, service.requests[1:], strict=False)]
    assert max(gaps) >= 1, gaps


def test_a_service_that_is_unavailable_for_a_second_and_says_so_is_asked_again():
    began = time.monotonic()
    service = Limited(
        lambda: ("200 OK", []) if time.monotonic() - began > 1 else ("503 Service Unavailable", ["Retry-After: 1"])
    )
    with serving(service) as port:
        run = check(f"http://127.0.0.1:{port}")
    assert run.verdict == ("OK", "in_sync"), str(run)


@contextmanager
def broken(kind: str) -> Iterator[int]:
    def take(connection: socket.socket) -> None:
        try:
            if kind == "reset":
                reset(connection)
            elif heard(connection):
                connection.sendall(answer(kind, b"broken", "Connection: close"))
        finally:
            connection.close()

    with serving(take) as port:
        yield port


@pytest.mark.parametrize("backends", range(2, 9))
@pytest.mark.parametrize("kind", ["503 Service Unavailable", "reset"])
def test_one_broken_backend_of_several_is_critical(tmp_path, backends, kind):
    """The balancer spreads connections and sees no HTTP, so that a reset comes through."""
    service = Limited(lambda: ("200 OK", []))
    with serving(service) as healthy, broken(kind) as bad:
        ports = [healthy] * (backends - 1)
        # The first connection of the balancer's own test and of the check lead elsewhere.
        balancer = Balancer(tmp_path, {"127.0.0.1": [*ports, bad]}, "roundrobin", mode="tcp")
        try:
            run = check(balancer.url("127.0.0.1"))
        finally:
            balancer.stop()
    assert run.verdict == ("CRITICAL", "down"), str(run)


def test_one_broken_backend_of_two_is_critical_when_it_is_met_at_random(tmp_path):
    service = Limited(lambda: ("200 OK", []))
    with serving(service) as healthy, broken("reset") as bad:
        balancer = Balancer(tmp_path, {"127.0.0.1": [healthy, bad]}, "random(1)", mode="tcp")
        try:
            runs = [check(balancer.url("127.0.0.1")) for _ in range(8)]
        finally:
            balancer.stop()
    # In one of 130 rounds chance leads to the same backend each time, and in one of 40 its pauses take too long.
    assert sum(run.verdict != ("CRITICAL", "down") for run in runs) <= 2, [run.verdict for run in runs]


# By user agent, and those without one are not counted: so the test itself uses nothing up while nginx starts.
ZONES = """
    limit_req_zone $http_user_agent zone=requests:1m rate=5r/s;
    limit_conn_zone $http_user_agent zone=connections:1m;
"""


@pytest.mark.parametrize(
    "limit",
    [
        "limit_req zone=requests burst=3 nodelay;",
        "limit_req zone=requests burst=3 nodelay; limit_req_status 429;",
        "limit_req zone=requests burst=3;",
        "limit_conn connections 1;",
    ],
)
def test_the_limits_of_nginx_are_respected(tmp_path, limit):
    def slow(connection: socket.socket) -> None:
        threading.Thread(target=Device(100, "wait", took=0.02).serve, args=(connection,), daemon=True).start()

    with serving(slow) as upstream:
        nginx = Nginx(tmp_path, [("127.0.0.1", upstream)], http=ZONES, location=limit)
        try:
            run = check(f"http://{nginx.host}:{nginx.port}")
        finally:
            nginx.stop()
    assert run.verdict == ("OK", "in_sync"), str(run)
