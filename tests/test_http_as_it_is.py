"""Answers of real servers: what browsers and curl read is read, and what they cannot read is named."""

import gzip
import zlib

import pytest

from support.nowcheck import check, nowcheck
from support.raw_answers import answer, right_time


def raw_deflate(body: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(body) + encoder.flush()


def stored_brotli(body: bytes) -> bytes:
    """A block of brotli that is stored as it is (RFC 7932 section 9.2), and an empty last one."""
    return ((len(body) - 1 << 4) | 1 << 20).to_bytes(3, "little") + body + b"\x03"


def head_and(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body), b"", b""]) + body


# Each with where it was met.
READ = {
    "gzip that nobody asked for (changedetection.io#2945)": lambda _: answer(
        "Content-Encoding: gzip", body=gzip.compress(right_time())
    ),
    "x-gzip (RFC 9110 section 8.4.1.3)": lambda _: answer(
        "Content-Encoding: x-gzip", body=gzip.compress(right_time())
    ),
    "deflate as zlib (RFC 9110 section 8.4.1.2)": lambda _: answer(
        "Content-Encoding: deflate", body=zlib.compress(right_time())
    ),
    "deflate without a head (old IIS)": lambda _: answer("Content-Encoding: deflate", body=raw_deflate(right_time())),
    "two codings": lambda _: answer("Content-Encoding: deflate, gzip", body=gzip.compress(zlib.compress(right_time()))),
    "br": lambda _: answer("Content-Encoding: br", body=stored_brotli(right_time())),
    "br in upper case": lambda _: answer("CONTENT-ENCODING: BR", body=stored_brotli(right_time())),
    "gzip inside of br": lambda _: answer(
        "Content-Encoding: gzip, br", body=stored_brotli(gzip.compress(right_time()))
    ),
    "identity": lambda _: answer("Content-Encoding: identity"),
    "a coding that is none (golang/go#41600)": lambda _: answer("Content-Encoding: utf-8"),
    "a space before the colon (seanmonstar/httparse#88)": lambda _: head_and(right_time(), b"Server : old"),
    "a folded line (RFC 9112 section 5.2)": lambda _: head_and(right_time(), b"X-Long: a,\r\n  b"),
    "a name with brackets (hyperium/hyper#3283)": lambda _: head_and(right_time(), b"X(bad): 1"),
    "a line without a colon": lambda _: head_and(right_time(), b"garbage"),
    "300 headers (hyper reads 100)": lambda _: head_and(right_time(), *(b"X-%d: y" % n for n in range(300))),
    "a value that is not ASCII": lambda _: head_and(right_time(), b"X-Name: caf\xe9"),
    "early hints first (RFC 8297)": lambda _: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(),
    "a trailer (RFC 9112 section 7.1.2)": lambda _: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%s\r\n0\r\nX-T: 1\r\n\r\n" % (len(body := right_time()), body),
}


@pytest.mark.parametrize("answers", READ.values(), ids=READ.keys())
def test_what_browsers_and_curl_read_is_read(raw, answers, sharp_reference):
    run = check(raw(answers).url)
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_a_server_of_http_1_0_that_ends_its_answer_by_closing_is_read(raw, sharp_reference):
    server = raw(lambda _: b"HTTP/1.0 200 OK\r\n\r\n" + right_time(), closes=True)
    run = check(server.url)
    assert run.verdict == ("OK", "in_sync"), str(run)


NOT_READ = {
    "a coding that cannot be decoded": (
        lambda _: answer("Content-Encoding: zstd", body=b"\x28\xb5\x2f\xfd\x00"),
        "encoded as zstd",
    ),
    "a coding that is not what it says": (
        lambda _: answer("Content-Encoding: gzip", body=zlib.compress(right_time())),
        "Content-Encoding says gzip",
    ),
    "a coding that is cut short": (
        lambda _: answer("Content-Encoding: gzip", body=gzip.compress(right_time())[:30]),
        "cut short",
    ),
    "a bomb": (
        lambda _: answer("Content-Encoding: gzip", body=gzip.compress(b" " * 10_000_000)),
        "larger than 64 KiB",
    ),
    "304": (lambda _: answer(status="304 Not Modified", body=b""), "304 Not Modified, as if a copy were kept here"),
    "204": (lambda _: b"HTTP/1.1 204 No Content\r\n\r\n", "204 No Content, which has no body"),
    "205": (lambda _: answer(status="205 Reset Content", body=b""), "205 Reset Content, which has no body"),
}


@pytest.mark.parametrize(("answers", "words"), NOT_READ.values(), ids=NOT_READ.keys())
def test_what_cannot_be_read_is_named(raw, answers, words):
    run = check(raw(answers).url)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert words in run.failure["message"], str(run)
    assert run.failure["kind"] in ("not_a_time", "too_large"), str(run)


