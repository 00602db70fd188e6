"""What curl reads, nowcheck reads, and what curl refuses, nowcheck refuses: each answer is given to both.

Exceptions are those where an answer proves less to a health check than to somebody who downloads a file. Each stands in
the table with its reason.
"""

import contextlib
import gzip
import shutil
import socket
import struct
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from support.nowcheck import check, clean_environment
from support.raw_answers import RawAnswers, answer, right_time
from support.tools import lacking

OK = b"HTTP/1.1 200 OK\r\n"


def length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def after(head: bytes, end: bytes = b"\r\n") -> Callable[[], bytes]:
    """This head, and the right time behind it, with a length."""

    def answers() -> bytes:
        body = right_time()
        return head + length(body) + end + body

    return answers


def line(status_line: bytes) -> Callable[[], bytes]:
    return after(status_line)


def field(*lines: bytes) -> Callable[[], bytes]:
    return after(OK + b"".join(one + b"\r\n" for one in lines))


def chunks(*parts: bytes, head: bytes = b"") -> bytes:
    return OK + head + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts)


def chunk(body: bytes, extension: bytes = b"") -> bytes:
    return b"%x%s\r\n%s\r\n" % (len(body), extension, body)


def chunked(extension: bytes = b"", last: bytes = b"0\r\n\r\n", head: bytes = b"") -> Callable[[], bytes]:
    return lambda: chunks(chunk(right_time(), extension), last, head=head)


def sized(size: Callable[[int], bytes]) -> Callable[[], bytes]:
    """One chunk, with its size written in that way."""

    def answers() -> bytes:
        body = right_time()
        return chunks(size(len(body)) + b"\r\n" + body + b"\r\n", b"0\r\n\r\n")

    return answers


def with_length(value: Callable[[int], bytes]) -> Callable[[], bytes]:
    def answers() -> bytes:
        body = right_time()
        return OK + value(len(body)) + b"\r\n" + body

    return answers


