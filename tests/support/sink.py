"""A receiver of webhooks that keeps what it is sent."""

import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.process import poll


class Sink:
    """An HTTP server that answers with `status`, which may be changed while it runs."""

    def __init__(self, status: int = 204, is_json: bool = True, tls: ssl.SSLContext | None = None):
        self.status = status
        self.echoes = False
        """Whether an answer repeats what came, as some servers do in their errors."""
        self._is_json = is_json
        self.requests: list[tuple[dict[str, str], bytes]] = []
        """All that came, whatever was answered."""
        self._taken: list[dict] = []
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):  # noqa: N802, the name is that of the library
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sink.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if sink.status < 300 and sink._is_json:
                    sink._taken.append(json.loads(body))
                said = f"{self.requestline} {dict(self.headers)}".encode() if sink.echoes else b""
                self.send_response(sink.status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def messages(self, **wanted) -> list[dict]:
        """Those that were taken, with these values."""
        return [one for one in list(self._taken) if all(one[name] == value for name, value in wanted.items())]

    def wait_for(self, what: str, condition: Callable[[list[dict]], object], seconds: float = 30):
        return poll(lambda: condition(self.messages()), f"{what}; messages: {self.messages()}", seconds)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def is_signed(headers: dict[str, str], body: bytes, key: bytes) -> bool:
    """Whether the signature is that of the contract: an HMAC over "UNIX_SECONDS.BODY"."""
    time, signature = (part.split("=", 1)[1] for part in headers["x-nowcheck-signature"].split(","))
    expected = hmac.new(key, time.encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(signature, expected)
