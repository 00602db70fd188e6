"""What the deployment asks of AWS, as actions of IAM: worked out from the templates, by the permissions that the schema of each
kind of resource names for its handlers, and from the playbooks, by the calls of their modules.

The schemas come with cfn-lint (build/scan), the models of the calls with botocore (build/deploy). What neither can tell stands
in the tables here, which are to be reviewed: a test fails when a module or a kind of resource is missing in them.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = [*sorted(ROOT.glob("infrastructure/*.yaml")), *sorted(ROOT.glob("services/*.yaml"))]
OPTIONAL = {"deployer.yaml"}
"""What makes the deployer is not made by it."""

HANDLERS = ("create", "read", "update", "delete")

NOT_NEEDED = {
    "services that no property of the templates concerns": """
        acm-pca:* amplify:* apigateway:* apprunner:* appsync:* bedrock-agentcore:* cognito-idp:* firehose:* lambda:*
        managed-fleets:* payments:* s3tables:* vpc-lattice:* vpce:*""",
    "addresses, ranges and gateways of other kinds than the templates make": """
        ec2:AcceptAddressTransfer ec2:AllocateIpamPoolCidr ec2:AssignPrivateNatGatewayAddress ec2:AssociateAddress
        ec2:AssociateNatGatewayAddress ec2:AssociateVerifiedAccessInstanceWebAcl ec2:AttachVpnGateway
        ec2:CreateVpcEncryptionControl ec2:DetachVpnGateway ec2:DisassociateAddress ec2:DisassociateNatGatewayAddress
        ec2:DisassociateVerifiedAccessInstanceWebAcl ec2:GetVerifiedAccessInstanceWebAcl ec2:ModifyVpcTenancy
        ec2:UnassignPrivateNatGatewayAddress ec2:Get*""",
    "managed policies, and the taking away of a boundary: roles of the templates have policies of their own": """
        iam:AttachRolePolicy iam:DetachRolePolicy iam:DeleteRolePermissionsBoundary""",
    "properties of groups, balancers and scaling that the templates do not set": """
        autoscaling:AttachLoadBalancers autoscaling:AttachLoadBalancerTargetGroups autoscaling:AttachTrafficSources
        autoscaling:DetachLoadBalancers autoscaling:DetachLoadBalancerTargetGroups autoscaling:DetachTrafficSources
        autoscaling:PutNotificationConfiguration autoscaling:DeleteNotificationConfiguration
        elasticloadbalancing:ModifyCapacityReservation elasticloadbalancing:ModifyIpPools elasticloadbalancing:RegisterTargets elasticloadbalancing:DeregisterTargets
        application-autoscaling:PutScheduledAction application-autoscaling:DeleteScheduledAction
        application-autoscaling:DescribeScheduledActions""",
    "settings of the account, not of a cluster": "ecs:PutAccountSetting ecs:PutAccountSettingDefault",
    "policies of repositories, log groups and topics that the templates do not have": """
        ecr:SetRepositoryPolicy ecr:DeleteRepositoryPolicy logs:PutResourcePolicy logs:DeleteResourcePolicy
        logs:DescribeResourcePolicies logs:PutDataProtectionPolicy logs:DeleteDataProtectionPolicy logs:PutIndexPolicy
        logs:DeleteIndexPolicy logs:AssociateKmsKey logs:DisassociateKmsKey logs:PutBearerTokenAuthentication
        logs:PutLogGroupDeletionProtection sns:PutDataProtectionPolicy wafv2:PutPermissionPolicy wafv2:GetPermissionPolicy""",
    "properties of buckets that the templates do not set; no object is ever written": """
        s3:*MetadataTable* s3:*Metadata*Table* s3:*Replication* s3:*Website* s3:*Cors s3:*CORS s3:*Analytics* s3:*Inventory*
        s3:*Metrics* s3:*IntelligentTiering* s3:*Accelerate* s3:*ObjectLock* s3:*Abac s3:PutBucketAcl s3:PutObjectAcl
        s3:PutBucketLogging s3:PutBucketNotification s3:PutBucketVersioning s3:REST.PUT.OBJECT""",
    "properties of alarms and services that the templates do not use": "cloudwatch:GetMetricData ssm:Get[*]",
}
"""Permissions of handlers, by the reason why these templates do not need them. What a handler reads without being asked
(s3:GetBucketAcl, for example) stays."""

MODULES = {
    "amazon.aws.cloudformation": """
        cloudformation:CreateChangeSet cloudformation:CreateStack cloudformation:DeleteChangeSet cloudformation:DeleteStack
        cloudformation:DescribeChangeSet cloudformation:DescribeStackEvents cloudformation:DescribeStacks
        cloudformation:ListChangeSets cloudformation:ListStackResources cloudformation:TagResource cloudformation:UntagResource
        cloudformation:UpdateStack cloudformation:UpdateTerminationProtection""",
    "amazon.aws.cloudformation_info": """
        cloudformation:DescribeStackEvents cloudformation:DescribeStackResources cloudformation:DescribeStacks
        cloudformation:GetStackPolicy cloudformation:GetTemplate cloudformation:ListStackResources""",
    "amazon.aws.cloudwatchlogs_log_group": "logs:DeleteLogGroup logs:DescribeLogGroups",
    "amazon.aws.ec2_security_group": """
        ec2:DescribeSecurityGroups ec2:DescribeVpcs ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress""",
    "amazon.aws.s3_bucket": "s3:DeleteBucket s3:DeleteObject s3:DeleteObjectVersion s3:ListBucket s3:ListBucketVersions",
    "community.aws.ecs_service_info": "ecs:DescribeServices ecs:ListServices",
}
"""What the modules of Ansible's collections ask, as far as the playbooks use them."""

