#!/usr/bin/python
"""Ansible module: whether the account has room for what is to be made, by its quotas and what others use of them.

Returns `problems`, sentences. It changes nothing, in check mode or not. What is not certain is no problem: quotas that
cannot be read, and whatever may not count.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.pages import answers
from botocore.config import Config

DOCUMENTATION = """
module: quotas
short_description: Says which quotas are too small
description: Asks AWS for the quotas of the account in the region, and for what is used of them. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  environment_name: {type: str, required: true, description: 'what names begin with: what is of it already is not counted'}
  nat_gateways: {type: int, required: true, description: 'how many NAT gateways there will be, each with its address'}
  instance_type: {type: str, required: true, description: instance type of the hosts}
  hosts_desired: {type: str, required: true, description: number of hosts to begin with}
  hosts_max: {type: str, required: true, description: number of hosts that there are at most}
  compute: {type: str, required: true, description: 'what tasks run on, ec2 or fargate'}
  tasks_min: {type: str, required: true, description: number of tasks that there are at least}
  tasks_max: {type: str, required: true, description: number of tasks that there are at most}
  monitor: {type: bool, default: false, description: whether there is a task of the monitor too}
"""

PATIENCE = Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 2})
STANDARD = r"[acdhimrtz]\d"
"""How the types begin that share the quota of vCPUs. Others have quotas of their own."""


@dataclass
class Plan:
    """What is to be made."""

    environment_name: str
    nat_gateways: int
    instance_type: str
    hosts_desired: int
    hosts_max: int
    compute: str = "ec2"
    tasks_min: int = 2
    tasks_max: int = 12
    monitor: bool = False


@dataclass
class Quota:
    what: str
    service: str
    code: str
    needed: int
    used: Callable[[], int]
    """By others."""

    def value(self, client) -> int:
        asked = {"ServiceCode": self.service, "QuotaCode": self.code}
        try:
            return int(client.get_service_quota(**asked)["Quota"]["Value"])
        except botocore.exceptions.ClientError as error:
            # Of one that was never changed some services know the default alone.
            if error.response["Error"].get("Code") != "NoSuchResourceException":
                raise
            return int(client.get_aws_default_service_quota(**asked)["Quota"]["Value"])


def has_tag(one: dict, key: str, value: str) -> bool:
    return {"Key": key, "Value": value} in one.get("Tags", [])


def vpcs(ec2, plan: Plan) -> int:
    stack = f"{plan.environment_name}-vpc"
    return sum(not has_tag(one, "aws:cloudformation:stack-name", stack) for one in answers(ec2, "describe_vpcs", "Vpcs"))


def addresses(ec2, plan: Plan) -> int:
    """Not those that an account brought along, or that a service of AWS holds for it."""
    stack = f"{plan.environment_name}-vpc"
    return sum(
        not has_tag(one, "aws:cloudformation:stack-name", stack)
        and one.get("PublicIpv4Pool", "amazon") == "amazon"
        and "ServiceManaged" not in one
        for one in ec2.describe_addresses()["Addresses"]
    )


def cpus_of(ec2, types: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(types), 100):
        for one in ec2.describe_instance_types(InstanceTypes=types[start : start + 100])["InstanceTypes"]:
            found[one["InstanceType"]] = one["VCpuInfo"]["DefaultVCpus"]
    return found


def cpus(ec2, plan: Plan) -> int:
    """Of on-demand instances of the standard types."""
    there = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    reservations = answers(ec2, "describe_instances", "Reservations", Filters=there)
    types = [
        one["InstanceType"]
        for reservation in reservations
        for one in reservation["Instances"]
        if not has_tag(one, "aws:autoscaling:groupName", f"{plan.environment_name}-hosts")
        and "InstanceLifecycle" not in one
        and re.match(STANDARD, one["InstanceType"])
    ]
    known = cpus_of(ec2, sorted(set(types)))
    return sum(known.get(one, 0) for one in types)


def balancers(elbv2, plan: Plan) -> int:
    listed = answers(elbv2, "describe_load_balancers", "LoadBalancers")
    return sum(one["Type"] == "application" and one["LoadBalancerName"] != plan.environment_name for one in listed)


TASKS_OF_A_CPU = 4
"""Each has 256 of the 1024 units of a CPU (services/WebService.yaml)."""
WHILE_DEPLOYING = 2
"""So many times as many tasks as are wanted, the old and the new ones."""


def of_compute(ec2, plan: Plan) -> tuple[Quota, int, str]:
    """The quota of CPUs for the beginning, how many are needed at most, and for what. How much others use of Fargate is nowhere
    to be read."""
    if plan.compute == "fargate":
        # The monitor has as much as a task, and is never there twice.
        first, most = (
            -(-(WHILE_DEPLOYING * tasks + plan.monitor) // TASKS_OF_A_CPU) for tasks in (plan.tasks_min, plan.tasks_max)
        )
        quota = Quota("vCPUs of tasks on Fargate", "fargate", "L-3032A538", first, lambda: 0)
        return quota, most, f"tasks_max is {plan.tasks_max}, and with those of a deployment"
    each = cpus_of(ec2, [plan.instance_type]).get(plan.instance_type, 0) if re.match(STANDARD, plan.instance_type) else 0
    # One host more while one is replaced. The usual quota of a new account is 5: enough to begin with two hosts of 2 CPUs.
    first, most = each * plan.hosts_desired, each * (plan.hosts_max + 1)
    quota = Quota("vCPUs of running on-demand hosts", "ec2", "L-1216C47A", first, lambda: cpus(ec2, plan))
    return quota, most, f"hosts_max is {plan.hosts_max}, and with the one more while hosts are replaced"


def told(quota: Quota, value: int, used: int, region: str) -> str:
    return (
        f"{region} allows this account {value} {quota.what}; others use {used}, and this needs {quota.needed}: delete some, or "
        f"ask for more: aws service-quotas request-service-quota-increase --region {region} --service-code {quota.service} "
        f"--quota-code {quota.code} --desired-value {used + quota.needed}"
    )


def looked_at(client: Callable, region: str, plan: Plan) -> tuple[list[str], list[str]]:
    """Problems and warnings."""
    ec2 = client("ec2")
    of_cpus, most, why = of_compute(ec2, plan)
    problems, warnings = [], []
    for quota in (
        Quota("VPCs", "vpc", "L-F678F1CE", 1, lambda: vpcs(ec2, plan)),
        Quota("elastic addresses", "ec2", "L-0263D0A3", plan.nat_gateways, lambda: addresses(ec2, plan)),
        of_cpus,
        Quota("application load balancers", "elasticloadbalancing", "L-53DA6B97", 1, lambda: balancers(client("elbv2"), plan)),
    ):
        if not quota.needed:
            continue
        try:
            value, used = quota.value(client("service-quotas")), quota.used()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            return problems, [*warnings, f"whether the account has room for this is not known: its quotas cannot be read: {error}"]
        if used + quota.needed > value:
            problems.append(told(quota, value, used, region))
        elif quota is of_cpus and used + most > value:
            warnings.append(
                f"{why} that takes {most} vCPUs; {value - used} are left of the quota of {value} ({quota.code})"
            )
    return problems, warnings


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "environment_name": {"type": "str", "required": True},
            "nat_gateways": {"type": "int", "required": True},
            "instance_type": {"type": "str", "required": True},
            "hosts_desired": {"type": "str", "required": True},
            "hosts_max": {"type": "str", "required": True},
            "compute": {"type": "str", "required": True},
            "tasks_min": {"type": "str", "required": True},
            "tasks_max": {"type": "str", "required": True},
            "monitor": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    given, session = module.params, botocore.session.Session()
    # What is no number is told by its template, and what is no type by the rules for hosts.
    sizes = [given[name] for name in ("hosts_desired", "hosts_max", "tasks_min", "tasks_max")]
    if not all(size.isdecimal() for size in sizes):
        module.exit_json(changed=False, problems=[])
    desired, most, tasks_min, tasks_max = map(int, sizes)
    plan = Plan(
        given["environment_name"], given["nat_gateways"], given["instance_type"], desired, most,
        given["compute"], tasks_min, tasks_max, given["monitor"],
    )  # fmt: skip
    client = functools.cache(lambda service: session.create_client(service, given["region"], config=PATIENCE))
    try:
        problems, warnings = looked_at(client, given["region"], plan)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        problems, warnings = [], []
    for warning in warnings:
        module.warn(warning)
    module.exit_json(changed=False, problems=problems)


if __name__ == "__main__":
    main()
