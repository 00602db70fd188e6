"""A service on Fargate, from its first run to its end: there are no hosts."""

from __future__ import annotations

import json
import urllib.request

from local_account import Account, Client


def test_a_service_on_fargate_comes_stays_and_goes_and_takes_its_bound_from_ecs(
    account: Account, settings: list[str], image: str, variant
) -> None:
    fargate = [*settings, "-e", "environment_name=hostless", "-e", "compute=fargate", "-e", "egress=public"]
    run = account.playbook(*fargate, "-e", f"image={image}")
    assert run.code == 0, run.text
    assert f"OK http://hostless.alb.localhost:{account.port}/now" in run.words
    assert "hostless-hosts" not in account.stacks()
    group = account.ask("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=["hostless-hosts"])
    assert group["AutoScalingGroups"] == []
    outputs = {**account.outputs("hostless-ecs-cluster"), **account.outputs("hostless-web-service")}
    asked = {"cluster": outputs["ClusterName"], "services": [outputs["ServiceName"]]}
    [service] = account.ask("ecs", "describe_services", **asked)["services"]
    assert service["launchType"] == "FARGATE"
    interface = service["networkConfiguration"]["awsvpcConfiguration"]
    assert (interface["assignPublicIp"], len(interface["subnets"])) == ("ENABLED", 2)

    now = urllib.request.Request(f"http://127.0.0.1:{account.port}/now", headers={"Host": "hostless.alb.localhost"})
    with urllib.request.urlopen(now, timeout=10) as answer:
        clock = json.load(answer)["clock"]
    # What the task metadata states (7.25 ms), grown by 50 µs a second since then.
    assert clock["status"] == "synchronized"
    assert 0.00725 <= clock["max_error"] < 0.02

    run = account.playbook(*fargate, "-e", f"image={image}")
    assert (run.code, run.recap("changed")) == (0, 0), run.text

    with Client(account, "hostless") as client:
        run = account.playbook(*fargate, "-e", f"image={variant('hostless', 'LABEL hostless=yes')}")
    assert run.code == 0, run.text
    assert (client.failures, len(set(client.instances))) == ([], 4)

    run = account.playbook(*settings, "-e", "environment_name=hostless", "-e", "egress=public", "-e", f"image={image}")
    assert run.code == 2
    assert "- compute is fargate now and cannot become ec2" in run.words

    run = account.playbook("destroy", "-e", "environment_name=hostless", "-e", "confirm=yes")
    assert run.code == 0, run.text
    assert "Nothing is left of hostless in eu-central-1." in run.words
