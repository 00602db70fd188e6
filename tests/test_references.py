"""What the check compares with: this machine's clock, real time servers (chronyd), or what most of them agree on.

The targets are right or 3 s ahead by this machine's clock, which here is the true time. When a test makes "the local
clock" wrong, it is that of nowcheck alone, by faketime.
"""

import datetime
import itertools
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import servers, time_server
from support.nowcheck import Run, check, messages, nowcheck, parse_outcome
from support.process import poll
from support.time_server import TimeServer
from support.tools import faketime

OK, WRONG = ("OK", "in_sync"), ("CRITICAL", "desynchronized")
LIE = 5.0
HOUR = 3600.0


@pytest.fixture(scope="module")
def ahead() -> Iterator[servers.Server]:
    """A nowd that is 3 s ahead."""
    server = servers.start_nowd(+3)
    yield server
    server.stop()


@dataclass
class TimeServers:
    honest: list[TimeServer]
    liar: TimeServer
    ignorant: TimeServer
    silent: TimeServer


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Iterator[TimeServers]:
    """Three chronyd that are right, one that is 5 s ahead, one that does not know the time; and one that is silent."""
    directory: Path = tmp_path_factory.mktemp("chrony")
    started: list[TimeServer] = []

    def start(**how) -> TimeServer:
        started.append(time_server.start_chronyd(directory, **how))
        return started[-1]

    try:
        honest = [start() for _ in range(3)]
        liar, ignorant = start(offset=LIE), start(knows_the_time=False)
        silent = time_server.start_ntp("--silent")
        started.append(silent)
        yield TimeServers(honest, liar, ignorant, silent)
    finally:
        for server in started:
            server.stop()


def by(*sources: TimeServer | str) -> list[str]:
    """The flags that name these references."""
    return [word for one in sources for word in ("--reference", one if isinstance(one, str) else one.reference)]


def source(run: Run, wanted: TimeServer | str) -> dict:
    name = wanted if isinstance(wanted, str) else wanted.reference
    (found,) = (one for one in run.outcome["reference"]["sources"] if one["name"] == name)
    return found


def standing(run: Run, *wanted: TimeServer | str) -> list[str]:
    return [source(run, one)["status"] for one in wanted]


def local_offset_holds(run: Run, truth: float) -> bool:
    offset = run.outcome["reference"]["local_offset"]
    # What faketime adds takes a moment to be read.
    return offset["earliest"] - 0.001 <= truth <= offset["latest"] + 0.001


