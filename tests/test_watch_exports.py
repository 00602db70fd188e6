"""Exports of `nowcheck watch`: what is written when all is well, and what is said when it is not."""

import json
import os
import pty
import ssl
import stat
import subprocess
import termios
import threading
from pathlib import Path

import pytest
import trustme
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from support.monitor import configuration
from support.nowcheck import clean_environment
from support.process import poll
from support.sink import Sink
from support.tools import binary, need
from test_watch_metrics import check_metrics

END = 'nowcheck_build_info{version="'


def textfile(path: Path) -> str:
    return f'[[export]]\ntype = "textfile"\nevery = "1s"\npath = "{path}"\n'


def test_the_textfile_is_what_prometheus_reads(nowd, monitor, tmp_path):
    need("promtool")
    path = tmp_path / "nowcheck.prom"
    monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=textfile(path)))
    ok = 'nowcheck_status{check="shop",status="ok"} 1'
    poll(lambda: path.exists() and ok in path.read_text(), "the file says that shop is ok")
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    check_metrics(path.read_text())


def test_a_textfile_has_one_writer_when_its_period_changes(nowd, monitor, tmp_path):
    path, service = tmp_path / "nowcheck.prom", nowd()
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), more=textfile(path)))
    for nth in range(20):
        more = textfile(path).replace('"1s"', f'"{60 + nth}s"')
        configuration(tmp_path, ("shop", service.url), more=more)
        watching.reload()
        reloaded = nth + 1
        poll(lambda at=reloaded: len(watching.records("reloaded")) >= at, "it is reloaded")
    assert not watching.records("export_failed")
    assert [file.name for file in tmp_path.glob(".*.tmp")] == []


def test_lines_for_cloudwatch_that_a_terminal_does_not_show_are_mentioned(nowd, tmp_path):
    more = '[[export]]\ntype = "emf"\nevery = "1s"\n'
    file = configuration(tmp_path, ("shop", nowd().url), more=more)
    ours, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 200))
    command = [binary("nowcheck"), "watch", "--config", file]
    watching = subprocess.Popen(command, stdout=terminal, env=clean_environment(TERM="xterm"))
    os.close(terminal)
    try:
        shown = b""

        def says_so() -> bool:
            nonlocal shown
            shown += os.read(ours, 65536)
            return b"export emf: its lines are not written" in shown

        poll(says_so, "the export is mentioned")
    finally:
        watching.terminate()
        watching.wait(5)
        os.close(ours)


def test_nobody_reads_half_a_textfile(nowd, monitor, tmp_path):
    path = tmp_path / "nowcheck.prom"
    monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=textfile(path)))
    poll(path.exists, "the file is there")
    partial, versions, stop = [], set(), threading.Event()

    def read() -> None:
        while not stop.is_set():
            text = path.read_text()
            versions.add(path.stat().st_ino)
            if END not in text or not text.endswith("\n"):
                partial.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        poll(lambda: len(versions) >= 4, "it was replaced three times")
    finally:
        stop.set()
        reader.join()
    assert partial == []


def test_a_folder_that_is_missing_is_told_once_and_delays_nothing(nowd, monitor, tmp_path):
    folder = tmp_path / "later"
    path = folder / "nowcheck.prom"
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=textfile(path)))
    watching.wait_for_rounds("shop", 3)
    (failed,) = watching.records("export_failed")
    assert failed["export"] == f"textfile {path}" and "No such file" in failed["problem"]
    folder.mkdir()
    poll(path.exists, "the file is written once it can be")
    poll(lambda: watching.records("export_works"), "the log says that it works again")


def test_an_export_follows_the_configuration(nowd, monitor, tmp_path):
    service, before, after = nowd(), tmp_path / "before.prom", tmp_path / "after.prom"
    watching = monitor("--config", configuration(tmp_path, ("shop", service.url), more=textfile(before)))
    poll(before.exists, "the first file is there")
    configuration(tmp_path, ("shop", service.url), more=textfile(after))
    watching.reload()
    poll(after.exists, "the second file is there")
    watching.wait_for("shop", "ok")
    assert watching.stop() == 0
    assert 'nowcheck_status{check="shop",status="ok"} 1' in after.read_text(), "it is written at the end"


@pytest.fixture
def collector():
    sink = Sink(status=200, is_json=False)
    yield sink
    sink.stop()


def received(sink: Sink) -> list[dict]:
    """What came, decoded by the protocol's own classes: the points of each metric by its name."""
    decoded = []
    for _, body in list(sink.requests):
        (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
        attributes = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
        (scope,) = resource.scope_metrics
        decoded.append({"resource": attributes, **{metric.name: metric for metric in scope.metrics}})
    return decoded


def labels(point) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in point.attributes}


