"""What the playbooks say before they touch anything, and what linters say of them."""

from __future__ import annotations

import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from cloudformation import ALL
from modelled import told_by
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
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
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
    "environment_name": ("Nowd_1", "must be 2 to 32 lower-case letters, digits and hyphens, and not start with aws"),
    "retained_images": ("1", "has to be a number from 2 to 1000"),
    "vpc_cidr": ("10.0.0.0/8", "must be a block of IPv4 addresses from /16 to /28"),
    "public_subnet_1_cidr": ("10.180.8.0/28", "must be a block of IPv4 addresses from /16 to /27"),
    "public_subnet_2_cidr": ("nonsense", "must be a block of IPv4 addresses"),
    "private_subnet_1_cidr": ("10.180.24.0/29", "must be a block of IPv4 addresses"),
    "private_subnet_2_cidr": ("10.180.32.0", "must be a block of IPv4 addresses"),
    "compute": ("lambda", "can be ec2 or fargate"),
    "egress": ("both", "can be nat-per-zone, nat-single, public or endpoints"),
    "log_retention_days": ("31", "can be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180 or 365"),
    "certificate_arn": ("arn:aws:iam::111122223333:server-certificate/x", "must be empty or the ARN of a certificate of ACM"),
    "hosted_zone": ("example.org", "must be empty or the ID of a hosted zone, such as Z0123456789ABCDEFGHIJ"),
    "public_name": ("https://time.example.org/", "must be empty or a name alone, such as time.example.org"),
    "rate_limit": ("5", "must be 0 or a number from 10"),
    "instance_type": ("micro", "has to look like"),
    "host_image": ("/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id", "of one day"),
    "hosts_min": ("0", "has to be a number from 1 to 100"),
    "hosts_max": ("101", "has to be a number from 1 to 100"),
    "hosts_desired": ("two", "has to be a number from 1 to 100"),
    "container_insights": ("yes", "can be enhanced, enabled or disabled"),
    "tasks_min": ("many", "has to be a number from 1 to 1000"),
    "tasks_max": ("1001", "has to be a number from 1 to 1000"),
    "max_clock_error": ("500", "must be empty or a number of milliseconds or seconds, such as 500ms"),
    "permissions_boundary": ("nowd-boundary", "must be empty or the ARN of a managed policy of IAM"),
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
    # These are either true or false, whatever else they are called: what is handed on is always one of them.
    assert {name for name in re.findall(r"\{\{ (\w+)", given) if name in settings} == {
        *AGAINST_THE_TEMPLATES, "access_logs", "deletion_protection", "monitor",
    }  # fmt: skip


def test_what_the_preflight_reads_is_what_the_stacks_are_given() -> None:
    [play] = yaml.safe_load((ROOT / "main.yml").read_text())
    assert [task["vars"] for task in play["tasks"] if "stack.yml" in str(task)] == play["vars"]["stack_definitions"]


# A run tells of all that is wrong, so settings that have nothing to do with each other share one.
@pytest.mark.parametrize(
    "wrong",
    [
        {
            "environment_name=a-name-that-is-too-long-for-a-load-balancer": "must be 2 to 32 lower-case letters",
            "public_subnet_2_cidr=10.180.12.0/21": "10.180.12.0/21 has host bits set",
            "image=nowd": 'image is "nowd" and has to be the name of an image with its tag, NAME:TAG',
            "certificate_arn=arn:aws:acm:eu-central-1:123456789012:certificate/0a": "certificate_arn needs public_name",
            "access_logs=ture": 'access_logs is "ture" and can be true or false',
            "hosts_desired=5": "hosts_desired is 5 and hosts_max is 4: it may not be more than that",
        },
        {
            "environment_name=n": "must be 2 to 32 lower-case letters",
            "public_subnet_2_cidr=10.180.8.0/22": "public_subnet_1_cidr 10.180.8.0/21 and public_subnet_2_cidr 10.180.8.0/22 overlap",
            "private_subnet_1_cidr=10.181.0.0/21": "private_subnet_1_cidr 10.181.0.0/21 is not inside of vpc_cidr 10.180.0.0/16",
            "image=localhost:5000/nowd": "NAME:TAG",
            "public_name=https://time.example.org/": "must be empty or a name alone, such as time.example.org",
            "monitor=ture": 'monitor is "ture" and can be true or false',
            "tasks_min=13": "tasks_min is 13 and tasks_max is 12",
        },
        {
            "environment_name=internal-time": "and not start with aws, ecs, fargate or internal",
            "certificate_arn=arn:aws:acm:us-east-1:123456789012:certificate/0a": "certificate_arn is in us-east-1",
            "image=nowd@sha256:" + 64 * "0": "NAME:TAG",
            "hosts_timeout=0": 'hosts_timeout is "0" and has to be a number of seconds',
            "stack_timeout=0": 'stack_timeout is "0" and has to be a number of seconds',
            "nowcheck=no-such-program": 'nowcheck is "no-such-program", and there is no such program',
        },
        {
            "environment_name=shop-nowcheck": "is the repository of the monitor of shop; choose another name",
            "hosted_zone=Z0123456789ABCDEFGHIJ": "hosted_zone needs public_name, the name in it",
            "monitor_image=nowcheck": 'monitor_image is "nowcheck" and has to be the name of an image with its tag, NAME:TAG',
            '{"resource_tags": {"aws:owner": "me"}}': "AWS keeps names that begin with aws: for itself",
        },
        {"aws_region=eu-central-9": 'there is no region "eu-central-9" (aws_region); there are: eu-central-1'},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_wrong_settings_are_told_before_anything_is_created(wrong: dict[str, str]) -> None:
    words = deploy(*(word for setting in wrong for word in ("-e", setting)), **CREDENTIALS)
    assert [sentence for sentence in wrong.values() if sentence not in words] == [], words


CHECK = '[[check]]\nname = "nowd"\nurl = "{{ outputs.Url }}/now"\n'
EXPORT = '[[export]]\ntype = "emf"\n'
HISTORY = '[history]\npath = "none"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "there is no such file, or nothing in it"),
        ("[[check]\n", "monitor_config is not TOML: "),
        (CHECK.replace("nowd", "shop") + EXPORT, 'monitor_config has no [[check]] with name = "nowd" (environment_name)'),
        (CHECK, 'monitor_config has no [[export]] with type = "emf", every = "1m" and no path'),
        (CHECK + EXPORT + 'path = "metrics"\n', "monitor_config has no [[export]]"),
        (CHECK + EXPORT, 'monitor_config has no [history] with path = "none"'),
        (CHECK + EXPORT + HISTORY + '[server]\nlisten = "0.0.0.0:80"\n', "where the health check of its container asks"),
        (CHECK + EXPORT + HISTORY + "#" * 4096, "bytes, and its parameter takes 4096"),
    ],
)
def test_a_configuration_of_the_monitor_that_its_alarms_would_not_see_is_told(tmp_path, text, sentence) -> None:
    file = tmp_path / "own.toml"
    if text is not None:
        file.write_text(text)
    words = deploy("-e", "monitor=true", "-e", f"monitor_config={file}", **CREDENTIALS)
    assert sentence in words
    # And nothing else of it, but that no account answers.
    assert "monitor_configuration" not in words


