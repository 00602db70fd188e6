"""The playbooks, unchanged, against an AWS on this machine: tasks are real containers of the real image, pushed to and
pulled from a real registry, and the balancer really forwards to them. The tests stand in the order of a deployment's life.
"""

from __future__ import annotations

import json
import re
import subprocess
import time

import pytest
from cloudformation import FILES
from local_account import Account, Client, Run


@pytest.fixture(scope="module")
def checked(account: Account, settings: list[str], image: str) -> Run:
    """--check on an account that has nothing yet."""
    run = account.playbook(*settings, "-e", f"image={image}", "--check")
    assert account.stacks() == {}
    return run


@pytest.fixture(scope="module")
def deployed(account: Account, settings: list[str], image: str, checked: Run) -> Run:
    run = account.playbook(*settings, "-e", f"image={image}")
    assert run.code == 0, run.text
    return run


def test_check_mode_on_an_empty_account_lists_what_would_be_made(checked: Run) -> None:
    assert checked.code == 0, checked.text
    assert "nowd-vpc would be created from infrastructure/vpc.yaml:" in checked.words
    assert "Add Vpc (AWS::EC2::VPC)" in checked.words
    assert "Add Service (AWS::ECS::Service)" in checked.words


def test_a_deployment_ends_with_the_address_and_an_ok(account: Account, deployed: Run) -> None:
    assert account.url() in deployed.text
    assert f"OK {account.url()}/now" in deployed.words
    assert set(account.stacks().values()) == {"CREATE_COMPLETE"}
    assert "region eu-central-1, the stacks nowd-* will be made or changed." in deployed.words
    assert "TASK [Enough hosts have joined the cluster]" in deployed.text


def test_the_roles_that_a_new_account_lacks_are_made_before_the_first_stack(account: Account, deployed: Run) -> None:
    tasks = re.findall(r"TASK \[([^\]]+)\] \*+\n(\w+):", deployed.text)
    assert ("Service-linked roles", "changed") in tasks
    assert tasks.index(("Service-linked roles", "changed")) < [name for name, _ in tasks].index("Registry")
    for role in ("ECS", "AutoScaling", "ElasticLoadBalancing", "ApplicationAutoScaling_ECSService"):
        assert account.ask("iam", "get_role", RoleName=f"AWSServiceRoleFor{role}")["Role"]


