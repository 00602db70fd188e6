"""The status page of `nowcheck watch`: what everybody may see, and nothing else."""

import contextlib
import http.client
import json
import re
import signal
import socket
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta

import pytest
from support.monitor import Monitor, configuration
from support.process import poll, within

NO_WORDS = r'"[0-9a-f]{32}"|sha256-[^\']*|urn:uuid:[0-9a-f-]+|\b\d{10}\b|d="[^"]*"|datetime="[^"]*"'
"""Hashes, instants and drawings: the digits of a port may stand in them."""

ATOM = "{http://www.w3.org/2005/Atom}"

HOSTILE = "<b onclick=x> \"'&amp;"


def published(folder, public: list[tuple[str, str]], private: list[tuple[str, str]] = (), every="1s", more=""):
    """A file with a status page that shows the first checks and not the others."""
    file = configuration(folder, *private, every=every)
    server = 'listen = "127.0.0.1:0"\n'
    text = file.read_text().replace(server, f'{server}name = "tower-7"\nstatus_page = "127.0.0.1:0"\n', 1)
    for name, url in public:
        labels = '{ team = "inner-circle" }'
        text += f'[[check]]\nname = {json.dumps(name)}\nurl = "{url}"\nlabels = {labels}\npublic = true\n'
    file.write_text(text + more)
    return file


