"""Several instances of the monitor: they hear of each other, one of them alerts, and a wrong reference is named."""

import itertools
import json
import time
from pathlib import Path

import pytest

from support.islands import Islands
from support.monitor import Monitor
from support.nowcheck import clean_environment
from support.process import Child, poll
from support.tools import binary

TOKEN = "a-token-that-all-instances-share"
PORT = 8080
TARGET = 8081
PAIRS = list(itertools.combinations(range(1, 4), 2))


class Instance:
    """A monitor on a machine of its own. Its alerts are lines of a file."""

    def __init__(self, islands: Islands, nth: int, folder: Path, more: str = ""):
        self.islands, self.nth, self.alerts = islands, nth, folder / f"alerts-{nth}"
        self.alerts.touch()
        token = folder / "token"
        token.write_text(TOKEN)
        # The same file for all but for the name and the file of the alerts: an instance that finds itself among its peers
        # leaves itself out.
        peers = "".join(
            f'[[peer]]\nname = "m{peer}"\nurl = "http://{islands.address(peer)}:{PORT}"\ntoken_file = "{token}"\n'
            for peer in range(1, islands.count + 1)
        )
        file = folder / f"nowcheck-{nth}.toml"
        file.write_text(f"""
[server]
listen = "0.0.0.0:{PORT}"
name = "m{nth}"
[history]
path = "none"
[defaults]
every = "1s"
timeout = "1s"
trust_system_clock = true
[[check]]
name = "shop"
url = "http://{islands.SHARED}:{TARGET}"
[[alert]]
name = "night"
type = "exec"
command = ["/bin/sh", "-c", "cat >>{self.alerts}; echo >>{self.alerts}"]
{peers}{more}""")
        command = islands.inside(nth, binary("nowcheck"), "watch", "--config", str(file), "--log", "json")
        self.child = Child(command, env=clean_environment())
        self.child.stdout.wait_for('"event":"started"')

    def get(self, path: str) -> str:
        url = f"http://127.0.0.1:{PORT}{path}"
        return self.islands.run(self.nth, "curl", "--silent", "--show-error", "--fail", "--max-time", "5", url)

    def status(self) -> str:
        return json.loads(self.get("/api/v1/checks/shop"))["status"]

    def hears_of(self) -> set[int]:
        lines = self.get("/metrics").splitlines()
        up = {line.split('peer="m')[1][0] for line in lines if line.startswith("nowcheck_peer_up{") and line.endswith(" 1.0")}
        return {int(nth) for nth in up}

    def events(self, event: str) -> list[dict]:
        messages = [json.loads(line) for line in self.alerts.read_text().splitlines()]
        return [one for one in messages if one["event"] == event and one["check"] == "shop"]

    def stop(self) -> None:
        self.child.end()


class Fleet:
    """Three instances, and the service that they watch."""

    def __init__(self, folder: Path, more: str = ""):
        self.islands = Islands(3)
        self.instances: dict[int, Instance] = {}
        self.service: Child | None = None
        self.start_service()
        for nth in range(1, 4):
            self.instances[nth] = Instance(self.islands, nth, folder, more)

    def start_service(self) -> None:
        listen = f"--listen={self.islands.SHARED}:{TARGET}"
        self.service = Child(self.islands.inside(0, binary("nowd"), listen, "--drain-delay=0s"), env=clean_environment())
        self.service.stderr.wait_for("listening on ")

    def wait_for_status(self, status: str, *of: int) -> None:
        for nth in of or self.instances:
            poll(lambda nth=nth: self.instances[nth].status() == status, f"m{nth} sees {status}", 30)

    def wait_until_all_hear(self, groups: list[set[int]]) -> None:
        for group in groups:
            for nth in group & set(self.instances):
                one = self.instances[nth]
                poll(lambda one=one, group=group, nth=nth: one.hears_of() == group - {nth}, f"m{nth} hears of {group - {nth}}", 40)

    def count(self, event: str, of: set[int]) -> int:
        return sum(len(self.instances[nth].events(event)) for nth in of)

    def stop(self) -> None:
        for instance in self.instances.values():
            instance.stop()
        if self.service:
            self.service.end()
        self.islands.stop()


