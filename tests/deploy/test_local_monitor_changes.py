"""The monitor follows its configuration, and goes with its setting; the service stays."""

from __future__ import annotations

import trustme
from local_account import Account, configuration_of
from support.tools import ROOT


def test_a_monitor_follows_its_configuration_and_goes_and_the_service_stays(
    account: Account, monitored, alone, tmp_path
) -> None:
    settings = monitored("changed")
    parameters = {"Path": "/nowd/changed/monitor"}
    run = account.playbook(*settings)
    assert run.code == 0, run.text

    own = tmp_path / "own.toml"
    own.write_text((ROOT / "services/monitor.toml").read_text().replace('"10s"', '"5s"\ntimeout = "5s"'))
    run = account.playbook(*settings, "-e", f"monitor_config={own}")
    assert run.code == 0, run.text
    [followed] = account.monitors()
    assert 'every = "5s"' in configuration_of(followed)
    assert len(account.ask("ssm", "get_parameters_by_path", **parameters)["Parameters"]) == 1

    valid = own.read_text()
    own.write_text(valid.replace("timeout =", "timout ="))
    run = account.playbook(*settings, "-e", f"monitor_config={own}")
    assert run.code == 2
    assert "own.toml is not a configuration that nowcheck can use:" in run.words
    assert "unknown key timout; did you mean timeout?" in run.words
    [container] = account.monitors()
    assert container["Id"] == followed["Id"]

    # What nowcheck cannot see from here: there is no such file where the task runs.
    (tmp_path / "authority.pem").write_bytes(trustme.CA().cert_pem.bytes())
    own.write_text(valid.replace("timeout =", f'ca_file = "{tmp_path}/authority.pem"\ntimeout ='))
    run = account.playbook(*settings, "-e", f"monitor_config={own}")
    assert run.code == 2
    assert "changed-monitor did not become what services/Monitor.yaml says; it is UPDATE_ROLLBACK_COMPLETE." in run.words
    assert "A task stopped: Essential container in task exited; nowcheck: exit code 3" in run.words
    [back] = account.monitors()
    assert configuration_of(back) == configuration_of(followed)

    run = alone("remove.yml", "changed", stack="monitor", is_kept=True)
    assert run.code == 2
    assert "Set monitor to true to keep it, or deletion_protection to false" in run.words
    assert [one["Id"] for one in account.monitors()] == [back["Id"]]

    run = account.playbook(*monitored("changed", monitor=False))
    assert run.code == 0, run.text
    assert "changed-monitor" not in account.stacks()
    assert account.monitors() == []
    assert account.ask("ssm", "get_parameters_by_path", **parameters)["Parameters"] == []
    repositories = account.ask("ecr", "describe_repositories")["repositories"]
    assert "changed-nowcheck" not in [one["repositoryName"] for one in repositories]
    assert f"OK http://changed.alb.localhost:{account.port}/now" in run.words
