"""Exit code 0 means proven: where nothing vouches for the clock that a service is compared with, no verdict is OK.

The kernel's word on this machine's clock is replaced, so that these tests say the same on every machine.
"""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.nowcheck import Run, check, clean_environment, messages, nowcheck
from support.process import WAIT, Child
from support.tools import binary, compiled, faketime

OK, WRONG = ("OK", "in_sync"), ("CRITICAL", "desynchronized")
UNVOUCHED = ("WARNING", "reference_not_vouched_for")
TRUST = "--trust-system-clock"
KERNELS = ["unsynchronized", "refused"]
"""What a kernel says that does not vouch for its clock."""


@pytest.fixture(scope="session")
def shim(tmp_path_factory) -> Path:
    return compiled("kernel_word", tmp_path_factory.mktemp("shim"))


@pytest.fixture
def kernel(shim) -> Callable[..., dict[str, str]]:
    """The environment of a program on a machine whose kernel says that, and whose clock is so many seconds ahead."""

    def says(word: str, ahead: float = 0) -> dict[str, str]:
        shifted = faketime(f"{ahead:+g}s") if ahead else {}
        preloaded = " ".join(filter(None, [str(shim), shifted.get("LD_PRELOAD")]))
        return shifted | {"KERNEL_SAYS": word, "LD_PRELOAD": preloaded}

    return says


def honest(*arguments: str, environment: dict[str, str]) -> Run:
    return check(*arguments, environment=environment, trust=False)


def vouched_to(run: Run, error: float) -> bool:
    """A bound holds the time that it took to read the clock as well."""
    reference = run.outcome["reference"]
    return reference["status"] == "synchronized" and error <= reference["max_error"] < error + 0.001


# --------------------------------------------------------------------------------------------------------- no reference


@pytest.mark.parametrize("word", KERNELS)
def test_two_clocks_that_are_wrong_by_the_same_amount_are_not_ok(kernel, nowd, word):
    """The case of the wrong machine that checks itself: both clocks agree, and neither is right."""
    run = honest(nowd(3).url, environment=kernel(word, ahead=3))
    assert (run.verdict, run.exit) == (UNVOUCHED, 1), str(run)
    assert (run.backend["status"], run.backend["reason"]) == UNVOUCHED
    assert "agrees with this machine's clock" in run.words and "nothing vouches for that clock" in run.words
    assert [note["code"] for note in run.target["notes"]].count("reference_not_vouched_for") == 1
    status = {"unsynchronized": "unsynchronized", "refused": "unknown"}[word]
    assert (run.outcome["reference"]["status"], run.outcome["reference"]["max_error"]) == (status, None)


@pytest.mark.parametrize("word", KERNELS)
def test_people_are_told_what_would_vouch_for_the_clock(kernel, one_nowd, word):
    run = nowcheck(one_nowd.url, environment=kernel(word), trust=False)
    assert run.exit == 1 and run.stdout.startswith("WARNING"), str(run)
    (step,) = (line for line in run.stdout.splitlines() if line.lstrip().startswith("next: "))
    assert all(word in step for word in ("synchronize", "chrony", "--reference ntp:HOST", TRUST)), step


@pytest.mark.parametrize(("offset", "direction"), [(3, "ahead"), (-3, "behind")])
def test_clocks_that_disagree_are_critical_and_both_are_named(kernel, nowd, offset, direction):
    run = honest(nowd(offset).url, environment=kernel("unsynchronized"))
    assert (run.verdict, run.exit) == (WRONG, 2), str(run)
    assert f"{direction} {'of ' if offset > 0 else ''}this machine's" in run.words, run.words
    assert "either the server's clock or this machine's is wrong" in run.words, run.words


def test_of_several_backends_none_is_ok(kernel, faulty):
    run = honest(faulty("answers", "--other-offset", 3).url, environment=kernel("unsynchronized"))
    assert run.verdict == WRONG, str(run)
    verdicts = {(backend["status"], backend["reason"]) for backend in run.target["backends"]}
    assert verdicts == {UNVOUCHED, WRONG}, str(run)


def test_backends_that_are_missing_make_the_others_no_better(kernel, one_nowd):
    run = honest(one_nowd.url, "--expect-backends", "2", environment=kernel("unsynchronized"))
    assert run.verdict == ("CRITICAL", "backends_missing"), str(run)
    assert (run.backend["status"], run.backend["reason"]) == UNVOUCHED
    assert "reference_not_vouched_for" in [note["code"] for note in run.target["notes"]]


def test_what_is_down_or_cannot_be_decided_stays_so(kernel, faulty, one_nowd):
    unsynchronized = kernel("unsynchronized")
    assert honest(faulty("refuses-with-a-status").url, environment=unsynchronized).verdict == ("CRITICAL", "down")
    undecided = honest(one_nowd.url, "--max-offset", "1ns", environment=unsynchronized)
    assert undecided.verdict == ("UNKNOWN", "undetermined"), str(undecided)
    assert "nothing vouches for the reference" in undecided.outcome["summary"], str(undecided)