def test_a_deployment_that_would_exceed_a_quota_is_refused_before_anything_is_made(
    account: Account, settings: list[str], image: str, deployed: Run
) -> None:
    others = ["-e", f"image={image}", "-e", "environment_name=more", "-e", "hosts_desired=4"]
    vpcs = [account.ask("ec2", "create_vpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(5)]
    run = account.playbook(*settings, *others)
    for vpc in vpcs:
        account.ask("ec2", "delete_vpc", VpcId=vpc)
    assert run.code == 2
    assert "- eu-central-1 allows this account 5 VPCs; others use" in run.text
    assert "--service-code vpc --quota-code L-F678F1CE --desired-value" in run.text
    assert not [name for name in account.stacks() if name.startswith("more-")]


def test_tasks_run_with_nothing_that_they_do_not_need(account: Account, deployed: Run) -> None:
    containers = account.containers()
    assert len(containers) == 2
    for container in containers:
        host = container["HostConfig"]
        assert "@sha256:" in container["Config"]["Image"]
        assert container["Config"]["User"] == "65532:65532"
        assert host["ReadonlyRootfs"]
        assert host["CapDrop"] == ["ALL"]
        assert not host["CapAdd"]
        assert "no-new-privileges" in host["SecurityOpt"]
        assert host["Memory"] > 0


def test_nothing_internal_is_public(account: Account, deployed: Run) -> None:
    for path, status in {"/now": 200, "/": 200, "/readyz": 404, "/healthz": 404, "/metrics": 404}.items():
        command = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"{account.url()}{path}"]
        told = subprocess.run(
            [*command, "--resolve", f"nowd.alb.localhost:{account.port}:127.0.0.1"], capture_output=True, text=True, check=True
        )  # fmt: skip
        assert (path, int(told.stdout)) == (path, status)


def test_a_second_run_changes_nothing(account: Account, settings: list[str], image: str, deployed: Run) -> None:
    run = account.playbook(*settings, "-e", f"image={image}")
    assert run.code == 0, run.text
    assert run.recap("changed") == 0, run.text
    assert "changed: [" not in run.text


def test_a_service_that_is_not_there_in_full_fails_in_words_before_its_url_is_asked(
    account: Account, alone, deployed: Run
) -> None:
    outputs = {**account.outputs("nowd-ecs-cluster"), **account.outputs("nowd-web-service"), "Url": account.url()}
    service = {"cluster": outputs["ClusterName"], "service": outputs["ServiceName"]}
    account.ask("ecs", "update_service", **service, desiredCount=1)
    run = alone("verify.yml", "nowd", outputs=outputs, verification_timeout=5)
    account.ask("ecs", "update_service", **service, desiredCount=2)
    account.settled()
    assert run.code == 2
    assert "after 5 s (verification_timeout) the service is not there in full." in run.words
    assert "Of at least 2 tasks (tasks_min) 1 run; its deployment is completed." in run.words
    assert "TASK [Ask the public URL with nowcheck]" not in run.text
    assert run.recap("changed") == 0, run.text


def test_hosts_are_not_left_without_a_way_out(account: Account, settings: list[str], image: str, deployed: Run) -> None:
    run = account.playbook(*settings, "-e", f"image={image}", "-e", "egress=public")
    assert run.code == 2
    assert "- egress is nat-per-zone now and cannot become public" in run.words
    assert "TASK [Registry]" not in run.text


def test_check_mode_shows_the_change_set_and_changes_nothing(
    account: Account, settings: list[str], image: str, deployed: Run
) -> None:
    run = account.playbook(*settings, "-e", f"image={image}", "-e", "tasks_max=4", "--check")
    assert run.code == 0, run.text
    assert "nowd-web-service would change:" in run.words
    assert "Modify ScalableTarget (AWS::ApplicationAutoScaling::ScalableTarget)" in run.words
    assert "nowd-vpc would not change" in run.words
    assert account.stacks()["nowd-web-service"] == "CREATE_COMPLETE"


def test_a_new_image_replaces_the_tasks_and_no_request_is_lost(
    account: Account, settings: list[str], variant, deployed: Run
) -> None:
    before = {container["Id"] for container in account.containers()}
    with Client(account) as client:
        run = account.playbook(*settings, "-e", f"image={variant('next', 'LABEL next=yes')}")
    assert run.code == 0, run.text
    after = {container["Id"] for container in account.containers()}
    assert len(after) == 2
    assert not before & after
    assert client.asked > 1000
    assert client.failures == []
    assert len(set(client.instances)) == 4


def test_a_stack_that_never_came_to_be_is_cleared_away_although_it_is_protected(account: Account, alone) -> None:
    template = {
        "Description": "nowd: a stack that cannot come to be.",
        "Resources": {
            "Bad": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/aws/reserved", "Type": "String", "Value": "x"},
            }
        }
    }
    stuck = {"StackName": "stuck-registry", "TemplateBody": json.dumps(template), "EnableTerminationProtection": True}
    account.ask("cloudformation", "create_stack", **stuck)
    assert account.stacks()["stuck-registry"] in ("ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS", "CREATE_IN_PROGRESS")
    parameters = {"EnvironmentName": "stuck"}
    run = alone("stack.yml", "stuck", stack="registry", template=str(FILES["registry"]), parameters=parameters)
    assert run.code == 0, run.text
    assert "TASK [Lift the protection of what never came to be (registry)]" in run.text
    assert "TASK [Clear away what never came to be (registry)]" in run.text
    assert account.stacks()["stuck-registry"] == "CREATE_COMPLETE"
    account.ask("cloudformation", "delete_stack", StackName="stuck-registry")


def test_the_network_has_as_many_nat_gateways_as_are_asked_for_or_endpoints(account: Account, alone) -> None:
    def there_are() -> dict[str, int]:
        ours = [{"Name": "tag:Environment", "Values": ["narrow"]}]
        gateways = account.ask("ec2", "describe_nat_gateways", Filter=ours)["NatGateways"]
        endpoints = account.ask("ec2", "describe_vpc_endpoints", Filters=ours)["VpcEndpoints"]
        addresses = account.ask("ec2", "describe_addresses")["Addresses"]
        return {
            "gateways": len([one for one in gateways if one["State"] != "deleted"]),
            "addresses": len([one for one in addresses if {"Key": "Environment", "Value": "narrow"} in one["Tags"]]),
            "endpoints": len([one for one in endpoints if one["VpcEndpointType"] == "Interface"]),
        }

    for variant, wanted in {
        "nat-single": {"gateways": 1, "addresses": 1, "endpoints": 0},
        "endpoints": {"gateways": 0, "addresses": 0, "endpoints": 10},
        "public": {"gateways": 0, "addresses": 0, "endpoints": 0},
    }.items():
        parameters = {"EnvironmentName": "narrow", "Egress": variant}
        run = alone("stack.yml", "narrow", stack="vpc", template=str(FILES["vpc"]), parameters=parameters)
        assert run.code == 0, run.text
        assert there_are() == wanted
    account.ask("cloudformation", "delete_stack", StackName="narrow-vpc")