def test_an_answer_that_is_shorter_than_announced_is_down_with_both_figures(raw):
    run = check(raw(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nshort", closes=True).url)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert "after 5 of the 500 bytes" in run.failure["message"], str(run)


def test_an_uncompressed_answer_is_asked_for_and_names_are_written_as_clients_write_them(raw):
    server = raw(lambda _: answer())
    check(server.url)
    lines = server.heads[0].split(b"\r\n")
    assert b"Accept-Encoding: identity" in lines, lines
    assert lines[1].startswith(b"Host: "), lines


# ------------------------------------------------------------------------------------------------- secrets

SECRET = "s3cret"
ENCODED = b"bWU6czNjcmV0"
"""`me:s3cret` in Base64."""


def everything(*arguments: str) -> str:
    """All that the program says, in each of its outputs."""
    said = [nowcheck(*arguments, "--output", output) for output in ("human", "json", "nagios")]
    return "\n".join(run.stdout + run.stderr for run in said)


def test_headers_are_sent_and_the_host_may_be_another(raw, sharp_reference):
    server = raw(lambda _: answer())
    run = check(server.url, "--header", f"X-Api-Key: {SECRET}", "--header", "Host: time.example")
    assert run.verdict == ("OK", "in_sync"), str(run)
    lines = server.heads[0].split(b"\r\n")
    assert lines[1] == b"Host: time.example", lines
    assert b"X-Api-Key: s3cret" in lines, lines


@pytest.mark.parametrize("way", ["a file", "the URL"])
def test_credentials_are_sent_as_basic_and_never_shown(raw, tmp_path, way):
    file = tmp_path / "credentials"
    file.write_text(f"me:{SECRET}\n")
    refused = answer(status="401 Unauthorized", body=b"")
    wanted = b"\r\nAuthorization: Basic " + ENCODED
    server = raw(lambda head: answer() if wanted in head + b"\r\n" else refused)
    url = f"me:{SECRET}@127.0.0.1:{server.port}" if way == "the URL" else server.url
    arguments = [url, "--user-file", str(file)] if way == "a file" else [url]
    assert nowcheck(*arguments).exit == 0
    assert nowcheck(server.url).exit == 2, "without credentials it is refused"
    said = everything(*arguments) + everything(*arguments, "--field", "nothing")
    assert SECRET not in said, said
    assert ENCODED.decode() not in said, said


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://me:s3cret@127.0.0.1:99999/now"],
        ["http://me:s3/cret@127.0.0.1/now"],
        ["ftp://me:s3cret@127.0.0.1/now"],
        ["http://127.0.0.1", "--header", "s3cret"],
        ["http://127.0.0.1", "--header", "X: s3cret\n"],
        ["http://127.0.0.1", "--header", "Content-Length: s3cret"],
    ],
)
def test_what_is_refused_is_refused_without_its_secret(arguments):
    run = nowcheck(*arguments)
    assert run.exit == 3, str(run)
    assert "s3" not in run.stderr, str(run)


def redirect(location: str) -> bytes:
    return answer(f"Location: {location}", status="302 Found", body=b"")


def test_a_redirect_in_a_circle_is_named(raw):
    server = raw(lambda head: redirect("/b" if head.startswith(b"GET /a") else "/a"))
    run = check(f"{server.url}/a", "--follow")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert "leads in a circle" in run.failure["message"], str(run)
    assert len(server.heads) <= 12, "a circle is walked once"


def test_every_destination_of_the_addresses_is_checked(raw):
    """Two addresses of one name redirect to two servers, and the second one is wrong."""
    wrong = raw(lambda _: answer(body=b'{"datetime": "2020-01-01T00:00:00Z"}'))
    right = raw(lambda _: answer())
    port = right.port
    first = raw(lambda head: redirect(f"http://127.0.0.1:{port}/now"))
    second = raw(lambda head: redirect(f"http://127.0.0.1:{wrong.port}/now"), host="127.0.0.2", port=first.port)
    addresses = ["--resolve", "time.example:127.0.0.1", "--resolve", "time.example:127.0.0.2"]
    run = check(f"http://time.example:{first.port}", "--follow", *addresses)
    assert second.heads, "the second address was asked"
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert {target["url"] for target in run.outcome["targets"]} == {f"{right.url}/now", f"{wrong.url}/now"}, str(run)


def test_a_password_in_a_location_is_hidden(raw):
    server = raw(lambda _: redirect(f"http://me:{SECRET}@time.invalid/now"))
    for flags in ([], ["--follow", "--timeout", "2s"]):
        said = everything(server.url, *flags)
        assert SECRET not in said, said
        assert "time.invalid" in said, said


def test_secrets_are_not_sent_to_another_origin(raw):
    other = raw(lambda _: answer())
    first = raw(lambda _: redirect(f"{other.url}/now"))
    url = f"http://me:{SECRET}@127.0.0.1:{first.port}"
    run = check(url, "--follow", "--header", f"X-Api-Key: {SECRET}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert ENCODED in first.heads[0]
    assert b"X-Api-Key" in first.heads[0]
    assert all(b"Authorization" not in head and b"X-Api-Key" not in head for head in other.heads), other.heads


def test_secrets_go_along_on_the_same_origin(raw):
    server = raw(lambda head: answer() if head.startswith(b"GET /v2") else redirect("/v2"))
    run = check(server.url, "--follow", "--header", f"X-Api-Key: {SECRET}")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert all(b"X-Api-Key" in head for head in server.heads), server.heads


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "127.0.0.1:{port}/now", "localhost:{port}", "//127.0.0.1:{port}"])
def test_a_host_without_a_scheme_means_http(raw, form, sharp_reference):
    run = check(form.format(port=raw(lambda _: answer()).port))
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert all(target["url"].startswith("http://") for target in run.outcome["targets"]), str(run)