def test_a_clock_that_is_not_within_the_warning_limit_says_both(kernel, one_nowd):
    run = honest(one_nowd.url, "--warn-offset", "1ns", environment=kernel("unsynchronized"))
    assert run.verdict == UNVOUCHED, str(run)
    assert "not proven to be within ± 1 ns" in run.words and "nothing vouches" in run.words, run.words


def test_all_addresses_are_said_to_agree_in_one_sentence(kernel, one_nowd):
    urls = [one_nowd.url, one_nowd.url + "/now?tz=Asia/Tokyo"]
    run = nowcheck(*urls, "--output", "nagios", environment=kernel("unsynchronized"), trust=False)
    assert run.exit == 1, str(run)
    assert run.stdout.startswith("NOWCHECK WARNING - all 2 addresses are up and agree"), str(run)
    assert run.stdout.count("nothing vouches") == 1, str(run)


def test_rounds_without_proof_end_with_the_code_of_a_warning(kernel, one_nowd):
    environment = clean_environment(**kernel("unsynchronized"))
    child = Child([binary("nowcheck"), one_nowd.url, "--every", "50ms"], env=environment)
    try:
        child.stdout.wait_for("WARNING .* nothing vouches for that clock")
        child.signal(signal.SIGINT)
        assert child.process.wait(WAIT) == 1
    finally:
        child.end()


def test_strict_stays_stricter(kernel, one_nowd):
    for word in KERNELS:
        run = honest(one_nowd.url, "--strict", environment=kernel(word))
        assert (run.verdict, run.exit) == (("UNKNOWN", "checker_fault"), 3), str(run)
        assert "nothing vouches" in run.words


# ---------------------------------------------------------------------------------------------------------- a reference


def test_a_kernel_that_vouches_for_its_clock_is_enough(kernel, one_nowd):
    run = honest(one_nowd.url, environment=kernel("2000"))
    assert (run.verdict, run.exit) == (OK, 0), str(run)
    assert vouched_to(run, 0.002), str(run)


def test_a_time_server_is_enough_whatever_the_kernel_says(kernel, one_nowd, chronyd):
    run = honest(one_nowd.url, "--reference", chronyd().reference, environment=kernel("unsynchronized", ahead=60))
    assert run.verdict == OK, str(run)


@pytest.mark.parametrize("word", KERNELS)
def test_a_system_clock_that_is_trusted_is_a_reference_without_a_bound(kernel, nowd, one_nowd, word):
    run = honest(one_nowd.url, TRUST, environment=kernel(word))
    assert (run.verdict, run.exit) == (OK, 0), str(run)
    reference = run.outcome["reference"]
    assert (reference["status"], reference["max_error"], reference["notes"]) == ("trusted", None, [])
    assert [source["status"] for source in reference["sources"]] == ["trusted"]
    assert "reference_not_vouched_for" not in [note["code"] for note in run.target["notes"]]
    wrong = honest(nowd(3).url, TRUST, environment=kernel(word))
    assert wrong.verdict == WRONG, str(wrong)
    assert "this machine's" not in wrong.words, "the user vouches for that one"


def test_trust_does_not_widen_or_narrow_what_a_kernel_vouches_for(kernel, one_nowd):
    run = honest(one_nowd.url, TRUST, environment=kernel("2000"))
    assert vouched_to(run, 0.002), str(run)
    poor = honest(one_nowd.url, TRUST, environment=kernel("16000000"))
    assert poor.outcome["status"] == "UNKNOWN", str(poor)


def test_a_trusted_system_clock_votes_with_time_servers(kernel, one_nowd, chronyd):
    servers = [argument for _ in range(2) for argument in ("--reference", chronyd().reference)]
    both = ("--reference", "system", *servers, TRUST)
    agreed = honest(one_nowd.url, *both, environment=kernel("unsynchronized"))
    assert agreed.verdict == OK, str(agreed)
    assert "system_clock_trusted" in [note["code"] for note in agreed.outcome["reference"]["notes"]]
    assert any(TRUST in message for message in messages(agreed.outcome["reference"]["notes"]))
    outvoted = honest(one_nowd.url, *both, environment=kernel("unsynchronized", ahead=60))
    assert outvoted.verdict == ("UNKNOWN", "checker_fault"), str(outvoted)
    assert outvoted.outcome["reference"]["sources"][0]["status"] == "falseticker"


def test_strict_trusts_no_clock_that_only_the_user_vouches_for(kernel, one_nowd):
    run = honest(one_nowd.url, TRUST, "--strict", environment=kernel("unsynchronized"))
    assert (run.verdict, run.exit) == (("UNKNOWN", "checker_fault"), 3), str(run)
    assert "nothing vouches" in run.words


def test_trust_in_a_clock_that_is_no_reference_changes_nothing(kernel, one_nowd, chronyd):
    arguments = ("--reference", chronyd().reference, TRUST)
    run = honest(one_nowd.url, *arguments, environment=kernel("unsynchronized", ahead=60))
    assert run.verdict == OK, str(run)
    assert run.outcome["reference"]["max_error"] is not None, str(run)