def ask(url: str, path: str = "/", method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer, answer.read()


def text(url: str, path: str = "/") -> str:
    answer, body = ask(url, path)
    assert answer.status == 200, (path, body)
    return body.decode()


def paths(name: str) -> list[str]:
    quoted = urllib.parse.quote(name, safe="")
    return ["/", "/feed.atom", f"/badge/{quoted}.svg", f"/badge/{quoted}/uptime-30d.svg", "/no-such-page"]


@pytest.fixture
def troubled(nowd, monitor, tmp_path) -> tuple[Monitor, list[str]]:
    """A monitor of public services that work, that have a wrong clock and that are down, and of private ones; and all
    that must not be told."""
    right, wrong, gone = nowd(), nowd(+1.5), nowd()
    gone_url = gone.url
    public = [("shop", right.url), ("till", wrong.url), ("mail", gone_url)]
    private = [("vault", nowd(+2.5).url), ("ledger", "http://127.0.0.1:1/now"), ("safe", right.url)]
    hook = f'[[alert]]\nname = "pager"\ntype = "webhook"\nurl_file = "{tmp_path}/hook"\n'
    (tmp_path / "hook").write_text("http://127.0.0.1:1/hook-of-ours")
    watching = monitor("--config", published(tmp_path, public, private, more=hook))
    watching.wait_for("mail", "ok")
    gone.stop()
    for name, status in {"shop": "ok", "till": "wrong", "mail": "down", "vault": "wrong", "ledger": "down"}.items():
        watching.wait_for(name, status)
    incidents = json.loads(watching.get("/api/v1/incidents")[2])["incidents"]
    backends = [backend for check in watching.checks().values() for backend in check["backends"]]
    secrets = ["127.0.0.1", "localhost", "://127", "vault", "ledger", "safe", "inner-circle"]
    secrets += ["tower-7", "pager", "hook-of-ours"]
    secrets += [socket.gethostname(), str(tmp_path), "history.db"]
    secrets += [backend["instance"] for backend in backends if backend.get("instance")]
    secrets += [incident["id"] for incident in incidents]
    ports = {str(urllib.parse.urlsplit(url).port) for _, url in public + private}
    secrets += ports - {"1"}
    return watching, secrets


def test_public_checks_are_shown_with_their_trouble_and_nothing_internal_is_told(troubled):
    watching, secrets = troubled
    page = watching.status_page
    poll(lambda: "2 of 3 services do not work" in text(page), "the page counts them")
    poll(lambda: text(page).count("<article") == 2, "both incidents are listed")
    shown = text(page)
    assert re.search(r"The clock of one of its servers is off by \+1\.(49|50)\d+ s", shown), shown
    assert "It does not give the time." in shown
    for path in paths("shop") + paths("till") + paths("mail") + ["/badge/vault.svg"]:
        for method in ("GET", "HEAD", "POST"):
            answer, body = ask(page, path, method)
            everything = f"{answer.status} {answer.reason}\n{answer.headers}\n{body.decode()}"
            words = re.sub(NO_WORDS, "", everything)
            for secret in secrets:
                assert secret not in words, (secret, method, path)


def test_the_listener_has_no_other_route(troubled):
    watching, _ = troubled
    page = watching.status_page
    others = ["/metrics", "/probe", "/events", "/healthz", "/readyz", "/incidents", "/checks/shop", "/openapi.json"]
    others += ["/favicon.ico", "/api/v1/checks", "/api/v1/incidents", "/api/v1/maintenance", "/badge/vault.svg"]
    others += ["/badge/ledger/uptime-30d.svg", "/badge/..%2f..%2fmetrics", "/../metrics", "//metrics", "/index.html"]
    others += ["/badge/", "/badge/shop.png", "/%00"]
    for path in others:
        answer, body = ask(page, path)
        assert answer.status == 404, path
        assert b"vault" not in body
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        for path in ("/", "/feed.atom", "/metrics"):
            answer, _ = ask(page, path, method)
            assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD"), (method, path)
    # What is public is served without a name, and the dashboard beside it as before.
    assert watching.get("/badge/vault.svg")[0] == 200
    assert watching.get("/badge/nobody.svg")[0] == 404


def test_a_head_request_gets_the_head_of_a_get_request(troubled):
    page = troubled[0].status_page
    for path in paths("shop"):
        (head, nothing), (get, body) = ask(page, path, "HEAD"), ask(page, path)
        assert nothing == b"" and head.status == get.status
        assert head.headers["Content-Type"] == get.headers["Content-Type"]
        if path != "/":
            assert int(head.headers["Content-Length"]) == len(body)


def test_answers_can_be_kept_and_asked_for_again(nowd, monitor, tmp_path):
    watching = monitor("--config", published(tmp_path, [("shop", nowd().url)], every="2s"))
    page = watching.status_page
    watching.wait_for("shop", "ok")
    poll(lambda: "The service works" in text(page), "it is shown")
    time.sleep(3)
    for path in paths("shop")[:-1]:
        # Everything is made anew every ten seconds; it may be so just now.
        for _ in range(3):
            answer, body = ask(page, path)
            tag = answer.headers["ETag"]
            again, nothing = ask(page, path, If_None_Match=tag)
            if again.status == 304:
                break
        assert answer.headers["Cache-Control"] == "public, max-age=10"
        assert (again.status, nothing, again.headers["ETag"]) == (304, b"", tag), path
        other, same = ask(page, path, If_None_Match='"0123"')
        assert other.status == 200 and len(same) == len(body)
    assert ask(page, "/nothing")[0].headers["Cache-Control"] == "no-store"
    policy = ask(page)[0].headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy and "*" not in policy


def entries(feed: str) -> list[dict[str, str]]:
    root = ElementTree.fromstring(feed)
    assert root.tag == f"{ATOM}feed"
    ids = [root.findtext(f"{ATOM}id")] + [entry.findtext(f"{ATOM}id") for entry in root.findall(f"{ATOM}entry")]
    urn = r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert all(re.fullmatch(urn, one) for one in ids), ids
    assert len(set(ids)) == len(ids)
    # RFC 4287, sections 4.1.1 and 4.1.2: what has to be there, once.
    for one in [root, *root.findall(f"{ATOM}entry")]:
        for name in ("id", "title", "updated"):
            assert len(one.findall(f"{ATOM}{name}")) == 1
        datetime.fromisoformat(one.findtext(f"{ATOM}updated"))
    assert root.findtext(f"{ATOM}author/{ATOM}name")
    links = {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")}
    assert links == {"self": "feed.atom", "alternate": "./"}
    found = []
    for entry in root.findall(f"{ATOM}entry"):
        assert entry.find(f"{ATOM}content").get("type") == "text"
        link = entry.find(f"{ATOM}link").get("href")
        texts = ("id", "title", "updated", "published", "content")
        found.append({name: entry.findtext(f"{ATOM}{name}") for name in texts} | {"link": link})
    return found


def test_the_feed_tells_of_an_incident_and_of_its_end_and_is_the_same_after_a_restart(nowd, monitor, tmp_path):
    service = nowd()
    file = published(tmp_path, [("shop", service.url)])
    watching = monitor("--config", file)
    page = watching.status_page
    watching.wait_for("shop", "ok")
    assert entries(text(page, "/feed.atom")) == []
    name = ElementTree.fromstring(text(page, "/feed.atom")).findtext(f"{ATOM}id")
    # Stopped, not ended: the same service comes back at the same port.
    service.child.signal(signal.SIGSTOP)
    [opened] = poll(lambda: entries(text(page, "/feed.atom")), "the incident is in the feed", 20)
    assert opened["title"] == "shop: down" and "It does not give the time." in opened["content"]
    assert opened["link"].startswith("./#incident-")
    anchor = opened["link"].removeprefix("./#")
    assert f'id="{anchor}"' in text(page), "the link leads somewhere"
    service.child.signal(signal.SIGCONT)
    watching.wait_for("shop", "ok")
    poll(lambda: "It works again." in text(page, "/feed.atom"), "its end is in the feed")
    [closed] = entries(text(page, "/feed.atom"))
    assert closed["id"] == opened["id"] and closed["updated"] > opened["updated"]
    assert closed["title"].startswith("shop: down, for ")
    watching.stop()
    again = monitor("--config", file)
    page = again.status_page
    feed = poll(lambda: "<entry>" in text(page, "/feed.atom") and text(page, "/feed.atom"), "the past is read")
    assert ElementTree.fromstring(feed).findtext(f"{ATOM}id") == name
    assert [entry["id"] for entry in entries(feed)] == [opened["id"]]


def test_badges_are_svg_that_says_what_it_is(troubled):
    page = troubled[0].status_page
    for name, status in {"shop": "ok", "till": "wrong", "mail": "down"}.items():
        poll(lambda: f"{name}: {status}" in text(page, f"/badge/{name}.svg"), "the badge says it")
        answer, body = ask(page, f"/badge/{name}.svg")
        assert answer.headers["Content-Type"] == "image/svg+xml"
        root = ElementTree.fromstring(body)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("aria-label") == f"{name}: {status}"
        assert int(root.get("width")) > 40 and root.get("height") == "20"
        uptime = ElementTree.fromstring(text(page, f"/badge/{name}/uptime-30d.svg"))
        assert re.fullmatch(rf"{name} 30 days: (\d+(\.\d\d)?(–\d+(\.\d\d)?)? %)", uptime.get("aria-label"))


def test_a_name_that_would_do_harm_is_text_everywhere(nowd, monitor, tmp_path):
    watching = monitor("--config", published(tmp_path, [(HOSTILE, "http://127.0.0.1:1")]))
    page = watching.status_page
    poll(lambda: "<entry>" in text(page, "/feed.atom"), "its incident is in the feed")
    assert [entry["title"] for entry in entries(text(page, "/feed.atom"))] == [f"{HOSTILE}: down"]
    assert ElementTree.fromstring(text(page, paths(HOSTILE)[2])).get("aria-label") == f"{HOSTILE}: down"
    assert "<b onclick" not in text(page)


def test_a_change_is_shown_within_the_period_and_a_few_seconds_and_public_is_read_again(nowd, monitor, tmp_path):
    service = nowd()
    file = published(tmp_path, [("shop", service.url)], [("safe", nowd().url)])
    watching = monitor("--config", file)
    page = watching.status_page
    watching.wait_for("shop", "ok")
    poll(lambda: "The service works" in text(page), "it is shown", 5)
    service.stop()
    watching.wait_for("shop", "down")
    with within(2.5, "the next page"):
        poll(lambda: "The service does not work" in text(page), "it is shown")
    file.write_text(file.read_text().replace("public = true", "public = false"))
    watching.reload()
    poll(lambda: "Nothing is published here yet" in text(page), "nothing is public any more", 5)
    assert ask(page, "/badge/shop.svg")[0].status == 404
    assert entries(text(page, "/feed.atom")) == []


def test_maintenance_is_shown_without_its_name(nowd, monitor, tmp_path):
    yesterday = datetime.now(UTC) - timedelta(days=1)
    window = f'[[maintenance]]\nname = "swap rack nine"\nfrom = "{yesterday:%Y-%m-%dT%H:%M}Z"\nfor = "3d"\n'
    window += 'checks = ["shop"]\n'
    watching = monitor("--config", published(tmp_path, [("shop", nowd().url), ("till", nowd().url)], more=window))
    poll(lambda: text(watching.status_page).count("Maintenance: ") == 1, "it is shown")
    assert "rack" not in text(watching.status_page)


def test_who_is_slow_or_silent_holds_up_nobody(nowd, monitor, tmp_path):
    watching = monitor("--config", published(tmp_path, [("shop", nowd().url)]))
    page = watching.status_page
    where = urllib.parse.urlsplit(page)
    with contextlib.ExitStack() as stack:
        for nth in range(700):
            client = stack.enter_context(socket.create_connection((where.hostname, where.port), 5))
            # Some say nothing, some a part, some ask and do not read.
            client.sendall([b"", b"GET / HTTP/1.1\r\nHo", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 20][nth % 3])
        for _ in range(20):
            with within(3, "a page beside clients each of which may take ten seconds"):
                assert "<h1>" in text(page)
        watching.wait_for_rounds("shop", 2)
        assert watching.get("/healthz")[0] == 200
    head = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"
    with socket.create_connection((where.hostname, where.port), 5) as client, contextlib.suppress(OSError):
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 431 ")


def test_rounds_are_held_while_many_ask(nowd, monitor, tmp_path):
    watching = monitor("--config", published(tmp_path, [("shop", nowd().url)]))
    page = watching.status_page
    watching.wait_for("shop", "ok")
    before = watching.check("shop")
    where = urllib.parse.urlsplit(page)
    ends, answered = time.monotonic() + 4, []

    def many() -> None:
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
        while time.monotonic() < ends:
            connection.request("GET", "/")
            answer = connection.getresponse()
            answered.append((answer.status, len(answer.read()) > 1000))

    threads = [threading.Thread(target=many) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert set(answered) == {(200, True)} and len(answered) > 1000, len(answered)
    after = watching.check("shop")
    assert sum(after["rounds"].values()) - sum(before["rounds"].values()) >= 3
    assert after["status"] == "ok"


def test_an_address_that_is_in_use_is_said_at_the_start(monitor, nowd, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        file = published(tmp_path, [("shop", nowd().url)])
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        file.write_text(file.read_text().replace('status_page = "127.0.0.1:0"', f'status_page = "{address}"'))
        with pytest.raises(AssertionError, match=f"cannot serve the status page on {address} .*set status_page in"):
            monitor("--config", file)
