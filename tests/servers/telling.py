"""What a server that misbehaves says to the test that started it: at first where it listens, and when its standard input
ends, what it has seen."""

import json
import socket
import sys
import threading
from typing import Any


def tell(listener: socket.socket, lock: threading.Lock, report: Any) -> None:
    host, port = listener.getsockname()[:2]
    print(f"listening on [{host}]:{port}" if ":" in host else f"listening on {host}:{port}", flush=True)
    sys.stdin.read()
    with lock:
        print("report " + json.dumps(vars(report)), flush=True)
