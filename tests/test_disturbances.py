"""What happens to the machine that checks, in the middle of a round: it sleeps, its clock is set, it is too busy.

None of that is a fault of the target. What was disturbed is discarded, counted and measured again; and where there is
no time for that, the outcome says whose fault it is.
"""

import calendar
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import servers, time_server
from support.nowcheck import Run, check, clean_environment, nowcheck, parse_outcome, start, trusting
from support.process import WAIT, Child, poll
from support.scripted import BREAK_OFF, Scripted
from support.tools import binary, compiled, need

OK, WRONG = ("OK", "in_sync"), ("CRITICAL", "desynchronized")
HOUR = 3600
TIMEOUT, LATE = "3s", 1.7
"""What is done this late in seconds after a request is done too late to hold a round of that length again, and soon
enough that it is still answered within the round, though a busy machine needs a while until it asks."""
OFFSETS = [(0, OK), (3, WRONG), (-3, WRONG)]


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Path:
    return compiled("shift_clocks", tmp_path_factory.mktemp("shim"))


@dataclass
class Machine:
    """The machine that checks: its clocks, as programs under the shim see them."""

    shim: Path
    file: Path

    def clocks(self, **shifts: int) -> dict[str, str]:
        """The environment of a program on it; `realtime`, `realtime_before` and `boottime` are in seconds."""
        named = {f"SHIFT_{name.upper()}": str(seconds) for name, seconds in shifts.items()}
        return {"LD_PRELOAD": str(self.shim), "SHIFT_WHEN": str(self.file)} | named

    def move(self) -> None:
        self.file.touch()

    @property
    def has_moved(self) -> bool:
        return self.file.exists()


@pytest.fixture
def machine(shim, tmp_path) -> Machine:
    return Machine(shim, tmp_path / "moved")


def holds(run: Run, truth: float, slack: float = 0.001) -> bool:
    interval = run.backend["offset"]
    return interval["earliest"] - slack <= truth <= interval["latest"] + slack


# ------------------------------------------------------------------------------------------------------------ suspended

# While a machine sleeps its wall clock and the time since boot go on, the monotonic clock stands still, and the rest of
# the world goes on too: the server is an hour later all at once.


def sleeps(machine: Machine, scripted: Callable[..., Scripted], offset: float, at_request: int) -> Scripted:
    return scripted(
        offset=offset,
        jump=lambda: HOUR if machine.has_moved else 0,
        before={at_request: lambda _: machine.move()},
        delay=0.02,
    )


@pytest.mark.parametrize(("offset", "verdict"), OFFSETS, ids=["right", "ahead", "behind"])
@pytest.mark.parametrize("at_request", [2, 6, 12])
def test_a_machine_that_slept_in_the_middle_of_a_round_holds_it_again(
    machine, scripted, sharp_reference, at_request, offset, verdict
):
    server = sleeps(machine, scripted, offset, at_request)
    run = check(server.url, environment=machine.clocks(realtime=HOUR, boottime=HOUR))
    assert machine.has_moved
    assert run.verdict == verdict, str(run)
    assert holds(run, offset), str(run)
    discarded = run.target["discarded"]
    assert discarded["suspended"] > 0, str(run)
    assert discarded["clock_step"] == 0, "the clock was not set: it went on while the machine slept"
    # What is shown was measured afterwards.
    assert run.backend["offset"]["latest"] - run.backend["offset"]["earliest"] < 1, str(run)
    assert sum(backend["samples"] for backend in run.target["backends"]) + discarded["suspended"] <= server.requests


def test_people_are_told_that_answers_were_discarded(machine, scripted, sharp_reference):
    server = sleeps(machine, scripted, 0, 6)
    run = nowcheck(server.url, environment=machine.clocks(realtime=HOUR, boottime=HOUR))
    assert run.exit == 0, str(run)
    assert "discarded" in run.stdout, str(run)
    assert "suspended" in run.stdout, str(run)