def test_a_collector_of_opentelemetry_gets_all_metrics(nowd, monitor, collector, tmp_path):
    (tmp_path / "headers").write_text("X-Tenant: web\n")
    export = f'[[export]]\ntype = "otlp"\nevery = "1s"\nurl = "{collector.url}"\nheaders_file = "{tmp_path}/headers"\n'
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=export))
    watching.wait_for("shop", "ok")

    def is_ok(got: dict) -> bool:
        statuses = got["nowcheck_status"].gauge.data_points
        return any(labels(point) == {"check": "shop", "status": "ok"} and point.as_double == 1 for point in statuses)

    got = poll(lambda: next(filter(is_ok, received(collector)), None), "the collector is told that shop is ok")
    assert all(headers["x-tenant"] == "web" for headers, _ in collector.requests)
    assert got["resource"]["service.name"] == "nowcheck" and got["resource"]["service.instance.id"]
    bounds = {labels(point)["bound"]: point.as_double for point in got["nowcheck_clock_offset"].gauge.data_points}
    assert -1 < bounds["lower"] <= bounds["upper"] < 1 and got["nowcheck_clock_offset"].unit == "s"
    rounds = got["nowcheck_rounds"].sum
    assert rounds.is_monotonic
    assert rounds.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert sum(point.as_int for point in rounds.data_points) >= 1
    assert all(0 < point.start_time_unix_nano <= point.time_unix_nano for point in rounds.data_points)
    (durations,) = got["nowcheck_round_duration"].histogram.data_points
    assert len(durations.bucket_counts) == len(durations.explicit_bounds) + 1
    assert sum(durations.bucket_counts) == durations.count >= 1
    (expiry,) = got["nowcheck_certificate_expiry_timestamp"].gauge.data_points
    assert not expiry.HasField("as_double") and expiry.flags == 1, "without a certificate there is no value"
    # The names of /metrics follow from these by the rules of collectors.
    shown = watching.get("/metrics")[2]
    for metric in (value for name, value in got.items() if name != "resource" and name != "nowcheck_build"):
        unit = {"s": "_seconds", "1": "_ratio", "": ""}[metric.unit]
        name = metric.name + unit + ("_total" if metric.HasField("sum") else "")
        assert f"# TYPE {name} " in shown, name


def test_a_reload_uses_the_authorities_that_their_file_holds_by_then(nowd, monitor, authority, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate("127.0.0.1"))
    collector, trusted = Sink(status=200, is_json=False, tls=context), tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(trusted))
    export = f'[[export]]\ntype = "otlp"\nevery = "1s"\nurl = "{collector.url}"\nca_file = "{trusted}"\n'
    try:
        watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=export))
        poll(lambda: watching.records("export_failed"), "the certificate is of another authority")
        trusted.write_bytes(authority.file.read_bytes())
        watching.reload()
        poll(lambda: collector.requests, "the collector is sent something")
    finally:
        collector.stop()


def test_a_collector_that_fails_is_told_once_without_its_secrets(nowd, monitor, collector, tmp_path):
    collector.status = 503
    collector.echoes = True
    (tmp_path / "headers").write_text("Authorization: Bearer H3AD3R-T0K3N\n")
    export = f'[[export]]\ntype = "otlp"\nevery = "1s"\nurl = "{collector.url}/T0K3N-1N-P4TH"\n'
    export += f'headers_file = "{tmp_path}/headers"\n'
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=export))
    poll(lambda: len(collector.requests) >= 3, "it is asked three times")
    (failed,) = watching.records("export_failed")
    assert failed["export"] == "otlp" and "503" in failed["problem"]
    collector.status = 200
    poll(lambda: watching.records("export_works"), "the log says that it works again")
    assert collector.requests[0][0]["authorization"] == "Bearer H3AD3R-T0K3N"
    assert "T0K3N" not in json.dumps(watching.records())


def emf(more: str = "") -> str:
    return f'[[export]]\ntype = "emf"\nevery = "1s"\nnamespace = "Shops"\n{more}'


def test_lines_for_cloudwatch_stand_on_standard_output(nowd, monitor, tmp_path):
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=emf()))
    is_ok = lambda line: line.get("check") == "shop" and line["nowcheck_ok"] == 1  # noqa: E731
    line = poll(lambda: next(filter(is_ok, watching.metric_lines()), None), "a line says that shop is ok")
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Shops" and directive["Dimensions"] == [["check"]]
    assert -1 < line["nowcheck_clock_offset_lower_seconds"] <= line["nowcheck_clock_offset_upper_seconds"] < 1
    watching.wait_for_rounds("shop", 3)
    watching.stop()
    # At the end a last line is written, so no round is lost.
    counted = sum(line["nowcheck_rounds"] for line in watching.metric_lines() if "check" in line)
    assert counted >= 4


def test_lines_for_cloudwatch_are_appended_to_a_file_that_may_be_moved_away(nowd, monitor, tmp_path):
    path, moved = tmp_path / "nowcheck.emf", tmp_path / "nowcheck.emf.1"
    watching = monitor("--config", configuration(tmp_path, ("shop", nowd().url), more=emf(f'path = "{path}"\n')))
    poll(lambda: path.exists() and len(path.read_text().splitlines()) >= 4, "two periods were written")
    path.rename(moved)
    poll(path.exists, "a new file was begun")
    assert all("_aws" in json.loads(line) for file in (path, moved) for line in file.read_text().splitlines())
    assert watching.metric_lines() == []
