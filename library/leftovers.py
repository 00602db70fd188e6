#!/usr/bin/python
"""Ansible module: everything of an environment that is still there, found by asking each service of AWS.

Returns `found`, a list of `kind` and `name`. It changes nothing, in check mode or not.

Not by the Resource Groups Tagging API: that goes on naming for hours what is gone, and does not know roles, groups of
hosts or alarms.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.pages import answers

DOCUMENTATION = """
module: leftovers
short_description: Says what is still there of an environment
description: Asks each service of AWS for what the stacks of an environment make. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  environment_name: {type: str, required: true, description: what names begin with}
  stacks: {type: list, elements: str, required: true, description: names of the stacks without that of the environment}
  hosted_zone: {type: str, default: '', description: 'the zone that had a name of the load balancer, if any'}
"""


@dataclass
class Environment:
    """What is of an environment: by a tag, or by a name that is its own or that CloudFormation made.

    CloudFormation makes STACK-LogicalId-RANDOM. Names of environments are in lower case and logical ids begin with a
    capital: so nothing of an environment that is called like a stack of this one (nowd-vpc) is taken for its own.
    """

    name: str
    region: str
    stacks: list[str]
    hosted_zone: str = ""

    def __post_init__(self) -> None:
        either = "|".join(re.escape(stack) for stack in self.stacks)
        self.made = re.compile(rf"({either})-[A-Z][A-Za-z0-9]*-[A-Za-z0-9]+")
        # Made of the same parts, all in lower case: this one, and no other bucket, is made.
        self.bucket = re.compile(rf"{re.escape(self.name)}-load-balancers-accesslogsbucket-[a-z0-9]+")
        cluster = rf"{re.escape(self.name)}-ecs-cluster-Cluster-[A-Za-z0-9]+"
        self.insights = re.compile(rf"/aws/ecs/containerinsights/{cluster}/performance")

    def tagged(self, one: dict) -> bool:
        return self.has_tag(one.get("Tags") or [])

    def has_tag(self, tags: list[dict]) -> bool:
        """KMS has words of its own for it."""
        return any(
            (tag.get("Key", tag.get("TagKey")), tag.get("Value", tag.get("TagValue"))) == ("Environment", self.name)
            for tag in tags
        )

    def of_its_stacks(self, tags: list[dict]) -> bool | None:
        """By the tag that CloudFormation sets. Nothing when there is none: not every kind is given one. Roles and keys, for
        example, get the stack's own tags alone."""
        for tag in tags:
            # arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/ID
            if tag.get("Key", tag.get("TagKey")) == "aws:cloudformation:stack-id":
                parts = tag.get("Value", tag.get("TagValue")).split(":")
                return parts[3] == self.region and parts[5].split("/")[1] in self.stacks
        return None

    def may_be_cut(self, name: str) -> bool:
        """Begins like this environment. CloudFormation cuts a name where it would get too long for its kind."""
        return name.lower().startswith(self.name[:20])


# ---- one function for each kind, that gives the names of what is there


def tagged(operation: str, key: str, identity: str, **filters: list[str]) -> Callable:
    """Of EC2: what has the environment's tag. With `filters`, because it remembers for a while what was deleted."""

    def find(client, ours: Environment) -> Iterator[str]:
        wanted = {"tag:Environment": [ours.name], **{name.replace("_", "-"): values for name, values in filters.items()}}
        listed = answers(client, operation, key, Filters=[{"Name": name, "Values": wanted[name]} for name in wanted])
        return (one[identity] for one in listed if ours.tagged(one))

    return find


def hosts(client, ours: Environment) -> Iterator[str]:
    wanted = [{"Name": "tag:Environment", "Values": [ours.name]}]
    for reservation in answers(client, "describe_instances", "Reservations", Filters=wanted):
        for host in reservation["Instances"]:
            if ours.tagged(host) and host["State"]["Name"] not in ("shutting-down", "terminated"):
                yield host["InstanceId"]


def nat_gateways(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "describe_nat_gateways", "NatGateways", Filter=[{"Name": "tag:Environment", "Values": [ours.name]}])
    return (one["NatGatewayId"] for one in listed if ours.tagged(one) and one["State"] not in ("deleted", "failed"))


def stacks(client, ours: Environment) -> Iterator[str]:
    return (one["StackName"] for one in answers(client, "describe_stacks", "Stacks") if one["StackName"] in ours.stacks)


def load_balancers(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "describe_load_balancers", "LoadBalancers")
    return (one["LoadBalancerName"] for one in listed if one["LoadBalancerName"] == ours.name)


def certificates(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "list_certificates", "CertificateSummaryList", Includes={"keyTypes": ["EC_prime256v1"]})
    for arn in (one["CertificateArn"] for one in listed):
        tags = client.list_tags_for_certificate(CertificateArn=arn)["Tags"]
        of_its_stacks = ours.of_its_stacks(tags)
        if ours.has_tag(tags) if of_its_stacks is None else of_its_stacks:
            yield arn.split("/")[-1]