def test_time_servers_are_asked_again_after_a_sleep(machine, scripted):
    """Their answers of before are an hour old by the monotonic clock, which does not know it."""
    reference = time_server.start_ntp(**machine.clocks(realtime=HOUR))
    try:
        for offset, verdict in OFFSETS:
            machine.file.unlink(missing_ok=True)
            # The time server is a program that has seen the file and does not look again: so it starts anew.
            reference.stop()
            reference = time_server.start_ntp(**machine.clocks(realtime=HOUR))
            server = sleeps(machine, scripted, offset, 6)
            clocks = machine.clocks(realtime=HOUR, boottime=HOUR)
            run = check(server.url, "--reference", reference.reference, environment=clocks)
            assert run.verdict == verdict, str(run)
            assert holds(run, offset), str(run)
            assert run.target["discarded"]["suspended"] > 0, str(run)
            assert len(reference.stop()["requests"]) >= 2, "it was not asked again"
    finally:
        reference.stop()


def test_connections_that_died_of_a_sleep_are_no_fault_of_the_server(machine, scripted, sharp_reference):
    """Whoever is in between has forgotten them."""

    def fall_asleep(_: Scripted) -> object:
        machine.move()
        return BREAK_OFF

    # The first request: what a server breaks off later may be a connection that it was free to close.
    server = scripted(jump=lambda: HOUR if machine.has_moved else 0, before={1: fall_asleep})
    run = check(server.url, environment=machine.clocks(realtime=HOUR, boottime=HOUR))
    assert run.verdict == OK, str(run)


def test_a_sleep_too_late_to_hold_the_round_again_is_this_machines_fault(machine, scripted):
    """Nobody knows what the answers are worth, and there is no time to ask again: so nothing is claimed."""

    def fall_asleep_late(_: Scripted) -> None:
        time.sleep(LATE)
        machine.move()

    server = scripted(jump=lambda: HOUR if machine.has_moved else 0, before={2: fall_asleep_late})
    environment = machine.clocks(realtime=HOUR, boottime=HOUR)
    run = check(server.url, "--timeout", TIMEOUT, environment=environment)
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "suspended" in run.words, run.words


def test_an_undisturbed_round_discards_nothing(machine, scripted, sharp_reference):
    """With the shim, and nothing that moves: what the tests above see is not of the shim's making."""
    run = check(scripted(offset=0.5).url, environment=machine.clocks(realtime=HOUR, boottime=HOUR))
    assert run.verdict == OK, str(run)
    discarded = run.target["discarded"]
    # How busy this machine is, nobody has a say in.
    assert (discarded["suspended"], discarded["clock_step"]) == (0, 0), str(run)
    assert holds(run, 0.5), str(run)


# ----------------------------------------------------------------------------------------------------- its clock is set


@pytest.mark.parametrize(("offset", "verdict"), OFFSETS, ids=["right", "ahead", "behind"])
@pytest.mark.parametrize("wrong", [-HOUR, +40], ids=["an hour slow", "40 s fast"])
def test_a_clock_that_is_set_right_in_the_middle_of_a_round_judges_rightly(
    machine, scripted, sharp_reference, wrong, offset, verdict
):
    """What was measured by the wrong clock is discarded, and the round held again by the right one."""
    server = scripted(offset=offset, before={6: lambda _: machine.move()}, delay=0.02)
    run = check(server.url, environment=machine.clocks(realtime_before=wrong))
    assert machine.has_moved
    assert run.verdict == verdict, str(run)
    assert holds(run, offset), str(run)
    assert run.target["discarded"]["clock_step"] > 0, str(run)
    assert run.target["discarded"]["suspended"] == 0, str(run)


def test_a_clock_that_is_set_too_late_to_hold_the_round_again_is_this_machines_fault(machine, scripted):
    def set_late(_: Scripted) -> None:
        time.sleep(LATE)
        machine.move()

    server = scripted(before={2: set_late})
    run = check(server.url, "--timeout", TIMEOUT, environment=machine.clocks(realtime=-40))
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "stepped" in run.words, run.words


