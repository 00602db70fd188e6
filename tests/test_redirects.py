"""With `--follow` every place that a redirect leads to is checked, whichever address or backend sends there."""

import itertools
import threading
import time
from collections.abc import Callable

import pytest

from support.nowcheck import check, messages
from support.raw_answers import answer, right_time


def redirect(location: str | None, status: str = "302 Found") -> bytes:
    return answer(*([] if location is None else [f"Location: {location}"]), status=status, body=b"")


def right(_: bytes) -> bytes:
    return answer()


def wrong(_: bytes) -> bytes:
    nanos = time.time_ns() - 3 * 10**9
    return answer(body=b'{"datetime": %d.%09d}' % divmod(nanos, 10**9))


def balanced(*backends: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A balancer that gives each connection to the next of its backends. Each connection has a thread of its own."""
    mine = threading.local()
    turns = itertools.cycle(backends)
    lock = threading.Lock()

    def answers(head: bytes) -> bytes:
        if not hasattr(mine, "backend"):
            with lock:
                mine.backend = next(turns)
        return mine.backend(head)

    return answers


def to(url: str) -> Callable[[bytes], bytes]:
    return lambda _: redirect(url)


def urls(run) -> set[str]:
    return {target["url"] for target in run.outcome["targets"]}


def notes(run) -> list[str]:
    return [message for target in run.outcome["targets"] for message in messages(target["notes"])]


@pytest.mark.parametrize("place", range(3))
def test_backends_of_one_address_may_redirect_to_different_places(raw, place, sharp_reference):
    servers = [raw(wrong if nth == place else right) for nth in range(3)]
    balancer = raw(balanced(*(to(f"{server.url}/now") for server in servers)))
    run = check(balancer.url, "--follow")
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert urls(run) == {f"{server.url}/now" for server in servers}, str(run)
    bad = [target["url"] for target in run.outcome["targets"] if target["status"] == "CRITICAL"]
    assert bad == [f"{servers[place].url}/now"], str(run)
    assert notes(run).count(f"reached by a redirect from {balancer.url}/now") == 3, str(run)


@pytest.mark.parametrize(
    ("backend", "words"),
    [(wrong, "behind"), (lambda _: answer(status="503 Service Unavailable", body=b""), "503"), (right, None)],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_backend_that_answers_beside_one_that_redirects_is_checked_too(raw, backend, words, first, sharp_reference):
    server = raw(right)
    backends = [backend, to(f"{server.url}/now")]
    balancer = raw(balanced(*(backends if first else reversed(backends))))
    run = check(balancer.url, "--follow")
    if words is None:
        assert run.verdict == ("OK", "in_sync"), str(run)
        assert urls(run) == {f"{balancer.url}/now", f"{server.url}/now"}, str(run)
    else:
        assert run.outcome["status"] == "CRITICAL", str(run)
        assert words in run.outcome["summary"], str(run)


def test_a_connection_that_breaks_beside_redirects_is_down(raw):
    server = raw(right)
    balancer = raw(balanced(to(f"{server.url}/now"), lambda _: b"HTTP/1.1 2"), closes=True)
    run = check(balancer.url, "--follow")
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert "in the middle of its answer" in run.outcome["summary"], str(run)


def test_a_circle_behind_one_backend_is_down_although_the_other_leads_on(raw):
    server = raw(right)
    balancer = raw(balanced(to(f"{server.url}/now"), to("/now")))
    run = check(balancer.url, "--follow")
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert "leads in a circle" in run.outcome["summary"], str(run)


def test_a_circle_at_one_address_is_down_although_the_other_leads_on(raw):
    server = raw(right)
    first = raw(to(f"{server.url}/now"))
    raw(to("/now"), host="127.0.0.2", port=first.port)
    addresses = ["--resolve", "time.example:127.0.0.1", "--resolve", "time.example:127.0.0.2"]
    run = check(f"http://time.example:{first.port}", "--follow", *addresses)
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert "leads in a circle" in run.outcome["summary"], str(run)
    assert f"{server.url}/now" in urls(run), str(run)


def test_every_address_of_a_destination_is_checked(raw):
    good = raw(right)
    raw(wrong, host="127.0.0.2", port=good.port)
    away = raw(to(f"http://time.example:{good.port}/now"))
    addresses = ["--resolve", "time.example:127.0.0.1", "--resolve", "time.example:127.0.0.2"]
    run = check(away.url, "--follow", *addresses)
    assert run.outcome["status"] == "CRITICAL", str(run)
    assert [target["status"] for target in run.outcome["targets"]] == ["OK", "CRITICAL"], str(run)


def test_a_destination_without_an_address_says_which_name_it_has_and_who_sent_the_client_there(raw):
    away = raw(to("http://nowhere.invalid/now"))
    run = check(away.url, "--follow", "--timeout", "3s")
    assert run.outcome["status"] != "OK", str(run)
    assert "nowhere.invalid" in run.words, str(run)
    assert f"reached by a redirect from {away.url}/now" in notes(run), str(run)


def test_several_urls_are_followed_each_to_its_own_place(raw, sharp_reference):
    servers = [raw(right), raw(wrong)]
    away = [raw(to(f"{server.url}/now")) for server in servers]
    run = check(*(server.url for server in away), "--follow")
    assert [target["status"] for target in run.outcome["targets"]] == ["OK", "CRITICAL"], str(run)


def hop(head: bytes) -> int:
    return int(head.split(b" ")[1].rsplit(b"/", 1)[1])


@pytest.mark.parametrize(("hops", "status"), [(1, "OK"), (5, "OK"), (6, "CRITICAL")])
def test_five_redirects_are_followed_one_after_the_other(raw, hops, status, sharp_reference):
    server = raw(lambda head: answer() if hop(head) >= hops else redirect(f"/{hop(head) + 1}"))
    run = check(f"{server.url}/0", "--follow")
    assert run.outcome["status"] == status, str(run)
    if status == "CRITICAL":
        assert "at most 5 redirects are followed" in run.outcome["summary"], str(run)


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("ftp://127.0.0.1/now", "only redirects to http and https are followed"),
        ("file:///etc/hostname", "only redirects to http and https are followed"),
        ("http://", "which is not a URL"),
        ("http://[::1", "which is not a URL"),
        ("", "a redirect without a target"),
        (None, "a redirect without a target"),
        ("/now", "leads in a circle"),
        ("#top", "leads in a circle"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_named(raw, location, words):
    server = raw(lambda _: redirect(location))
    run = check(server.url, "--follow")
    assert run.verdict == ("CRITICAL", "down"), str(run)
    assert words in run.outcome["summary"], str(run)
    assert len(server.heads) <= 2, "what leads nowhere need not be asked again"


def test_a_new_place_in_each_answer_is_followed_a_few_times_and_noted(raw):
    server = raw(right)
    numbers = itertools.count()
    away = raw(lambda _: redirect(f"{server.url}/now?session={next(numbers)}"))
    run = check(away.url, "--follow")
    assert run.outcome["status"] in ("OK", "UNKNOWN"), str(run)
    assert len(away.heads) <= 16, f"{len(away.heads)} requests"
    assert any(away.url in note and "this address may have more" in note for note in notes(run)), str(run)


def test_a_limit_on_requests_is_not_taken_for_a_broken_redirect(raw, sharp_reference):
    server = raw(right)
    asked = itertools.count()
    refused = answer(status="429 Too Many Requests", body=b"")
    away = raw(lambda _: redirect(f"{server.url}/now") if next(asked) < 4 else refused)
    run = check(away.url, "--follow")
    assert run.verdict == ("OK", "in_sync"), str(run)


def test_one_destination_of_many_addresses_is_checked_once(raw, sharp_reference):
    server = raw(lambda _: answer(body=right_time()))
    first = raw(to(f"{server.url}/now"))
    raw(to(f"{server.url}/now"), host="127.0.0.2", port=first.port)
    addresses = ["--resolve", "time.example:127.0.0.1", "--resolve", "time.example:127.0.0.2"]
    run = check(f"http://time.example:{first.port}", "--follow", *addresses)
    assert run.verdict == ("OK", "in_sync"), str(run)
    assert len(run.outcome["targets"]) == 1, str(run)
