"""`nowcheck watch` tells somebody: one alert for each trouble, signed, and closed again after the repair."""

import json
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from support import servers
from support.monitor import configuration
from support.nginx import Nginx
from support.nowcheck import clean_environment
from support.process import Child, poll, within
from support.sink import Sink, is_signed
from support.tools import ROOT, binary

KEY = "k3y-0f-the-h00k"
SCHEMA = Draft202012Validator(json.loads((ROOT / "contract" / "nowcheck-alert.schema.json").read_text()))


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.stop()


@pytest.fixture
def monitor(monitor):
    """Starts a monitor with a file, and with the secret that it names."""
    return lambda file: monitor("--config", file, environment={"HOOK_KEY": KEY})


def webhook(folder, sink: Sink, more: str = "") -> str:
    """An alert to that sink. Its URL has a secret."""
    file = folder / "hook"
    file.write_text(f"{sink.url}/T0KEN-0f-the-h00k\n")
    return f'[[alert]]\nname = "night"\ntype = "webhook"\nurl_file = "{file}"\nsecret_env = "HOOK_KEY"\n{more}'


@pytest.fixture
def limited(nowd, tmp_path):
    """A nowd behind nginx, which takes twenty requests a second of a client, and eight more at once."""
    zone = "limit_req_zone $http_user_agent zone=requests:1m rate=20r/s;"
    limit = "limit_req zone=requests burst=8 nodelay; limit_req_status 429;"
    proxy = Nginx(tmp_path, [("127.0.0.1", nowd().port)], http=zone, location=limit)
    yield proxy
    proxy.stop()


def test_six_services_with_four_faults_give_one_alert_each_and_one_end_each(nowd, limited, monitor, sink, tmp_path):
    right, fast, slow, killed, replaced = nowd(), nowd(+3), nowd(-2), nowd(), nowd()
    names = {"right": right, "fast": fast, "slow": slow, "killed": killed, "replaced": replaced}
    checks = [(name, server.url) for name, server in names.items()]
    checks.append(("limited", f"http://{limited.host}:{limited.port}"))
    watching = monitor(configuration(tmp_path, *checks, more=webhook(tmp_path, sink)))
    for name in ("right", "killed", "replaced", "limited"):
        watching.wait_for(name, "ok")

    killed.child.process.kill()
    port = replaced.port
    replaced.stop()
    replacement = servers.start_nowd(port=port)
    try:
        opened = {"fast": "wrong", "slow": "wrong", "killed": "down"}
        for check, status in opened.items():
            watching.wait_for(check, status)
        sink.wait_for("three alerts", lambda _: len(sink.messages(event="opened")) >= 3)

        repaired = [servers.start_nowd(port=server.port) for server in (end(fast), end(slow), killed)]
        try:
            for check in opened:
                watching.wait_for(check, "ok", 60)
            sink.wait_for("three ends", lambda _: len(sink.messages(event="closed")) >= 3)
            watching.wait_for_rounds("right", 2)
        finally:
            for server in repaired:
                server.stop()
    finally:
        replacement.stop()

    events = Counter((message["check"], message["event"]) for message in sink.messages())
    for check, status in opened.items():
        assert events.pop((check, "opened")) == events.pop((check, "closed")) == 1
        (message,) = sink.messages(check=check, event="opened")
        assert message["status"] == status and message["summary"] and message["advice"]
    assert not {check for check, _ in events} - set(opened), f"nothing else is told: {events}"
    ids = [message["id"] for message in sink.messages()]
    assert len(ids) == len(set(ids)), "no message comes twice"
    for headers, body in sink.requests:
        assert is_signed(headers, body, KEY.encode())
        SCHEMA.validate(json.loads(body))


def end(server):
    server.stop()
    return server


def test_an_alert_is_sent_within_a_period_and_a_second_of_the_fault(nowd, monitor, sink, tmp_path):
    service = nowd()
    watching = monitor(configuration(tmp_path, ("shop", service.url), every="2s", more=webhook(tmp_path, sink)))
    watching.wait_for("shop", "ok")
    with within(3, "a period and a second"):
        service.child.process.kill()
        sink.wait_for("the alert", lambda messages: messages)


