"""nginx as a server that is measured, or that is asked."""

import contextlib
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness import DEADLINE_SECONDS, CannotMeasure, fetch, free_port, process

CONFIGURATION = """
{user}
daemon off;
worker_processes {workers};
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{ worker_connections {connections}; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
{http}
  server {{
    listen 127.0.0.1:{port};
{server}
  }}
}}
"""


@dataclass(frozen=True)
class Size:
    """What a server is sized for."""

    threads: int = 1
    connections: int = 4_000


def start(
    stack: contextlib.ExitStack,
    program: str,
    directory: Path,
    server: str,
    http: str = "",
    path: str = "/now",
    core: int | None = None,
    size: Size = Size(),
    under: tuple[str, ...] = (),
    **options,
) -> tuple[subprocess.Popen, str]:
    """Runs it with these lines in `server` and `http` until the stack is closed: its master, and the URL of `path`,
    which has answered. `under` is what runs it, such as valgrind."""
    port = free_port()
    # As root, the worker would change to a user who may not enter a private directory.
    user = "user root;" if os.geteuid() == 0 else ""
    file = directory / "nginx.conf"
    file.write_text(
        CONFIGURATION.format(
            user=user,
            directory=directory,
            http=http,
            port=port,
            server=server,
            workers=size.threads,
            # It closes idle connections when less than a sixteenth is free.
            connections=size.connections * 9 // 8 + 64,
        )
    )
    # Its log goes to a file: a pipe that nobody reads could fill.
    log = directory / "error.log"
    command = [*under, program, "-c", str(file), "-p", str(directory), "-e", str(log)]
    running = stack.enter_context(process(command, core, **options))
    stack.callback(stop, running)

    url = f"http://127.0.0.1:{port}{path}"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while running.poll() is None and time.monotonic() < deadline:
        # Connected before nginx's worker is there, a request waits in the kernel; so an answer means: all is up.
        with contextlib.suppress(OSError):
            fetch(url)
            return running, url
        time.sleep(0.01)
    said = log.read_text().strip() if log.exists() else ""
    raise CannotMeasure(f"nginx did not start; it said: {said!r}")


def stop(server: subprocess.Popen) -> None:
    # Asked, because the worker would outlive a master that is killed.
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(DEADLINE_SECONDS)
