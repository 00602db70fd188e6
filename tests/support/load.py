"""Clients that ask at a steady rate until they are told to stop, and what each of their requests came to."""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass


@dataclass
class Request:
    begun: float
    """On the monotonic clock."""
    seconds: float
    failure: str | None
    """What was wrong; nothing for a 200 with a time in it."""
    instance: str | None
    """Who answered."""


class Load:
    """Clients in threads that together begin `rate` requests a second, each over a connection of its own: kept for
    the next one, or, without `keep_alive`, a new one for each."""

    def __init__(self, port: int, rate: float, keep_alive: bool, clients: int = 4, host: str = "127.0.0.1"):
        self._address, self._keep_alive = (host, port), keep_alive
        self._interval = clients / rate
        self._done = threading.Event()
        self.requests: list[Request] = []
        begin = time.monotonic()
        offsets = [begin + number / rate for number in range(clients)]
        self._threads = [threading.Thread(target=self._ask_on, args=(first,), daemon=True) for first in offsets]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the load; requests that have begun are finished."""
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _ask_on(self, due: float) -> None:
        connection = http.client.HTTPConnection(*self._address, timeout=10)
        try:
            while not self._done.wait(max(due - time.monotonic(), 0)):
                self.requests.append(ask(connection, self._keep_alive))
                # Whoever is late does not make up for it: that would be a burst and no steady load.
                due = max(due + self._interval, time.monotonic())
        finally:
            connection.close()

    @property
    def failed(self) -> list[Request]:
        return [request for request in self.requests if request.failure]

    @property
    def instances(self) -> set[str]:
        return {request.instance for request in self.requests if request.instance}

    def in_words(self) -> str:
        failures = Counter(request.failure for request in self.failed)
        slowest = max((request.seconds for request in self.requests), default=0)
        kind = "kept" if self._keep_alive else "new"
        return (
            f"{len(self.requests)} requests over {kind} connections, answered by {len(self.instances)} instances, "
            f"the slowest in {slowest * 1000:.0f} ms; {len(self.failed)} failed: {dict(failures)}"
        )


def ask(connection: http.client.HTTPConnection, keep_alive: bool = True) -> Request:
    """One request and its answer. A failure is never tried again: it is what is looked for."""
    begun = time.monotonic()
    failure = instance = None
    try:
        connection.request("GET", "/now", headers={} if keep_alive else {"Connection": "close"})
        response = connection.getresponse()
        body = response.read()
        if response.status == 200:
            instance = json.loads(body)["instance"]
        else:
            failure = f"status {response.status}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        failure = repr(error)
        connection.close()
    if not keep_alive:
        connection.close()
    return Request(begun, time.monotonic() - begun, failure, instance)