def firewalls(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "list_web_acls", "WebACLs", Scope="REGIONAL")
    return (one["Name"] for one in listed if one["Name"] == ours.name)


def names(client, ours: Environment) -> Iterator[str]:
    """Records that still point to the load balancer, which AWS calls NAME-NUMBER.REGION...."""
    if not ours.hosted_zone:
        return
    balancer = re.compile(rf"(dualstack\.)?{re.escape(ours.name)}-\d+\.{re.escape(ours.region)}\.elb\.amazonaws\.com.*")
    for one in answers(client, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=ours.hosted_zone):
        if balancer.fullmatch(one.get("AliasTarget", {}).get("DNSName", "")):
            yield f"{one['Type']} {one['Name']}"


def target_groups(client, ours: Environment) -> Iterator[str]:
    """Their names are cut so short that only the tag tells."""
    names = {one["TargetGroupArn"]: one["TargetGroupName"] for one in answers(client, "describe_target_groups", "TargetGroups")}
    arns = [arn for arn, name in names.items() if name.startswith(ours.name[:1])]
    for start in range(0, len(arns), 20):
        for one in client.describe_tags(ResourceArns=arns[start : start + 20])["TagDescriptions"]:
            if ours.tagged(one) or ours.of_its_stacks(one["Tags"]):
                yield names[one["ResourceArn"]]


def launch_templates(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "describe_launch_templates", "LaunchTemplates")
    return (
        one["LaunchTemplateName"]
        for one in listed
        if ours.tagged(one) or ours.of_its_stacks(one.get("Tags", [])) or ours.made.fullmatch(one["LaunchTemplateName"])
    )


def groups_of_hosts(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "describe_auto_scaling_groups", "AutoScalingGroups")
    return (one["AutoScalingGroupName"] for one in listed if one["AutoScalingGroupName"] == f"{ours.name}-hosts")


def clusters(client, ours: Environment) -> Iterator[str]:
    names = (arn.split("/")[-1] for arn in answers(client, "list_clusters", "clusterArns"))
    return (name for name in names if ours.made.fullmatch(name))


def capacity_providers(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "describe_capacity_providers", "capacityProviders")
    return (one["name"] for one in listed if ours.made.fullmatch(one["name"]) and one["status"] == "ACTIVE")


def task_definitions(client, ours: Environment) -> Iterator[str]:
    for family in (f"{ours.name}-web", f"{ours.name}-monitor"):
        arns = answers(client, "list_task_definitions", "taskDefinitionArns", familyPrefix=family, status="ACTIVE")
        yield from (arn.split("/")[-1] for arn in arns if arn.split("/")[-1].split(":")[0] == family)


def repositories(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "describe_repositories", "repositories")
    return (one["repositoryName"] for one in listed if one["repositoryName"] in (ours.name, f"{ours.name}-nowcheck"))


def log_groups(client, ours: Environment) -> Iterator[str]:
    for beginning in (f"{ours.name}-", f"/aws/ecs/containerinsights/{ours.name}-"):
        for one in answers(client, "describe_log_groups", "logGroups", logGroupNamePrefix=beginning):
            if ours.made.fullmatch(one["logGroupName"]) or ours.insights.fullmatch(one["logGroupName"]):
                yield one["logGroupName"]


def buckets(client, ours: Environment) -> Iterator[str]:
    """The list is that of the account; the name may be that of the same environment in another region."""
    for name in (one["Name"] for one in answers(client, "list_buckets", "Buckets")):
        if not ours.may_be_cut(name):
            continue
        try:
            region = client.get_bucket_location(Bucket=name).get("LocationConstraint") or "us-east-1"
            if region != ours.region:
                continue
            tags = client.get_bucket_tagging(Bucket=name)["TagSet"]
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            # Somebody else's may be closed to us, and is no matter; one that must be ours, and is closed, is.
            if code in ("AccessDenied", "AllAccessDisabled") and not ours.bucket.fullmatch(name):
                continue
            if code not in ("NoSuchTagSet", "NoSuchBucket"):
                raise
            tags = []
        of_its_stacks = ours.of_its_stacks(tags)
        if of_its_stacks or (of_its_stacks is None and ours.bucket.fullmatch(name)):
            yield name


def roles(client, ours: Environment) -> Iterator[str]:
    """Those of the account, as for buckets. They know no region, so the tag of the environment counts only with its name."""
    for name in (one["RoleName"] for one in answers(client, "list_roles", "Roles")):
        if ours.may_be_cut(name):
            tags = list(answers(client, "list_role_tags", "Tags", RoleName=name))
            of_its_stacks = ours.of_its_stacks(tags)
            if of_its_stacks or (of_its_stacks is None and (ours.has_tag(tags) or ours.made.fullmatch(name))):
                yield name


