"""The monitor beside the service: it comes with a setting, watches, stays as it is, and goes with the rest."""

from __future__ import annotations

import json
import time

from local_account import Account, configuration_of


def metric_lines(account: Account, group: str) -> list[dict]:
    """What CloudWatch would make metrics of, of the check."""
    events = account.ask("logs", "filter_log_events", logGroupName=group)["events"]
    lines = [json.loads(one["message"]) for one in events if one["message"].startswith("{")]
    return [line for line in lines if "nowcheck_up" in line]


def test_a_monitor_comes_watches_stays_and_goes_with_the_rest(account: Account, monitored) -> None:
    settings = monitored("watched")
    run = account.playbook(*settings)
    assert run.code == 0, run.text
    outputs = account.outputs("watched-monitor")
    [container] = account.monitors()
    host = container["HostConfig"]
    assert "/watched-nowcheck@sha256:" in container["Config"]["Image"]
    assert (container["Config"]["User"], host["ReadonlyRootfs"], host["CapDrop"]) == ("65532:65532", True, ["ALL"])
    assert not host["CapAdd"]
    assert "no-new-privileges" in host["SecurityOpt"]
    url = f"http://watched.alb.localhost:{account.port}/now"
    assert f'url = "{url}"' in configuration_of(container)
    [parameter] = account.ask("ssm", "get_parameters_by_path", Path="/nowd/watched/monitor")["Parameters"]
    assert parameter["Value"] == configuration_of(container)
    alarms = account.ask("cloudwatch", "describe_alarms", AlarmNamePrefix="watched-monitor-")["MetricAlarms"]
    assert {one["AlarmName"].rpartition("-")[2] for one in alarms} == {"ahead", "behind", "wrong", "unavailable", "silent"}
    topic = account.outputs("watched-web-service")["AlarmTopic"]
    assert all(one["AlarmActions"] == [topic] for one in alarms)

    run = account.playbook(*settings)
    assert (run.code, run.recap("changed")) == (0, 0), run.text

    # It writes a line at its start, when it knows nothing, and one each minute.
    deadline = time.monotonic() + 180
    while len(lines := metric_lines(account, outputs["MonitorLogGroup"])) < 2 and time.monotonic() < deadline:
        time.sleep(1)
    known = lines[1]
    assert (known["check"], known["monitor"], known["nowcheck_up"], known["nowcheck_ok"]) == ("watched", "watched", 1, 1), known
    assert -1 < known["nowcheck_clock_offset_lower_seconds"] <= known["nowcheck_clock_offset_upper_seconds"] < 1
    assert known["nowcheck_rounds"] >= 5
    assert known["nowcheck_backends"] >= 1
    assert known["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "nowcheck"

    # With the monitor, which it finds by itself.
    run = account.playbook("destroy", "-e", "environment_name=watched", "-e", "confirm=yes")
    assert run.code == 0, run.text
    assert "Nothing is left of watched in eu-central-1." in run.words
    assert account.monitors() == []
