"""The API of `nowcheck watch` against its description, and by itself."""

import base64
import contextlib
import copy
import csv
import http.client
import io
import json
import re
import resource
import socket
import subprocess
import sys
import time
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openapi_spec_validator
import pytest
from jsonschema import Draft202012Validator
from support.monitor import configuration
from support.process import poll, within
from support.tools import ROOT, lacking

DESCRIPTION = json.loads((ROOT / "contract/nowcheck-watch.openapi.json").read_text())
MORE = '[[probe]]\nmodule = "any"\nallow = ["http://127.0.0.1:*/*"]\ntimeout = "1s"\n'
MAINTENANCE = """
[[maintenance]]
name = "patch day"
weekly = "Sun 02:00"
for = "2h"
zone = "Europe/Madrid"
[[maintenance]]
name = "move"
from = "2030-01-01T00:00:00Z"
until = "2030-01-01T02:00:00Z"
checks = ["shop"]
"""


def valid(name: str, document) -> None:
    """What the schema of the description says of a body."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(document)]
    assert not errors, errors


def test_the_description_is_one():
    openapi_spec_validator.validate(DESCRIPTION)


@pytest.fixture
def watching(nowd, monitor, tmp_path):
    one = monitor("--config", configuration(tmp_path, ("shop", nowd().url), ("patch day", nowd(+3).url), more=MORE + MAINTENANCE))
    one.wait_for("shop", "ok")
    one.wait_for("patch day", "wrong")
    return one


class Client:
    """Asks over one kept connection, with all headers of the answer."""

    def __init__(self, url: str):
        where = urllib.parse.urlsplit(url)
        self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str):
        self.connection.request(method, path, body=body, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = self.connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()


def stored(watching, query: str = "") -> dict:
    """The rounds, once some are written."""

    def found():
        document = json.loads(watching.get(f"/api/v1/checks/shop/rounds{query}")[2])
        return document if document["rounds"] else None

    return poll(found, "rounds are stored")


def test_every_answer_is_one_that_the_description_promises(watching, tmp_path):
    stored(watching)
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists():
        lacking("the program `schemathesis` is not installed")
    run = subprocess.run(
        [program, "run", f"{watching.url}/openapi.json", "--url", watching.url, "--checks", "all",
         "--exclude-checks", "positive_data_acceptance,ignored_auth", "--max-examples", "30", "--seed", "1", "--no-color"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.search(r"(\d+) generated", run.stdout)[1]) >= 100, run.stdout


def test_the_bodies_are_those_of_the_schemas(watching):
    rounds = stored(watching)
    poll(lambda: json.loads(watching.get("/api/v1/incidents")[2])["incidents"], "the incident is stored")
    for path, schema in (
        ("/api/v1/checks", "checks"),
        ("/api/v1/checks/shop", "check"),
        ("/api/v1/checks/patch%20day", "check"),
        ("/api/v1/checks/shop/rounds", "rounds"),
        ("/api/v1/checks/shop/rounds?step=60", "points"),
        ("/api/v1/incidents", "incidents"),
        ("/api/v1/maintenance", "maintenance"),
        ("/api/v1/checks/nobody", "problem"),
    ):
        status, kind, body = watching.get(path)
        assert kind == ("application/problem+json" if schema == "problem" else "application/json")
        valid(schema, json.loads(body))
    broken = copy.deepcopy(rounds)
    broken["rounds"][0]["status"] = "fine"
    with pytest.raises(AssertionError):
        valid("rounds", broken)


def test_rounds_are_those_of_the_range_and_steps_sum_to_them(watching):
    watching.wait_for_rounds("shop", 4)
    poll(lambda: len(stored(watching)["rounds"]) >= 4, "four rounds are stored")
    rounds = stored(watching)["rounds"]
    starts = [datetime.fromisoformat(one["start"]) for one in rounds]
    assert starts == sorted(starts)
    assert all(one["offset"]["lower"] <= one["offset"]["upper"] for one in rounds if one["status"] == "ok")
    begin = starts[1].timestamp()
    some = stored(watching, f"?from={begin}&to={begin + 1.5}")["rounds"]
    assert 1 <= len(some) <= 3 and some[0] == rounds[1]
    points = json.loads(watching.get(f"/api/v1/checks/shop/rounds?from={begin - 60}&to={begin + 60}&step=2m")[2])
    assert points["step_seconds"] >= 120
    assert sum(sum(point["rounds"].values()) for point in points["points"]) >= len(rounds)


def test_rounds_are_a_table_for_who_wants_one(watching):
    stored(watching)
    status, kind, body = watching.get("/api/v1/checks/shop/rounds", Accept="text/csv")
    assert (status, kind) == (200, "text/csv; charset=utf-8")
    rows = list(csv.DictReader(io.StringIO(body)))
    assert rows[0]["status"] == "ok" and float(rows[0]["offset_lower_seconds"]) <= float(rows[0]["offset_upper_seconds"])
    steps = list(csv.DictReader(io.StringIO(watching.get("/api/v1/checks/shop/rounds?step=1m", Accept="text/csv")[2])))
    assert steps[0]["check"] == "shop" and int(steps[0]["rounds_ok"]) >= 1
    for accept in ("*/*", "text/html, application/json", "text/csv;q=0.1, application/json"):
        assert watching.get("/api/v1/checks/shop/rounds", Accept=accept)[1] == "application/json"


def test_a_client_that_has_an_answer_is_not_sent_it_again(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), every="30s"))
    watching.wait_for("shop", "ok")
    client = Client(watching.url)
    for path in ("/api/v1/checks", "/api/v1/checks/shop", "/api/v1/maintenance", "/openapi.json"):
        status, headers, body = client.ask(path)
        assert status == 200 and body
        status, again, body = client.ask(path, If_None_Match=f'"other", {headers["etag"]}')
        assert (status, again["etag"], body) == (304, headers["etag"], ""), path
        assert client.ask(path, If_None_Match='"other"')[0] == 200


def test_time_that_passes_changes_no_tag(nowd, monitor, tmp_path):
    file = configuration(tmp_path, ("shop", nowd().url), ("late", nowd(+3).url), every="30s")
    watching = monitor("--config", file)
    watching.wait_for("late", "wrong")
    stored(watching)
    incidents = poll(lambda: json.loads(watching.get("/api/v1/incidents")[2])["incidents"], "the incident is stored")
    client = Client(watching.url)
    for path in ("/api/v1/incidents", f"/api/v1/incidents/{incidents[0]['id']}", "/api/v1/checks/shop/rounds"):
        for accept in ("application/json", "text/csv"):
            _, headers, body = client.ask(path, Accept=accept)
            time.sleep(0.05)
            status, again, rest = client.ask(path, Accept=accept, If_None_Match=headers["etag"])
            assert (status, again["etag"], rest) == (304, headers["etag"], ""), (path, body)


def test_a_page_of_another_site_reads_nothing(nowd, monitor, tmp_path):
    file = configuration(tmp_path, ("shop", nowd().url))
    watching = monitor("--config", file)
    for path in ("/", "/metrics", "/events", "/api/v1/checks", "/api/v1/instance", "/probe?target=a"):
        status, kind, body = watching.get(path, Host="evil.test:9464")
        assert (status, kind) == (421, "application/problem+json"), path
        assert "set external_url in [server]" in json.loads(body)["detail"]
    for host in ("localhost:9464", "127.0.0.1", "[::1]:9464"):
        assert watching.get("/api/v1/checks", Host=host)[0] == 200, host
    assert watching.get("/healthz", Host="evil.test")[0] == 200
    file.write_text(file.read_text().replace("[server]", '[server]\nexternal_url = "https://now.example/"'))
    watching.reload()
    poll(lambda: watching.get("/api/v1/checks", Host="now.example")[0] == 200, "the name is known")
    assert watching.get("/api/v1/checks", Host="evil.test")[0] == 421


def test_what_has_changed_has_another_tag(watching):
    client = Client(watching.url)
    tag = client.ask("/api/v1/checks/shop")[1]["etag"]
    watching.wait_for_rounds("shop", 1)
    status, headers, _ = client.ask("/api/v1/checks/shop", If_None_Match=tag)
    assert status == 200 and headers["etag"] != tag


@pytest.mark.parametrize(
    "query",
    [
        "from=soon", "to=yesterday", "from=2&to=1", "step=0", "step=-1", "step=1x", "step=NaN", "from=1e99",
        "step=1s&from=2020-01-01T00:00:00Z", "from=1&from=2", "from=2026-11-28",
    ],
)  # fmt: skip
def test_what_no_parameter_can_be_is_a_bad_request(watching, query):
    status, kind, body = watching.get(f"/api/v1/checks/shop/rounds?{query}")
    assert (status, kind) == (400, "application/problem+json"), body


def test_incidents_are_told_with_what_happened(watching):
    incidents = poll(lambda: json.loads(watching.get("/api/v1/incidents")[2])["incidents"], "the incident is stored")
    [incident] = [one for one in incidents if one["check"] == "patch day"]
    assert incident["until"] is None and incident["changes"][0]["what"] == "opened"
    assert json.loads(watching.get(f"/api/v1/incidents/{incident['id']}")[2])["id"] == incident["id"]
    assert json.loads(watching.get("/api/v1/incidents?check=shop")[2])["incidents"] == []
    assert watching.get("/api/v1/incidents/none")[0] == 404


def test_maintenance_of_the_file_is_listed_and_nobody_without_a_name_may_add_any(watching):
    windows = json.loads(watching.get("/api/v1/maintenance")[2])["maintenance"]
    assert [one["name"] for one in windows] == ["patch day", "move"]
    assert windows[0]["weekly"] == {"weekday": "sunday", "at": "02:00:00", "zone": "Europe/Madrid", "length_seconds": 7200}
    assert windows[1]["from"] == "2030-01-01T00:00:00Z" and windows[1]["checks"] == ["shop"] and not windows[1]["active"]
    client = Client(watching.url)
    body = json.dumps({"name": "x", "for": "1h"})
    assert client.ask("/api/v1/maintenance", "POST", body, Content_Type="application/json")[0] == 403
    assert client.ask("/api/v1/maintenance/x", "DELETE")[0] == 403


# ops:secret, as `htpasswd -nbB ops secret` writes it.
USER = "ops:$2y$05$h4ebkbrCZTnxZkmLnmeLBOdVhdwnxIZtA/33nfBtaUAs187eHh3hO"


@pytest.fixture
def guarded(nowd, monitor, tmp_path):
    """A monitor with a password, and how to start it again."""
    (tmp_path / "users").write_text(USER + "\n")
    file = configuration(tmp_path, ("shop", nowd(+3).url))
    file.write_text(file.read_text().replace("[server]", '[server]\nauth_file = "users"'))
    return lambda: monitor("--config", file)


BASIC = "Basic " + base64.b64encode(b"ops:secret").decode()
JSON = "application/json"


def test_who_has_logged_in_announces_maintenance_and_takes_it_back(guarded):
    watching = guarded()
    client = Client(watching.url)
    assert client.ask("/api/v1/maintenance", "POST", "{}", Content_Type=JSON)[0] == 401
    ask = lambda path, method="GET", body=None, **more: client.ask(path, method, body, Authorization=BASIC, **more)  # noqa: E731
    body = json.dumps({"name": "patch day", "for": "2h", "checks": ["shop"]})
    status, headers, answer = ask("/api/v1/maintenance", "POST", body, Content_Type=JSON)
    assert status == 201, answer
    window = json.loads(answer)
    valid("window", window)
    assert window["active"] and headers["location"] == f"/api/v1/maintenance/{window['id']}"
    # It survives a restart.
    assert watching.stop() == 0
    watching = guarded()
    client = Client(watching.url)
    assert json.loads(ask("/api/v1/maintenance")[2])["maintenance"] == [window]
    assert ask(headers["location"], "DELETE")[0] == 204
    assert ask(headers["location"], "DELETE")[0] == 404
    assert json.loads(ask("/api/v1/maintenance")[2])["maintenance"] == []


def test_no_alert_is_opened_while_maintenance_is_announced(nowd, monitor, tmp_path):
    server, received = nowd(), tmp_path / "received"
    (tmp_path / "users").write_text(USER + "\n")
    alert = f'[[alert]]\nname = "night"\ntype = "exec"\ncommand = ["/usr/bin/tee", "-a", "{received}"]\n'
    file = configuration(tmp_path, ("shop", server.url), more=alert)
    file.write_text(file.read_text().replace("[server]", '[server]\nauth_file = "users"'))
    client = Client(monitor("--config", file).url)

    def ask(path, method="GET", body=None, **more):
        return client.ask(path, method, body, Authorization=BASIC, **more)

    def check() -> dict:
        return json.loads(ask("/api/v1/checks/shop")[2])

    poll(lambda: check()["status"] == "ok", "shop is ok")
    body = json.dumps({"name": "patch day", "for": "2h"})
    location = ask("/api/v1/maintenance", "POST", body, Content_Type=JSON)[1]["location"]
    server.stop()
    poll(lambda: check()["incident"], "the incident is open")
    rounds = check()["rounds"]["down"]
    poll(lambda: check()["rounds"]["down"] >= rounds + 2, "two more rounds are held")
    assert not received.exists()
    assert ask(location, "DELETE")[0] == 204
    poll(lambda: received.exists() and '"opened"' in received.read_text(), "the alert is opened")


def test_what_is_no_announcement_changes_nothing(guarded):
    client = Client(guarded().url)
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    ask = lambda body, **more: client.ask("/api/v1/maintenance", "POST", body, Authorization=BASIC, **more)[0]  # noqa: E731
    good = {"name": "x", "for": "1h"}
    for wrong in (
        "", "{", "[]", "{}", json.dumps({"name": "x"}), json.dumps({**good, "until": "2099-01-01T00:00:00Z"}),
        json.dumps({"name": "x", "until": past}), json.dumps({**good, "for": "0s"}), json.dumps({**good, "for": "9y"}),
        json.dumps({**good, "name": ""}), json.dumps({**good, "name": "a\nb"}), json.dumps({**good, "checks": []}),
        json.dumps({**good, "checks": ["nobody"]}), json.dumps({**good, "by": "me"}),
    ):  # fmt: skip
        assert ask(wrong, Content_Type=JSON) == 400, wrong
    body = json.dumps(good)
    assert ask(body, Content_Type="text/plain") == 415
    assert ask(body, Content_Type=JSON, Origin="https://evil.test") == 403
    assert ask(body, Content_Type=JSON, Sec_Fetch_Site="cross-site") == 403
    status, _, answer = client.ask("/api/v1/maintenance", Authorization=BASIC)
    assert json.loads(answer)["maintenance"] == []
    assert ask(json.dumps({**good, "name": "x" * 20_000}), Content_Type=JSON) == 413


def test_methods_that_change_nothing_are_the_only_ones_elsewhere(watching):
    client = Client(watching.url)
    for path in ("/api/v1/checks", "/api/v1/checks/shop", "/api/v1/checks/shop/rounds", "/api/v1/incidents", "/metrics"):
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            status, headers, _ = client.ask(path, method)
            assert (status, headers["allow"]) == (405, "GET, HEAD"), (method, path)
        status, _, body = client.ask(path, "HEAD")
        assert (status, body) == (200, "")


@pytest.fixture
def many_files():
    """This process may open more files than the monitor lets in."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2_000
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"the limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_clients_without_a_password_shut_nobody_out(guarded, many_files):
    watching = guarded()
    where = urllib.parse.urlsplit(watching.url)
    with contextlib.ExitStack() as stack:

        def connect(request: str) -> socket.socket:
            client = stack.enter_context(socket.create_connection((where.hostname, where.port), 10))
            client.sendall(request.encode())
            return client

        follower = connect(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {BASIC}\r\n\r\n")
        assert follower.recv(4096).startswith(b"HTTP/1.1 200 ")
        # Some say nothing, some a part, some ask, are rejected, and keep the connection.
        for nth in range(1_100):
            connect(["", "GET / HTTP/1.1\r\nHo", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"][nth % 3])
        with within(3, "answers beside clients each of which may take ten seconds"):
            for _ in range(5):
                assert watching.get("/healthz")[0] == 200
                assert watching.get("/metrics", Authorization=BASIC)[0] == 200
        with within(15, "an event for the one who follows them"):
            while b"event: round" not in follower.recv(65_536):
                pass


def test_large_heads_are_refused_and_slow_clients_hold_nobody_up(watching):
    client = Client(watching.url)
    assert client.ask("/api/v1/checks", X="x" * 40_000)[0] == 431
    where = urllib.parse.urlsplit(watching.url)
    slow = [socket.create_connection((where.hostname, where.port)) for _ in range(100)]
    for one in slow:
        one.sendall(b"GET /api/v1/checks HTTP/1.1\r\nHost:")
    begin = time.monotonic()
    with within(1, "an answer beside slow clients"):
        assert watching.get("/api/v1/checks")[0] == 200
    # And they are not waited for.
    slow[0].settimeout(15)
    while slow[0].recv(4096):
        pass
    assert 5 < time.monotonic() - begin < 15
    for one in slow:
        one.close()
