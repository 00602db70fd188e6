"""Requests that no honest client sends, byte by byte, and the answer that RFC 9112 (HTTP/1.1) has for each.

Whatever comes, the service gives one of the answers that the standard allows, closes where the standard says that what
follows cannot be told from a new request, and goes on serving others.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support import servers
from support.process import WAIT, poll
from support.raw_http import Connection, Exchange, ask

QUIET = 0.3
"""Seconds without a byte after which a connection is taken to be kept open."""

BAD = {400}
TOO_LARGE = {431}
REFUSED = {400, 405, 413}
"""Of a request that has a body, and of which the framing may be good or bad."""
OK = {200}
UNKNOWN = {400, 501}


@pytest.fixture(scope="module")
def nowd() -> Iterator[servers.Server]:
    server = servers.start_nowd()
    yield server
    assert server.child.process.poll() is None, f"it ended:\n{server.child.stderr.text}"
    server.stop()


@dataclass
class Case:
    what: str
    request: bytes
    statuses: set[int]
    closes: bool | None = None
    """Whether the connection has to be closed afterwards (True), has to be kept (False), or may be either (None)."""
    section: str = ""
    """Of RFC 9112, unless it says another."""


def get(*headers: bytes, target: bytes = b"/now", version: bytes = b"HTTP/1.1", host: bytes = b"Host: a") -> bytes:
    lines = [b"GET " + target + b" " + version, *([host] if host else []), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def post(*headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([b"POST /now HTTP/1.1", b"Host: a", *headers]) + b"\r\n\r\n" + body


def length(value: bytes) -> bytes:
    """A body of five bytes, and what is said of its length."""
    return post(b"Content-Length: " + value, body=b"hello")


LAST = b"0\r\n\r\n"
"""The chunk that ends a body."""


def coding(value: bytes, body: bytes = LAST) -> bytes:
    return post(b"Transfer-Encoding: " + value, body=body)


# What would be answered "alive", if anybody took it for a request.
SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"

UPGRADE = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__")

CASES = [
    # The request line.
    Case("an empty line before the request", b"\r\n" + get(), OK, False, "2.2"),
    Case("a method in lower case", get().replace(b"GET", b"get"), {400, 405, 501}, None, "3.1"),
    Case("a method that does not exist", get().replace(b"GET", b"FROBNICATE"), {405, 501}, None, "3.1"),
    Case("a method of 10,000 letters", get().replace(b"GET", b"G" * 10_000), {400, 405, 501, 414, 431}, None, "3"),
    Case("a method with a comma in parentheses", get().replace(b"GET", b"G(E,T"), BAD, True, "3.1"),
    Case("no version", b"GET /now\r\nHost: a\r\n\r\n", BAD, True, "3"),
    Case("HTTP/0.9", b"GET /now\r\n", BAD, True, "3"),
    Case("HTTP/1.0 without a host", get(version=b"HTTP/1.0", host=b""), OK, True, "9.3"),
    Case("HTTP/1.0 that asks to be kept", get(b"Connection: keep-alive", version=b"HTTP/1.0"), OK, False, "9.3"),
    Case("HTTP/1.2, which there is not", get(version=b"HTTP/1.2"), {505}, True, "2.5 of RFC 9110"),
    Case("HTTP/2.0 in the request line", get(version=b"HTTP/2.0"), {505}, True, "15.6.6 of RFC 9110"),
    Case("HTTP/9.9", get(version=b"HTTP/9.9"), {505}, True, "15.6.6 of RFC 9110"),
    Case("http in lower case", get(version=b"http/1.1"), BAD, True, "2.3"),
    Case("something behind the version", get(version=b"HTTP/1.1 x"), BAD, True, "3"),
    Case("a space in the target", get(target=b"/now x"), BAD, True, "3.2"),
    Case("two spaces behind the method", get().replace(b"GET ", b"GET  "), {200, 400}, None, "3"),
    Case("a tab behind the method", get().replace(b"GET ", b"GET\t"), {200, 400}, None, "3"),
    Case("a null byte in the target", get(target=b"/now\0"), BAD, True, "3.2"),
    Case("a line feed in the target", get(target=b"/no\nw"), BAD, True, "3.2"),
    Case("bytes above 127 in the target", get(target=b"/now?\xff\xfe"), {200, 400, 404}, None, "3.2"),
    Case("a target of 8,000 bytes", get(target=b"/now?x=" + b"y" * 8_000), OK, False, "3"),
    Case("a target of 100,000 bytes", get(target=b"/" + b"y" * 100_000), {414, 431}, True, "3"),
    # The target's four forms.
    Case("absolute form", get(target=b"http://a/now"), OK, False, "3.2.2"),
    Case("absolute form of another host than in Host", get(target=b"http://b:81/now"), OK | {421}, None, "3.2.2"),
    Case("absolute form in capitals", get(target=b"HTTP://A/now"), OK, False, "3.2.2"),
    Case("absolute form without a path", get(target=b"http://a"), OK, False, "3.2.2"),
    Case("absolute form without a Host", get(target=b"http://a/now", host=b""), BAD, None, "3.2.2"),
    Case("absolute form without an authority", get(target=b"http:///now"), BAD, None, "3.2.2"),
    Case("authority form", b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", {400, 404, 405, 501}, None, "3.2.3"),
    Case("authority form with GET", get(target=b"a:443"), {400, 404}, None, "3.2.3"),
    Case("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", {200, 204, 400, 404, 405}, None, "3.2.4"),
    Case("asterisk form with GET", get(target=b"*"), {400, 404}, None, "3.2.4"),
    Case("a target without a slash", get(target=b"now"), {400, 404}, None, "3.2.1"),
    Case("an empty target", get(target=b""), BAD, True, "3.2.1"),
    Case("a fragment", get(target=b"/now#x"), {200, 400}, None, "3.2.1"),
    # The host.
    Case("no Host", get(host=b""), BAD, None, "3.2"),
    Case("two Hosts", get(b"Host: b"), BAD, None, "3.2"),
    Case("the same Host twice", get(b"Host: a"), BAD, None, "3.2"),
    Case("an empty Host", get(host=b"Host:"), OK, False, "3.2"),
    Case("an IPv6 address as Host", get(host=b"Host: [::1]:8080"), OK, False, "3.2"),
    Case("a Host with a space", get(host=b"Host: a b"), BAD, None, "3.2"),
    Case("a Host with a path", get(host=b"Host: a/b"), BAD, None, "3.2"),
    Case("a Host with a user", get(host=b"Host: me@a"), BAD, None, "3.2"),
    Case("two Hosts in one line", get(host=b"Host: a, b"), BAD, None, "3.2"),
    Case("a Host with a port that is none", get(host=b"Host: a:port"), BAD, None, "3.2"),
    Case("a Host with a port of 100,000", get(host=b"Host: a:100000"), {200, 400}, None, "3.2"),
    Case("a Host with bytes above 127", get(host=b"Host: \xff\xfe"), BAD, None, "3.2"),
    Case("a Host of 10,000 letters", get(host=b"Host: " + b"a" * 10_000), {200, 400, 431}, None, "3.2"),
    Case("a Host of 100,000 letters", get(host=b"Host: " + b"a" * 100_000), TOO_LARGE, True, "5 of RFC 6585"),
    # Fields.
    Case("a space before the colon", get(b"X : y"), BAD, True, "5.1"),
    Case("a space before the first field", get(host=b" Host: a"), BAD | OK, None, "2.2"),
    Case("a field without a colon", get(b"X"), BAD, True, "5"),
    Case("a field without a name", get(b": x"), BAD, True, "5"),
    Case("a name with a space", get(b"X Y: z"), BAD, True, "5.1"),
    Case("a name with bytes above 127", get(b"X\xc3\xa9: z"), BAD, True, "5.1"),
    Case("a name with a null byte", get(b"X\0: z"), BAD, True, "5.5 of RFC 9110"),
    Case("a value with a null byte", get(b"X: a\0b"), BAD, True, "5.5 of RFC 9110"),
    Case("a value with a bare carriage return", get(b"X: a\rb"), BAD | OK, None, "2.2"),
    Case("a value with bytes above 127", get(b"X: \xff\xfe"), OK, False, "5.5 of RFC 9110"),
    Case("an empty value", get(b"X:"), OK, False, "5"),
    Case("a folded line (obs-fold)", get(b"X: a\r\n b"), BAD | OK, None, "5.2"),
    Case("a folded Host", get(host=b"Host:\r\n a"), BAD | OK, None, "5.2"),
    Case("lines that end with a line feed alone", get(b"X: y").replace(b"\r\n", b"\n"), BAD | OK, None, "2.2"),
    Case("90 fields", get(*[b"X-%d: y" % number for number in range(90)]), OK, False, "5"),
    Case("1,000 fields", get(*[b"X-%d: y" % number for number in range(1_000)]), TOO_LARGE, True, "5 of RFC 6585"),
    Case("a field of 100,000 bytes", get(b"X: " + b"y" * 100_000), TOO_LARGE, True, "5 of RFC 6585"),
    # Framing.
    Case("two lengths that differ", length(b"5\r\nContent-Length: 6"), BAD, True, "6.3"),
    Case("two lengths in one field", length(b"5, 6"), BAD, True, "6.3"),
    Case("the same length twice", length(b"5\r\nContent-Length: 5"), REFUSED, None, "6.3"),
    Case("a negative length", length(b"-5"), BAD, True, "6.3"),
    Case("a length with a plus sign", length(b"+5"), BAD, True, "6.3"),
    Case("a length in hexadecimal", length(b"0x5"), BAD, True, "6.3"),
    Case("a length with a letter", length(b"5a"), BAD, True, "6.3"),
    Case("an empty length", length(b""), BAD, True, "6.3"),
    Case("a length beyond 64 bits", length(b"9" * 30), BAD | {413}, True, "6.3"),
    Case("length and chunks", length(b"5\r\nTransfer-Encoding: chunked"), REFUSED, True, "6.3"),
    Case("chunks in another coding", coding(b"chunked, gzip"), UNKNOWN, True, "6.3"),
    Case("a coding that does not exist", coding(b"xchunked"), UNKNOWN, True, "6.1"),
    Case("a coding behind a vertical tab", coding(b"\x0bchunked"), UNKNOWN, True, "6.1"),
    Case("an empty coding", coding(b""), UNKNOWN, True, "6.1"),
    Case("chunks in HTTP/1.0", coding(b"chunked").replace(b"/1.1", b"/1.0"), REFUSED, True, "6.1"),
    Case("a chunk of a size that is none", coding(b"chunked", b"zz\r\nhello\r\n" + LAST), REFUSED, True, "7.1"),
    Case("a chunk beyond 64 bits", coding(b"chunked", b"F" * 17 + b"\r\nhello"), REFUSED, True, "7.1"),
    Case("a chunk longer than it says", coding(b"chunked", b"1\r\nhello\r\n" + LAST), REFUSED, True, "7.1"),
    Case("GET with a body", get(b"Content-Length: 5") + b"hello", {200, 400, 413}, None, "6"),
    # What is no HTTP/1.1 at all.
    Case("a null byte first", b"\0" + get(), BAD, True, "2.2"),
    Case("an upgrade to HTTP/2", get(*UPGRADE), OK, False, "7.8 of RFC 9110"),
    Case("an upgrade to WebSocket", get(b"Connection: Upgrade", b"Upgrade: websocket"), OK, False, "7.8 of RFC 9110"),
    # Connection.
    Case("Connection: close", get(b"Connection: close"), OK, True, "9.6"),
    Case("Connection: close among others", get(b"Connection: x, Close"), OK, True, "9.6"),
    Case("TRACE", b"TRACE /now HTTP/1.1\r\nHost: a\r\nX-Secret: 1\r\n\r\n", {405, 501}, None, "9.3.8 of RFC 9110"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_each_gets_an_answer_that_the_standard_allows(nowd, case):
    exchange = ask(nowd.port, case.request, quiet=0.0 if case.closes else QUIET)
    said = f"RFC 9112, section {case.section}" if "of" not in case.section else f"section {case.section}"
    assert len(exchange.answers) == 1, f"{said}: {exchange}"
    answer = exchange.answers[0]
    assert answer.status in case.statuses, f"{said}: {exchange}"
    assert exchange.rest == b"", f"{said}: {exchange}"
    if case.closes is not None:
        assert exchange.end == ("closed" if case.closes else "open"), f"{said}: {exchange}"
    if exchange.end != "open" and answer.status == 200 and answer.version == "HTTP/1.1":
        assert answer.header("connection") == "close", f"RFC 9112, section 9.6: the client is not told: {exchange}"
    assert b"X-Secret" not in answer.body


FRAMING = (b"Content-Length:", b"Transfer-Encoding:")
DOUBTFUL = [case for case in CASES if case.closes and any(name in case.request for name in FRAMING)]


@pytest.mark.parametrize("case", DOUBTFUL, ids=lambda case: case.what)
def test_nothing_is_answered_behind_a_request_whose_end_is_in_doubt(nowd, case):
    """Whoever ends the body elsewhere than the client did would let a stranger's request in (request smuggling)."""
    exchange = ask(nowd.port, case.request + SMUGGLED, quiet=QUIET)
    assert not any(b"alive" in answer.body for answer in exchange.answers), str(exchange)
    assert len(exchange.answers) == 1, str(exchange)


