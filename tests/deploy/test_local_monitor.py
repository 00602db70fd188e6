"""The monitor beside the service: it comes with a setting, follows its configuration, and goes."""

from __future__ import annotations

import json
import subprocess
import time

import pytest
import trustme
from local_account import Account
from support.tools import ROOT


@pytest.fixture(scope="module")
def image_of_nowcheck(image: str) -> str:
    ended = subprocess.run(["scripts/image", "nowcheck"], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return ended.stdout.split()[-1]


def monitors(account: Account) -> list[dict]:
    return [one for one in account.containers() if one["Config"]["Cmd"] and one["Config"]["Cmd"][0] == "watch"]


def configuration_of(container: dict) -> str:
    [text] = [one for one in container["Config"]["Env"] if one.startswith("NOWCHECK_CONFIG=")]
    return text.partition("=")[2]


def metric_lines(account: Account, group: str) -> list[dict]:
    """What CloudWatch would make metrics of, of the check."""
    events = account.ask("logs", "filter_log_events", logGroupName=group)["events"]
    lines = [json.loads(one["message"]) for one in events if one["message"].startswith("{")]
    return [line for line in lines if "nowcheck_up" in line]


def test_a_monitor_comes_follows_its_configuration_and_goes_and_the_service_stays(
    account: Account, settings: list[str], image: str, image_of_nowcheck: str, alone, tmp_path
) -> None:
    settings = [one.replace("deletion_protection=true", "deletion_protection=false") for one in settings]
    watched = [*settings, "-e", f"image={image}", "-e", "environment_name=watched", "-e", "egress=public"]
    monitored = [*watched, "-e", "monitor=true", "-e", f"monitor_image={image_of_nowcheck}"]
    parameters = {"Path": "/nowd/watched/monitor"}
    run = account.playbook(*monitored)
    assert run.code == 0, run.text
    outputs = account.outputs("watched-monitor")
    [container] = monitors(account)
    host = container["HostConfig"]
    assert "/watched-nowcheck@sha256:" in container["Config"]["Image"]
    assert (container["Config"]["User"], host["ReadonlyRootfs"], host["CapDrop"]) == ("65532:65532", True, ["ALL"])
    assert not host["CapAdd"]
    assert "no-new-privileges" in host["SecurityOpt"]
    url = f"http://watched.alb.localhost:{account.port}/now"
    assert f'url = "{url}"' in configuration_of(container)
    [parameter] = account.ask("ssm", "get_parameters_by_path", **parameters)["Parameters"]
    assert parameter["Value"] == configuration_of(container)
    alarms = account.ask("cloudwatch", "describe_alarms", AlarmNamePrefix="watched-monitor-")["MetricAlarms"]
    assert {one["AlarmName"].rpartition("-")[2] for one in alarms} == {"ahead", "behind", "wrong", "unavailable", "silent"}
    topic = account.outputs("watched-web-service")["AlarmTopic"]
    assert all(one["AlarmActions"] == [topic] for one in alarms)

    run = account.playbook(*monitored)
    assert (run.code, run.recap("changed")) == (0, 0), run.text

    # It writes a line at its start, when it knows nothing, and one each minute.
    deadline = time.monotonic() + 90
    while len(lines := metric_lines(account, outputs["MonitorLogGroup"])) < 2 and time.monotonic() < deadline:
        time.sleep(1)
    known = lines[1]
    assert (known["check"], known["monitor"], known["nowcheck_up"], known["nowcheck_ok"]) == ("watched", "watched", 1, 1), known
    assert -1 < known["nowcheck_clock_offset_lower_seconds"] <= known["nowcheck_clock_offset_upper_seconds"] < 1
    assert known["nowcheck_rounds"] >= 5
    assert known["nowcheck_backends"] >= 1
    assert known["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "nowcheck"

    own = tmp_path / "own.toml"
    own.write_text((ROOT / "services/monitor.toml").read_text().replace('"10s"', '"5s"\ntimeout = "5s"'))
    run = account.playbook(*monitored, "-e", f"monitor_config={own}")
    assert run.code == 0, run.text
    [followed] = monitors(account)
    assert 'every = "5s"' in configuration_of(followed)
    assert len(account.ask("ssm", "get_parameters_by_path", **parameters)["Parameters"]) == 1

    valid = own.read_text()
    own.write_text(valid.replace("timeout =", "timout ="))
    run = account.playbook(*monitored, "-e", f"monitor_config={own}")
    assert run.code == 2
    assert "own.toml is not a configuration that nowcheck can use:" in run.words
    assert "unknown key timout; did you mean timeout?" in run.words
    [container] = monitors(account)
    assert container["Id"] == followed["Id"]

    # What nowcheck cannot see from here: there is no such file where the task runs.
    (tmp_path / "authority.pem").write_bytes(trustme.CA().cert_pem.bytes())
    own.write_text(valid.replace("timeout =", f'ca_file = "{tmp_path}/authority.pem"\ntimeout ='))
    run = account.playbook(*monitored, "-e", f"monitor_config={own}")
    assert run.code == 2
    assert "watched-monitor did not become what services/Monitor.yaml says; it is UPDATE_ROLLBACK_COMPLETE." in run.words
    assert "A task stopped: Essential container in task exited; nowcheck: exit code 3" in run.words
    [back] = monitors(account)
    assert configuration_of(back) == configuration_of(followed)

    run = alone("remove.yml", "watched", stack="monitor", is_kept=True)
    assert run.code == 2
    assert "Set monitor to true to keep it, or deletion_protection to false" in run.words
    assert [one["Id"] for one in monitors(account)] == [back["Id"]]

    run = account.playbook(*watched)
    assert run.code == 0, run.text
    assert "watched-monitor" not in account.stacks()
    assert monitors(account) == []
    assert account.ask("ssm", "get_parameters_by_path", **parameters)["Parameters"] == []
    repositories = account.ask("ecr", "describe_repositories")["repositories"]
    assert "watched-nowcheck" not in [one["repositoryName"] for one in repositories]
    assert f"OK {url}" in run.words

    # Again, for destroy to find it.
    run = account.playbook(*monitored)
    assert run.code == 0, run.text
    run = account.playbook("destroy", "-e", "environment_name=watched", "-e", "confirm=yes")
    assert run.code == 0, run.text
    assert "Nothing is left of watched in eu-central-1." in run.words
    assert monitors(account) == []