def test_what_could_not_be_delivered_is_delivered_after_a_restart_and_once(nowd, monitor, sink, tmp_path):
    sink.status = 503
    file = configuration(tmp_path, ("fast", nowd(+3).url), more=webhook(tmp_path, sink))
    first = monitor(file)
    first.wait_for("fast", "wrong")
    poll(lambda: sink.requests, "a first try")
    poll(lambda: first.records("alert_failed"), "it is logged")
    first.child.process.kill()
    first.child.wait()
    sink.status = 204
    second = monitor(file)
    sink.wait_for("the message", lambda messages: messages)
    second.wait_for("fast", "wrong")
    second.wait_for_rounds("fast", 3)
    (message,) = sink.messages()
    assert message["event"] == "opened"


def test_an_incident_that_is_open_is_not_alerted_again_after_a_restart(nowd, monitor, sink, tmp_path):
    file = configuration(tmp_path, ("fast", nowd(+3).url), more=webhook(tmp_path, sink))
    first = monitor(file)
    sink.wait_for("the alert", lambda messages: messages)
    poll(lambda: 'result="delivered"} 1' in first.get("/metrics")[2], "it is delivered")
    first.stop()
    second = monitor(file)
    second.wait_for("fast", "wrong")
    second.wait_for_rounds("fast", 3)
    assert len(sink.messages()) == 1


def test_an_incident_of_the_monitor_says_what_to_do(nowd, monitor, sink, tmp_path):
    file = configuration(tmp_path, ("shop", nowd().url), more=webhook(tmp_path, sink))
    text = file.read_text().replace("trust_system_clock = true", 'references = ["ntp:127.0.0.1:9"]')
    file.write_text(text)
    monitor(file)
    sink.wait_for("the alert", lambda messages: messages)
    (message,) = sink.messages(event="opened")
    assert message["check"] is None and "time servers in references" in message["advice"]


def test_while_what_a_check_needs_is_down_no_alert_is_opened_for_it(nowd, monitor, sink, tmp_path):
    network, shop = nowd(), nowd()
    file = configuration(tmp_path, ("network", network.url), ("shop", shop.url), more=webhook(tmp_path, sink))
    file.write_text(file.read_text().replace('name = "shop"', 'name = "shop"\nneeds = ["network"]'))
    watching = monitor(file)
    for name in ("network", "shop"):
        watching.wait_for(name, "ok")
    network.child.process.kill()
    watching.wait_for("network", "down")
    shop.child.process.kill()
    watching.wait_for("shop", "down")
    watching.wait_for_rounds("shop", 2)
    assert {message["check"] for message in sink.messages()} == {"network"}


@pytest.mark.parametrize("is_removed", [True, False])
def test_a_round_under_way_while_its_check_is_removed_or_moved_opens_nothing(
    nowd, raw, monitor, sink, tmp_path, is_removed
):
    def hangs(_: bytes) -> bytes:
        time.sleep(4)
        return b""

    shop, blog, moved = raw(hangs), ("blog", nowd().url), ("shop", nowd().url)
    more = webhook(tmp_path, sink)
    watching = monitor(configuration(tmp_path, ("shop", shop.url), blog, every="3s", more=more))
    watching.wait_for("shop", "down")
    sink.wait_for("the alert", lambda _: sink.messages(event="opened"))
    before = len(shop.heads)
    poll(lambda: len(shop.heads) > before, "the next round of shop is under way")
    configuration(tmp_path, *([blog] if is_removed else [blog, moved]), every="3s", more=more)
    watching.reload()
    sink.wait_for("the end", lambda _: sink.messages(event="closed"))
    # The round ends within a period.
    watching.wait_for_rounds("blog", 2)
    assert [message["event"] for message in sink.messages()] == ["opened", "closed"]
    assert watching.checks().get("shop", {"incident": None})["incident"] is None
    if not is_removed:
        rounds = watching.wait_for("shop", "ok")["rounds"]
        assert {status for status, held in rounds.items() if held} == {"ok"}, rounds
    stretches = "SELECT until IS NULL FROM unwatched JOIN checks ON check_id = checks.id WHERE name = 'shop'"
    with closing(sqlite3.connect(tmp_path / "history.db")) as history:
        poll(lambda: history.execute(stretches).fetchall() == [(int(is_removed),)], "it is unwatched since then")


