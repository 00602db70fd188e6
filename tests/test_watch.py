"""`nowcheck watch`: what runs for months. It measures on a schedule, says what has changed, and goes on after a restart."""

import fcntl
import json
import os
import pty
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest
from support.balancer import Balancer
from support.monitor import configuration
from support.nowcheck import clean_environment
from support.process import TOO_LATE, Child, poll, within
from support.raw_answers import answer
from support.tools import binary


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [binary("nowcheck"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, env=clean_environment())


def test_services_are_told_apart_as_ok_wrong_and_down(nowd, monitor, tmp_path):
    right, fast, stopped = nowd(), nowd(+3), nowd()
    url = stopped.url
    stopped.stop()
    file = configuration(tmp_path, ("right", right.url), ("fast", fast.url), ("stopped", url))
    watching = monitor("--config", file)
    assert watching.wait_for("right", "ok")["reason"] == "in_sync"
    wrong = watching.wait_for("fast", "wrong")
    assert wrong["reason"] == "desynchronized" and 2.9 < wrong["offset"]["lower"] < 3.1
    assert wrong["incident"] and wrong["advice"]
    assert watching.wait_for("stopped", "down")["reason"] == "down"


def test_a_service_that_ends_is_down_within_a_period_and_ok_again_within_another(nowd, monitor, tmp_path):
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), every="1s"))
    watching.wait_for("shop", "ok")
    with within(2, "a period and a second"):
        service.child.process.kill()
        watching.child.stdout.wait_for('"status":"down"')
    statuses = [(record["before"], record["status"]) for record in watching.records("status")]
    assert statuses == [("unknown", "ok"), ("ok", "down")]


def test_a_configuration_may_stand_in_a_variable_where_there_are_no_files(nowd, monitor, tmp_path):
    text = configuration(tmp_path, ("shop", nowd().url)).read_text().replace("history.db", "none")
    watching = monitor("--config", "env:SHOP_TOML", environment={"SHOP_TOML": text})
    watching.wait_for("shop", "ok")
    # There is nothing to read again, and no harm in asking for it.
    watching.child.process.send_signal(signal.SIGHUP)
    watching.wait_for_rounds("shop", 2)
    for given, code, sentence in (
        (text, 0, "env:SHOP_TOML: valid, 1 check"),
        ("[[check]]\nname = 1\n", 3, "env:SHOP_TOML:2: "),
        (None, 3, "env:SHOP_TOML: is not set, or is not UTF-8"),
    ):
        environment = clean_environment(**({} if given is None else {"SHOP_TOML": given}))
        command = [binary("nowcheck"), "config", "check", "env:SHOP_TOML"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment)
        assert (ended.returncode, sentence in ended.stdout + ended.stderr) == (code, True), ended


def test_a_steady_service_is_asked_once_a_round(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url)))
    watching.wait_for("shop", "ok")
    assert watching.wait_for_rounds("shop", 2)["round"]["requests"] == 1


def whole_seconds(_: bytes) -> bytes:
    return answer(body=time.strftime('{"datetime": "%Y-%m-%dT%H:%M:%SZ"}', time.gmtime()).encode())


@pytest.mark.parametrize(("every", "limit"), [("1s", "1s"), ("1s", "200ms"), ("2s", "200ms"), ("3s", "200ms")])
def test_whole_seconds_take_few_requests_in_short_periods_too(raw, monitor, tmp_path, every, limit):
    file = configuration(tmp_path, ("shop", raw(whole_seconds).url), every=every)
    file.write_text(file.read_text().replace("[defaults]", f'[defaults]\nmax_offset = "{limit}"'))
    watching = monitor("--config", file)
    # The first rounds find out how it answers, and in which slots.
    poll(lambda: (watching.check("shop")["round"] or {}).get("full_because", "") is None, "a steady round", 40)
    rounds = [watching.wait_for_rounds("shop", 1)["round"] for _ in range(6)]
    # On a busy machine an answer may come too late once or twice, and on a very busy one more often.
    assert len([held for held in rounds if held["requests"] <= 3]) >= 4, f"{TOO_LATE}: {rounds}"


def test_a_service_that_falls_silent_is_down_and_takes_no_slot_but_its_own(raw, monitor, tmp_path):
    is_silent = threading.Event()

    def falls_silent(_: bytes) -> bytes:
        if is_silent.is_set():
            time.sleep(3)
        return answer()

    watching = monitor("--config", configuration(tmp_path, ("shop", raw(falls_silent).url), every="2s"))
    watching.wait_for("shop", "ok")
    watching.wait_for_rounds("shop", 1)
    is_silent.set()
    check = watching.wait_for("shop", "down")
    assert watching.wait_for_rounds("shop", 2)["missed"] == check["missed"] == {}
    assert check["round"]["full_because"] == "failed"


