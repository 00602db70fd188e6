"""The playbooks, unchanged, against an AWS on this machine: tasks are real containers of the real image, pushed to and
pulled from a real registry, and the balancer really forwards to them. The tests stand in the order of a deployment's life.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from local_account import Account, Client, Run, need_an_engine
from support.tools import ROOT, binary


def docker(*arguments: str, given: str | None = None) -> str:
    ended = subprocess.run(
        ["docker", *arguments], input=given, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    """The image of these sources."""
    need_an_engine()
    ended = subprocess.run(["scripts/image"], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=600, check=True)
    return ended.stdout.split()[-1]


@pytest.fixture(scope="module")
def variant(image: str) -> Iterator:
    """Makes an image of the image: `variant("next", "LABEL a=b")`."""
    made = []

    def make(tag: str, *lines: str) -> str:
        name = f"{image}-{tag}"
        docker("build", "--quiet", "--tag", name, "-", given="\n".join([f"FROM {image}", *lines]))
        made.append(name)
        return name

    yield make
    if made:
        docker("rmi", *made)


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Iterator[Account]:
    need_an_engine()
    account = Account(tmp_path_factory.mktemp("emulator"))
    try:
        account.emulator("start")
        yield account
    finally:
        left = [container["Id"] for container in account.containers()]
        account.emulator("stop")
        if left:
            docker("rm", "--force", *left)


@pytest.fixture(scope="module")
def settings() -> list[str]:
    # With everything that makes it harder to destroy.
    return ["-e", f"nowcheck={binary('nowcheck')}", "-e", "deletion_protection=true", "-e", "access_logs=true"]


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


def test_a_broken_image_fails_in_words_and_the_old_tasks_still_answer(
    account: Account, settings: list[str], variant, deployed: Run
) -> None:
    before = {container["Id"] for container in account.containers()}
    broken = variant("broken", 'ENTRYPOINT ["/nowd", "--no-such-flag"]')
    with Client(account) as client:
        run = account.playbook(*settings, "-e", f"image={broken}")
    assert run.code == 2
    assert (
        "nowd-web-service did not become what services/WebService.yaml says; it is UPDATE_ROLLBACK_COMPLETE."
        in run.words
    )
    assert "ECS Deployment Circuit Breaker was triggered" in run.words
    assert "A task stopped: Essential container in task exited; nowd: exit code" in run.words
    assert "Traceback" not in run.text
    assert {container["Id"] for container in account.containers()} == before
    assert client.failures == []


def test_a_stack_that_never_came_to_be_is_cleared_away(account: Account, tmp_path) -> None:
    template = {
        "Resources": {
            "Bad": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Name": "/aws/reserved", "Type": "String", "Value": "x"},
            }
        }
    }
    playbook = tmp_path / "one-stack.yml"
    playbook.write_text(
        json.dumps(
            [
                {
                    "hosts": "localhost",
                    "gather_facts": False,
                    "vars": {"outputs": {}},
                    "module_defaults": {"group/aws": {"region": "eu-central-1"}},
                    "tasks": [
                        {
                            "ansible.builtin.include_tasks": str(ROOT / "tasks/stack.yml"),
                            "vars": {
                                "stack": "registry",
                                "template": "{{ body }}",
                                "parameters": {"EnvironmentName": "stuck"},
                            },
                        }
                    ],
                }
            ]
        )
    )
    account.ask("cloudformation", "create_stack", StackName="stuck-registry", TemplateBody=json.dumps(template))
    assert account.stacks()["stuck-registry"] in ("ROLLBACK_COMPLETE", "ROLLBACK_IN_PROGRESS", "CREATE_IN_PROGRESS")
    command = ["build/deploy/bin/ansible-playbook", str(playbook), "-e", f"@{ROOT}/group_vars/all.yml"]
    run = account.playbook(
        *command[1:],
        "-e",
        "environment_name=stuck",
        "-e",
        f"body={ROOT}/infrastructure/registry.yaml",
        script=command[0],
    )
    assert run.code == 0, run.text
    assert "TASK [Clear away what never came to be (registry)]" in run.text
    assert account.stacks()["stuck-registry"] == "CREATE_COMPLETE"
    account.ask("cloudformation", "delete_stack", StackName="stuck-registry")


def test_destroy_asks_first_and_then_leaves_nothing(account: Account, settings: list[str], deployed: Run) -> None:
    unanswered = account.playbook("destroy")
    assert unanswered.code == 2
    assert "Nothing was deleted." in unanswered.words
    assert len([name for name in account.stacks() if name.startswith("nowd-")]) == 6

    (bucket,) = [one["Name"] for one in account.ask("s3", "list_buckets")["Buckets"]]
    account.ask("s3", "put_object", Bucket=bucket, Key="AWSLogs/a-line")

    run = account.playbook("destroy", "-e", "confirm=yes", "-e", "keep_logs=true")
    assert run.code == 0, run.text
    assert "Its logs are kept (keep_logs)" in run.words
    assert "- log group nowd-web-service-" in run.words
    run = account.playbook("destroy", "-e", "confirm=yes")
    assert run.code == 0, run.text
    assert "Nothing is left of nowd in eu-central-1." in run.words
    assert account.ask("s3", "list_buckets")["Buckets"] == []
    assert not [name for name in account.stacks() if name.startswith("nowd-")]
    assert account.containers() == []
    assert account.ask("ecr", "describe_repositories")["repositories"] == []
    assert account.ask("logs", "describe_log_groups")["logGroups"] == []
    assert account.ask("elbv2", "describe_load_balancers")["LoadBalancers"] == []
    again = account.playbook("destroy", "-e", "confirm=yes")
    assert (again.code, again.recap("changed")) == (0, 0), again.text