def test_a_server_that_is_down_is_down_though_the_clock_was_set(machine, scripted):
    """Nobody needs a clock to see that."""

    def set_it_and_break_off(_: Scripted) -> object:
        time.sleep(LATE)
        machine.move()
        return BREAK_OFF

    # Also when it is asked once more.
    server = scripted(before={1: set_it_and_break_off, 2: lambda _: BREAK_OFF})
    run = check(server.url, "--timeout", TIMEOUT, environment=machine.clocks(realtime=-40))
    assert run.verdict == ("CRITICAL", "down"), str(run)


@pytest.mark.parametrize(("offset", "verdict"), OFFSETS, ids=["right", "ahead", "behind"])
def test_with_time_servers_the_clock_may_be_set_at_any_time(machine, scripted, ntp, offset, verdict):
    server = scripted(offset=offset, before={6: lambda _: machine.move()}, delay=0.02)
    environment = machine.clocks(realtime=7200, realtime_before=-40)
    run = check(server.url, "--reference", ntp().reference, environment=environment)
    assert machine.has_moved
    assert run.verdict == verdict, str(run)
    assert holds(run, offset), str(run)
    assert run.target["discarded"]["clock_step"] == 0, str(run)


# ------------------------------------------------------------------------------------------------------------ too busy


@pytest.mark.parametrize(("offset", "verdict"), OFFSETS, ids=["right", "ahead", "behind"])
def test_a_check_that_is_stopped_for_a_second_is_not_misled(scripted, sharp_reference, offset, verdict):
    """Answers lie in its buffers meanwhile. Those prove little; others are asked for."""
    child: list[Child] = []

    def stop_for_a_second(_: Scripted) -> None:
        child[0].signal(signal.SIGSTOP)
        threading.Timer(1, lambda: child[0].signal(signal.SIGCONT)).start()

    started = threading.Event()
    server = scripted(offset=offset, before={6: lambda s: (started.wait(WAIT), stop_for_a_second(s))})
    child.append(start(server.url, "--output", "json"))
    started.set()
    try:
        child[0].wait()
    finally:
        child[0].signal(signal.SIGCONT)
        child[0].end()
    outcome = parse_outcome(child[0].stdout.text)
    assert (outcome["status"], outcome["reason"]) == verdict, child[0].stdout.text
    (target,) = outcome["targets"]
    (backend,) = target["backends"]
    assert backend["offset"]["earliest"] - 0.001 <= offset <= backend["offset"]["latest"] + 0.001
    assert backend["offset"]["latest"] - backend["offset"]["earliest"] < 0.5, "only answers that waited were used"
    assert outcome["duration"] >= 1, "it was not stopped at all"


def test_a_check_that_hardly_gets_a_processor_is_slower_and_not_wrong(one_nowd, sharp_reference):
    """The humblest of programs, beside one that takes all of a processor."""
    core = min(os.sched_getaffinity(0))
    taskset, nice = need("taskset"), need("nice")
    hog = subprocess.Popen([taskset, "-c", str(core), sys.executable, "-c", "while True: pass"])
    try:
        for _ in range(5):
            check_it = [binary("nowcheck"), *trusting(one_nowd.url, "--output", "json")]
            command = [taskset, "-c", str(core), nice, "-n", "19", *check_it]
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, env=clean_environment()
            )
            outcome = parse_outcome(done.stdout)
            # With yet more beside it, three quarters of the 10 s may not be enough to ask in.
            is_in_time = outcome["duration"] < 7.5
            assert (outcome["status"], outcome["reason"]) == OK or (
                outcome["status"] == "UNKNOWN" and not is_in_time
            ), done.stdout
            for backend in outcome["targets"][0]["backends"]:
                assert backend["offset"]["earliest"] <= 0 <= backend["offset"]["latest"], done.stdout
    finally:
        hog.kill()
        hog.wait()


# --------------------------------------------------------------------- proxies in the environment


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"])
def test_proxies_from_the_environment_are_not_used(faulty, one_nowd, name):
    """A check of an address has to reach that address: a proxy would answer for whom it likes, and cache."""
    proxy = faulty("refuses-with-a-status")
    run = check(one_nowd.url, environment={name: proxy.url})
    assert run.verdict == OK, str(run)
    assert proxy.stop()["connections"] == 0