@pytest.fixture
def balanced(nowd, tmp_path):
    """The URL of three of them behind one."""
    balancer = Balancer(tmp_path, {"127.0.0.1": [nowd().port for _ in range(3)]}, "roundrobin")
    yield balancer.url("127.0.0.1")
    balancer.stop()


def test_it_says_within_what_time_one_faulty_backend_of_several_is_found(nowd, balanced, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", balanced), ("alone", nowd().url)))
    check = watching.wait_for("shop", "ok")
    assert len(check["backends"]) == 3 and all(backend["last_heard"] for backend in check["backends"])
    # (2/3)^r is at most 1 % for r = 12.
    assert check["faulty_backend_found_within_seconds"] == 12 * check["every_seconds"]
    alone = watching.wait_for("alone", "ok")
    assert alone["faulty_backend_found_within_seconds"] == alone["every_seconds"]


def test_an_open_incident_is_the_same_one_after_a_restart(nowd, monitor, tmp_path):
    file = configuration(tmp_path, ("fast", nowd(+3).url))
    first = monitor("--config", file)
    incident = first.wait_for("fast", "wrong")["incident"]
    poll(lambda: first.get(f"/api/v1/incidents/{incident}")[0] == 200, "it is written")
    first.child.process.kill()
    first.child.wait()
    second = monitor("--config", file)
    assert second.wait_for("fast", "wrong")["incident"] == incident


def test_a_valid_file_is_taken_over_and_an_invalid_one_changes_nothing(nowd, monitor, tmp_path):
    service = nowd()
    file = configuration(tmp_path, ("one", service.url))
    watching = monitor("--config", file)
    since = watching.wait_for("one", "ok")["since"]

    configuration(tmp_path, ("one", service.url), ("two", service.url))
    watching.reload()
    poll(lambda: "two" in watching.checks(), "two is watched")
    watching.wait_for("two", "ok")
    assert watching.check("one")["since"] == since, "what did not change keeps its state"

    file.write_text(file.read_text().replace("every", "evry"))
    watching.reload()
    watching.child.stdout.wait_for('"event":"reload_failed"')
    (failed,) = watching.records("reload_failed")
    assert "unknown key evry; did you mean every?" in failed["errors"]
    assert set(watching.checks()) == {"one", "two"}
    watching.wait_for_rounds("one", 1)

    configuration(tmp_path, ("two", service.url))
    watching.reload()
    poll(lambda: set(watching.checks()) == {"two"}, "only two is watched")


def test_a_reload_leaves_the_rounds_of_what_did_not_change_steady(nowd, monitor, tmp_path):
    service = nowd()
    watching = monitor("--config", configuration(tmp_path, ("one", service.url), every="2s"))
    watching.wait_for("one", "ok")
    assert watching.wait_for_rounds("one", 2)["round"]["full_because"] is None
    configuration(tmp_path, ("one", service.url), ("two", service.url), every="2s")
    watching.reload()
    poll(lambda: "two" in watching.checks(), "two is watched")
    assert watching.wait_for_rounds("one", 1)["round"]["full_because"] is None


def test_it_ends_within_a_second_with_exit_code_0(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), ("silent", "http://192.0.2.1")))
    watching.wait_for("shop", "ok")
    with within(1.5, "the end"):
        assert watching.stop() == 0
    assert watching.records()[-1]["event"] == "stopped"


def test_urls_alone_are_watched_with_the_default_settings(nowd, monitor):
    service = nowd()
    watching = monitor(service.url, "--listen", "127.0.0.1:0", "--history", "none", "--trust-system-clock")
    name = service.url.removeprefix("http://")
    assert watching.wait_for(name, "ok")["every_seconds"] == 30


