"""A right server within the test itself: the test may do something in the middle of a round."""

import http.server
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

BREAK_OFF = object()
"""What an action gives when its request is not to be answered: the connection is closed."""


@dataclass
class Scripted:
    """A right server that does something before its answer to the request of a certain number."""

    offset: float = 0.0
    jump: Callable[[], float] = lambda: 0.0
    before: dict[int, Callable[["Scripted"], object]] = field(default_factory=dict)
    delay: float = 0.0
    requests: int = 0
    at_once: int = 0
    most_at_once: int = 0
    """Requests that waited for their answers at one time."""

    def __post_init__(self) -> None:
        lock = threading.Lock()
        scripted = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with lock:
                    scripted.requests += 1
                    scripted.at_once += 1
                    scripted.most_at_once = max(scripted.most_at_once, scripted.at_once)
                    action = scripted.before.get(scripted.requests)
                time.sleep(scripted.delay)
                what_then = action(scripted) if action else None
                with lock:
                    scripted.at_once -= 1
                if what_then is BREAK_OFF:
                    self.close_connection = True
                else:
                    self.answer()

            def answer(self) -> None:
                nanos = time.time_ns() + round((scripted.offset + scripted.jump()) * 1e9)
                clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanos // 10**9))
                body = json.dumps({"datetime": f"{clock}.{nanos % 10**9:09}Z", "instance": "scripted"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_: object) -> None:
                pass  # The client is gone: what a client does is the test's business.

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