def test_the_configuration_of_a_monitor_that_there_is_not_to_be_is_not_read(tmp_path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[[check]\n")
    for path in (file, tmp_path / "none.toml"):
        assert "monitor_config" not in deploy("-e", f"monitor_config={path}", **CREDENTIALS)


def test_the_configuration_as_it_comes_is_none_of_the_problems_and_may_be_replaced(tmp_path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(CHECK + EXPORT + HISTORY)
    for settings in ([], ["-e", f"monitor_config={own}"]):
        words = deploy("-e", "monitor=true", *settings, **CREDENTIALS)
        assert "AWS cannot be asked who we are" in words
        assert "monitor" not in words


def test_a_monitor_without_a_way_to_the_public_url_is_refused() -> None:
    sentence = 'egress is "endpoints" and must not be endpoints, because the monitor reaches the public URL through the internet'
    assert sentence in deploy("-e", "egress=endpoints", "-e", "monitor=true", **CREDENTIALS)
    assert "must not be endpoints" not in deploy("-e", "egress=endpoints", **CREDENTIALS)


def test_a_monitor_that_is_not_wanted_any_more_is_taken_away_before_what_it_stands_on() -> None:
    [play] = yaml.safe_load((ROOT / "main.yml").read_text())
    removed, made = (task for task in play["tasks"] if task.get("vars", {}).get("stack") == "monitor")
    assert (removed["ansible.builtin.include_tasks"], removed["when"]) == ("tasks/remove.yml", "not monitor | bool")
    assert (made["ansible.builtin.include_tasks"], made["when"]) == ("tasks/stack.yml", "monitor | bool")
    first = next(number for number, task in enumerate(play["tasks"]) if task.get("vars", {}).get("stack"))
    assert play["tasks"][first] is removed
    [destroys] = yaml.safe_load((ROOT / "destroy.yml").read_text())
    assert destroys["vars"]["stacks"][0] == "monitor"


def test_what_is_wrong_is_printed_once_and_as_it_is_said() -> None:
    words = deploy("-e", "hosts_min=0", "-e", "tasks_min=many", **CREDENTIALS)
    for sentence in ('hosts_min is "0" and has to be a number from 1 to 100', 'tasks_min is "many" and has to be a number'):
        assert words.count(sentence) == 1
    assert "FAILED! - hosts_min is" in words
    for noise in ("[ERROR]", "Origin:", "assertion:", "msg:"):
        assert noise not in words


def test_a_setting_that_there_is_not_is_refused_with_the_nearest_that_there_is(tmp_path) -> None:
    settings = tmp_path / "production.yml"
    settings.write_text("host_min: 3\nzone: a\n")
    own = ["-e", "ansible_connection=local", "-e", "tasks_max=9"]
    words = deploy("-e", "task_min=4", "-e", f"@{settings}", "-e", "tasks_min", *own, **CREDENTIALS)
    for sentence in (
        "there is no setting task_min (-e); did you mean tasks_min?",
        "there is no setting host_min (-e); did you mean hosts_min?",
        "there is no setting zone (-e); all that there are stand in group_vars/all.yml",
        '-e "tasks_min" has no value; say -e SETTING=VALUE',
    ):
        assert words.count(sentence) == 1, words
    assert not re.search("no setting (ansible_connection|tasks_max)", words)


def test_a_misspelled_setting_keeps_destroy_from_deleting_what_was_to_be_kept() -> None:
    words = deploy("destroy", "-e", "keep_log=true", "-e", "confirm=yes", **CREDENTIALS)
    assert "there is no setting keep_log (-e); did you mean keep_logs?" in words
    assert "no setting confirm" not in words


UNREAD = """
import sys
sys.path.insert(0, "plugins/lookup")
import unknown_settings
print(list(unknown_settings.unread({"tasks_min", "task_max", "tasks_max"}, "{{ tasks_min }} {{ tasks_max }}", "all.yml")))
"""


def test_a_setting_in_the_file_that_nothing_reads_is_named_too() -> None:
    lint("true")
    assert told_by(UNREAD) == str(["there is no setting task_max (all.yml); did you mean tasks_max?"])


def test_wrong_settings_do_not_keep_anybody_from_destroying() -> None:
    words = deploy("destroy", "-e", "tasks_min=7", "-e", "host_image=gone", "-e", "vpc_cidr=nonsense", **CREDENTIALS)
    assert "AWS cannot be asked who we are" in words
    assert not re.search("tasks_min|host_image|vpc_cidr", words)
    assert "environment_name is" in deploy("destroy", "-e", "environment_name=Nowd", **CREDENTIALS)


# For every kind of resource in the templates: the kind of leftover that it would be (library/leftovers.py) ...
LOOKED_FOR = {
    "AWS::AutoScaling::AutoScalingGroup": "group of hosts",
    "AWS::CertificateManager::Certificate": "certificate",
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
    "AWS::Route53::RecordSet": "name",
    "AWS::S3::Bucket": "bucket",
    "AWS::SNS::Topic": "topic",
    "AWS::SSM::Parameter": "parameter",
    "AWS::WAFv2::WebACL": "firewall",
}
# ... or without what it cannot be.
GOES_WITH_ANOTHER = {
    "AWS::AutoScaling::AutoScalingGroup": {"LifecycleHook"},
    "AWS::EC2::VPC": {"Subnet", "Route", "RouteTable", "SubnetRouteTableAssociation", "SecurityGroup", "VPCEndpoint",
                      "SecurityGroupIngress", "SecurityGroupEgress", "VPCGatewayAttachment", "VPCCidrBlock"},
    "AWS::ECS::Cluster": {"Service", "ClusterCapacityProviderAssociations", "ScalableTarget", "ScalingPolicy"},
    "AWS::ElasticLoadBalancingV2::LoadBalancer": {"Listener", "ListenerRule", "WebACLAssociation"},
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


# Parts of the playbooks, before an AWS that answers as is needed.


class Scripted(http.server.BaseHTTPRequestHandler):
    """Gives an operation its answer, or the one that fits how often a stack was to be deleted; notes what was asked for."""

    answers: dict[str, list[str]]
    asked: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target")
        action = target.split(".")[-1] if target else urllib.parse.parse_qs(body)["Action"][0]
        self.asked.append(action)
        told = self.answers[action][min(self.asked.count("DeleteStack"), len(self.answers[action]) - 1)]
        gone = told == GONE
        body = told
        if not target:
            body = told if gone else f"<{action}Response><{action}Result>{told}</{action}Result></{action}Response>"
        self.send_response(400 if gone else 200)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_) -> None: ...


GONE = (
    "<ErrorResponse><Error><Code>ValidationError</Code><Message>Stack with id prod-vpc does not exist</Message></Error>"
    "</ErrorResponse>"
)


def described(status: str, description: str = "nowd: a stack.") -> str:
    """The answer to DescribeStacks."""
    fields = {"StackName": "prod-vpc", "StackId": "arn:aws:cloudformation:eu-central-1:111122223333:stack/prod-vpc/1",
              "StackStatus": status, "Description": description, "CreationTime": "2026-11-23T00:00:00Z",
              "EnableTerminationProtection": "true"}  # fmt: skip
    return f"<Stacks><member>{''.join(f'<{name}>{value}</{name}>' for name, value in fields.items())}</member></Stacks>"


NOTHING = {"ListStackResources": ["<StackResourceSummaries/>"], "DescribeStackEvents": ["<StackEvents/>"]}


@dataclass
class Part:
    code: int
    words: str
    asked: list[str]


@pytest.fixture
def part(tmp_path) -> Callable[..., Part]:
    """Performs a file of tasks of the environment `prod`: `part("stack.yml", {operation: [answers]}, variable=value)`, the
    first answer before any deletion, the next one after one, and so on."""

    def perform(file: str, answers: dict[str, list[str]], *arguments: str, **variables) -> Part:
        made = subprocess.run(
            ["scripts/python-packages", "build/deploy", "requirements-deploy.txt"], cwd=ROOT, capture_output=True, text=True, check=False
        )  # fmt: skip
        if made.returncode:
            lacking(f"the packages of requirements-deploy.txt cannot be installed: {made.stderr}")
        handler = type("Handler", (Scripted,), {"answers": {**NOTHING, **answers}, "asked": []})
        play = {
            "hosts": "localhost", "gather_facts": False, "module_defaults": {"group/aws": {"region": "eu-central-1"}},
            "vars_files": [str(ROOT / "group_vars/all.yml")], "vars": {"outputs": {}},
            "tasks": [{"ansible.builtin.include_tasks": str(ROOT / "tasks" / file), "vars": variables}],
        }  # fmt: skip
        (tmp_path / "part.yml").write_text(json.dumps([play]))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            environment = {**kept, **NO_ACCOUNT, **CREDENTIALS, "ANSIBLE_COLLECTIONS_PATH": "/nonexistent",
                           "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}  # fmt: skip
            ended = subprocess.run(
                ["build/deploy/bin/ansible-playbook", str(tmp_path / "part.yml"), "-e", "environment_name=prod", *arguments],
                env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            server.shutdown()
        text = ended.stdout + ended.stderr
        assert "Traceback" not in text, text
        return Part(ended.returncode, " ".join(text.split()), handler.asked)

    return perform


VPC = {"stack": "vpc", "template": str(ROOT / "infrastructure/vpc.yaml"), "parameters": {"EnvironmentName": "prod"}}
READS = {"DescribeStacks", "DescribeStackEvents", "DescribeStackResources", "ListStackResources", "GetTemplate", "GetStackPolicy"}


def test_every_template_begins_its_description_as_the_playbooks_expect() -> None:
    assert all(stack.template["Description"].startswith("nowd: ") for stack in ALL)


@pytest.mark.parametrize("check", [[], ["--check"]])
# In a state, too, in which one of ours would be cleared away.
@pytest.mark.parametrize(
    ("status", "description"), [("UPDATE_COMPLETE", ""), ("ROLLBACK_COMPLETE", "The network of the shop.")]
)
@pytest.mark.parametrize("file", ["stack.yml", "remove.yml"])
def test_a_stack_of_somebody_else_is_neither_changed_nor_deleted(part, file, status, description, check) -> None:
    ended = part(file, {"DescribeStacks": [described(status, description)]}, *check, **VPC)
    assert ended.code == 2, ended.words
    assert (
        f'There is a stack prod-vpc in eu-central-1, and it is not one of nowd\'s: its description is "{description}"'
    ) in ended.words.replace('\\"', '"').replace("''", "'")
    assert set(ended.asked) <= READS


def test_what_does_not_go_at_once_is_deleted_again_later(part) -> None:
    ours, failed = described("UPDATE_COMPLETE"), described("DELETE_FAILED")
    answers = {"DeleteStack": [""], "UpdateTerminationProtection": [""]}
    stands = {"DescribeStacks": [ours, failed, GONE]}
    quickly = ["-e", "deletion_retry_delay=1"]
    ended = part("remove.yml", answers | stands, *quickly, **VPC)
    assert ended.code == 0, ended.words
    assert ended.asked.count("DeleteStack") == 2

    stands = {"DescribeStacks": [ours, failed]}
    ended = part("remove.yml", answers | stands, *quickly, "-e", "deletion_retries=2", **VPC)
    assert ended.code == 2, ended.words
    assert "it is DELETE_FAILED." in ended.words
    assert ended.asked.count("DeleteStack") == 3


def test_a_stuck_stack_that_cannot_be_cleared_away_says_why(part) -> None:
    stuck = described("ROLLBACK_FAILED")
    event = "<ResourceType>AWS::EC2::VPC</ResourceType><LogicalResourceId>Vpc</LogicalResourceId>" + (
        "<ResourceStatus>DELETE_FAILED</ResourceStatus><ResourceStatusReason>it is in use</ResourceStatusReason>"
        "<StackId>1</StackId><EventId>1</EventId><StackName>prod-vpc</StackName><Timestamp>2026-11-23T00:00:00Z</Timestamp>"
    )
    answers = {
        "DescribeStacks": [stuck, described("DELETE_FAILED")], "DeleteStack": [""],
        "UpdateTerminationProtection": [""], "DescribeStackEvents": [f"<StackEvents><member>{event}</member></StackEvents>"],
    }  # fmt: skip
    ended = part("stack.yml", answers, **VPC)
    assert ended.code == 2, ended.words
    assert "it is DELETE_FAILED." in ended.words
    assert "AWS::EC2::VPC Vpc DELETE_FAILED: it is in use" in ended.words
    assert "CreateStack" not in ended.asked


@pytest.mark.parametrize(
    ("reason", "code"),
    [("Template error: no such zone", 2), ("The submitted information didn't contain changes. Submit different ...", 0)],
)
def test_check_mode_fails_when_the_change_set_did(part, reason, code) -> None:
    answers = {
        "DescribeStacks": [described("UPDATE_COMPLETE")], "CreateChangeSet": ["<Id>arn:1</Id>"], "DeleteChangeSet": [""],
        "DescribeChangeSet": [f"<Status>FAILED</Status><StatusReason>{reason}</StatusReason><Changes/>"],
    }  # fmt: skip
    ended = part("stack.yml", answers, "--check", **VPC)
    assert ended.code == code, ended.words
    assert (reason in ended.words) == (code == 2)
    assert ("prod-vpc would not change" in ended.words) == (code == 0)


HOSTS = {"outputs": {"ClusterName": "prod-ecs-cluster-Cluster-1", "AutoScalingGroupName": "prod-hosts"}}


def clusters(registered: int) -> str:
    return json.dumps({"clusters": [{"clusterName": "prod", "registeredContainerInstancesCount": registered}]})


ACTIVITIES = "<Activities><member>{}</member></Activities>".format(
    "<ActivityId>1</ActivityId><AutoScalingGroupName>prod-hosts</AutoScalingGroupName><Cause>c</Cause>"
    "<StartTime>2026-11-23T00:00:00Z</StartTime><StatusCode>Failed</StatusCode>"
    "<StatusMessage>You have requested more vCPU capacity than your limit allows.</StatusMessage>"
)


def test_hosts_that_do_not_join_are_told_by_the_name_of_their_group(part) -> None:
    answers = {"DescribeClusters": [clusters(1)], "DescribeScalingActivities": [ACTIVITIES]}
    ended = part("hosts.yml", answers, "-e", "hosts_timeout=1", **HOSTS)
    assert ended.code == 2, ended.words
    for sentence in (
        "After 1 s (hosts_timeout) 1 hosts have joined the cluster, of at least 2 (hosts_min).",
        "Auto Scaling says: You have requested more vCPU capacity",
        "Look at the Auto Scaling group prod-hosts",
    ):
        assert sentence in ended.words


HELD = (
    "<AutoScalingGroups><member><AutoScalingGroupName>prod-hosts</AutoScalingGroupName><Instances>"
    "<member><InstanceId>i-2</InstanceId><LifecycleState>Terminating:Wait</LifecycleState></member>"
    "<member><InstanceId>i-1</InstanceId><LifecycleState>Pending:Wait</LifecycleState></member>"
    "<member><InstanceId>i-3</InstanceId><LifecycleState>InService</LifecycleState></member>"
    "</Instances></member></AutoScalingGroups>"
)
HOOKS = "<LifecycleHooks>{}{}</LifecycleHooks>".format(
    "<member><LifecycleHookName>registered</LifecycleHookName>"
    "<LifecycleTransition>autoscaling:EC2_INSTANCE_LAUNCHING</LifecycleTransition></member>",
    "<member><LifecycleHookName>ecs-managed-draining-termination-hook</LifecycleHookName>"
    "<LifecycleTransition>autoscaling:EC2_INSTANCE_TERMINATING</LifecycleTransition></member>",
)
OF_HELD = [
    "The host i-1 is held by registered (Pending:Wait): its agent has not registered",
    "The host i-2 is held by ecs-managed-draining-termination-hook (Terminating:Wait): it still has tasks",
]


def test_a_cluster_that_is_late_names_the_hosts_that_a_hook_holds(part) -> None:
    answers = {
        "DescribeStacks": [described("UPDATE_IN_PROGRESS").replace("prod-vpc", "prod-hosts")],
        "DescribeAutoScalingGroups": [HELD], "DescribeLifecycleHooks": [HOOKS],
    }  # fmt: skip
    cluster = {"stack": "hosts", "stack_name": "prod-hosts", "template": "a template", "stack_after": {"msg": "late"}}
    ended = part("why.yml", answers, **cluster, **HOSTS)
    assert ended.code == 2, ended.words
    assert all(sentence in ended.words for sentence in OF_HELD), ended.words
    assert "i-3" not in ended.words


def test_hosts_that_do_not_join_and_are_held_are_named(part) -> None:
    answers = {
        "DescribeClusters": [clusters(1)], "DescribeScalingActivities": [ACTIVITIES],
        "DescribeAutoScalingGroups": [HELD], "DescribeLifecycleHooks": [HOOKS],
    }  # fmt: skip
    ended = part("hosts.yml", answers, "-e", "hosts_timeout=1", **HOSTS)
    assert OF_HELD[0] in ended.words


def test_hosts_that_have_joined_are_no_change(part) -> None:
    answers = {"DescribeClusters": [clusters(2)], "DescribeScalingActivities": [ACTIVITIES]}
    ended = part("hosts.yml", answers, **HOSTS)
    assert ended.code == 0, ended.words
    assert "changed=0" in ended.words
    ended = part("hosts.yml", {}, "--check", **HOSTS)
    assert (ended.code, ended.asked) == (0, [])


# As AWS tells them, newest first.
FAILED_UPDATE = [
    ("prod-web-service", "AWS::CloudFormation::Stack", "UPDATE_ROLLBACK_COMPLETE", ""),
    ("Alarm", "AWS::CloudWatch::Alarm", "UPDATE_FAILED", "Resource update canceled"),
    ("Service", "AWS::ECS::Service", "UPDATE_FAILED", "ECS Deployment Circuit Breaker was triggered"),
    ("prod-web-service", "AWS::CloudFormation::Stack", "UPDATE_IN_PROGRESS", "User Initiated"),
    ("Role", "AWS::IAM::Role", "UPDATE_FAILED", "of the week before"),
    ("prod-web-service", "AWS::CloudFormation::Stack", "UPDATE_IN_PROGRESS", "User Initiated"),
]


@pytest.mark.parametrize("updated_before", ["2026-11-20T00:00:00+00:00", "2026-11-23T00:00:00+00:00"])
def test_reasons_are_read_from_cloudformation_when_the_module_did_not_see_the_end(part, updated_before: str) -> None:
    told = "".join(
        f"<member><StackId>s</StackId><EventId>{age}</EventId><StackName>prod-web-service</StackName>"
        f"<LogicalResourceId>{logical}</LogicalResourceId><ResourceType>{kind}</ResourceType><ResourceStatus>{status}</ResourceStatus>"
        f"<ResourceStatusReason>{reason}</ResourceStatusReason><Timestamp>2026-11-23T00:00:{59 - age}Z</Timestamp></member>"
        for age, (logical, kind, status, reason) in enumerate(FAILED_UPDATE)
    )
    now = described("UPDATE_ROLLBACK_COMPLETE").replace("prod-vpc", "prod-web-service")
    updated = "<LastUpdatedTime>2026-11-23T00:00:00Z</LastUpdatedTime></member>"
    answers = {
        "DescribeStacks": [now.replace("</member>", updated)],
        "DescribeStackEvents": [f"<StackEvents>{told}</StackEvents>"],
    }
    identity = "arn:aws:cloudformation:eu-central-1:111122223333:stack/prod-web-service/1"
    before = {"stack_description": {"stack_id": identity, "last_updated_time": updated_before}}
    service = {"stack": "web-service", "stack_name": "prod-web-service", "template": "a template", "found": before}
    ended = part("why.yml", answers, **service, stack_after={"msg": "AWS did not answer"}, **HOSTS)
    assert ended.code == 2, ended.words
    reason = "AWS::ECS::Service Service UPDATE_FAILED: ECS Deployment Circuit Breaker was triggered"
    # One that was refused is not the last one that failed.
    was_refused = updated_before.startswith("2026-11-23")
    assert (reason in ended.words, "AWS did not answer" in ended.words) == (not was_refused, was_refused), ended.words
    for other in ("canceled", "of the week before"):
        assert other not in ended.words, ended.words


def test_a_certificate_that_is_waited_for_names_its_record(part) -> None:
    resource = (
        "<LogicalResourceId>Certificate</LogicalResourceId><ResourceType>AWS::CertificateManager::Certificate</ResourceType>"
        "<PhysicalResourceId>arn:aws:acm:eu-central-1:1:certificate/0a</PhysicalResourceId>"
        "<ResourceStatus>CREATE_IN_PROGRESS</ResourceStatus><LastUpdatedTimestamp>2026-11-23T00:00:00Z</LastUpdatedTimestamp>"
    )
    wanted = {"ResourceRecord": {"Name": "_1.time.example.org.", "Type": "CNAME", "Value": "_2.acm-validations.aws."}}
    pending = {"DomainName": "time.example.org", "Status": "PENDING_VALIDATION", "DomainValidationOptions": [wanted]}
    answers = {
        "DescribeStacks": [described("CREATE_IN_PROGRESS").replace("prod-vpc", "prod-load-balancers")],
        "ListStackResources": [f"<StackResourceSummaries><member>{resource}</member></StackResourceSummaries>"],
        "DescribeCertificate": [json.dumps({"Certificate": pending})],
    }
    balancer = {"stack": "load-balancers", "stack_name": "prod-load-balancers", "template": "a template", "stack_after": {"msg": "late"}}
    ended = part("why.yml", answers, **balancer)
    assert ended.code == 2, ended.words
    assert "The certificate for time.example.org waits until ACM sees CNAME _1.time.example.org. in the public DNS." in ended.words


def test_what_the_service_says_is_told_when_time_is_up(part) -> None:
    now = time.time()
    events = [{"id": "1", "createdAt": now - 9, "message": "(service web) was unable to place a task: no container instance"},
              {"id": "2", "createdAt": now - 8, "message": "(service web) has reached a steady state."},
              {"id": "3", "createdAt": now - 7200, "message": "long ago"}]  # fmt: skip
    answers = {
        "DescribeStacks": [described("UPDATE_IN_PROGRESS").replace("prod-vpc", "prod-web-service")],
        "ListTasks": ['{"taskArns": []}'], "ListServices": ['{"serviceArns": ["arn:aws:ecs:eu-central-1:1:service/a/b"]}'],
        "DescribeServices": [json.dumps({"services": [{"serviceName": "web", "events": events}]})],
    }  # fmt: skip
    service = {"stack": "web-service", "stack_name": "prod-web-service", "template": "a template", "stack_after": {"msg": "late"}}
    ended = part("why.yml", answers, **service, **HOSTS)
    assert ended.code == 2, ended.words
    assert "ECS says: (service web) was unable to place a task: no container instance" in ended.words
    assert "It is still at it after 1800 s (stack_timeout)." in ended.words
    assert "steady state" not in ended.words
    assert "long ago" not in ended.words


# What is still there of an environment. The module runs with the libraries of the playbooks, and with a client that answers
# from tables: `python -c PROGRAM KIND ENVIRONMENT`, the tables on standard input.

FINDS = """
import json, sys
sys.path.insert(0, "library")
import ansible.module_utils
ansible.module_utils.__path__.append("plugins/module_utils")
import botocore.exceptions, leftovers
kind, name = sys.argv[1:]
tables = json.load(sys.stdin)
class Client:
    def can_paginate(self, operation): return False
    def __getattr__(self, operation):
        def answer(**asked):
            told = tables[operation]
            if isinstance(told, list):
                told = told[int(asked.get("nextToken") or asked.get("Marker") or 0)]
            told = told.get(next(iter(asked.values()), ""), told)
            if "refused" in told:
                raise botocore.exceptions.ClientError({"Error": {"Code": told["refused"]}}, operation)
            return told
        return answer
stacks = ["monitor", "web-service", "hosts", "ecs-cluster", "load-balancers", "security-groups", "vpc", "registry"]
ours = leftovers.Environment(name, "eu-central-1", [f"{name}-{stack}" for stack in stacks])
[find] = [find for one, _, find in leftovers.KINDS if one == kind]
print(json.dumps(sorted(find(Client(), ours))))
"""


def left(kind: str, tables: dict, name: str = "prod") -> list[str] | str:
    """The names, or the error."""
    ended = subprocess.run(
        ["build/deploy/bin/python", "-c", FINDS, kind, name], input=json.dumps(tables), cwd=ROOT, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    return json.loads(ended.stdout) if ended.returncode == 0 else ended.stderr


def of_stack(name: str, region: str = "eu-central-1") -> dict:
    return {"Key": "aws:cloudformation:stack-id", "Value": f"arn:aws:cloudformation:{region}:111122223333:stack/{name}/1"}


def test_keys_and_roles_are_known_by_the_tag_of_the_environment(part) -> None:
    tags = {
        "ours": [{"TagKey": "Environment", "TagValue": "prod"}],
        "theirs": [{"TagKey": "Environment", "TagValue": "prod-2"}],
        "nobodys": [],
    }
    answers = {name: {"Tags": told} for name, told in tags.items()} | {"closed": {"refused": "AccessDeniedException"}}
    keys = {"list_keys": {"Keys": [{"KeyId": name} for name in answers]}, "list_resource_tags": answers,
            "describe_key": {"KeyMetadata": {"KeyState": "Enabled"}}}  # fmt: skip
    assert left("key", keys) == ["ours"]

    environment = [{"Key": "Environment", "Value": "prod"}]
    roles = {
        # Cut, so that the name alone does not tell.
        "prod-load-balancers-Some-very-long-": environment,
        "prod-vpc-FlowLogRole-1": [],
        "prod-notes": [],
        "prod-in-another-region": [of_stack("prod-vpc", "us-east-1"), *environment],
        "somebody": environment,
    }
    tables = {"list_roles": {"Roles": [{"RoleName": name} for name in roles]},
              "list_role_tags": {name: {"Tags": told} for name, told in roles.items()}}  # fmt: skip
    assert left("role", tables) == ["prod-load-balancers-Some-very-long-", "prod-vpc-FlowLogRole-1"]


def test_what_the_monitor_leaves_is_known_by_its_names(part) -> None:
    alarms = ["prod-monitor-silent", "prod-monitor-vpc-Alarm-1", "prod-web-service-LatencyAlarm-1", "prod-shop-silent"]
    tables = {"describe_alarms": {"MetricAlarms": [{"AlarmName": name} for name in alarms], "CompositeAlarms": []}}
    assert left("alarm", tables) == ["prod-monitor-silent", "prod-web-service-LatencyAlarm-1"]
    repositories = ["prod", "prod-nowcheck", "prod-shop"]
    tables = {"describe_repositories": {"repositories": [{"repositoryName": name} for name in repositories]}}
    assert left("repository", tables) == ["prod", "prod-nowcheck"]
    definitions = {"taskDefinitionArns": [f"arn:aws:ecs:r:1:task-definition/{one}:1" for one in ("prod-web", "prod-monitor", "prod-x")]}
    assert set(left("task definition", {"list_task_definitions": definitions})) == {"prod-web:1", "prod-monitor:1"}
    path = {"/nowd/prod/monitor": {"Parameters": [{"Name": "/nowd/prod/monitor/0a"}]}}
    assert left("parameter", {"get_parameters_by_path": path}) == ["/nowd/prod/monitor/0a"]


def test_a_bucket_of_somebody_else_that_is_closed_to_us_does_not_end_the_search(part) -> None:
    here, closed = {"LocationConstraint": "eu-central-1"}, {"refused": "AccessDenied"}
    ours, theirs, old = "prod-load-balancers-accesslogsbucket-1", "prod-secrets", "prod-load-balancers-accesslogsbucket-2"
    tables = {
        "list_buckets": {"Buckets": [{"Name": name} for name in (ours, theirs, old)]},
        "get_bucket_location": {ours: here, theirs: closed, old: here},
        "get_bucket_tagging": {ours: {"TagSet": [of_stack("prod-load-balancers")]}, old: {"refused": "NoSuchTagSet"}},
    }
    assert left("bucket", tables) == [ours, old]
    tables["get_bucket_location"][old] = closed
    assert "AccessDenied" in left("bucket", tables), "it is ours, and not to know is not the same as to have found nothing"


def test_what_stands_on_the_next_page_is_found_too(part) -> None:
    others = [{"name": f"another-{number}", "status": "ACTIVE"} for number in range(10)]
    ours = {"name": "prod-hosts-CapacityProvider-1", "status": "ACTIVE"}
    pages = [{"capacityProviders": others, "nextToken": "1"}, {"capacityProviders": [ours]}]
    assert left("capacity provider", {"describe_capacity_providers": pages}) == [ours["name"]]

    tagged = [{"Tags": [], "IsTruncated": True, "Marker": "1"}, {"Tags": [{"Key": "Environment", "Value": "prod"}]}]
    tables = {"list_roles": {"Roles": [{"RoleName": "prod-cut"}]}, "list_role_tags": tagged}
    assert left("role", tables) == ["prod-cut"]


LISTINGS = """
import botocore.session, json, re
text = open("library/leftovers.py").read()
import leftovers
from ansible.module_utils.pages import TOKENS
clients = {service: botocore.session.Session().create_client(
    service, "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x") for _, service, _ in leftovers.KINDS}
by_pages = set(re.findall(r'(?:answers\\(client, |tagged\\()"(\\w+)"', text))
at_once = set(re.findall(r"client\\.((?:list|describe|get)_\\w+)\\(", text))
unread = []
for name in sorted(by_pages | at_once):
    # Some names are those of several services; tags of balancers are asked for by the name of each.
    for client in (one for one in clients.values() if hasattr(one, name) and name not in ("describe_tags", "get_paginator")):
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[name])
        tokens = [one for one in shape.output_shape.members if re.search("token|marker", one, re.I)]
        if not tokens or name in by_pages and client.can_paginate(name):
            continue
        fits = [one for one in tokens if TOKENS.get(one) in shape.input_shape.members]
        if name in at_once or not fits:
            unread.append(name)
print(json.dumps({"unread": unread, "looked_at": len(by_pages | at_once)}))
"""


def test_every_listing_that_comes_in_pages_is_read_to_its_last_one(part) -> None:
    """By the models of AWS."""
    lint("true")
    told = json.loads(told_by(LISTINGS))
    assert told["unread"] == []
    assert told["looked_at"] >= 20


PUSHES = """
import base64, sys
sys.path.insert(0, "library")
import ecr_image
class Ecr:
    def get_authorization_token(self):
        return {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:a-password").decode()}]}
ecr_image.push(Ecr(), "nowd:1", "registry.example/nowd:1")
"""


def test_the_image_is_pushed_by_the_engine_that_has_it_whichever_context_says_so(part, tmp_path) -> None:
    noted = tmp_path / "noted"
    fake = tmp_path / "docker"
    fake.write_text(f'#!/bin/sh\necho "$DOCKER_HOST $*" >>{noted}\n[ "$1" != context ] || echo unix:///of/the/context\n')
    fake.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    subprocess.run(
        ["build/deploy/bin/python", "-c", PUSHES], cwd=ROOT, env={**environment, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=60, check=True,
    )  # fmt: skip
    first, *others = noted.read_text().splitlines()
    assert first.split() == ["context", "inspect", "--format", "{{", ".Endpoints.docker.Host", "}}"]
    assert [line.split()[3] for line in others] == ["login", "tag", "push", "rmi"]
    assert all(line.startswith("unix:///of/the/context --config ") for line in others)


def test_what_a_builder_attests_of_an_image_is_not_put_around_it() -> None:
    assert "BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker build" in (ROOT / "scripts/image").read_text()


@pytest.mark.parametrize("playbook", ["main.yml", "destroy.yml"])
def test_the_syntax_is_right(playbook: str) -> None:
    lint("build/deploy/bin/ansible-playbook", "--syntax-check", playbook)


def test_the_collections_are_those_that_the_requirements_name() -> None:
    """For `make deploy`, and for those who install them into an Ansible of their own."""
    lint("true")
    (place,) = ROOT.glob("build/deploy/lib/python3*/site-packages/ansible_collections")
    infos = [json.loads(file.read_text())["collection_info"] for file in place.glob("*/*/MANIFEST.json")]
    unpacked = {f"{info['namespace']}.{info['name']}": info["version"] for info in infos}
    named = yaml.safe_load((ROOT / "requirements.yml").read_text())["collections"]
    assert unpacked == {collection["name"]: collection["version"] for collection in named}


def test_ansible_lint_has_nothing_to_say_at_its_production_profile() -> None:
    lint("build/lint/bin/ansible-lint", "--strict", "main.yml", "destroy.yml")


def test_yamllint_has_nothing_to_say() -> None:
    lint("build/lint/bin/yamllint", "--strict", "main.yml", "destroy.yml", "tasks", "group_vars", "tests/deploy/emulator")


def lint(*command: str) -> None:
    scripts = [("build/deploy", "requirements-deploy.txt"), ("build/lint", "tests/deploy/requirements-lint.txt")]
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
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
