"""The metrics of `nowcheck watch`, read by the real Prometheus."""

import json

import pytest
from support.monitor import configuration
from support.process import poll
from support.prometheus import Prometheus, check_metrics


def series(text: str) -> set[str]:
    return {line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")}


def test_prometheus_accepts_the_metrics(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), ("fast", nowd(+3).url)))
    watching.wait_for("fast", "wrong")
    check_metrics(watching.get("/metrics")[2])


def test_prometheus_reads_hostile_names_and_labels_as_they_are(nowd, monitor, prometheus, tmp_path):
    name, team = 'q"uote {x="1"} # EOF', 'a\\n\n# EOF\n\r\n"} 1\nnowcheck_up{check="x"} 0\u2028ä'
    file = configuration(tmp_path, ("shop", nowd().url))
    check = {"name": name, "url": nowd().url, "team": team}
    quoted = {key: json.dumps(value) for key, value in check.items()}
    file.write_text(
        file.read_text() + f"[[check]]\nname = {quoted['name']}\nurl = {quoted['url']}\nlabels = {{ team = {quoted['team']} }}\n"
    )
    watching = monitor("--config", file)
    watching.wait_for(name, "ok")
    check_metrics(watching.get("/metrics")[2])
    scraping = prometheus(watching.url.removeprefix("http://"))
    found = poll(lambda: scraping.result("nowcheck_up"), "Prometheus has scraped", 30)
    assert {(one["metric"]["check"], one["metric"].get("team")) for one in found} == {("shop", None), (name, team)}


def test_the_client_chooses_the_format(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url)))
    text, open_metrics = "text/plain; version=0.0.4; charset=utf-8", "application/openmetrics-text; version=1.0.0; charset=utf-8"
    for accept, expected in (
        ("*/*", text),
        ("text/plain", text),
        ("application/openmetrics-text", open_metrics),
        # Prometheus 2.42, and 3 when it may use the protocol buffers that are not served.
        ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", open_metrics),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2", open_metrics),
        ("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.9", text),
        ("application/openmetrics-text;q=0,*/*", text),
        ("application/openmetrics-text;version=2.0.0", text),
        ("image/png", text),
    ):  # fmt: skip
        status, kind, body = watching.get("/metrics", Accept=accept)
        assert (status, kind) == (200, expected), accept
        assert body.endswith("# EOF\n") == (kind == open_metrics)


def test_no_series_of_a_check_appears_later_than_the_check(nowd, monitor, tmp_path):
    file = configuration(tmp_path, ("shop", nowd().url), every="10s")
    # The first round of this one takes its timeout, so that the first scrape comes before its end.
    file.write_text(file.read_text() + '[[check]]\nname = "silent"\nurl = "http://192.0.2.1"\n')
    watching = monitor("--config", file)
    first = series(watching.get("/metrics")[2])
    for phase in ("resolve", "connect", "tls", "wait", "transfer"):
        assert f'nowcheck_phase_duration_seconds{{check="silent",phase="{phase}"}}' in first
    assert 'nowcheck_rounds_total{check="silent",status="ok",reason="in_sync"}' in first
    assert any(one.startswith("nowcheck_build_info{version=") for one in first)
    watching.wait_for("shop", "ok")
    assert first <= series(watching.get("/metrics")[2])


@pytest.fixture
def prometheus(tmp_path):
    started = []

    def start(target: str) -> Prometheus:
        started.append(Prometheus(tmp_path, target))
        return started[-1]

    yield start
    for one in started:
        one.child.end()


def test_prometheus_scrapes_what_the_monitor_sees(nowd, monitor, prometheus, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), ("fast", nowd(+3).url)))
    scraping = prometheus(watching.url.removeprefix("http://"))
    wrong = 'sum by (check) (nowcheck_status{status="wrong"}) == 1'
    poll(lambda: scraping.query(wrong) == {"check=fast": 1}, "Prometheus knows that fast is wrong", 30)
    lower = scraping.query('sum by (check) (nowcheck_clock_offset_seconds{bound="lower"})')
    upper = scraping.query('sum by (check) (nowcheck_clock_offset_seconds{bound="upper"})')
    assert lower["check=fast"] <= 3 <= upper["check=fast"] < 3.5
    # Of a single round, no rate follows.
    drift = 'sum by (bound) (nowcheck_clock_drift_ratio{check="shop"})'
    poll(lambda: all(abs(rate) < 0.01 for rate in scraping.query(drift).values()), "the drift has bounds", 30)
    bounds = scraping.query(drift)
    assert bounds["bound=lower"] <= bounds["bound=upper"], bounds
    # What people ask of histograms and counters works with these names.
    rate = 'histogram_quantile(0.9, sum by (le) (rate(nowcheck_round_duration_seconds_bucket[1m])))'
    poll(lambda: any(0 < value < 10 for value in scraping.query(rate).values()), "a quantile of the durations", 30)
    assert scraping.query("sum(nowcheck_rounds_total)")[""] >= 2
    assert list(scraping.query("nowcheck_build_info").values()) == [1]
    assert list(scraping.query("up").values()) == [1]