@pytest.fixture
def fleet(tmp_path):
    made = []

    def start(more: str = "") -> Fleet:
        made.append(Fleet(tmp_path, more))
        return made[-1]

    yield start
    for one in made:
        one.stop()


def groups(cut: tuple) -> list[set[int]]:
    """Those that can hear of each other, if need be through others."""
    found: list[set[int]] = [{1}, {2}, {3}]
    for one, other in PAIRS:
        if (one, other) not in cut:
            joined = [group for group in found if {one, other} & group]
            found = [group for group in found if group not in joined] + [set().union(*joined)]
    return found


CUTS = [cut for count in range(4) for cut in itertools.combinations(PAIRS, count)]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: " ".join(f"m{one}|m{other}" for one, other in cut) or "none")
def test_of_the_instances_that_hear_of_each_other_exactly_one_alerts_however_they_are_cut_off(fleet, cut):
    fleet = fleet()
    fleet.wait_for_status("ok")
    for one, other in cut:
        fleet.islands.cut(one, fleet.islands.address(other))
    fleet.wait_until_all_hear(groups(cut))
    fleet.service.end()
    fleet.wait_for_status("down")
    for group in groups(cut):
        poll(lambda group=group: fleet.count("opened", group) >= 1, f"one of {group} alerts", 20)
    # Nothing more comes.
    time.sleep(4)
    assert [fleet.count("opened", group) for group in groups(cut)] == [1] * len(groups(cut))
    fleet.start_service()
    fleet.wait_for_status("ok")
    poll(lambda: fleet.count("closed", {1, 2, 3}) == len(groups(cut)), "whoever opened an alert closes it", 20)


def test_when_the_instance_that_has_to_alert_is_killed_another_one_alerts(fleet):
    fleet = fleet()
    fleet.wait_until_all_hear([{1, 2, 3}])
    fleet.instances.pop(1).stop()
    fleet.service.end()
    fleet.wait_for_status("down")
    poll(lambda: fleet.count("opened", {2}) == 1, "m2 alerts", 30)
    time.sleep(3)
    assert fleet.count("opened", {2, 3}) == 1


def test_down_is_alerted_once_as_many_instances_see_it_as_the_quorum_says(fleet):
    fleet = fleet("[quorum]\ndown = 2\n")
    fleet.wait_until_all_hear([{1, 2, 3}])
    # The service answers m1 no more, and nobody else notices.
    fleet.islands.cut(0, fleet.islands.address(1))
    fleet.wait_for_status("down", 1)
    page = poll(lambda: (page := fleet.instances[1].get("/checks/shop")) and "seen by 2 instances" in page and page, "m1 says so")
    assert "Seen from elsewhere" in page
    time.sleep(4)
    assert fleet.count("opened", {1, 2, 3}) == 0
    fleet.service.end()
    poll(lambda: fleet.count("opened", {1, 2, 3}) == 1, "two see it", 30)


def peers(folder: Path, **of: Monitor) -> str:
    token = folder / "token"
    token.write_text(TOKEN)
    return "".join(
        f'[[peer]]\nname = "{name}"\nurl = "{monitor.url}"\ntoken_file = "{token}"\n' for name, monitor in of.items()
    )


def alone(folder: Path, name: str, url: str, more: str = "", reference: str = "trust_system_clock = true") -> Path:
    file = folder / f"{name}.toml"
    file.write_text(f"""
[server]
listen = "127.0.0.1:0"
name = "{name}"
[history]
path = "none"
[defaults]
every = "1s"
timeout = "1s"
{reference}
[[check]]
name = "shop"
url = "{url}"
{more}""")
    return file


