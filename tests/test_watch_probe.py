"""`/probe` of `nowcheck watch`: rounds on request, for Prometheus and for nobody who wants to reach something else."""

import http.client
import json
import socket
import threading
import time
import urllib.parse

import pytest
from support.monitor import configuration
from support.process import poll, within
from support.prometheus import Prometheus, check_metrics
from support.servers import start_faulty

TIMEOUT = "X-Prometheus-Scrape-Timeout-Seconds"


def probing(folder, *modules: str, more: str = ""):
    """A file without a check; each module is the lines of a `[[probe]]`."""
    text = '[server]\nlisten = "127.0.0.1:0"\n[history]\npath = "none"\n[defaults]\ntrust_system_clock = true\n' + more
    file = folder / "probe.toml"
    file.write_text(text + "".join(f"[[probe]]\n{module}\n" for module in modules))
    return file


ANY = 'module = "any"\nallow = ["http://127.0.0.1:*/*"]'


def probe(monitor, target: str, module: str | None = "any", **headers: str) -> tuple[int, dict[str, float] | dict]:
    """The status, and the samples or the problem."""
    query = {"target": target} | ({"module": module} if module else {})
    status, kind, body = monitor.get(f"/probe?{urllib.parse.urlencode(query)}", **headers)
    if kind == "application/problem+json":
        return status, json.loads(body)
    lines = [line for line in body.splitlines() if not line.startswith("#")]
    return status, {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


class Trap:
    """A server that nobody may reach: it counts who does."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.visits = 0
        threading.Thread(target=self.count, daemon=True).start()

    def count(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()


@pytest.fixture
def trap():
    trap = Trap()
    yield trap
    trap.socket.close()


def test_a_right_and_a_wrong_clock_are_told_apart(nowd, monitor, tmp_path):
    watching = monitor("--config", probing(tmp_path, ANY))
    status, right = probe(watching, nowd().url)
    assert (status, right["probe_success"], right["nowcheck_up"]) == (200, 1, 1)
    assert right["probe_http_status_code"] == 200
    assert right["nowcheck_clock_offset_seconds{bound=\"lower\"}"] <= right["nowcheck_clock_offset_seconds{bound=\"upper\"}"]
    assert 0 < right["probe_duration_seconds"] < 5
    status, wrong = probe(watching, nowd(+3).url)
    assert (status, wrong["probe_success"], wrong["nowcheck_up"]) == (200, 0, 1)
    assert wrong['nowcheck_status{status="wrong"}'] == 1
    assert wrong['nowcheck_round_info{reason="desynchronized"}'] == 1
    assert 2.5 < wrong["nowcheck_clock_offset_seconds{bound=\"lower\"}"] <= 3
    # What is counted over rounds would begin anew with each.
    assert not [name for name in wrong if "_total" in name or "_bucket" in name or "check=" in name]


def test_a_service_that_is_down_is_an_answer_and_no_error(monitor, tmp_path, trap):
    trap.socket.close()
    watching = monitor("--config", probing(tmp_path, ANY))
    status, down = probe(watching, f"http://127.0.0.1:{trap.port}")
    assert (status, down["probe_success"], down["nowcheck_up"], down["probe_http_status_code"]) == (200, 0, 0, 0)
    assert down['nowcheck_status{status="down"}'] == 1


def test_the_answer_is_one_that_prometheus_accepts(nowd, monitor, tmp_path):
    watching = monitor("--config", probing(tmp_path, ANY))
    path = f"/probe?target={nowd().url}&module=any"
    check_metrics(watching.get(path)[2])
    status, kind, body = watching.get(path, Accept="application/openmetrics-text;version=1.0.0;q=0.7,text/plain;q=0.3")
    assert (status, kind) == (200, "application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert body.endswith("# EOF\n")


def test_the_end_of_a_certificate_has_the_name_that_alert_rules_know(monitor, tmp_path, authority):
    server = start_faulty("answers", "--says", "nowd", tls=authority.certificate("127.0.0.1"))
    try:
        module = f'module = "tls"\nallow = ["https://127.0.0.1:*/*"]\nca_file = "{authority.file}"'
        watching = monitor("--config", probing(tmp_path, module))
        status, samples = probe(watching, server.url, "tls")
        assert (status, samples["probe_success"]) == (200, 1), samples
        assert samples["probe_ssl_earliest_cert_expiry"] > time.time()
    finally:
        server.stop()


def test_without_its_module_or_target_a_probe_is_a_bad_request(monitor, tmp_path):
    watching = monitor("--config", probing(tmp_path, ANY, ANY.replace('"any"', '"other"')))
    for path in (
        "/probe",
        "/probe?module=any",
        "/probe?target=&module=any",
        "/probe?target=http://127.0.0.1:9/",
        "/probe?target=http://127.0.0.1:9/&target=http://127.0.0.1:9/&module=any",
        "/probe?target=http://&module=any",
    ):
        status, kind, body = watching.get(path)
        assert (status, kind) == (400, "application/problem+json"), (path, body)
    for timeout in ("0", "-1", "NaN", "soon"):
        assert probe(watching, "http://127.0.0.1:9/", **{TIMEOUT: timeout})[0] == 400


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:PORT/",
        "http://127.1:PORT/",
        "http://2130706433:PORT/",
        "http://[::ffff:127.0.0.1]:PORT/",
        "http://allowed.example@127.0.0.1:PORT/",
        "http://user:pw@localhost:PORT/now",
        "http://127.0.0.1:PORT/?http://allowed.example/",
        "http://127.0.0.1:PORT#.allowed.example/",
        "http://127.0.0.1:PORT\\.allowed.example/",
        "http://localhost:PORT/other",
        "https://localhost:PORT/now",
        "file:///etc/passwd",
        "gopher://127.0.0.1:PORT/",
    ],
)
def test_what_the_list_does_not_cover_is_not_reached(monitor, tmp_path, trap, target):
    module = 'module = "any"\nallow = ["http://*.allowed.example:*/*", "http://localhost:*/now"]'
    watching = monitor("--config", probing(tmp_path, module))
    status, problem = probe(watching, target.replace("PORT", str(trap.port)))
    assert status in (400, 403), problem
    assert trap.visits == 0
    # So that the trap is known to work.
    probe(watching, f"http://localhost:{trap.port}/now")
    assert trap.visits > 0


def test_an_unknown_module_and_a_file_without_modules_permit_nothing(nowd, monitor, tmp_path):
    url = nowd().url
    watching = monitor("--config", probing(tmp_path, ANY))
    assert probe(watching, url, "other")[0] == 403
    assert probe(watching, url, None)[0] == 200
    without = monitor("--config", configuration(tmp_path, ("shop", url)))
    assert probe(without, url)[0] == 403


def test_a_redirect_leads_nowhere_that_the_list_does_not_cover(monitor, faulty, nowd, tmp_path, trap):
    module = f'module = "any"\nfollow = true\nallow = ["http://127.0.0.1:*/now", "http://127.0.0.1:*/moved"]'
    watching = monitor("--config", probing(tmp_path, module))
    forbidden = faulty("redirects", "--status", "302", "--location", f"http://127.0.0.1:{trap.port}/secret")
    status, samples = probe(watching, forbidden.url)
    assert (status, samples["probe_success"], samples["probe_http_status_code"] // 100) == (200, 0, 3)
    assert trap.visits == 0
    allowed = faulty("redirects", "--status", "302", "--location", f"{nowd().url}/now")
    status, samples = probe(watching, allowed.url)
    assert (status, samples["probe_success"]) == (200, 1), samples


def test_a_name_that_leads_to_this_machine_is_not_asked(monitor, tmp_path, trap):
    """As the owner of a name that is allowed could make it lead there."""
    watching = monitor("--config", probing(tmp_path, 'module = "any"\nallow = ["http://*host:*/*"]'))
    status, problem = probe(watching, f"http://localhost:{trap.port}/now")
    assert status == 403 and "may not be asked" in problem["detail"], problem
    assert trap.visits == 0


def test_the_round_ends_before_the_scrape_does(monitor, tmp_path, faulty):
    watching = monitor("--config", probing(tmp_path, ANY))
    silent = faulty("never-answers")
    with within(0.95, "a probe of a scrape that may take a second"):
        status, samples = probe(watching, silent.url, **{TIMEOUT: "1"})
    assert (status, samples["probe_success"]) == (200, 0), samples
    assert samples["probe_duration_seconds"] < 0.9


def test_a_client_that_leaves_takes_its_round_with_it(monitor, tmp_path, trap):
    watching = monitor("--config", probing(tmp_path, ANY))
    served = socket.create_server(("127.0.0.1", 0))
    where = urllib.parse.urlsplit(watching.url)
    client = socket.create_connection((where.hostname, where.port))
    target = f"http://127.0.0.1:{served.getsockname()[1]}/"
    client.sendall(f"GET /probe?target={target}&module=any HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    served.settimeout(5)
    connection, _ = served.accept()
    connection.settimeout(5)
    connection.recv(4096)
    client.close()
    # The round would wait for an answer for seconds.
    with within(1.5, "the end of the round"):
        assert connection.recv(4096) == b""
    served.close()


def test_many_probes_run_side_by_side_and_pages_are_served_meanwhile(monitor, tmp_path, faulty):
    watching = monitor("--config", probing(tmp_path, ANY))
    silent = faulty("never-answers")
    results = []

    def one() -> None:
        results.append(probe(watching, silent.url, **{TIMEOUT: "2"})[0])

    threads = [threading.Thread(target=one) for _ in range(50)]
    with within(4, "fifty probes of two seconds each, side by side"):
        with within(1.5, "pages beside them"):
            for thread in threads:
                thread.start()
            assert watching.get("/healthz")[0] == 200
            assert watching.get("/metrics")[0] == 200
        for thread in threads:
            thread.join(10)
    assert results == [200] * 50


def test_only_get_is_allowed(monitor, tmp_path):
    watching = monitor("--config", probing(tmp_path, ANY))
    where = urllib.parse.urlsplit(watching.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=5)
    connection.request("POST", "/probe?target=http://127.0.0.1:9/&module=any", body=b"x" * 100)
    response = connection.getresponse()
    assert (response.status, response.getheader("Allow")) == (405, "GET, HEAD")


def test_an_instance_that_only_probes_is_ready_at_once(monitor, tmp_path):
    watching = monitor("--config", probing(tmp_path, ANY))
    assert watching.get("/readyz")[0] == 200


def test_prometheus_probes_by_relabeling_as_with_blackbox_exporter(nowd, monitor, tmp_path):
    watching = monitor("--config", probing(tmp_path, ANY))
    right, wrong = nowd().url, nowd(+3).url
    where = watching.url.removeprefix("http://")
    scraping = Prometheus(
        tmp_path,
        {
            "job_name": "time",
            "metrics_path": "/probe",
            "params": {"module": ["any"]},
            "static_configs": [{"targets": [right, wrong, "http://192.0.2.1/now"]}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__", "replacement": where},
            ],
        },
    )
    try:

        def success() -> dict[str, float]:
            return scraping.by_label("probe_success", "instance")

        poll(lambda: success() == {right: 1, wrong: 0}, "Prometheus knows both", 30)
        lower = scraping.by_label('nowcheck_clock_offset_seconds{bound="lower"}', "instance")
        assert 2.5 < lower[wrong] <= 3
        # What is not allowed is a failed scrape.
        up = {right: 1, wrong: 1, "http://192.0.2.1/now": 0}
        poll(lambda: scraping.by_label("up", "instance") == up, "Prometheus scraped all", 30)
    finally:
        scraping.child.end()
