"""A monitor that hears from nobody alerts of its own network, and of no service; one that hears from others alerts of the service."""

import json
import signal
import sys
from pathlib import Path

import pytest

from support.islands import Islands
from support.nowcheck import clean_environment
from support.process import Child, poll
from support.tools import binary

PORT = 8080
HOSTS = [f"10.99.0.{last}" for last in (251, 252, 253, 254)]

# Answers one after the other, and takes its time for each.
SLOW_SERVICE = """
import datetime, http.server, json, socketserver, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.3)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"datetime": datetime.datetime.now(datetime.UTC).isoformat()}).encode())

# HTTPServer would ask the DNS for a name of its own.
server = socketserver.TCPServer((sys.argv[1], int(sys.argv[2])), Handler)
print("ready", file=sys.stderr)
server.serve_forever()
"""


class Scene:
    """A monitor on a machine of its own, and four hosts that it reaches over a switch."""

    def __init__(self, folder: Path, count: int, begins_cut: bool):
        self.islands = Islands(1)
        self.children: list[Child] = []
        self.alerts = folder / "alerts"
        self.alerts.touch()
        self.hosts = HOSTS[-count:]
        for host in self.hosts[:-1]:
            self.islands.run(0, "ip", "address", "add", f"{host}/24", "dev", "switch")
        listen = [f"--listen={host}:{PORT}" for host in self.hosts]
        service = self.start(0, "nowd", *listen, "--drain-delay=0s")
        service.stderr.wait_for("listening on ")
        checks = "".join(
            f'[[check]]\nname = "{host.replace(".", "-")}"\nurl = "http://{host}:{PORT}"\n' for host in self.hosts
        )
        self.file = folder / "nowcheck.toml"
        self.file.write_text(f"""
[server]
listen = "127.0.0.1:{PORT}"
[history]
path = "none"
[defaults]
every = "2s"
timeout = "1s"
trust_system_clock = true
{checks}
[[alert]]
name = "night"
type = "exec"
command = ["/bin/sh", "-c", "cat >>{self.alerts}; echo >>{self.alerts}"]
""")
        if begins_cut:
            self.cut()
        self.monitor = self.start(1, "nowcheck", "watch", "--config", str(self.file), "--log", "json")
        self.monitor.stdout.wait_for('"event":"started"')
        if not begins_cut:
            self.wait_for_statuses("ok")

    def add_slow_service(self) -> Child:
        """Another service, whose rounds take seconds; it says on its standard error of what it was asked."""
        host, port = self.hosts[0], PORT + 1
        service = self.start_command(0, sys.executable, "-c", SLOW_SERVICE, host, str(port))
        service.stderr.wait_for("^ready$")
        check = f'[[check]]\nname = "slow"\nurl = "http://{host}:{port}"\nevery = "15s"\ntimeout = "15s"\n'
        self.file.write_text(self.file.read_text() + check)
        self.monitor.signal(signal.SIGHUP)
        return service

    def cut(self) -> None:
        """What the services send does not arrive: no router and no interface of the monitor says that anything is wrong."""
        self.islands.cut(0, self.islands.address(1))

    def start(self, island: int, program: str, *arguments: str) -> Child:
        return self.start_command(island, binary(program), *arguments)

    def start_command(self, island: int, *command: str) -> Child:
        self.children.append(Child(self.islands.inside(island, *command), env=clean_environment()))
        return self.children[-1]

    def get(self, path: str) -> dict:
        url = f"http://127.0.0.1:{PORT}{path}"
        return json.loads(self.islands.run(1, "curl", "--silent", "--show-error", "--fail", "--max-time", "5", url))

    def statuses(self) -> dict[str, str]:
        return {check["name"]: check["status"] for check in self.get("/api/v1/checks")["checks"]}

    def wait_for_statuses(self, status: str) -> None:
        poll(lambda: set(self.statuses().values()) == {status}, f"all are {status}: {self.statuses()}", 30)

    def messages(self) -> list[dict]:
        return [json.loads(line) for line in self.alerts.read_text().splitlines()]

    def wait_for_message(self, event: str, check: str | None) -> dict:
        def found():
            return next((one for one in self.messages() if (one["event"], one["check"]) == (event, check)), None)

        return poll(found, f"{event} of {check}; {self.messages()}", 90)

    def stop(self) -> None:
        for child in reversed(self.children):
            child.end()
        self.islands.stop()


@pytest.fixture
def scene(tmp_path):
    made = []

    def start(count: int = len(HOSTS), begins_cut: bool = False) -> Scene:
        made.append(Scene(tmp_path, count, begins_cut))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.mark.parametrize("begins_cut", [False, True])
def test_when_nobody_answers_there_is_one_alert_about_the_network_and_none_about_the_services(scene, begins_cut):
    scene = scene(begins_cut=begins_cut)
    if not begins_cut:
        scene.cut()
    opened = scene.wait_for_message("opened", None)
    assert (opened["reason"], opened["status"]) == ("network", "unknown")
    assert opened["summary"].startswith("none of 4 hosts has answered since ")
    assert "ip route" in opened["advice"]
    scene.wait_for_statuses("unknown")
    scene.islands.mend()
    scene.wait_for_message("closed", None)
    scene.wait_for_statuses("ok")
    assert [(one["event"], one["check"]) for one in scene.messages()] == [("opened", None), ("closed", None)]
    incidents = scene.get("/api/v1/incidents")["incidents"]
    assert [one["check"] for one in incidents] == [None], incidents


def test_a_network_that_is_lost_in_the_middle_of_a_round_is_not_the_fault_of_its_service(scene):
    scene = scene()
    service = scene.add_slow_service()
    service.stderr.wait_until(lambda: service.stderr.text.count("GET ") >= 4, "four requests", 30)
    scene.cut()
    scene.wait_for_message("opened", None)
    scene.wait_for_statuses("unknown")
    scene.islands.mend()
    scene.wait_for_message("closed", None)
    scene.wait_for_statuses("ok")
    assert [(one["event"], one["check"]) for one in scene.messages()] == [("opened", None), ("closed", None)]


@pytest.mark.parametrize("hosts", [2, 4])
def test_a_host_that_alone_falls_silent_is_down(scene, hosts):
    scene = scene(hosts)
    silent = scene.hosts[0]
    scene.islands.run(0, "ip", "rule", "add", "from", silent, "blackhole")
    name = silent.replace(".", "-")
    opened = scene.wait_for_message("opened", name)
    assert (opened["reason"], opened["status"]) == ("down", "down")
    others = {status for check, status in scene.statuses().items() if check != name}
    assert others == {"ok"}
    scene.islands.run(0, "ip", "rule", "del", "from", silent, "blackhole")
    scene.wait_for_message("closed", name)
    assert {one["check"] for one in scene.messages()} == {name}


def test_a_service_that_stays_down_when_the_network_is_back_is_alerted_then(scene):
    scene = scene()
    scene.cut()
    scene.wait_for_message("opened", None)
    silent = scene.hosts[0]
    scene.islands.run(0, "ip", "rule", "add", "from", silent, "blackhole")
    scene.islands.mend()
    name = silent.replace(".", "-")
    scene.wait_for_message("opened", name)
    scene.wait_for_message("closed", None)
    assert {one["check"] for one in scene.messages()} == {None, name}