def test_no_secret_is_in_anything_that_is_written(nowd, monitor, sink, tmp_path):
    sink.status = 500
    service = nowd(+3)
    secret = "S3CR3T-0f-the-shop"
    (tmp_path / "shop-login").write_text(f"ops:{secret}\n")
    file = configuration(tmp_path, ("fast", service.url), ("closed", "http://127.0.0.1:1"), more=webhook(tmp_path, sink))
    login = f'name = "fast"\nbasic_auth_file = "{tmp_path / "shop-login"}"'
    file.write_text(file.read_text().replace('name = "fast"', login))
    watching = monitor(file)
    watching.wait_for("fast", "wrong")
    watching.wait_for("closed", "down")
    poll(lambda: watching.records("alert_failed"), "a failed delivery is logged")
    pages = [watching.get(path)[2] for path in ("/", "/metrics", "/api/v1/checks", "/api/v1/checks/fast", "/nothing")]
    watching.stop()
    database = sqlite3.connect(tmp_path / "history.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    written = [*pages, watching.child.stdout.text, watching.child.stderr.text]
    written += [path.read_bytes().decode("latin-1") for path in tmp_path.glob("history.db*")]
    written += [body.decode() for _, body in sink.requests]
    for one in (KEY, "T0KEN-0f-the-h00k", secret):
        assert not any(one in text for text in written), one


def test_a_test_message_says_what_became_of_it(sink, tmp_path):
    file = configuration(tmp_path, ("a", "http://127.0.0.1:1"), more=webhook(tmp_path, sink))

    def test(name: str) -> subprocess.CompletedProcess:
        command = [binary("nowcheck"), "alert", "test", name, "--config", file]
        environment = clean_environment(HOOK_KEY=KEY)
        return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment)

    taken = test("night")
    assert taken.returncode == 0 and "took the test message" in taken.stdout
    assert [message["event"] for message in sink.messages()] == ["test"]
    sink.status = 404
    refused = test("night")
    assert refused.returncode == 3 and "404" in refused.stderr and "T0KEN" not in refused.stderr
    unknown = test("nigth")
    assert unknown.returncode == 3 and "night" in unknown.stderr


def is_running(process: int) -> bool:
    # A zombie runs no more.
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(") ")[2][0] != "Z"


def page(folder, words: str) -> tuple[str, Path]:
    """An alert to a program that writes its number and that of what it starts into a file, and then runs for ever."""
    numbers = folder / "numbers"
    script = f"sleep 1000 & echo $$ $! > {numbers}.new; mv {numbers}.new {numbers}; {words}"
    return f'[[alert]]\nname = "page"\ntype = "exec"\ncommand = ["/bin/sh", "-c", "{script}"]\n', numbers


@pytest.mark.parametrize("attempt", range(5))
def test_a_program_of_an_alert_does_not_outlive_the_monitor(nowd, monitor, tmp_path, attempt):
    alert, numbers = page(tmp_path, "wait")
    watching = monitor(configuration(tmp_path, ("fast", nowd(+3).url), more=alert))
    started = [int(number) for number in poll(lambda: numbers.exists() and numbers.read_text().split(), "it runs")]
    assert all(is_running(process) for process in started)
    assert watching.stop() == 0
    # They were killed. On a busy machine that takes a moment.
    poll(lambda: not [process for process in started if is_running(process)], "they are gone", 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_program_of_a_test_message_does_not_outlive_it(tmp_path, number):
    alert, numbers = page(tmp_path, "wait")
    file = configuration(tmp_path, ("a", "http://127.0.0.1:1"), more=alert)
    testing = Child([binary("nowcheck"), "alert", "test", "page", "--config", file], env=clean_environment())
    started = [int(one) for one in poll(lambda: numbers.exists() and numbers.read_text().split(), "it runs")]
    testing.signal(number)
    assert testing.wait() == 3 and "interrupted" in testing.stderr.text
    # They were killed. On a busy machine that takes a moment.
    poll(lambda: not [process for process in started if is_running(process)], "they are gone", 5)


def test_a_dead_mans_switch_is_pinged_while_rounds_are_held(nowd, monitor, sink, tmp_path):
    (tmp_path / "beat").write_text(f"{sink.url}/b34t\n")
    more = f'[heartbeat]\nurl_file = "{tmp_path / "beat"}"\nevery = "1s"\n'
    # A heartbeat has no body, so it is not kept as a message.
    sink.status = 503
    watching = monitor(configuration(tmp_path, ("shop", nowd().url), more=more))
    watching.wait_for("shop", "ok")
    poll(lambda: len(sink.requests) >= 2, "two pings")