def coded(coding: bytes, encoded: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    def answers() -> bytes:
        body = encoded(right_time())
        return OK + b"Content-Encoding: " + coding + b"\r\n" + length(body) + b"\r\n" + body

    return answers


BROWSERS = "browsers read it, and a right time is a right time"
FRAMING = "where the answer ends must not be guessed (RFC 9112 section 6.3)"
CUT = "what is cut short may lack a digit of the time"
LABEL = "nobody asked for a coding, and without `--compressed` curl shows the time too"


@dataclass
class Case:
    """An answer. `differs` says why nowcheck may judge otherwise than curl."""

    answers: Callable[[], bytes]
    closes: bool = False
    differs: str | None = None


CASES = {
    # ---- the status line (RFC 9112 section 4)
    "a plain answer": Case(line(OK)),
    "lower-case http/1.1": Case(line(b"http/1.1 200 OK\r\n")),
    "mixed-case Http/1.1": Case(line(b"Http/1.1 200 OK\r\n")),
    "HTTP/1.0 without a reason": Case(line(b"HTTP/1.0 200 \r\n")),
    "HTTP/1.0 without a space": Case(line(b"HTTP/1.0 200\r\n")),
    "HTTP/1.1 without a reason": Case(line(b"HTTP/1.1 200 \r\n")),
    "HTTP/1.1 without a space": Case(line(b"HTTP/1.1 200\r\n")),
    "two spaces before the status": Case(line(b"HTTP/1.1  200 OK\r\n")),
    "two spaces before the reason": Case(line(b"HTTP/1.1 200  OK\r\n")),
    "a tab before the status": Case(line(b"HTTP/1.1\t200 OK\r\n")),
    "a tab before the reason": Case(line(b"HTTP/1.1 200\tOK\r\n")),
    "a reason that is not ASCII": Case(line(b"HTTP/1.1 200 D'accord \xe9\r\n")),
    "a reason in UTF-8": Case(line("HTTP/1.1 200 Größe\r\n".encode())),
    "a reason with a null byte": Case(line(b"HTTP/1.1 200 O\0K\r\n")),
    "a reason with a control character": Case(line(b"HTTP/1.1 200 O\x01K\r\n")),
    "a status of two digits": Case(line(b"HTTP/1.1 20 OK\r\n")),
    "a status of four digits": Case(line(b"HTTP/1.1 2000 OK\r\n")),
    "a status with a letter": Case(line(b"HTTP/1.1 2x0 OK\r\n")),
    "a reason that is glued on": Case(line(b"HTTP/1.1 200OK\r\n")),
    "no status": Case(line(b"HTTP/1.1\r\n")),
    "HTTP/1.2": Case(line(b"HTTP/1.2 200 OK\r\n")),
    "HTTP/1.9": Case(line(b"HTTP/1.9 200 OK\r\n")),
    "HTTP/1": Case(line(b"HTTP/1 200 OK\r\n")),
    "HTTP/1.11": Case(line(b"HTTP/1.11 200 OK\r\n")),
    "HTTP/0.9 in a status line": Case(line(b"HTTP/0.9 200 OK\r\n")),
    "HTTP/2": Case(line(b"HTTP/2 200 OK\r\n")),
    "HTTP/2.0": Case(line(b"HTTP/2.0 200 OK\r\n")),
    "HTTP/3": Case(line(b"HTTP/3 200 OK\r\n")),
    "HTTP/4.0": Case(line(b"HTTP/4.0 200 OK\r\n")),
    "ICY": Case(line(b"ICY 200 OK\r\n")),
    "RTSP/1.0": Case(line(b"RTSP/1.0 200 OK\r\n")),
    "a space before the status line": Case(line(b" HTTP/1.1 200 OK\r\n")),
    "a body alone (HTTP/0.9)": Case(right_time, closes=True),
    "nothing": Case(lambda: b"", closes=True),
    "a blank line first": Case(line(b"\r\n" + OK), differs=BROWSERS),
    "two blank lines first": Case(line(b"\r\n\r\n" + OK), differs=BROWSERS),
    "a bare line feed first": Case(line(b"\n" + OK), differs=BROWSERS),
    # ---- line ends (RFC 9112 section 2.2)
    "line feeds alone": Case(lambda: after(b"HTTP/1.1 200 OK\n", b"\n")().replace(b"\r\n", b"\n")),
    "a line feed alone after the status": Case(line(b"HTTP/1.1 200 OK\n")),
    "a line feed alone at the end": Case(after(OK, b"\n")),
    "a carriage return in the reason": Case(line(b"HTTP/1.1 200 O\rK\r\n")),
    "a carriage return in a value": Case(field(b"X-A: b\rc")),
    "two carriage returns": Case(line(b"HTTP/1.1 200 OK\r\r\n")),
    "a field that ends in two carriage returns": Case(field(b"X-A: b\r")),
    # ---- header fields (RFC 9112 section 5)
    "a null byte in a value": Case(field(b"X-A: b\0c")),
    "a null byte in a name": Case(field(b"X\0A: b")),
    "a control character in a value": Case(field(b"X-A: b\x01c")),
    "a delete character in a value": Case(field(b"X-A: b\x7fc")),
    "a value in Latin-1": Case(field(b"X-A: caf\xe9")),
    "a value in UTF-8": Case(field("X-A: Größe".encode())),
    "a name that is not ASCII": Case(field(b"X-\xe9: b")),
    "a name with a space": Case(field(b"X A: b")),
    "a name with brackets": Case(field(b"X(A): b")),
    "a space before the colon": Case(field(b"X-A : b")),
    "a tab before the colon": Case(field(b"X-A\t: b")),
    "an empty name": Case(field(b": b")),
    "an empty value": Case(field(b"X-A:")),
    "a line without a colon": Case(field(b"garbage"), differs=BROWSERS),
    "a folded value": Case(field(b"X-A: b,", b"  c")),
    "a value folded with a tab": Case(field(b"X-A: b,", b"\tc")),
    "a fold before the first field": Case(after(OK + b"  folded\r\n"), differs=BROWSERS),
    "an empty folded line": Case(field(b"X-A: b", b" ")),
    "a length with a space before its colon": Case(
        with_length(lambda n: b"Content-Length : %d\r\n" % n),
        differs=BROWSERS,
    ),
    "a length that is folded": Case(with_length(lambda n: b"Content-Length:\r\n %d\r\n" % n), differs=BROWSERS),
    "300 fields": Case(field(*(b"X-%d: y" % n for n in range(300)))),
    "a field of 8,000 bytes": Case(field(b"X-A: " + b"a" * 8_000)),
    "a field of 60,000 bytes": Case(field(b"X-A: " + b"a" * 60_000)),
    "a field of 90,000 bytes": Case(field(b"X-A: " + b"a" * 90_000)),
    "a field of 110,000 bytes": Case(field(b"X-A: " + b"a" * 110_000), differs=BROWSERS),
    "a head of 250,000 bytes": Case(field(*(b"X-%d: %s" % (n, b"a" * 1_000) for n in range(245)))),
    "a head of 400,000 bytes": Case(field(*(b"X-%d: %s" % (n, b"a" * 1_000) for n in range(400)))),
    # ---- interim answers (RFC 9110 section 15.2)
    "100 first": Case(lambda: b"HTTP/1.1 100 Continue\r\n\r\n" + line(OK)()),
    "102 first": Case(lambda: b"HTTP/1.1 102 Processing\r\n\r\n" + line(OK)()),
    "103 first": Case(lambda: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + line(OK)()),
    "103 three times": Case(lambda: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3 + line(OK)()),
    "199 first": Case(lambda: b"HTTP/1.1 199 Hm\r\n\r\n" + line(OK)()),
    "100 and then nothing": Case(lambda: b"HTTP/1.1 100 Continue\r\n\r\n", closes=True),
    "101 that nobody asked for": Case(lambda: b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + line(OK)()),
    # ---- lengths (RFC 9112 section 6)
    "no length until the end": Case(lambda: OK + b"\r\n" + right_time(), closes=True),
    "no length in HTTP/1.0": Case(lambda: b"HTTP/1.0 200 OK\r\n\r\n" + right_time(), closes=True),
    "the same length twice": Case(with_length(lambda n: b"Content-Length: %d\r\n" % n * 2)),
    "the same length twice in a list": Case(with_length(lambda n: b"Content-Length: %d, %d\r\n" % (n, n))),
    "two lengths": Case(
        with_length(lambda n: b"Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n + 1)),
        closes=True,
    ),
    "two lengths in a list": Case(
        with_length(lambda n: b"Content-Length: %d, %d\r\n" % (n, n + 1)),
        closes=True,
        differs=FRAMING,
    ),
    "a length with a plus": Case(with_length(lambda n: b"Content-Length: +%d\r\n" % n)),
    "a length with zeros before it": Case(with_length(lambda n: b"Content-Length: 000%d\r\n" % n)),
    "a negative length": Case(with_length(lambda n: b"Content-Length: -%d\r\n" % n), closes=True),
    "a length in words": Case(with_length(lambda n: b"Content-Length: many\r\n"), closes=True),
    "a length with words behind it": Case(with_length(lambda n: b"Content-Length: %d bytes\r\n" % n)),
    "an empty length": Case(with_length(lambda n: b"Content-Length:\r\n"), closes=True),
    "a length beyond 64 bits": Case(
        with_length(lambda n: b"Content-Length: 99999999999999999999999\r\n"),
        closes=True,
        differs=FRAMING,
    ),
    "a body that is cut short": Case(with_length(lambda n: b"Content-Length: %d\r\n" % (n + 9)), closes=True),
    "more than the length": Case(lambda: line(OK)() + b"\r\n"),
    "a length beside chunks": Case(chunked(head=b"Content-Length: 3\r\n")),
    # ---- chunks (RFC 9112 section 7.1)
    "chunks": Case(chunked()),
    "chunks in upper case": Case(lambda: chunked()().replace(b"chunked", b"CHUNKED")),
    "a chunk extension": Case(chunked(b";ext=1")),
    "a chunk extension in quotes": Case(chunked(b';ext="a;b"')),
    "a chunk extension without a value": Case(chunked(b";ext")),
    "a space behind the chunk size": Case(chunked(b" ")),
    "spaces before a chunk extension": Case(chunked(b"  ;ext")),
    "a trailer": Case(chunked(last=b"0\r\nX-T: 1\r\n\r\n")),
    "a chunk size with zeros": Case(sized(lambda n: b"0000%x" % n)),
    "a chunk size in upper case": Case(sized(lambda n: b"%X" % n)),
    "a chunk size with 0x": Case(sized(lambda n: b"0x%x" % n), closes=True),
    "a negative chunk size": Case(sized(lambda n: b"-%x" % n), closes=True),
    "no chunk size": Case(sized(lambda _: b""), closes=True),
    "a chunk size in words": Case(sized(lambda _: b"many"), closes=True),
    "a chunk size beyond 64 bits": Case(sized(lambda _: b"fffffffffffffffff"), closes=True),
    "a chunk that is too long": Case(lambda: chunks(b"3\r\n" + right_time() + b"\r\n", b"0\r\n\r\n"), closes=True),
    "chunks without the last one": Case(lambda: chunks(chunk(right_time())), closes=True),
    "chunks without the last line": Case(lambda: chunks(chunk(right_time()), b"0\r\n"), closes=True),
    "chunks with line feeds alone": Case(
        lambda: chunks(chunk(right_time()).replace(b"\r\n", b"\n"), b"0\n\n")
    ),
    "chunks in HTTP/1.0": Case(lambda: chunked()().replace(b"1.1", b"1.0", 1), closes=True),
    "chunked twice": Case(lambda: chunked()().replace(b"chunked", b"chunked, chunked"), closes=True),
    "identity as a transfer coding": Case(field(b"Transfer-Encoding: identity")),
    "identity before chunked": Case(lambda: chunked()().replace(b"chunked", b"identity, chunked")),
    "a transfer coding that is not known": Case(field(b"Transfer-Encoding: rot13"), closes=True),
    "gzip and chunked as transfer codings": Case(
        lambda: OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk(gzip.compress(right_time())) + b"0\r\n\r\n"
    ),
    # ---- content codings (RFC 9110 section 8.4)
    "gzip": Case(coded(b"gzip", gzip.compress)),
    "gzip that is cut short": Case(coded(b"gzip", lambda body: gzip.compress(body)[:-12]), differs=CUT),
    "gzip without its checksum": Case(coded(b"gzip", lambda body: gzip.compress(body)[:-8])),
    "deflate": Case(coded(b"deflate", zlib.compress)),
    "gzip that is none": Case(coded(b"gzip", lambda body: body), differs=LABEL),
    "a content coding that is not known": Case(coded(b"rot13", lambda body: body), differs=LABEL),
    # ---- connections (RFC 9112 section 9)
    "keep-alive, and then closed": Case(field(b"Connection: keep-alive"), closes=True),
    "an answer of HTTP/1.0 that stays open": Case(after(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n")),
}


@pytest.fixture(scope="module")
def curl() -> str:
    found = shutil.which("curl")
    if found is None:
        lacking("curl is not installed")
    return found


@pytest.fixture
def serve() -> Iterator[Callable[[Case], RawAnswers]]:
    servers = []

    def start(case: Case) -> RawAnswers:
        servers.append(RawAnswers(lambda _: case.answers(), closes=case.closes))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def accepted_by(curl: str, url: str) -> tuple[bool, str]:
    """Whether curl takes the answer for a good one, and what it says."""
    # `--compressed` decodes what comes encoded, as nowcheck does.
    command = [curl, "-sS", "--compressed", "--fail", "--noproxy", "*", "--max-time", "2", "-o", "/dev/null", url]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=clean_environment())
    return done.returncode == 0, f"curl: exit {done.returncode} {done.stderr.strip()}"


@pytest.mark.parametrize("what", CASES)
def test_what_curl_reads_is_read_and_what_it_refuses_is_refused(serve, curl, what, sharp_reference):
    case = CASES[what]
    url = f"{serve(case).url}/now"
    is_accepted, said = accepted_by(curl, url)
    run = check(url, "--timeout", "3s")
    if case.differs is None:
        assert (run.outcome["status"] == "OK") == is_accepted, f"{said}\n{run}"
    else:
        assert (run.outcome["status"] == "OK") != is_accepted, f"no exception any more: {said}\n{run}"
    assert run.outcome["status"] in ("OK", "CRITICAL"), f"{said}\n{run}"


def at_once(connection: socket.socket) -> None:
    """Answers as soon as it has accepted the connection, and waits for the request afterwards."""
    connection.sendall(answer("Connection: close"))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(1000):
        pass


def unread(connection: socket.socket) -> None:
    connection.sendall(answer("Connection: close"))


def at_the_first_byte(connection: socket.socket) -> None:
    """What it has not read makes the kernel reset the connection behind the answer."""
    connection.recv(1)
    connection.sendall(answer("Connection: close"))
    connection.recv(0)


def reset_afterwards(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(answer("Connection: close"))
    time.sleep(0.05)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("serve", [at_once, unread, at_the_first_byte, reset_afterwards])
def test_an_answer_that_comes_before_the_request_was_read_is_read(curl, serve, sharp_reference):
    """Nothing is asserted of the bounds: an answer that was on its way when the request was sent cannot be told from one
    to it, and its clock was read up to some milliseconds before (see `TimedIo`)."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=one, args=listener.accept()[:1], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/now"
        is_accepted, said = accepted_by(curl, url)
        run = check(url)
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    assert is_accepted, said
    assert run.verdict == ("OK", "in_sync"), str(run)