def test_proxies_from_the_environment_are_not_used_for_https(faulty, authority):
    proxy = faulty("refuses-with-a-status")
    server = faulty("answers", tls=authority.certificate("127.0.0.1"))
    environment = dict.fromkeys(["https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"], proxy.url)
    assert check(server.url, "--ca-file", str(authority.file), environment=environment).verdict == OK
    assert proxy.stop()["connections"] == 0


# ------------------------------------------------------------------------------------------------------------ --resolve


def named(server: servers.Server, name: str = "time.example") -> str:
    return f"{server.scheme}://{name}:{server.port}"


def test_an_address_that_is_given_is_the_one_that_is_checked(faulty):
    server = faulty("answers")
    run = check(named(server), "--resolve", "time.example:127.0.0.1")
    assert run.verdict == OK, str(run)
    assert run.target["address"] == f"127.0.0.1:{server.port}"
    assert run.target["url"].startswith(named(server)), "it is still the name that is checked"
    assert run.target["phases"]["resolve"] is None, "nobody was asked"
    assert all(f"host: time.example:{server.port}" in head.lower() for head in server.stop()["heads"])


def test_an_ipv6_address_stands_in_brackets(faulty):
    server = faulty("answers", "--host", "::1")
    run = check(named(server), "--resolve", "time.example:[::1]")
    assert run.verdict == OK, str(run)
    assert run.target["address"] == f"[::1]:{server.port}"


def test_every_address_that_is_given_is_checked(faulty):
    """One that is down is not hidden by one that is up, as with addresses from the DNS."""
    server = faulty("answers")
    run = check(named(server), "--resolve", "time.example:127.0.0.1", "--resolve", "time.example:[::1]")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    statuses = {target["address"]: target["status"] for target in run.outcome["targets"]}
    assert statuses == {f"127.0.0.1:{server.port}": "OK", f"[::1]:{server.port}": "CRITICAL"}


def test_a_name_is_compared_as_names_are(faulty):
    server = faulty("answers")
    assert check(named(server, "Time.Example."), "--resolve", "TIME.example:127.0.0.1").verdict == OK


def test_the_certificate_is_still_that_of_the_name(faulty, authority):
    trust = ("--ca-file", str(authority.file), "--resolve", "time.example:127.0.0.1")
    right = faulty("answers", tls=authority.certificate("time.example"))
    assert check(named(right), *trust).verdict == OK
    other = faulty("answers", tls=authority.certificate("other.example", "127.0.0.1"))
    run = check(named(other), *trust)
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["kind"] == "certificate", str(run)


def test_only_the_name_that_is_given_is_resolved_by_hand(faulty, one_nowd):
    server = faulty("answers")
    run = check(named(server), one_nowd.url, "--resolve", "time.example:127.0.0.1")
    assert run.verdict == OK, str(run)
    assert len(run.outcome["targets"]) == 2


@pytest.mark.parametrize(
    "value",
    ["", "time.example", "time.example:", ":127.0.0.1", "time.example:nonsense", "time.example:[::1", "a b:127.0.0.1"],
)
def test_what_is_no_name_with_an_address_is_refused(value):
    run = nowcheck("http://time.example", f"--resolve={value}")
    assert run.exit == 3
    assert "--resolve" in run.stderr, str(run)
    assert "unexpected argument" not in run.stderr, str(run)


def test_a_name_that_nobody_asks_for_is_refused_as_the_slip_that_it_is():
    run = nowcheck("http://time.example", "--resolve", "time.exmaple:127.0.0.1")
    assert run.exit == 3
    assert "time.exmaple" in run.stderr, str(run)


# ------------------------------------------------------------------------------------------------- the shim itself


