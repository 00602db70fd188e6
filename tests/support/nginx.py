"""nginx as a balancer, in front of servers on any addresses."""

import getpass
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

from support.balancer import Proxy, bound
from support.process import Child
from support.tools import need

CONFIGURATION = """\
daemon off;
master_process off;
worker_processes 1;
user {user};
pid {directory}/pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    {http}
    upstream clocks {{
{servers}
        keepalive 64;
        keepalive_requests 1000000;
        keepalive_timeout {upstream_idle};
    }}
    server {{
        listen {host}:{port};
        {elsewhere}
        location {below}/ {{
            proxy_pass http://clocks{stripped};
            proxy_http_version {http_version};
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_connect_timeout 2s;
            proxy_read_timeout 10s;
            proxy_next_upstream {next_upstream};
            {location}
        }}
    }}
}}
"""

ELSEWHERE = """\
location = / {
            default_type text/html;
            return 200 '<!DOCTYPE html><title>Home</title><link rel=icon href="data:,">
                <main id=content><h1>Our home page</h1></main>';
        }
        location = /healthz { return 200; }
"""
"""What is at the address where `below` is not everything: the site of somebody else."""


_numbers = itertools.count()


def own_address() -> str:
    """An address of the loopback that nobody else binds: a port there is still free when its owner is replaced, and
    stays so, although all the other tests ask for free ports meanwhile."""
    process = os.getpid()
    return f"127.{64 + process // 250 % 128}.{1 + process % 250}.{1 + next(_numbers) % 250}"


class Nginx(Proxy):
    """One nginx on a free port. `upstream_idle` is how long it keeps a connection to a server without a request; it
    asks another server after what `next_upstream` lists. `http` and `location` are directives that stand there too.
    With `below`, such as `/nowcheck`, the servers are reached below that path alone, and do not see it. `http_version`
    is that to the servers; nginx itself speaks 1.0 unless it is configured otherwise, and then buffers more."""

    name = "nginx"

    def __init__(
        self,
        directory: Path,
        servers: Sequence[tuple[str, int]],
        upstream_idle: str = "60s",
        next_upstream: str = "error timeout",
        http: str = "",
        location: str = "",
        below: str = "",
        http_version: str = "1.1",
    ):
        self.host = own_address()
        # Closed before nginx binds it: it cannot be handed over.
        (taken,) = bound([self.host])
        self.port: int = taken.getsockname()[1]
        place = directory / f"nginx-{self.port}"
        place.mkdir()
        file = place / "nginx.conf"
        lines = [f"        server {host}:{port} max_fails=1 fail_timeout=1s;" for host, port in servers]
        file.write_text(
            CONFIGURATION.format(
                user=getpass.getuser(),
                directory=place,
                servers="\n".join(lines),
                host=self.host,
                port=self.port,
                upstream_idle=upstream_idle,
                next_upstream=next_upstream,
                http=http,
                location=location,
                below=below,
                http_version=http_version,
                stripped="/" if below else "",
                elsewhere=ELSEWHERE if below else "",
            )
        )
        taken.close()
        self._child = Child([need("nginx"), "-e", "stderr", "-p", str(place), "-c", str(file)])
        self.wait_until_it_answers()