def test_destroy_asks_first_and_then_leaves_nothing(account: Account, settings: list[str], deployed: Run) -> None:
    unanswered = account.playbook("destroy")
    assert unanswered.code == 2
    assert "Nothing was deleted." in unanswered.words
    assert len([name for name in account.stacks() if name.startswith("nowd-")]) == 7

    # What would hold each host for an hour, and a listing of more than one page.
    hooks = account.ask("autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName="nowd-hosts")["LifecycleHooks"]
    assert "ecs-managed-draining-termination-hook" in [one["LifecycleHookName"] for one in hooks]
    [group] = account.ask("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=["nowd-hosts"])["AutoScalingGroups"]
    orphan_provider = "nowd-hosts-CapacityProvider-LEFT"
    providers = [*(f"another-{number}" for number in range(10)), orphan_provider]
    for name in providers:
        arn = {"autoScalingGroupArn": group["AutoScalingGroupARN"]}
        account.ask("ecs", "create_capacity_provider", name=name, autoScalingGroupProvider=arn)

    (bucket,) = [one["Name"] for one in account.ask("s3", "list_buckets")["Buckets"]]
    # One more, from before access_logs went from true to false.
    orphan = "nowd-load-balancers-accesslogsbucket-orphan"
    in_region = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    account.ask("s3", "create_bucket", Bucket=orphan, **in_region)
    for one in (bucket, orphan):
        account.ask("s3", "put_object", Bucket=one, Key="AWSLogs/a-line")
    # What is called much like it, and is not of it: of environments that are called like its stacks.
    others = ["nowd-vpc-vpc-FlowLogGroup-1", "nowd-vpc-notes", "nowd-web-service-web-service-LogGroup-1"]
    for group in others:
        account.ask("logs", "create_log_group", logGroupName=group)
    account.ask("s3", "create_bucket", Bucket="nowd-load-balancers-load-balancers-accesslogsbucket-1", **in_region)

    # What no stack deletes, because none knows it.
    tags = [{"Key": "Environment", "Value": "nowd"}]
    resource = {"ResourceType": "elastic-ip", "Tags": tags}
    address = account.ask("ec2", "allocate_address", TagSpecifications=[resource])["AllocationId"]
    volume = {"AvailabilityZone": "eu-central-1a", "Size": 30, "TagSpecifications": [{"ResourceType": "volume", "Tags": tags}]}
    disk = account.ask("ec2", "create_volume", **volume)["VolumeId"]
    role = "nowd-vpc-FlowLogRole-LEFT"
    account.ask("iam", "create_role", RoleName=role, AssumeRolePolicyDocument="{}")
    topic = account.ask("sns", "create_topic", Name="nowd-web-service-AlarmTopic-LEFT")["TopicArn"]
    begun = time.monotonic()
    run = account.playbook("destroy", "-e", "confirm=yes", "-e", "keep_logs=true")
    assert time.monotonic() - begun < 600, "hosts were held by the hook"
    assert run.code == 2
    assert "This was to be deleted and is still there:" in run.words
    for left in (f"elastic IP address {address}", f"volume {disk}", f"role {role}", "topic nowd-web-service-AlarmTopic-LEFT",
                 f"capacity provider {orphan_provider}"):
        assert f"- {left}" in run.text
    assert not re.search(r"- (log group|bucket|stack) ", run.text)
    account.ask("ec2", "release_address", AllocationId=address)
    account.ask("ec2", "delete_volume", VolumeId=disk)
    account.ask("iam", "delete_role", RoleName=role)
    account.ask("sns", "delete_topic", TopicArn=topic)
    for name in providers:
        account.ask("ecs", "delete_capacity_provider", capacityProvider=name)

    run = account.playbook("destroy", "-e", "confirm=yes", "-e", "keep_logs=true")
    assert run.code == 0, run.text
    assert "Its logs are kept (keep_logs)" in run.words
    assert "- log group nowd-web-service-" in run.words
    assert f"- bucket {orphan}" in run.words
    run = account.playbook("destroy", "-e", "confirm=yes")
    assert run.code == 0, run.text
    assert "Nothing is left of nowd in eu-central-1." in run.words
    (another,) = [one["Name"] for one in account.ask("s3", "list_buckets")["Buckets"]]
    assert another == "nowd-load-balancers-load-balancers-accesslogsbucket-1"
    groups = account.ask("logs", "describe_log_groups", logGroupNamePrefix="nowd")["logGroups"]
    assert sorted(one["logGroupName"] for one in groups) == sorted(others)
    assert not [name for name in account.stacks() if name.startswith("nowd-")]
    assert account.containers() == []
    assert account.ask("ecr", "describe_repositories")["repositories"] == []
    assert account.ask("elbv2", "describe_load_balancers")["LoadBalancers"] == []
    again = account.playbook("destroy", "-e", "confirm=yes")
    assert (again.code, again.recap("changed")) == (0, 0), again.text