def test_the_shim_moves_the_clocks_that_it_should_and_when(machine):
    """Seen by a program of its own, so that the tests above prove something."""
    script = (
        "import sys, time\n"
        "for _ in sys.stdin:\n"
        "    print(time.clock_gettime(0), time.clock_gettime(1), time.clock_gettime(7), flush=True)\n"
    )
    environment = os.environ | machine.clocks(realtime=HOUR, realtime_before=-40, boottime=7200)
    child = Child([sys.executable, "-c", script], env=environment)
    try:
        for number, shifts in enumerate([(-40, 0, 0), (HOUR, 0, 7200)], start=1):
            before = [time.clock_gettime(clock) for clock in (0, 1, 7)]
            child.process.stdin.write("\n")
            child.process.stdin.flush()
            child.stdout.wait_for_count(number)
            theirs = [float(word) for word in child.stdout.lines[-1][1].split()]
            after = [time.clock_gettime(clock) for clock in (0, 1, 7)]
            for earliest, shown, latest, shift in zip(before, theirs, after, shifts, strict=True):
                assert earliest - 0.001 <= shown - shift <= latest + 0.001, f"{shown} is not shifted by {shift} s"
            machine.move()
    finally:
        child.end()


def test_the_scripted_server_says_what_it_should(scripted):
    server = scripted(offset=5, before={2: lambda s: setattr(s, "offset", 7)})
    with socket.create_connection(("127.0.0.1", server.server.server_port), timeout=5) as client:
        client.settimeout(5)
        said = []
        for _ in range(2):
            client.sendall(b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += client.recv(4096)
            said.append(json.loads(answer.split(b"\r\n\r\n")[1])["datetime"][:19])
    now = time.time()
    for moment, offset in zip(said, (5, 7), strict=True):
        shown = time.strptime(moment, "%Y-%m-%dT%H:%M:%S")
        assert abs(calendar.timegm(shown) - now - offset) < 2


def paused(scripted: Callable[..., Scripted], pause: float, *arguments: str, offset: float = 0) -> dict:
    """The outcome of a check that is paused, with `--timeout 1s`, from its first request on: a virtual machine that is
    moved, a process that is stopped. The answer lies there all the time."""
    started: list[subprocess.Popen] = []

    def stop(_: Scripted) -> None:
        poll(lambda: started, "the process that asked")
        started[0].send_signal(signal.SIGSTOP)

    server = scripted(offset=offset, before={1: stop})
    command = [binary("nowcheck"), *trusting(server.url, "--timeout", "1s", "--output", "json", *arguments)]
    started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()))
    try:
        state = Path(f"/proc/{started[0].pid}/stat")
        poll(lambda: state.read_text().split()[2] == "T", "the pause")
        time.sleep(pause)
    finally:
        started[0].send_signal(signal.SIGCONT)
    outcome = parse_outcome(started[0].communicate(timeout=WAIT)[0].strip())
    assert outcome["duration"] > pause, f"it was not paused at all: {outcome}"
    return outcome


def test_a_checker_that_was_paused_beyond_its_time_says_so_and_does_not_call_the_server_down(scripted):
    outcome = paused(scripted, 1.5)
    assert (outcome["status"], outcome["reason"]) == ("UNKNOWN", "checker_fault"), outcome
    assert "could not run until" in outcome["summary"], outcome["summary"]


@pytest.mark.parametrize("offset", [5, -5], ids=["ahead", "behind"])
def test_a_clock_that_is_proven_to_be_wrong_is_wrong_although_the_checker_was_paused(scripted, sharp_reference, offset):
    """An answer that was read a second and a half too late makes the interval that much wider, and no less true."""
    outcome = paused(scripted, 1.5, offset=offset)
    assert (outcome["status"], outcome["reason"]) == WRONG, outcome
    interval = outcome["targets"][0]["backends"][0]["offset"]
    assert interval["earliest"] - 0.001 <= offset <= interval["latest"] + 0.001, outcome


def test_a_clock_that_is_proven_to_be_right_is_right_although_the_checker_was_paused(scripted, sharp_reference):
    outcome = paused(scripted, 1.5, "--max-offset", "1m")
    assert (outcome["status"], outcome["reason"]) == OK, outcome


@pytest.mark.parametrize("pause", [0.9, 1.0, 1.05])
def test_a_pause_that_ends_about_when_the_time_does_is_not_the_silence_of_the_server(scripted, pause):
    """Too little too late to be called a pause: but the answer is there."""
    outcome = paused(scripted, pause)
    assert outcome["status"] in ("OK", "UNKNOWN"), outcome