def test_a_port_in_use_is_told_with_what_to_do(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("watch", "http://127.0.0.1:1", "--listen", address, "--history", "none")
    assert done.returncode == 3
    assert address in done.stderr and "another program uses it" in done.stderr
    assert done.stderr.count("Address already in use") == 1, done.stderr


def test_an_invalid_file_starts_nothing_and_tells_every_error(tmp_path):
    file = configuration(tmp_path, ("a", "http://127.0.0.1:1"), more="colour = 1\n[[check]]\nname = 'b'\n")
    done = run("watch", "--config", file)
    assert done.returncode == 3
    assert "unknown key colour" in done.stderr and 'check "b"' in done.stderr
    checked = run("config", "check", file)
    assert (checked.returncode, checked.stderr) == (3, done.stderr)


def test_what_a_valid_file_lacks_is_told_before_it_is_needed(nowd, monitor, tmp_path):
    more = '[[alert]]\nname = "page"\ntype = "exec"\ncommand = ["/nowhere/page"]\n'
    file = configuration(tmp_path, ("a", nowd().url), more=more)
    checked = run("config", "check", file)
    assert checked.returncode == 0 and 'alert "page": there is no program /nowhere/page' in checked.stderr
    watching = monitor("--config", file)
    watching.child.stdout.wait_for("there is no program /nowhere/page")


def test_a_check_that_gets_another_url_says_so(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", "http://127.0.0.1:1")))
    watching.wait_for("shop", "down")
    configuration(tmp_path, ("shop", nowd().url))
    watching.reload()
    watching.wait_for("shop", "ok")
    (closed,) = [record for record in watching.records("incident") if record["change"] == "closed"]
    assert "the URL of shop has changed" in closed["summary"]


def test_a_pipe_in_a_locale_that_is_not_utf_8_gets_ascii(nowd):
    command = [binary("nowcheck"), "watch", nowd().url, "--listen", "127.0.0.1:0", "--history", "none"]
    child = Child([*command, "--trust-system-clock"], env=clean_environment(LC_ALL="C"))
    try:
        assert child.stdout.wait_for("in sync: .*").group().isascii()
        assert "+/-" in child.stdout.text
    finally:
        child.end()


def test_the_example_is_a_file_that_can_be_begun_with(tmp_path):
    example = run("config", "example")
    assert example.returncode == 0 and "[[check]]" in example.stdout
    schema = json.loads(run("config", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    file = configuration(tmp_path, ("a", "http://127.0.0.1:1"))
    assert run("config", "check", file).stdout == f"{file}: valid, 1 check\n"


def test_the_page_the_api_and_the_metrics_say_the_same(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop <b>", nowd().url)))
    watching.wait_for("shop <b>", "ok")
    status, kind, page = watching.get("/")
    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert "The check is ok" in page and "shop &lt;b&gt;" in page and "<b>" not in page
    status, kind, text = watching.get("/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4")
    assert 'nowcheck_status{check="shop <b>",status="ok"} 1' in text and "# EOF" not in text
    _, kind, text = watching.get("/metrics", Accept="application/openmetrics-text")
    assert kind.startswith("application/openmetrics-text") and text.endswith("# EOF\n")
    assert watching.get("/api/v1/checks/shop%20%3Cb%3E")[0] == 200
    assert watching.get("/api/v1/checks/nothing")[0] == 404
    assert watching.get("/healthz")[0] == watching.get("/readyz")[0] == 200


def test_who_has_no_password_sees_nothing_but_that_it_lives(nowd, monitor, tmp_path):
    users = tmp_path / "users"
    # htpasswd -nbB ops secret
    users.write_text("ops:$2y$05$nyi2mRmyEYq8CcG7uXnsAe6yO3pYBqZmNUJpF3AJR4nmQnOeH4D0K\n")
    file = configuration(tmp_path, ("shop", nowd().url))
    file.write_text(file.read_text().replace("[server]", f'[server]\nauth_file = "{users}"'))
    watching = monitor("--config", file)
    for path in ("/", "/metrics", "/api/v1/checks", "/api/v1/checks/shop", "/nothing"):
        assert watching.get(path)[0] == 401, path
    assert watching.get("/healthz")[0] == 200
    assert watching.get("/", Authorization="Basic b3BzOndyb25n")[0] == 401


def test_slots_in_which_the_monitor_was_stopped_are_its_own(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), every="1s"))
    watching.wait_for_rounds("shop", 2)
    watching.child.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    poll(lambda: time.monotonic() > stopped + 4, "four slots pass")
    watching.child.signal(signal.SIGCONT)
    watching.wait_for_rounds("shop", 1)
    check = watching.wait_for("shop", "ok")
    assert check["missed"].get("late", 0) >= 2 and "overrun" not in check["missed"], check["missed"]
    assert check["incident"] is None


def test_ctrl_c_ends_it_as_a_supervisor_does(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url)))
    watching.wait_for("shop", "ok")
    watching.child.signal(signal.SIGINT)
    assert watching.child.wait(5) == 0


def test_it_ends_with_the_terminal_that_it_was_started_on(one_nowd):
    ours, its = pty.openpty()

    def adopt_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    command = [binary("nowcheck"), "watch", one_nowd.url, "--history", "none", "--listen", "127.0.0.1:0"]
    ends = {"stdin": its, "stdout": its, "stderr": its}
    watching = subprocess.Popen(command, **ends, env=clean_environment(), preexec_fn=adopt_terminal)
    try:
        os.close(its)
        drawn = b""
        while one_nowd.url.removeprefix("http://").encode() not in drawn:
            drawn += os.read(ours, 4096)
        # As long as the terminal is there, that is a reload.
        watching.send_signal(signal.SIGHUP)
        os.read(ours, 4096)
        assert watching.poll() is None
        os.close(ours)
        assert watching.wait(5) == 0
    finally:
        watching.kill()
        watching.wait()