def interval_in_words(line: str) -> tuple[float, float]:
    """The ends of the interval in a line for people: `+5.024 s ± 25 ms`; or, as wide as a busy machine may make it,
    `between +4.90 s and +5.15 s`, of which three digits are shown."""
    units = {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
    figure = r"([+-]?[\d.]+) (s|ms|µs|ns)\b"
    if found := re.search(rf"{figure} ± {figure}", line):
        middle, bound = float(found[1]) * units[found[2]], float(found[3]) * units[found[4]]
        return middle - bound, middle + bound
    found = re.search(rf"between {figure} and {figure}", line)
    assert found, f"no interval: {line}"
    return float(found[1]) * units[found[2]] - 0.01, float(found[3]) * units[found[4]] + 0.01


def most_exact(*arguments: str, **how) -> Run:
    """Of three rounds with the same verdict the one that knows most: a busy machine makes some of them vaguer."""
    runs = [check(*arguments, **how) for _ in range(3)]
    assert len({run.verdict for run in runs}) == 1, "\n".join(map(str, runs))
    return min(runs, key=lambda run: run.backend["offset"]["latest"] - run.backend["offset"]["earliest"])


def kernel_vouches(one_nowd) -> bool:
    return check(one_nowd.url, trust=False).outcome["reference"]["status"] == "synchronized"


def an_hour_slow() -> dict[str, str]:
    return faketime(f"{-HOUR:+g}s")


# --------------------------------------------------------------------------------------------------- one, and several


def test_this_machines_clock_is_the_reference_when_none_is_named(one_nowd):
    run = check(one_nowd.url, trust=False)
    reference = run.outcome["reference"]
    assert reference["source"] == "system"
    assert reference["local_offset"] is None, "it is not compared with anything"
    (system,) = reference["sources"]
    assert (system["name"], system["address"], system["stratum"], system["leap"]) == ("system", None, None, None)
    assert system["status"] == ("truechimer" if reference["status"] == "synchronized" else "not_vouched_for")
    assert check(one_nowd.url, "--reference", "system").outcome["reference"]["source"] == "system"


@pytest.mark.parametrize("family", ["127.0.0.1", "::1"])
def test_a_time_server_is_a_reference_by_itself(one_nowd, ahead, chronyd, family):
    honest = chronyd(host=family)
    run = most_exact(one_nowd.url, *by(honest))
    reference = run.outcome["reference"]
    assert run.verdict == OK, str(run)
    assert (reference["source"], reference["status"]) == ("ntp", "synchronized")
    assert 0 < reference["max_error"] < 0.05, str(run)
    found = source(run, honest)
    assert (found["address"], found["status"]) == (honest.address, "truechimer")
    assert (found["stratum"], found["leap"], found["message"]) == (10, "none", None)
    assert local_offset_holds(run, 0), str(run)
    late = most_exact(ahead.url, *by(honest))
    assert late.verdict == WRONG, str(late)
    interval = late.backend["offset"]
    assert interval["earliest"] <= 3 <= interval["latest"], str(late)
    assert interval["latest"] - interval["earliest"] < 0.1, str(late)


def test_nobody_has_to_vouch_for_this_machine_when_a_time_server_does(one_nowd, real):
    """Also where the kernel says that its clock is not synchronized, as it does in many containers."""
    run = check(one_nowd.url, *by(real.honest[0]), "--strict")
    assert run.verdict == OK, str(run)
    assert "not synchronized (NTP), by its kernel" not in "\n".join(messages(run.target["notes"])), str(run)


def test_this_machine_and_time_servers_vote_together(one_nowd, real):
    run = check(one_nowd.url, *by("system", *real.honest))
    assert run.verdict == OK, str(run)
    assert run.outcome["reference"]["source"] == "system+ntp"
    assert standing(run, *real.honest) == ["truechimer"] * 3
    assert standing(run, "system") == ["truechimer" if kernel_vouches(one_nowd) else "not_vouched_for"]


def test_a_name_is_resolved_for_a_time_server_too(one_nowd, real):
    name = f"ntp:time.localhost:{real.honest[0].port}"
    run = check(one_nowd.url, "--reference", name)
    assert run.verdict == OK, str(run)
    assert source(run, name)["address"] == real.honest[0].address


def test_one_liar_among_four_is_named_and_changes_nothing(one_nowd, ahead, real):
    flags = by(real.honest[0], real.liar, *real.honest[1:])
    for target, verdict in ((one_nowd, OK), (ahead, WRONG)):
        run = check(target.url, *flags)
        assert run.verdict == verdict, str(run)
        assert run.outcome["reference"]["status"] == "synchronized"
        assert standing(run, *real.honest, real.liar) == ["truechimer"] * 3 + ["falseticker"]
        assert local_offset_holds(run, 0), str(run)
    people = nowcheck(one_nowd.url, *flags)
    assert people.exit == 0
    (line,) = (line for line in people.stdout.splitlines() if "falseticker" in line)
    assert real.liar.reference in line, str(people)
    earliest, latest = interval_in_words(line)
    assert earliest - 0.001 <= LIE <= latest + 0.001, f"not by how much it lies: {line}"
    assert latest - earliest < 1, f"so wide that it says little: {line}"


def test_the_liar_is_found_each_time(one_nowd, real):
    for _ in range(30):
        run = check(one_nowd.url, *by(real.liar, *real.honest))
        assert run.verdict == OK, str(run)
        assert standing(run, real.liar) == ["falseticker"], str(run)


@pytest.mark.parametrize("target", ["right", "wrong"])
def test_one_against_one_is_undecided_and_unknown(one_nowd, ahead, real, target):
    run = check((one_nowd if target == "right" else ahead).url, *by(real.honest[0], real.liar))
    assert run.verdict == ("UNKNOWN", "references_disagree"), str(run)
    assert run.exit == 3
    assert run.outcome["reference"]["status"] == "disagreement"
    assert run.outcome["reference"]["local_offset"] is None
    assert standing(run, real.honest[0], real.liar) == ["undecided"] * 2


def test_two_against_two_is_undecided_too(one_nowd, chronyd, real):
    run = check(one_nowd.url, *by(*real.honest[:2], real.liar, chronyd(LIE)))
    assert run.verdict == ("UNKNOWN", "references_disagree"), str(run)


# ------------------------------------------------------------------------------------------- those that do not help


def test_a_time_server_that_is_silent_is_left_out_and_named(one_nowd, real):
    run = check(one_nowd.url, *by(*real.honest[:2], real.silent))
    assert run.verdict == OK, str(run)
    assert standing(run, *real.honest[:2], real.silent) == ["truechimer"] * 2 + ["silent"]
    assert source(run, real.silent)["message"], "not a word of why"
    assert real.silent.reference in nowcheck(one_nowd.url, *by(real.honest[0], real.silent)).stdout


def test_silence_leaves_the_round_its_time(one_nowd, real):
    run = check(one_nowd.url, *by(real.honest[0], real.silent), "--timeout", "4s")
    assert run.verdict == OK, str(run)
    assert run.outcome["duration"] < 3, str(run)


def test_a_port_where_nobody_listens_is_no_reference(one_nowd, real, ntp):
    gone = ntp()
    gone.stop()
    run = check(one_nowd.url, *by(real.honest[0], gone))
    assert run.verdict == OK, str(run)
    assert standing(run, gone) == ["unusable"]
    assert "listen" in source(run, gone)["message"]


def test_a_time_server_that_does_not_know_the_time_is_not_believed(one_nowd, real):
    run = check(one_nowd.url, *by(real.honest[0], real.ignorant))
    assert run.verdict == OK, str(run)
    assert standing(run, real.ignorant) == ["unusable"]
    assert "synchronized" in source(run, real.ignorant)["message"]


def test_a_time_server_that_refuses_is_no_reference_and_its_word_is_shown(one_nowd, real, ntp):
    rated = ntp("--kod", "RATE")
    run = check(one_nowd.url, *by(real.honest[0], rated))
    assert run.verdict == OK, str(run)
    assert standing(run, rated) == ["unusable"]
    assert "RATE" in source(run, rated)["message"]
    assert len(rated.stop()["requests"]) == 1, "it was asked again although it had refused"


def rounds(child, count: int) -> list[dict]:
    child.stdout.wait_for_count(count, 60)
    return [parse_outcome(line) for _, line in child.stdout.lines[:count]]


def said_of(outcome: dict, wanted: TimeServer) -> tuple[str, str | None]:
    (found,) = (one for one in outcome["reference"]["sources"] if one["name"] == wanted.reference)
    return found["status"], found["message"]


@pytest.mark.parametrize("code", ["DENY", "RSTR"])
def test_a_time_server_that_denies_is_not_asked_again_in_later_rounds(one_nowd, ntp, endless, code):
    denies, honest = ntp("--kod", code), ntp()
    child = endless(one_nowd.url, *by(denies, honest), "--every", "1s", "--output", "json")
    first, *later = rounds(child, 4)
    assert said_of(first, denies)[0] == "unusable", first
    assert code in said_of(first, denies)[1], first
    for outcome in later:
        status, message = said_of(outcome, denies)
        assert status == "unusable", outcome
        assert code in message, outcome
        assert "not asked again" in message, outcome
        notes = [note for note in messages(outcome["reference"]["notes"]) if denies.reference in note]
        assert notes == [f"{denies.reference} was not used: {message}"], outcome
        assert outcome["status"] == "OK", outcome
    assert len(denies.stop()["requests"]) == 1, "it was asked again although it had refused"
    assert len(honest.stop()["requests"]) >= 4, "the other one has nothing to do with that"


def test_a_time_server_that_is_asked_too_often_is_asked_half_as_often_from_then_on(one_nowd, ntp, endless):
    rated = ntp("--kod", "RATE", "--kod-first", 1)
    child = endless(one_nowd.url, *by(rated), "--every", "1s", "--output", "json")
    outcomes = rounds(child, 7)
    said = [said_of(outcome, rated) for outcome in outcomes]
    assert said[0][0] != "truechimer", said
    begun = [datetime.datetime.fromisoformat(outcome["checked_at"]) for outcome in outcomes]
    asked = [begin for begin, (status, _) in zip(begun, said, strict=True) if status == "truechimer"]
    assert len(asked) >= 2, said
    # On a busy machine rounds may fall out, but time does not.
    assert all((later - sooner).total_seconds() > 1.5 for sooner, later in itertools.pairwise(asked)), (asked, said)
    refused = [message for status, message in said if status != "truechimer"]
    assert all("RATE" in message for message in refused), said
    assert "every 2 s" in refused[1], said


def test_a_time_server_that_goes_on_refusing_is_asked_less_and_less_often(one_nowd, ntp, endless):
    rated = ntp("--kod", "RATE")
    rounds(endless(one_nowd.url, *by(rated), "--every", "1s", "--output", "json"), 8)
    # In the rounds 0, 2 and 6; the next time would be the 14th.
    assert 2 <= len(rated.stop()["requests"]) <= 3


def test_a_single_line_a_round_says_that_the_only_time_server_is_not_asked_any_more(one_nowd, ntp, endless):
    denies = ntp("--kod", "DENY")
    child = endless(one_nowd.url, *by(denies), "--every", "1s")
    child.stdout.wait_for_count(2)
    assert "not asked again" in child.stdout.lines[1][1], child.stdout.text


def test_a_time_server_of_others_is_not_asked_more_often_than_they_allow(one_nowd):
    run = nowcheck(one_nowd.url, "--reference", "ntp:time.example", "--every", "15s")
    assert run.exit == 3, str(run)
    assert "--every must be 16s or more with ntp:time.example" in run.stderr, str(run)


def test_a_name_that_does_not_exist_is_no_reference(one_nowd, real):
    name = "ntp:nobody.invalid"
    run = check(one_nowd.url, *by(real.honest[0], name))
    assert run.verdict == OK, str(run)
    assert standing(run, name) == ["unusable"]
    assert "nobody.invalid" in source(run, name)["message"]


def test_without_any_time_server_there_is_nothing_to_compare_with(one_nowd, ahead, real):
    for target in (one_nowd, ahead):
        run = check(target.url, *by(real.silent, real.ignorant), "--timeout", "4s")
        assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
        assert run.outcome["reference"]["status"] == "unreachable"
        assert run.outcome["reference"]["max_error"] is None
        assert run.outcome["reference"]["local_offset"] is None


def test_a_packet_that_is_lost_is_asked_for_again(one_nowd, ntp):
    forgetful = ntp("--lose", 1)
    run = check(one_nowd.url, *by(forgetful))
    assert run.verdict == OK, str(run)
    assert standing(run, forgetful) == ["truechimer"]


@pytest.mark.parametrize(
    "flags", ["disagreement", "silence", "the local clock is wrong"], ids=lambda what: what.replace(" ", "_")
)
def test_a_server_that_is_down_is_critical_whatever_the_references_say(faulty, real, flags):
    down = faulty("refuses-with-a-status").url
    run = {
        "disagreement": lambda: check(down, *by(real.honest[0], real.liar)),
        "silence": lambda: check(down, *by(real.silent), "--timeout", "4s"),
        "the local clock is wrong": lambda: check(down, *by("system", *real.honest), environment=an_hour_slow()),
    }[flags]()
    assert run.verdict == ("CRITICAL", "down"), str(run)


# --------------------------------------------------------------------------------------- this machine's clock is wrong


def test_a_wrong_local_clock_is_the_servers_fault_as_long_as_it_is_the_only_reference(one_nowd, sharp_reference):
    """This is what the other tests here are about: so it is without time servers."""
    run = check(one_nowd.url, environment=an_hour_slow())
    assert run.verdict == WRONG, str(run)
    assert run.backend["offset"]["earliest"] <= HOUR <= run.backend["offset"]["latest"], str(run)


def test_an_hour_of_error_of_the_local_clock_changes_no_verdict(one_nowd, ahead, real):
    for target, verdict, truth in ((one_nowd, OK, 0), (ahead, WRONG, 3)):
        run = most_exact(target.url, *by(*real.honest), environment=an_hour_slow())
        assert run.verdict == verdict, str(run)
        interval = run.backend["offset"]
        assert interval["earliest"] - 0.001 <= truth <= interval["latest"] + 0.001, str(run)
        assert interval["latest"] - interval["earliest"] < 0.1, str(run)
        assert local_offset_holds(run, -HOUR), str(run)
        assert run.outcome["reference"]["status"] == "synchronized"
    people = nowcheck(one_nowd.url, *by(*real.honest), environment=an_hour_slow())
    assert "this machine's own clock" in people.stdout, str(people)


def test_whole_seconds_without_a_date_are_read_by_the_references_day(faulty, real):
    """A time of day finds its day by the reference, and not by this machine's clock."""
    server = faulty("answers", "--says", "hms")
    run = check(server.url, *by(*real.honest), environment=faketime("-40000s"))
    assert run.verdict == OK, str(run)


def test_a_reference_that_was_listed_and_is_wrong_is_this_machines_fault(one_nowd, real):
    run = check(one_nowd.url, *by("system", *real.honest), environment=an_hour_slow())
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert run.exit == 3
    # A kernel that does not vouch for the clock gives it no vote; the others convict it all the same.
    assert standing(run, "system")[0] in ("falseticker", "not_vouched_for"), str(run)
    assert local_offset_holds(run, -HOUR), str(run)
    assert "this machine's clock" in run.outcome["summary"], str(run)


def test_a_wrong_target_is_found_out_although_this_machines_clock_is_wrong_too(ahead, real):
    """Three time servers are enough to prove it."""
    run = check(ahead.url, *by("system", *real.honest), environment=an_hour_slow())
    assert run.verdict == WRONG, str(run)
    assert run.backend["offset"]["earliest"] <= 3.001
    assert run.backend["offset"]["latest"] >= 2.999


def test_this_machine_against_one_time_server_is_never_ok(one_nowd, real):
    """Whether it has a vote is up to its kernel: then it is one against one, otherwise it is simply wrong."""
    run = check(one_nowd.url, *by("system", real.honest[0]), environment=an_hour_slow())
    assert run.outcome["status"] == "UNKNOWN", str(run)
    assert run.outcome["reason"] in ("references_disagree", "checker_fault"), str(run)


@dataclass
class Stepping:
    """A wall clock that is stepped while a program runs: faketime reads its shift from a file, each time."""

    file: Path
    environment: dict[str, str]

    def step(self, shift: str) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{shift}\n")
        fresh.rename(self.file)


@pytest.fixture
def stepping(tmp_path) -> Stepping:
    environment = faketime("+0")
    environment.pop("FAKETIME", None)
    file = tmp_path / "faketimerc"
    environment |= {"FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_NO_CACHE": "1"}
    stepping = Stepping(file, environment)
    stepping.step("+0")
    return stepping


def stepped_in_the_middle(stepping: Stepping, server: servers.FaultyServer, *flags: str, shift: str) -> Run:
    """A round against a slow server, in the middle of which the wall clock of nowcheck is stepped."""
    runs: list[Run] = []
    thread = threading.Thread(
        target=lambda: runs.append(check(server.url, *flags, environment=stepping.environment)), daemon=True
    )
    thread.start()
    poll(lambda: established(server.port) > 0, "a connection to the slow server")
    stepping.step(shift)
    thread.join(30)
    assert runs, "the round did not end"
    return runs[0]


def established(port: int) -> int:
    """TCP connections to a port of this machine (proc(5), /proc/net/tcp: state 01)."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.parametrize("shift", ["+7200s", "-45s"])
def test_a_step_of_the_local_clock_in_the_middle_of_a_round_changes_nothing(faulty, real, stepping, shift):
    for offset, verdict in ((0, OK), (3, WRONG)):
        stepping.step("+0")
        server = faulty("answers", "--delay", "0.3", "--offset", offset)
        run = stepped_in_the_middle(stepping, server, *by(*real.honest), shift=shift)
        assert run.verdict == verdict, str(run)
        interval = run.backend["offset"]
        assert interval["earliest"] - 0.001 <= offset <= interval["latest"] + 0.001, str(run)
        assert run.target["discarded"]["clock_step"] == 0, "nothing rested on that clock, so nothing had to go"


def test_a_step_of_the_reference_itself_never_makes_a_verdict_wrong(faulty, stepping, sharp_reference):
    """The wall clock is the only reference, and is stepped. What was measured before is worth nothing after; the round
    is held again, by a clock that is now two hours ahead, which without another reference nobody can see."""
    server = faulty("answers", "--delay", "0.5")
    run = stepped_in_the_middle(stepping, server, shift="+7200s")
    assert run.target["discarded"]["clock_step"] > 0, str(run)
    interval = run.backend["offset"]
    assert interval["earliest"] - 0.001 <= -7200 <= interval["latest"] + 0.001, str(run)
    assert run.verdict == WRONG, str(run)


def test_certificates_are_judged_by_the_reference_and_not_by_a_wrong_local_clock(faulty, authority, real):
    """A certificate that is an hour old on a machine that is two hours slow: not yet valid there, but valid."""
    server = faulty("answers", tls=authority.certificate("127.0.0.1", starts_in_days=-1 / 24))
    slow, trust = faketime("-7200s"), ("--ca-file", str(authority.file))
    alone = check(server.url, *trust, environment=slow)
    assert alone.verdict == ("CRITICAL", "down"), str(alone)
    assert alone.failure["kind"] == "certificate", str(alone)
    run = check(server.url, *trust, *by(*real.honest), environment=slow)
    assert run.verdict == OK, str(run)
    assert run.target["certificate"]["days_left"] == pytest.approx(30, abs=0.01), str(run)


# ------------------------------------------------------------------------------------------------------------- --strict


def test_strict_wants_somebody_to_vouch_for_this_machines_clock(one_nowd):
    vouched = kernel_vouches(one_nowd)
    run = check(one_nowd.url, "--strict")
    assert run.verdict == (OK if vouched else ("UNKNOWN", "checker_fault")), str(run)
    if not vouched:
        assert "synchronized" in nowcheck(one_nowd.url, "--strict").stdout, "not a word of what is doubted"


def test_strict_does_not_hide_that_a_server_is_down(faulty):
    assert check(faulty("refuses-with-a-status").url, "--strict").verdict == ("CRITICAL", "down")


def test_strict_wants_an_answer_of_most_of_the_references(one_nowd, real):
    most = by(*real.honest[:2], real.silent)
    assert check(one_nowd.url, *most, "--strict").verdict == OK
    half = by(real.honest[0], real.silent)
    assert check(one_nowd.url, *half).verdict == OK
    run = check(one_nowd.url, *half, "--strict")
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert "--strict" in run.words, run.words


# ------------------------------------------------------------------------- leap seconds, and other facts


@pytest.mark.parametrize(("number", "name"), [(0, "none"), (1, "insert"), (2, "delete")])
def test_a_leap_second_that_is_announced_is_shown(one_nowd, ntp, number, name):
    server = ntp("--leap", number)
    run = check(one_nowd.url, *by(server))
    assert run.verdict == OK, str(run)
    assert source(run, server)["leap"] == name
    said = "second" in nowcheck(one_nowd.url, *by(server)).stdout.partition("reference:")[2]
    assert said == (number != 0), "people are told when there is one, and only then"


def test_a_server_that_smears_beside_one_that_does_not_is_warned_about(one_nowd, ntp):
    """Around a leap second they are up to a second apart (Google's and Amazon's servers say 254.x.x.x)."""
    smearing, plain = ntp("--reference-id", "254.1.2.3", "--stratum", 2), ntp("--reference-id", "GPS")
    for flags, is_warned in ((by(smearing, plain), True), (by(smearing), False), (by(plain), False)):
        run = check(one_nowd.url, *flags)
        assert run.verdict == OK, str(run)
        assert ("smears" in "\n".join(messages(run.outcome["reference"]["notes"]))) == is_warned, str(run)
        assert ("smears leap seconds" in nowcheck(one_nowd.url, *flags).stdout) == is_warned


def test_a_server_that_admits_an_error_is_believed_no_further(one_nowd, ntp):
    """Half of the root delay and all of the root dispersion are its own word on how wrong it may be."""
    vague = ntp("--root-delay", 0.2, "--root-dispersion", 0.05, "--offset", 0.12)
    run = most_exact(one_nowd.url, *by(vague))
    assert run.verdict == OK, str(run)
    assert run.outcome["reference"]["max_error"] == pytest.approx(0.15, abs=0.02)
    interval = run.backend["offset"]
    assert interval["earliest"] <= 0 <= interval["latest"], str(run)


def test_a_reference_that_is_vaguer_than_the_limit_proves_nothing(one_nowd, ntp):
    run = check(one_nowd.url, *by(ntp("--root-dispersion", 2)))
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)


def test_a_slow_way_to_a_time_server_makes_it_vaguer_and_not_wrong(one_nowd, ntp):
    run = most_exact(one_nowd.url, *by(ntp("--delay", 0.3)))
    assert run.verdict == OK, str(run)
    assert run.outcome["reference"]["max_error"] == pytest.approx(0.15, abs=0.05)
    interval = run.backend["offset"]
    assert interval["earliest"] <= 0 <= interval["latest"], str(run)


# ---------------------------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    "reference", ["", "nonsense", "ntp", "ntp:", "ntp:time.example:0", "ntp:time.example:70000", "ntp:[::1", "ntp:::1"]
)
def test_a_reference_that_cannot_be_one_is_refused(reference):
    run = nowcheck("http://127.0.0.1:9", f"--reference={reference}")
    assert run.exit == 3
    assert "--reference" in run.stderr, str(run)
    assert "unexpected argument" not in run.stderr, str(run)


def test_a_time_server_that_was_started_for_a_test_leaves_this_machines_clock_alone(real: TimeServers):
    """They run with `-x`, and say so."""
    for server in [*real.honest, real.liar, real.ignorant]:
        server.child.stderr.wait_for("Disabled control of system clock")