SMUGGLERS = {
    "a length that covers it": post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED),
    "a chunk that covers it": coding(b"chunked", b"%x\r\n%s\r\n" % (len(SMUGGLED), SMUGGLED) + LAST),
    "a length that is never reached": post(b"Content-Length: 1000000", body=SMUGGLED),
    "GET with a length that covers it": get(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED,
    "HEAD with a length that covers it": b"HEAD" + get(b"Content-Length: %d" % len(SMUGGLED))[3:] + SMUGGLED,
}


@pytest.mark.parametrize("request_", SMUGGLERS.values(), ids=SMUGGLERS.keys())
def test_a_request_inside_of_a_body_is_not_answered(nowd, request_):
    methods = ["HEAD"] if request_.startswith(b"HEAD") else None
    exchange = ask(nowd.port, request_, methods=methods, quiet=QUIET)
    assert len(exchange.answers) == 1, str(exchange)
    assert b"alive" not in exchange.answers[0].body


def test_requests_behind_each_other_are_answered_in_their_order(nowd):
    wanted = [(b"GET", b"/healthz"), (b"HEAD", b"/now"), (b"GET", b"/nothing"), (b"GET", b"/now?tz=Asia/Tokyo")] * 5
    requests = b"".join(method + b" " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n" for method, path in wanted)
    methods = [method.decode() for method, _ in wanted]
    exchange = ask(nowd.port, requests, methods=methods, quiet=QUIET)
    assert exchange.statuses == [200, 200, 404, 200] * 5, str(exchange)
    assert exchange.end == "open"
    for health, head, _, tokyo in zip(*[iter(exchange.answers)] * 4, strict=True):
        assert b"alive" in health.body
        assert head.body == b""
        assert json.loads(tokyo.body)["timezone"] == "Asia/Tokyo"


def test_requests_before_a_broken_one_are_answered_and_none_after_it(nowd):
    exchange = ask(nowd.port, get() + get(b"X : y") + SMUGGLED)
    assert exchange.statuses == [200, 400], str(exchange)
    assert exchange.end == "closed"


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_a_request_in_small_packets_is_answered_like_one_in_a_single_one(nowd, size):
    with Connection(nowd.port) as connection:
        connection.send_in_pieces(get(b"X: y", b"Connection: close"), size)
        exchange = connection.everything()
    assert exchange.statuses == [200], str(exchange)
    assert exchange.end == "closed"


def test_a_client_that_has_closed_its_half_still_gets_its_answers(nowd):
    """As `nc -N` and `printf … | socat` do it."""
    with Connection(nowd.port) as connection:
        connection.send(get() + get(target=b"/healthz"))
        connection.half_close()
        exchange = connection.everything()
    assert exchange.statuses == [200, 200], str(exchange)
    assert exchange.end == "closed"


def test_half_a_request_and_then_the_end_is_no_request(nowd):
    for part in (b"", b"GET", b"GET /now HTTP/1.1\r\n", get()[:-2]):
        with Connection(nowd.port) as connection:
            connection.send(part)
            connection.half_close()
            exchange = connection.everything()
        assert exchange.statuses in ([], [400]), f"{part!r}: {exchange}"
        assert exchange.end == "closed", f"{part!r}: {exchange}"


def test_a_closed_half_in_the_middle_of_a_body_ends_the_connection(nowd):
    with Connection(nowd.port) as connection:
        connection.send(post(b"Content-Length: 100", body=b"hello"))
        connection.half_close()
        exchange = connection.everything()
    assert len(exchange.answers) == 1, str(exchange)
    assert exchange.statuses[0] in REFUSED
    assert exchange.end == "closed"


def test_clients_that_break_off_at_any_point_harm_nobody(nowd):
    request = get(b"Content-Length: 5") + b"hello"
    for cut in range(0, len(request), 4):
        connection = Connection(nowd.port)
        connection.send(request[:cut])
        connection.reset()
    assert ask(nowd.port, get(), quiet=QUIET).statuses == [200]
    poll(lambda: open_sockets(nowd) <= 1, "the connections that were broken off are given up")


def test_the_preface_of_http_2_is_refused_and_closed(nowd):
    """Its client knows from anything that is not HTTP/2, and from an end too, that it has to speak HTTP/1.1."""
    exchange = ask(nowd.port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert exchange.statuses == [505], str(exchange)
    assert exchange.end == "closed"


def test_tls_on_the_plain_port_is_refused_and_closed(nowd):
    hello = bytes.fromhex("16030100a5010000a10303") + bytes(160)
    exchange = ask(nowd.port, hello)
    assert exchange.statuses in ([], [400]), str(exchange)
    assert exchange.end in ("closed", "reset")


def test_a_client_that_waits_for_100_gets_its_answer_without_sending_the_body(nowd):
    started = time.monotonic()
    exchange = ask(nowd.port, post(b"Content-Length: 5", b"Expect: 100-continue"), quiet=QUIET)
    assert exchange.statuses[-1] in REFUSED, str(exchange)
    assert exchange.statuses[:-1] in ([], [100])
    assert time.monotonic() - started < WAIT / 2


def test_head_says_what_get_would_and_sends_nothing(nowd):
    for path in (b"/now", b"/", b"/openapi.json", b"/healthz", b"/readyz", b"/nothing", b"/now?tz=Mars"):
        got = ask(nowd.port, get(b"Connection: close", target=path)).answers[0]
        exchange = ask(nowd.port, get(b"Connection: close", target=path).replace(b"GET", b"HEAD", 1), methods=["HEAD"])
        (head,) = exchange.answers
        assert exchange.rest == b""
        assert (head.status, head.header("content-type")) == (got.status, got.header("content-type")), path
        # The page says the time in letters, and other times are of other lengths.
        assert path == b"/" or head.header("content-length") == str(len(got.body)), path


def test_a_connection_is_kept_for_hundreds_of_requests(nowd):
    with Connection(nowd.port) as connection:
        for _ in range(500):
            connection.send(get())
            answer = connection.answer()
            assert answer.status == 200
            assert answer.header("connection") is None


def test_answers_that_nobody_asked_for_do_not_come(nowd):
    with Connection(nowd.port) as connection:
        connection.send(get())
        connection.answer()
        assert connection.everything(seconds=QUIET) == Exchange()


def open_sockets(server: servers.Server) -> int:
    """Connections that the service holds, by the kernel."""
    port = f"{server.port:04X}"
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    # 0A is a listener, 06 a remembrance of one that is gone.
    return sum(row[1].endswith(f":{port}") and row[3] not in ("0A", "06") for row in rows)