PUSH = """ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:CompleteLayerUpload ecr:GetAuthorizationToken
    ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart"""
"""What Docker asks of ECR when an image is pushed, and library/ecr_image.py when it reads one."""

BEYOND = {
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "ec2:GetSecurityGroupsForVpc",
    "AWS::EC2::VPCEndpoint": "route53:AssociateVPCWithHostedZone",
}
"""What a service asks for although no handler names it: users report that a load balancer is refused without, and the service
authorization reference names the other for endpoints with private DNS names."""

PARAMETERS = {"AWS::SSM::Parameter::Value": "ssm:GetParameters"}
"""What CloudFormation asks for parameters of a type. What it asks of EC2 for others is all `Describe`."""

NAMES = {"ListBuckets": "ListAllMyBuckets"}
"""Calls of S3 whose action is called differently."""

CALLED_BY = """
import botocore.session, json, sys
session, told = botocore.session.Session(), {}
for file, (services, words) in json.load(sys.stdin).items():
    told[file] = []
    for service in services:
        model = session.get_service_model(service)
        known = {botocore.xform_name(one): one for one in model.operation_names}
        prefix = {"monitoring": "cloudwatch", "api.ecr": "ecr"}.get(model.endpoint_prefix, model.endpoint_prefix)
        told[file] += [prefix + ":" + known[word] for word in words if word in known]
print(json.dumps(told))
"""


def in_environment(directory: str, requirements: str, program: str, asked: object) -> object:
    """What a piece of Python prints as JSON, run with the packages of that file."""
    subprocess.run(["scripts/python-packages", directory, requirements], cwd=ROOT, check=True, capture_output=True)
    ended = subprocess.run(
        [f"{directory}/bin/python", "-c", program], input=json.dumps(asked), cwd=ROOT, capture_output=True, text=True, check=True
    )  # fmt: skip
    return json.loads(ended.stdout)


def templates() -> list[Path]:
    return [path for path in TEMPLATES if path.name not in OPTIONAL]


def kinds_of_resources() -> set[str]:
    return {kind for path in templates() for kind in re.findall(r"^    Type: (AWS::\w+::\w+)$", path.read_text(), re.MULTILINE)}


SCHEMAS = """
import cfnlint, json, pathlib, sys
wanted, told = set(json.load(sys.stdin)), {}
for path in (pathlib.Path(cfnlint.__file__).parent / "data/schemas/resources").glob("*.json"):
    schema = json.loads(path.read_text())
    if schema["typeName"] in wanted:
        told[schema["typeName"]] = {name: one.get("permissions", []) for name, one in schema.get("handlers", {}).items()}
print(json.dumps(told))
"""


def of_templates() -> dict[str, list[str]]:
    """Kind of resource → actions."""
    schemas = in_environment("build/scan", "tests/deploy/requirements-scan.txt", SCHEMAS, sorted(kinds_of_resources()))
    refused = [pattern for patterns in NOT_NEEDED.values() for pattern in patterns.split()]
    needed = {}
    for kind, handlers in schemas.items():
        asked = {action for name in HANDLERS for action in handlers.get(name, [])}
        needed[kind] = sorted(one for one in asked if not any(fnmatchcase(one, pattern) for pattern in refused))
    for kind, actions in BEYOND.items():
        needed[kind] += actions.split()
    text = "\n".join(path.read_text() for path in templates())
    return {**needed, **{kind: actions.split() for kind, actions in PARAMETERS.items() if kind in text}}


def words_of(path: Path) -> tuple[list[str], list[str]]:
    """The services that a module of ours makes clients of, and all names and texts in it, some of which are calls."""
    text = path.read_text()
    # What it shares with others says what it calls, too.
    shared = re.findall(r"^from ansible\.module_utils\.(\w+) import", text, re.MULTILINE)
    text += "".join((SHARED / f"{name}.py").read_text() for name in shared if (SHARED / f"{name}.py").exists()).replace(FUTURE, "")
    tree = ast.parse(text)
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return sorted(texts & SERVICES), sorted(texts | attributes)


DEPLOY = ROOT / "scripts/deploy"
SHARED = ROOT / "plugins/module_utils"
FUTURE = "from __future__ import annotations\n"
"""May stand at the beginning of a file only."""

SERVICES = {
    "acm", "autoscaling", "cloudformation", "cloudwatch", "ec2", "ecr", "ecs", "elbv2", "iam", "kms", "logs", "route53", "s3",
    "service-quotas", "sns", "ssm", "wafv2",
}  # fmt: skip
"""Of which modules may make clients. Who asks STS who it is needs no right."""


def of_playbooks() -> dict[str, list[str]]:
    """Module → actions."""
    ours = {path.name: words_of(path) for path in sorted(ROOT.glob("library/*.py"))}
    # As scripts/deploy makes it.
    directory, requirements = re.search(r"^scripts/python-packages (\S+) (\S+)$", DEPLOY.read_text(), re.MULTILINE).groups()
    called = in_environment(directory, requirements, CALLED_BY, ours)
    needed = {name: [rename(action) for action in actions] for name, actions in called.items() if actions}
    return {**needed, **{name: actions.split() for name, actions in MODULES.items()}, "docker push": PUSH.split()}


def rename(action: str) -> str:
    service, name = action.split(":")
    return f"{service}:{NAMES.get(name, name) if service == 's3' else name}"


def needed_actions() -> set[str]:
    """Without those that a pattern among them stands for: `ec2:Describe*` for what the handlers describe of EC2."""
    actions = {one for table in (of_templates(), of_playbooks()) for asked in table.values() for one in asked}
    patterns = {one for one in actions if "*" in one}
    return {one for one in actions if one in patterns or not any(fnmatchcase(one, pattern) for pattern in patterns)}
