"""A way to a server that takes its time, in each direction as long as it is told."""

import contextlib
import socket
import threading
import time


class SlowLink:
    """Listens on a port of its own and hands every byte on: `out` seconds late to the server, `back` seconds late from
    it. Both can be changed at any time."""

    def __init__(self, host: str, port: int, out: float = 0.0, back: float = 0.0):
        self.out, self.back = out, back
        self._server = host, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._server)
                self._sockets += [near, far]
                for source, sink, way in ((near, far, "out"), (far, near, "back")):
                    source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=self._carry, args=(source, sink, way), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(1 << 16):
                # Nobody asks before the last answer is there, so nothing has to overtake this.
                time.sleep(getattr(self, way))
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
