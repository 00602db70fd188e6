"""`http://` to a port for TLS and `https://` to one for plain HTTP: the sentence says what to write."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator

import pytest

from support.nowcheck import check
from support.raw_answers import answer

WRITE_HTTPS = "speaks TLS, and not plain HTTP: write https://"
WRITE_HTTP = "write http://"


@pytest.fixture
def port() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """A server that does this with each connection, and its port."""
    sockets = []

    def start(serve: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        pass

        threading.Thread(target=accept, daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in sockets:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize(
    "body",
    [
        "<html><center>The plain HTTP request was sent to HTTPS port</center></html>",
        "Client sent an HTTP request to an HTTPS server.\n",
        "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
        "Bad Request\nThis combination of host and port requires TLS.\n",
    ],
    ids=["nginx", "Go", "Apache", "Tomcat"],
)
def test_a_server_that_says_so_is_believed(raw, body):
    run = check(raw(lambda _: answer(status="400 Bad Request", body=body.encode()), closes=True).url)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert WRITE_HTTPS in run.outcome["summary"], str(run)
    assert run.failure["kind"] == "protocol", str(run)


@pytest.mark.parametrize("alert", ["15030100020246", "15030300020232"])
def test_an_alert_of_tls_is_told_from_garbage(raw, alert):
    run = check(raw(lambda _: bytes.fromhex(alert), closes=True).url)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert WRITE_HTTPS in run.outcome["summary"], str(run)


def test_a_server_that_resets_the_connection_is_asked_whether_it_speaks_tls(raw, authority):
    certificate, key = authority.certificate("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = raw(lambda _: answer(), tls=context)
    run = check(f"http://127.0.0.1:{server.port}")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert WRITE_HTTPS in run.outcome["summary"], str(run)


def test_a_server_that_closes_every_connection_is_not_taken_for_one_of_tls(port):
    run = check(f"http://127.0.0.1:{port(lambda connection: connection.recv(1000))}")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert "closed the connection without an answer" in run.outcome["summary"], str(run)
    assert WRITE_HTTPS not in run.outcome["summary"], str(run)


def test_what_is_another_protocol_is_quoted(raw):
    run = check(raw(lambda _: b"SSH-2.0-OpenSSH_9.2p1\r\n", closes=True).url)
    assert run.failure["kind"] == "protocol", str(run)
    assert "it begins with: SSH-2.0-OpenSSH_9.2p1" in run.outcome["summary"], str(run)



def closes_on_garbage(connection: socket.socket) -> None:
    if connection.recv(1000).startswith((b"GET", b"HEAD")):
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")


def refuses_garbage(connection: socket.socket) -> None:
    connection.recv(1000)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


@pytest.mark.parametrize("serve", [closes_on_garbage, refuses_garbage])
def test_https_to_a_port_for_plain_http_says_what_to_write(port, serve):
    run = check(f"https://127.0.0.1:{port(serve)}")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert WRITE_HTTP in run.outcome["summary"], str(run)


def test_a_server_that_waits_for_the_end_of_a_request_is_asked_in_plain_http(raw):
    server = raw(lambda _: answer())
    run = check(f"https://127.0.0.1:{server.port}", "--timeout", "4s")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert WRITE_HTTP in run.outcome["summary"], str(run)
    assert run.seconds < 3, "it need not be waited for until the end"
    assert len(server.heads) == 1, server.heads


def test_a_port_that_is_silent_to_everything_is_silent(port):
    done = threading.Event()
    try:
        run = check(f"https://127.0.0.1:{port(lambda _: done.wait(20) and None)}", "--timeout", "2s")
    finally:
        done.set()
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert "the server does not answer the TLS handshake" in run.outcome["summary"], str(run)
