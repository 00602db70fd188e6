"""A balancer shows one backend at a time. The check finds them all, and names the one whose clock is wrong."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from support import servers
from support.balancer import Balancer
from support.nowcheck import Run, check, nowcheck

OFFSETS = (0.0, 0.0, -3.0, 0.0)
BOTH = ("127.0.0.1", "::1")


@dataclass
class Replica:
    """A nowd, and the name that it has given itself."""

    server: servers.Server
    offset: float
    instance: str


def replica(offset: float) -> Replica:
    server = servers.start_nowd(offset)
    return Replica(server, offset, json.loads(server.get("/now")[2])["instance"])


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[Replica]]:
    """Four of which the third is 3 s behind, and two more that are 3 s ahead and half a second ahead."""
    started = []
    try:
        for offset in (*OFFSETS, +3.0, +0.5):
            started.append(replica(offset))
        yield started
    finally:
        for one in started:
            one.server.stop()


@pytest.fixture(scope="module")
def four(replicas) -> list[Replica]:
    return replicas[:4]


@pytest.fixture(scope="module")
def three(replicas) -> list[Replica]:
    """Those that are right."""
    return [one for one in replicas[:4] if one.offset == 0]


@pytest.fixture(scope="module")
def balanced(tmp_path_factory) -> Iterator[Callable[..., Balancer]]:
    """`balanced(replicas)`, `balanced(replicas, "leastconn")`, `balanced({"127.0.0.1": some, "::1": others})`."""
    started, directory = [], tmp_path_factory.mktemp("balancers")

    def start(behind, balance: str = "roundrobin", mode: str = "http") -> Balancer:
        if not isinstance(behind, dict):
            behind = dict.fromkeys(BOTH, behind)
        ports = {address: [port_of(one) for one in some] for address, some in behind.items()}
        started.append(Balancer(directory, ports, balance, mode))
        return started[-1]

    try:
        yield start
    finally:
        for balancer in started:
            balancer.stop()


def port_of(server) -> int:
    return server.server.port if isinstance(server, Replica) else server.port


def backends_of(run: Run) -> list[tuple[str, dict]]:
    """Every backend with the address that it was met at."""
    return [(target["address"], backend) for target in run.outcome["targets"] for backend in target["backends"]]


def names(run: Run) -> set[str]:
    return {backend["instance"] for _, backend in backends_of(run)}


def names_the_late_one(run: Run, late: Replica, addresses: set[str], at_each: bool = True) -> bool:
    """CRITICAL; the late one is named at these addresses, in figures and in words, and no other is accused."""
    if run.verdict != ("CRITICAL", "desynchronized"):
        return False
    accused = {(address, one["instance"]) for address, one in backends_of(run) if one["status"] != "OK"}
    wanted = {(address, late.instance) for address in addresses}
    in_words = any(
        late.instance in target["summary"] and target["address"] in addresses
        for target in run.outcome["targets"]
        if target["status"] == "CRITICAL"
    )
    true = all(
        one["offset"]["earliest"] - 0.001 <= late.offset <= one["offset"]["latest"] + 0.001
        for _, one in backends_of(run)
        if one["instance"] == late.instance
    )
    return (accused == wanted if at_each else accused <= wanted and bool(accused)) and in_words and true


WAYS = {
    "IPv4": ("127.0.0.1", ["127.0.0.1:{}"]),
    "IPv6": ("[::1]", ["[::1]:{}"]),
    "both": ("clocks.localhost", ["127.0.0.1:{}", "[::1]:{}"]),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_one_of_four_that_is_3_s_behind_is_named_in_99_of_100_runs(balanced, four, sharp_reference, way, balance):
    late = four[2]
    balancer = balanced(four, balance)
    host, addresses = way[0], {address.format(balancer.port) for address in way[1]}
    runs = [check(balancer.url(host)) for _ in range(100)]
    failed = [str(run) for run in runs if not names_the_late_one(run, late, addresses)]
    assert len(failed) <= 1, f"{len(failed)} of {len(runs)} runs did not:\n" + "\n".join(failed)
    # By its own account, so without the start of the program. A busy machine holds up a few; a wait that does not
    # belong there holds up many.
    slow = [run.outcome["duration"] for run in runs if run.outcome["duration"] >= 2]
    assert len(slow) <= len(runs) / 10, f"{len(slow)} rounds on a local network took up to {max(slow):.1f} s"


def test_a_balancer_that_draws_lots_hides_nobody_either(balanced, four, sharp_reference):
    """Lots may miss one at an address, in at most 1 % of the rounds, as the outcome says. At both: hardly ever."""
    late = four[2]
    balancer = balanced(four, "random(1)")
    addresses = {f"127.0.0.1:{balancer.port}", f"[::1]:{balancer.port}"}
    runs = [check(balancer.url("clocks.localhost")) for _ in range(100)]
    failed = [str(run) for run in runs if not names_the_late_one(run, late, addresses, at_each=False)]
    assert len(failed) <= 1, f"{len(failed)} of {len(runs)} runs did not:\n" + "\n".join(failed)
    for run in runs:
        for target in run.outcome["targets"]:
            assert target["miss_probability"] <= 0.01, str(run)


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_what_the_balancer_understands_does_not_matter(balanced, four, sharp_reference, mode):
    """A balancer that reads HTTP spreads requests, one that does not spreads connections."""
    balancer = balanced(four, "roundrobin", mode)
    for _ in range(10):
        run = check(balancer.url("127.0.0.1"))
        assert names_the_late_one(run, four[2], {f"127.0.0.1:{balancer.port}"}), str(run)


def test_people_and_plugins_are_told_which_one(balanced, four, sharp_reference):
    balancer = balanced({"127.0.0.1": four, "::1": four[:2]})
    for output in ("human", "nagios"):
        run = nowcheck(balancer.url("clocks.localhost"), "--output", output)
        assert run.exit == 2, str(run)
        line = next(line for line in run.stdout.splitlines() if "CRITICAL" in line)
        assert f"127.0.0.1:{balancer.port}" in line, str(run)
        assert four[2].instance in run.stdout, str(run)


def test_all_that_are_wrong_are_named(balanced, replicas, sharp_reference):
    run = check(balanced(replicas).url("127.0.0.1"))
    assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
    found = {one["instance"]: one for _, one in backends_of(run)}
    assert set(found) == {one.instance for one in replicas}
    for one in replicas:
        backend = found[one.instance]
        assert backend["status"] == ("OK" if abs(one.offset) <= 1 else "CRITICAL"), str(run)
        assert backend["offset"]["earliest"] - 0.001 <= one.offset <= backend["offset"]["latest"] + 0.001, str(run)


def test_backends_that_are_right_are_all_met_and_ok(balanced, three, sharp_reference):
    run = check(balanced(three).url("clocks.localhost"))
    assert run.verdict == ("OK", "in_sync"), str(run)
    for target in run.outcome["targets"]:
        assert {backend["instance"] for backend in target["backends"]} == {one.instance for one in three}, str(run)
        assert target["miss_probability"] <= 0.01


def test_one_that_is_down_is_not_hidden_by_those_that_are_up(balanced, three):
    gone = servers.start_nowd()
    gone.stop()
    run = check(balanced([*three, gone]).url("127.0.0.1"))
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert run.failure["http_status"] == 503, str(run)


# --------------------------------------------------------------------------------------------- backends without a name


@pytest.mark.parametrize(
    ("says", "arguments"),
    [("rfc3339", ("--field", "datetime")), ("unix-ms", ("--field", "data.times.0.epoch")), ("hms", ())],
    ids=["nanoseconds", "milliseconds", "whole seconds"],
)
def test_backends_without_a_name_are_told_apart_by_what_they_say(balanced, faulty, sharp_reference, says, arguments):
    nameless = [faulty("answers", "--says", says, "--offset", offset) for offset in OFFSETS]
    balancer = balanced(nameless)
    for _ in range(5):
        run = check(balancer.url("127.0.0.1"), *arguments)
        assert run.verdict == ("CRITICAL", "desynchronized"), str(run)
        late, right = sorted((one["offset"] for _, one in backends_of(run)), key=lambda offset: offset["estimate"])
        assert late["latest"] < right["earliest"], f"they do not exclude each other:\n{run}"
        assert late["earliest"] <= -3 <= late["latest"], str(run)
        assert right["earliest"] <= 0 <= right["latest"], str(run)
        assert {one["instance"] for _, one in backends_of(run)} == {None}
        assert f"127.0.0.1:{balancer.port}" in run.target["address"]
        assert "name" in run.words, f"not a word of how they were told apart: {run.words}"


def test_backends_without_a_name_that_agree_are_one_clock_as_far_as_anybody_can_see(balanced, faulty, sharp_reference):
    balancer = balanced([faulty("answers", "--says", "rfc3339") for _ in range(3)])
    run = check(balancer.url("127.0.0.1"), "--field", "datetime")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.backend["instance"] is None


# ---------------------------------------------------------------------------------------------------- --expect-backends


def test_fewer_backends_than_expected_are_critical(balanced, three, sharp_reference):
    balancer = balanced(three)
    for enough in ("1", "3"):
        run = check(balancer.url("127.0.0.1"), "--expect-backends", enough)
        assert run.verdict == ("OK", "in_sync"), str(run)
    run = check(balancer.url("127.0.0.1"), "--expect-backends", "4")
    assert run.verdict == ("CRITICAL", "backends_missing"), str(run)
    assert re.search(r"\b3\b", run.words), f"not how many there are: {run.words}"
    assert re.search(r"\b4\b", run.words), f"not how many there should be: {run.words}"


def test_backends_are_counted_over_all_addresses_of_a_url(balanced, replicas, sharp_reference):
    right = [one for one in replicas if abs(one.offset) < 1]
    assert len(right) == 4
    balancer = balanced({"127.0.0.1": right[:2], "::1": right[2:]})
    for expected, verdict in {"4": ("OK", "in_sync"), "5": ("CRITICAL", "backends_missing")}.items():
        run = check(balancer.url("clocks.localhost"), "--expect-backends", expected)
        assert run.verdict == verdict, f"{expected} expected:\n{run}"
        assert names(run) == {one.instance for one in right}, str(run)
    # At one address there are two, whatever is behind another.
    assert check(balancer.url("127.0.0.1"), "--expect-backends", "3").verdict == ("CRITICAL", "backends_missing")


def test_backends_that_stand_behind_both_addresses_count_once(balanced, three, sharp_reference):
    run = check(balanced(three).url("clocks.localhost"), "--expect-backends", "4")
    assert run.verdict == ("CRITICAL", "backends_missing"), str(run)


def test_a_balancer_that_pins_its_clients_hides_the_others_unless_they_are_expected(balanced, four, sharp_reference):
    pinned = balanced(four[:2], "source")
    assert len(names(check(pinned.url("127.0.0.1")))) == 1
    run = check(pinned.url("127.0.0.1"), "--expect-backends", "2")
    assert run.verdict == ("CRITICAL", "backends_missing"), str(run)


def test_more_than_expected_is_fine(balanced, three, sharp_reference):
    run = check(balanced(three).url("127.0.0.1"), "--expect-backends", "2")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert names(run) == {one.instance for one in three}, "it stopped as soon as it had met as many as it had to"


def test_a_wrong_clock_is_still_named_when_backends_are_missing(balanced, four, sharp_reference):
    run = check(balanced(four).url("127.0.0.1"), "--expect-backends", "5")
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert four[2].instance in run.words, run.words
    assert re.search(r"\b5\b", run.words), run.words


def test_backends_without_a_name_cannot_be_counted(balanced, faulty, sharp_reference):
    balancer = balanced([faulty("answers", "--says", "rfc3339") for _ in range(2)])
    run = check(balancer.url("127.0.0.1"), "--field", "datetime", "--expect-backends", "2")
    assert run.outcome["status"] == "UNKNOWN", str(run)
    assert "counted" in run.words, run.words
    assert "name" in run.words or "instance" in run.words, run.words


def test_a_server_that_is_down_is_down_and_not_a_lack_of_backends(faulty):
    run = check(faulty("refuses-with-a-status").url, "--expect-backends", "2")
    assert run.verdict == ("CRITICAL", "down"), str(run)


@pytest.mark.parametrize("number", ["0", "-1", "many", "1.5", ""])
def test_a_number_of_backends_that_is_none_is_refused(number):
    run = nowcheck("http://127.0.0.1:9", f"--expect-backends={number}")
    assert run.exit == 3
    assert "--expect-backends" in run.stderr, str(run)
    assert "unexpected argument" not in run.stderr, str(run)


# --------------------------------------------------------------------------------------------------- --miss-probability


def test_a_smaller_chance_of_missing_one_costs_more_connections(balanced, three, sharp_reference):
    balancer = balanced(three)
    targets = {
        chance: check(balancer.url("127.0.0.1"), "--miss-probability", chance).target
        for chance in ("10%", "1%", "0.1%", "0.001")
    }
    for chance, target in targets.items():
        most = float(chance.removesuffix("%")) / (100 if "%" in chance else 1)
        assert target["miss_probability"] <= most, chance
    assert targets["10%"]["connections"] < targets["1%"]["connections"] < targets["0.1%"]["connections"]
    assert targets["0.1%"]["connections"] == targets["0.001"]["connections"], "two ways to write one number"
    unsaid = check(balancer.url("127.0.0.1")).target
    assert unsaid["connections"] == targets["1%"]["connections"], "1 % is what it is when nobody says"


@pytest.mark.parametrize("chance", ["0", "0%", "1", "100%", "2", "-1%", "few", "nan", ""])
def test_a_chance_that_is_none_is_refused(chance):
    run = nowcheck("http://127.0.0.1:9", f"--miss-probability={chance}")
    assert run.exit == 3
    assert "--miss-probability" in run.stderr, str(run)
    assert "unexpected argument" not in run.stderr, str(run)


# ------------------------------------------------------------------------------------------------- the connections


def test_connections_are_opened_side_by_side_and_not_more_than_eight_at_once(scripted, sharp_reference):
    """A server that takes 0.2 s for each answer: one after the other, twenty requests would take 4 s, and here it is a
    quarter of that."""
    server = scripted(delay=0.2)
    run = check(server.url, "--miss-probability", "0.1%")
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert run.target["connections"] > 8, str(run)
    assert run.outcome["duration"] < 0.7 * 0.2 * run.target["requests"], str(run)
    assert 4 <= server.most_at_once <= 8
