"""A service that puts another `instance` into each answer, such as the id of the request: its names are worth nothing."""

import itertools
import json
import time

import pytest
from support.monitor import configuration
from support.process import poll
from support.raw_answers import answer

MOST = 100
"""The most names of a check that the monitor remembers."""


class Renaming:
    """Answers with another name each time, or each other time, with a clock that is `ahead` by so many seconds."""

    def __init__(self, ahead: float = 0, pause: float = 0, each_other_time: bool = False):
        self.ahead, self.pause, self.names, self.each_other_time = ahead, pause, itertools.count(), each_other_time

    def __call__(self, _: bytes) -> bytes:
        time.sleep(self.pause)
        number = next(self.names)
        name = "lasting" if self.each_other_time and number % 2 else f"request-{number}"
        now = time.time() + self.ahead
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        document = {"datetime": f"{seconds}.{int(now % 1 * 10**6):06}Z", "instance": name}
        return answer(body=json.dumps(document).encode())


def backend_series(watching) -> list[str]:
    lines = watching.get("/metrics")[2].splitlines()
    return [line for line in lines if line.startswith("nowcheck_backend_clock_offset") and "ids" in line]


@pytest.mark.parametrize("pause", [0, 0.1], ids=["hundreds of names a round", "few names a round"])
def test_a_service_that_renames_itself_with_each_answer_is_soon_watched_without_names(
    raw, nowd, monitor, tmp_path, pause
):
    ids = raw(Renaming(pause=pause))
    watching = monitor("--config", configuration(tmp_path, ("ids", ids.url), ("beside", nowd().url)))
    watching.wait_for("ids", "ok")
    poll(lambda: watching.check("ids")["round"]["full_because"] is None, "a steady round", 40)
    check = watching.wait_for_rounds("ids", 3)
    assert check["status"] == "ok" and check["round"]["requests"] <= 3, check
    assert len(check["backends"]) <= MOST and len(backend_series(watching)) <= 2 * MOST
    assert "`instance` seems to change with each answer" in check["backends_note"]
    assert "seems to change with each answer" in watching.get("/checks/ids")[2]
    beside = watching.check("beside")
    assert not any(beside["missed"].values()) and beside["backends_note"] is None, beside


def test_the_wrong_clock_of_a_service_that_renames_itself_is_one_incident_which_ends(raw, monitor, tmp_path):
    service = Renaming(ahead=5)
    watching = monitor("--config", configuration(tmp_path, ("ids", raw(service).url)))
    watching.wait_for("ids", "wrong")
    wrong = watching.wait_for_rounds("ids", 3)
    assert wrong["status"] == "wrong" and 4.9 < wrong["offset"]["lower"] < 5.1
    assert len(wrong["backends"]) <= MOST
    body = watching.get("/api/v1/incidents")[2]
    assert len(json.loads(body)["incidents"]) == 1 and len(body) < 10_000, body
    service.ahead = 0
    watching.wait_for("ids", "ok", 40)
    assert watching.check("ids")["incident"] is None


def test_names_that_come_slowly_beside_one_that_lasts_are_left_out_of_incidents_and_the_history(raw, monitor, tmp_path):
    service = Renaming(pause=0.1, each_other_time=True)
    watching = monitor("--config", configuration(tmp_path, ("ids", raw(service).url)))
    poll(lambda: watching.check("ids")["backends_note"], "more names than are remembered", 60)
    service.ahead = 5
    watching.wait_for("ids", "wrong")
    wrong = watching.wait_for_rounds("ids", 3)
    assert wrong["status"] == "wrong" and "instances have answered within an hour" in wrong["backends_note"], wrong
    assert len(wrong["backends"]) <= MOST and len(backend_series(watching)) <= 2 * MOST
    latest = json.loads(watching.get("/api/v1/checks/ids/rounds")[2])["rounds"][-1]
    assert latest["status"] == "wrong" and latest["backends"] == [], latest
    incident = json.loads(watching.get("/api/v1/incidents")[2])["incidents"]
    assert len(incident) == 1 and "request-" not in json.dumps(incident), incident
    service.ahead = 0
    watching.wait_for("ids", "ok", 40)
    assert watching.check("ids")["incident"] is None
