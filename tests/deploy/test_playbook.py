"""What the playbooks say before they touch anything, and what linters say of them."""

from __future__ import annotations

import http.server
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from cloudformation import ALL
from support.tools import ROOT, lacking

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "an-access-key-of-nobody", "AWS_SECRET_ACCESS_KEY": "a-secret-key-of-nobody"}

# Nobody answers there, so that no account is ever asked.
NO_ACCOUNT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}


def deploy(*arguments: str, **environment: str) -> str:
    """The words of a run that has to end in the preflight."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    ended = subprocess.run(
        ["scripts/deploy", *arguments],
        env={**kept, **NO_ACCOUNT, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    text = ended.stdout + ended.stderr
    assert ended.returncode == 2, text
    assert "Traceback" not in text
    assert "TASK [Registry]" not in text
    return " ".join(text.split())


def test_without_credentials_one_sentence_says_how_to_configure_them() -> None:
    assert (
        "there are no credentials for AWS: configure them with `aws configure sso` and `export AWS_PROFILE=...`, or with "
        "`export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...`"
    ) in deploy()


# For every setting that a template has a rule for: what it does not take, and what is said of that.
AGAINST_THE_TEMPLATES = {
    "environment_name": ("Nowd_1", "must be 1 to 32 lower-case letters, digits and hyphens, and not start with aws"),
    "retained_images": ("1", "has to be a number from 2 to 1000"),
    "vpc_cidr": ("10.0.0.0/8", "must be a block of IPv4 addresses from /16 to /28"),
    "public_subnet_1_cidr": ("10.180.8.0/28", "must be a block of IPv4 addresses from /16 to /27"),
    "public_subnet_2_cidr": ("nonsense", "must be a block of IPv4 addresses"),
    "private_subnet_1_cidr": ("10.180.24.0/29", "must be a block of IPv4 addresses"),
    "private_subnet_2_cidr": ("10.180.32.0", "must be a block of IPv4 addresses"),
    "nat_gateways": ("both", "can be per-zone, single or none"),
    "log_retention_days": ("31", "can be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365"),
    "certificate_arn": ("arn:aws:iam::111122223333:server-certificate/x", "must be empty or the ARN of a certificate of ACM"),
    "instance_type": ("micro", "has to look like"),
    "host_image": ("/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id", "of one day"),
    "hosts_min": ("0", "has to be a number from 1 to 100"),
    "hosts_max": ("101", "has to be a number from 1 to 100"),
    "hosts_desired": ("two", "has to be a number from 1 to 100"),
    "container_insights": ("yes", "can be enhanced, enabled or disabled"),
    "tasks_min": ("many", "has to be a number from 1 to 1000"),
    "tasks_max": ("1001", "has to be a number from 1 to 1000"),
    "max_clock_error": ("500", "must be empty or a number of milliseconds or seconds, such as 500ms"),
    "alarm_email": ("nobody", "must be empty or an e-mail address"),
}


def test_what_no_template_takes_is_told_of_all_settings_at_once_and_before_anything_is_created() -> None:
    settings = [word for name, (value, _) in AGAINST_THE_TEMPLATES.items() for word in ("-e", f"{name}={value}")]
    words = deploy(*settings, **CREDENTIALS)
    for name, (value, rule) in AGAINST_THE_TEMPLATES.items():
        assert re.search(rf'- \W?{name} is "{re.escape(value)}" and [^"]*{re.escape(rule)}', words), (name, words)


def test_no_setting_that_a_template_has_a_rule_for_is_forgotten() -> None:
    [play] = yaml.safe_load((ROOT / "main.yml").read_text())
    settings = yaml.safe_load((ROOT / "group_vars/all.yml").read_text())
    given = str([one["parameters"] for one in play["vars"]["stack_definitions"]])
    # These two are either true or false, whatever else they are called: what is handed on is always one of them.
    assert {name for name in re.findall(r"\{\{ (\w+)", given) if name in settings} == {
        *AGAINST_THE_TEMPLATES, "access_logs", "deletion_protection",
    }  # fmt: skip


def test_what_the_preflight_reads_is_what_the_stacks_are_given() -> None:
    [play] = yaml.safe_load((ROOT / "main.yml").read_text())
    assert [task["vars"] for task in play["tasks"] if "stack.yml" in str(task)] == play["vars"]["stack_definitions"]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("aws_region=eu-central-9", 'there is no region "eu-central-9" (aws_region); there are: eu-central-1'),
        ("environment_name=a-name-that-is-too-long-for-a-load-balancer", "must be 1 to 32 lower-case letters"),
        ("environment_name=now--1", "no repository may have two hyphens in a row"),
        ("environment_name=internal-time", "and not start with aws, ecs, fargate or internal"),
        ("public_subnet_2_cidr=10.180.12.0/21", "10.180.12.0/21 has host bits set"),
        ("public_subnet_2_cidr=10.180.8.0/22", "public_subnet_1_cidr 10.180.8.0/21 and public_subnet_2_cidr 10.180.8.0/22 overlap"),
        ("private_subnet_1_cidr=10.181.0.0/21", "private_subnet_1_cidr 10.181.0.0/21 is not inside of vpc_cidr 10.180.0.0/16"),
        ("hosts_desired=3", "hosts_desired is 3 and hosts_max is 2: it may not be more than that"),
        ("tasks_min=7", "tasks_min is 7 and tasks_max is 6"),
        ("certificate_arn=arn:aws:acm:eu-central-1:123456789012:certificate/0a", "certificate_arn needs public_name"),
        ("certificate_arn=arn:aws:acm:us-east-1:123456789012:certificate/0a", "certificate_arn is in us-east-1"),
        ("public_name=https://time.example.org/", "has to be a name alone, such as time.example.org"),
        ("access_logs=ture", 'access_logs is "ture" and can be true or false'),
        ("stack_timeout=0", 'stack_timeout is "0" and has to be a number of seconds'),
        ('{"resource_tags": {"aws:owner": "me"}}', "AWS keeps names that begin with aws: for itself"),
        ("nowcheck=no-such-program", 'nowcheck is "no-such-program", and there is no such program'),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_created(setting: str, sentence: str) -> None:
    assert sentence in deploy("-e", setting, **CREDENTIALS)


def test_wrong_settings_do_not_keep_anybody_from_destroying() -> None:
    words = deploy("destroy", "-e", "tasks_min=7", "-e", "host_image=gone", "-e", "vpc_cidr=nonsense", **CREDENTIALS)
    assert "AWS cannot be asked who we are" in words
    assert not re.search("tasks_min|host_image|vpc_cidr", words)
    assert "environment_name is" in deploy("destroy", "-e", "environment_name=Nowd", **CREDENTIALS)


# For every kind of resource in the templates: the kind of leftover that it would be (library/leftovers.py) ...
LOOKED_FOR = {
    "AWS::AutoScaling::AutoScalingGroup": "group of hosts",
    "AWS::CloudWatch::Alarm": "alarm",
    "AWS::CloudWatch::CompositeAlarm": "alarm",
    "AWS::CloudWatch::Dashboard": "dashboard",
    "AWS::EC2::EIP": "elastic IP address",
    "AWS::EC2::FlowLog": "flow log",
    "AWS::EC2::InternetGateway": "internet gateway",
    "AWS::EC2::LaunchTemplate": "launch template",
    "AWS::EC2::NatGateway": "NAT gateway",
    "AWS::EC2::VPC": "network",
    "AWS::ECR::Repository": "repository",
    "AWS::ECS::CapacityProvider": "capacity provider",
    "AWS::ECS::Cluster": "cluster",
    "AWS::ECS::TaskDefinition": "task definition",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "load balancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup": "target group",
    "AWS::IAM::InstanceProfile": "instance profile",
    "AWS::IAM::Role": "role",
    "AWS::KMS::Key": "key",
    "AWS::Logs::LogGroup": "log group",
    "AWS::S3::Bucket": "bucket",
    "AWS::SNS::Topic": "topic",
}
# ... or without what it cannot be.
GOES_WITH_ANOTHER = {
    "AWS::AutoScaling::AutoScalingGroup": {"LifecycleHook"},
    "AWS::EC2::VPC": {"Subnet", "Route", "RouteTable", "SubnetRouteTableAssociation", "SecurityGroup", "VPCEndpoint",
                      "SecurityGroupIngress", "SecurityGroupEgress", "VPCGatewayAttachment"},
    "AWS::ECS::Cluster": {"Service", "ClusterCapacityProviderAssociations", "ScalableTarget", "ScalingPolicy"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"Listener", "ListenerRule"},
    "AWS::S3::Bucket": {"BucketPolicy"},
    "AWS::SNS::Topic": {"TopicPolicy", "Subscription"},
}  # fmt: skip
# What is made of these later: an instance and its disk. And what holds them all.
MADE_LATER = {"host", "volume", "stack"}


def test_destroy_looks_for_every_kind_of_resource_that_there_is_in_the_templates() -> None:
    text = (ROOT / "library/leftovers.py").read_text()
    kinds = set(re.findall(r'^    \("([^"]+)", "[a-z0-9]+", ', text, re.MULTILINE))
    assert kinds == {*LOOKED_FOR.values(), *MADE_LATER}
    types = {one["Type"] for stack in ALL for one in stack.template["Resources"].values()}
    with_another = {name for names in GOES_WITH_ANOTHER.values() for name in names}
    forgotten = {one for one in types if one not in LOOKED_FOR and one.split("::")[-1] not in with_another}
    assert not forgotten, f"library/leftovers.py does not know {forgotten}"


class Guard(http.server.BaseHTTPRequestHandler):
    """Lets credentials in at some regions. A real region that the account has not enabled refuses them in these words."""

    open_in: frozenset[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        region = self.headers["Authorization"].split("/")[2]
        if region in self.open_in:
            status, body = 200, "<GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult>"
            body = f"<GetCallerIdentityResponse>{body}</GetCallerIdentityResponse>"
        else:
            status, code = 403, "<Code>InvalidClientTokenId</Code><Message>The security token is invalid</Message>"
            body = f"<ErrorResponse><Error>{code}</Error></ErrorResponse>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_) -> None: ...


@pytest.mark.parametrize(
    ("region", "open_in", "sentences"),
    [
        ("eu-central-1", [], ["AWS does not accept the credentials (InvalidClientTokenId); they may be wrong or expired"]),
        ("af-south-1", [], ["they may be wrong or expired", "If they are right: af-south-1 is one of the regions that"]),
        ("af-south-1", ["us-east-1"], ["and us-east-1 does, for account 111122223333", "aws account enable-region"]),
    ],
)
def test_a_region_that_is_not_enabled_is_told_from_wrong_credentials(region, open_in, sentences) -> None:
    handler = type("Handler", (Guard,), {"open_in": frozenset(open_in)})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        words = deploy("-e", f"aws_region={region}", **CREDENTIALS, AWS_ENDPOINT_URL_STS=url)
        server.shutdown()
    for sentence in sentences:
        assert sentence in words
    assert ("enable-region" in words) == (region == "af-south-1")


def test_without_a_docker_engine_a_sentence_says_so() -> None:
    assert "no Docker engine answers" in deploy(DOCKER_HOST="unix:///nonexistent", **CREDENTIALS)


def test_without_cargo_a_sentence_says_so_unless_image_and_check_are_named(tmp_path) -> None:
    tools = [path for path in os.environ["PATH"].split(":") if not (Path(path) / "cargo").exists()]
    # What else stands beside cargo is not hidden with it.
    for program in ("docker", "python3"):
        if found := shutil.which(program):
            (tmp_path / program).symlink_to(found)
    path = ":".join([str(tmp_path), *tools])
    words = deploy(PATH=path, **CREDENTIALS)
    assert "there is no cargo on this machine, which builds the image" in words
    assert "there is no cargo on this machine, which builds the check" in words
    assert "there is no cargo" not in deploy("-e", "image=nowd:named", "-e", "nowcheck=python3", PATH=path, **CREDENTIALS)


def test_all_that_is_wrong_is_told_at_once() -> None:
    words = deploy("-e", "vpc_cidr=nonsense", "-e", "hosts_min=0", DOCKER_HOST="unix:///nonexistent")
    for sentence in ('vpc_cidr is "nonsense"', 'hosts_min is "0"', "no Docker engine", "no credentials"):
        assert sentence in words


@pytest.mark.parametrize("playbook", ["main.yml", "destroy.yml"])
def test_the_syntax_is_right(playbook: str) -> None:
    lint("build/deploy/bin/ansible-playbook", "--syntax-check", playbook)


def test_ansible_lint_has_nothing_to_say_at_its_production_profile() -> None:
    lint("build/lint/bin/ansible-lint", "--strict", "main.yml", "destroy.yml")


def test_yamllint_has_nothing_to_say() -> None:
    lint("build/lint/bin/yamllint", "--strict", "main.yml", "destroy.yml", "tasks", "group_vars", "tests/deploy/emulator")


def lint(*command: str) -> None:
    scripts = [("build/deploy", "requirements.txt"), ("build/lint", "tests/deploy/requirements-lint.txt")]
    for directory, requirements in scripts:
        made = subprocess.run(
            ["scripts/python-packages", directory, requirements], cwd=ROOT, capture_output=True, text=True, check=False
        )  # fmt: skip
        if made.returncode:
            lacking(f"the packages of {requirements} cannot be installed: {made.stderr}")
    (collections,) = ROOT.glob("build/deploy/lib/python3*/site-packages")
    ended = subprocess.run(
        command,
        env={**os.environ, "PATH": f"{ROOT}/build/lint/bin:{os.environ['PATH']}", "NO_COLOR": "1",
             "ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg", "ANSIBLE_COLLECTIONS_PATH": str(collections)},
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