def instance_profiles(client, ours: Environment) -> Iterator[str]:
    """They have no tags. One that holds a role goes only with that, which is looked at above."""
    listed = answers(client, "list_instance_profiles", "InstanceProfiles")
    return (one["InstanceProfileName"] for one in listed if ours.made.fullmatch(one["InstanceProfileName"]) and not one["Roles"])


def topics(client, ours: Environment) -> Iterator[str]:
    names = (one["TopicArn"].split(":")[-1] for one in answers(client, "list_topics", "Topics"))
    return (name for name in names if ours.made.fullmatch(name))


def alarms(client, ours: Environment) -> Iterator[str]:
    kinds = {"AlarmNamePrefix": f"{ours.name}-", "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]}
    for key in ("MetricAlarms", "CompositeAlarms"):
        listed = answers(client, "describe_alarms", key, **kinds)
        # Those of the monitor have names of their own.
        names = (one["AlarmName"] for one in listed)
        yield from (name for name in names if ours.made.fullmatch(name) or name.rpartition("-")[0] == f"{ours.name}-monitor")


def parameters(client, ours: Environment) -> Iterator[str]:
    listed = answers(client, "get_parameters_by_path", "Parameters", Path=f"/nowd/{ours.name}/monitor")
    return (one["Name"] for one in listed)


def dashboards(client, ours: Environment) -> Iterator[str]:
    name = f"{ours.name}-{ours.region}"
    listed = answers(client, "list_dashboards", "DashboardEntries", DashboardNamePrefix=name)
    return (one["DashboardName"] for one in listed if one["DashboardName"] == name)


def keys(client, ours: Environment) -> Iterator[str]:
    for key in (one["KeyId"] for one in answers(client, "list_keys", "Keys")):
        try:
            tags = list(answers(client, "list_resource_tags", "Tags", KeyId=key))
            of_its_stacks = ours.of_its_stacks(tags)
            if not (ours.has_tag(tags) if of_its_stacks is None else of_its_stacks):
                continue
            state = client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
        except botocore.exceptions.ClientError as error:
            # A key can be closed to everybody; one that these stacks made is not.
            if error.response["Error"]["Code"] == "AccessDeniedException":
                continue
            raise
        if state != "PendingDeletion":
            yield key


# What stands in a network (subnets, routes, endpoints, security groups) goes before it, what belongs to a balancer
# (listeners, rules) with it, and what belongs to a cluster (the service, its scaling) too.
KINDS: list[tuple[str, str, Callable]] = [
    ("stack", "cloudformation", stacks),
    ("network", "ec2", tagged("describe_vpcs", "Vpcs", "VpcId")),
    ("internet gateway", "ec2", tagged("describe_internet_gateways", "InternetGateways", "InternetGatewayId")),
    ("NAT gateway", "ec2", nat_gateways),
    ("elastic IP address", "ec2", tagged("describe_addresses", "Addresses", "AllocationId")),
    ("flow log", "ec2", tagged("describe_flow_logs", "FlowLogs", "FlowLogId")),
    ("host", "ec2", hosts),
    ("volume", "ec2", tagged("describe_volumes", "Volumes", "VolumeId", status=["creating", "available", "in-use", "error"])),
    ("launch template", "ec2", launch_templates),
    ("group of hosts", "autoscaling", groups_of_hosts),
    ("load balancer", "elbv2", load_balancers),
    ("target group", "elbv2", target_groups),
    ("certificate", "acm", certificates),
    ("firewall", "wafv2", firewalls),
    ("name", "route53", names),
    ("cluster", "ecs", clusters),
    ("capacity provider", "ecs", capacity_providers),
    ("task definition", "ecs", task_definitions),
    ("repository", "ecr", repositories),
    ("role", "iam", roles),
    ("instance profile", "iam", instance_profiles),
    ("alarm", "cloudwatch", alarms),
    ("dashboard", "cloudwatch", dashboards),
    ("topic", "sns", topics),
    ("key", "kms", keys),
    ("parameter", "ssm", parameters),
    ("log group", "logs", log_groups),
    ("bucket", "s3", buckets),
]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "environment_name": {"type": "str", "required": True},
            "stacks": {"type": "list", "elements": "str", "required": True},
            "hosted_zone": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    name, region = module.params["environment_name"], module.params["region"]
    stacks_of_it = [f"{name}-{stack}" for stack in module.params["stacks"]]
    ours = Environment(name, region, stacks_of_it, module.params["hosted_zone"])
    session, found = botocore.session.Session(), []
    client = functools.cache(lambda service: session.create_client(service, region))
    for kind, service, find in KINDS:
        try:
            names = sorted(find(client(service), ours))
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            # Not to know is not the same as to have found nothing.
            module.fail_json(msg=f"AWS cannot be asked whether a {kind} is left: {error}")
        found += [{"kind": kind, "name": one} for one in names]
    module.exit_json(changed=False, found=found)


if __name__ == "__main__":
    main()
