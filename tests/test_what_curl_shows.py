"""What curl shows without options is read, or named in a clear sentence: it is never "down"."""

import gzip

import pytest

from support.nowcheck import check
from support.raw_answers import answer, right_time


def chunked(framing: bytes) -> bytes:
    """An answer whose body is framed as given: `%x` is its length, `%s` the body."""
    body = right_time()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + framing.replace(b"%x", b"%x" % len(body)).replace(b"%s", body)


def with_length(value: bytes) -> bytes:
    body = right_time()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n%s" % (value.replace(b"%d", b"%d" % len(body)), body)


def in_two_members() -> bytes:
    body = right_time()
    return gzip.compress(body[:30]) + gzip.compress(body[30:])


SHOWN = {
    "chunks with bare line feeds": lambda: chunked(b"%x\n%s\n0\n\n"),
    "chunks with mixed line ends": lambda: chunked(b"%x\n%s\r\n0\n\r\n"),
    "words behind the length of a chunk": lambda: chunked(b"%x words\r\n%s\r\n0\r\n\r\n"),
    "a length with a sign": lambda: with_length(b"+%d"),
    "a length with words behind it": lambda: with_length(b"%d; bytes"),
    "gzip without its trailer": lambda: answer("Content-Encoding: gzip", body=gzip.compress(right_time())[:-8]),
    "gzip of two members": lambda: answer("Content-Encoding: gzip", body=in_two_members()),
    "gzip on the label and plain text in the body": lambda: answer("Content-Encoding: gzip"),
    "deflate on the label and plain text in the body": lambda: answer("Content-Encoding: deflate"),
    "zstd on the label and plain text in the body": lambda: answer("Content-Encoding: zstd"),
    "a guard before the JSON (Angular)": lambda: answer(body=b")]}',\n" + right_time()),
    "a guard before the JSON (Facebook)": lambda: answer(body=b"for(;;);" + right_time()),
    "JSONP": lambda: answer(body=b"callback(" + right_time() + b");"),
    "null bytes behind the JSON": lambda: answer(body=right_time() + b"\0\0"),
    "Latin-1 beside the time": lambda: answer(body=b'{"place":"Z\xfcrich",' + right_time()[1:]),
}


@pytest.mark.parametrize("shown", SHOWN.values(), ids=SHOWN.keys())
def test_what_curl_shows_is_read(raw, shown, sharp_reference):
    run = check(raw(lambda _: shown()).url)
    assert run.verdict == ("OK", "in_sync"), str(run)