def test_what_an_instance_sees_is_told_to_those_who_know_the_token(monitor, nowd, tmp_path):
    one = monitor("--config", alone(tmp_path, "one", nowd().url))
    other = monitor("--config", alone(tmp_path, "other", nowd().url, peers(tmp_path, one=one)))
    path = "/api/v1/instance"
    assert other.get(path)[0] == 401
    assert other.get(path, Authorization="Bearer wrong")[0] == 401
    other.wait_for("shop", "ok")
    status, _, body = other.get(path, Authorization=f"Bearer {TOKEN}")
    assert (status, json.loads(body)["instance"]["checks"]["shop"]["status"]) == (200, "ok")
    poll(lambda: "one" in [one["name"] for one in json.loads(other.get(path, Authorization=f"Bearer {TOKEN}")[2])["heard"]], "one")
    # Nothing else is opened by it, and without peers and users everybody may read.
    assert one.get(path)[0] == 200


def test_a_peer_that_does_not_answer_is_told_with_the_reason(monitor, nowd, tmp_path):
    one = monitor("--config", alone(tmp_path, "one", nowd().url, '[[peer]]\nname = "gone"\nurl = "http://127.0.0.1:9"\n'))
    page = poll(lambda: (page := one.get("/")[2]) and "not heard of" in page and page, "the page says so")
    assert "connection refused" in page
    assert 'nowcheck_peer_up{peer="gone"} 0' in one.get("/metrics")[2]


def test_an_instance_whose_reference_is_wrong_alerts_of_that_and_of_no_service(monitor, nowd, chronyd, ntp, tmp_path):
    url, alerts = nowd().url, tmp_path / "alerts"
    alerts.touch()
    receiver = f'[[alert]]\nname = "night"\ntype = "exec"\ncommand = ["/bin/sh", "-c", "cat >>{alerts}; echo >>{alerts}"]\n'
    right, wrong = chronyd(), ntp("--offset", 5)
    started: dict[str, Monitor] = {}
    for name, server in {"a": right, "b": right, "c": wrong}.items():
        reference = f'references = ["{server.reference}"]'
        started[name] = monitor("--config", alone(tmp_path, name, url, peers(tmp_path, **started) + receiver, reference))

    def messages() -> list[dict]:
        return [json.loads(line) for line in alerts.read_text().splitlines()]

    poll(lambda: any("the reference of c is wrong" in one["summary"] for one in messages()), "c alerts of itself", 60)
    shop = json.loads(started["c"].get("/api/v1/checks/shop")[2])
    assert (shop["status"], shop["incident"] is None) == ("wrong", False)
    held = sum(shop["rounds"].values())
    poll(lambda: sum(json.loads(started["c"].get("/api/v1/checks/shop")[2])["rounds"].values()) > held + 5, "five rounds more", 30)
    assert not [one for one in messages() if one["check"] == "shop"]


def test_the_instance_whose_reference_is_wrong_is_named(monitor, nowd, chronyd, ntp, tmp_path):
    url = nowd().url
    right, wrong = chronyd(), ntp("--offset", 0.4)
    started: dict[str, Monitor] = {}
    for name, server in {"a": right, "b": right, "c": wrong}.items():
        reference = f'references = ["{server.reference}"]'
        started[name] = monitor("--config", alone(tmp_path, name, url, peers(tmp_path, **started), reference))
    # Each of them needs to hear of all others; c has asked the others from the start.
    said = "the reference of c is wrong"
    page = poll(lambda: (page := started["c"].get("/checks/shop")[2]) and said in page and page, "c says that it is wrong", 40)
    assert "of the backend" in page
    metrics = started["c"].get("/metrics")[2]
    assert "nowcheck_references_agree 0" in metrics
    fault = poll(lambda: [one for one in started["c"].records("monitor") if one["part"] == "agreement"], "c tells people")
    assert said in fault[0]["summary"]
