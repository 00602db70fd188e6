"""The preflight asks AWS whether the account has room for what is to be made (library/quotas.py)."""

import json

import pytest
from modelled import told_by
from test_playbook import lint

SCENE = """
import json, types
import botocore.exceptions, quotas
settings = json.loads('''SETTINGS''')

def refused(code, operation):
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

def paged(one):
    def get_paginator(self, operation):
        return types.SimpleNamespace(paginate=lambda **asked: [getattr(self, operation)(**asked)])
    one.get_paginator, one.can_paginate = get_paginator, lambda self, operation: True
    return one

class ServiceQuotas(Modelled):
    service = "service-quotas"
    def get_service_quota(self, ServiceCode, QuotaCode):
        if settings["refused"]:
            raise refused(settings["refused"], "GetServiceQuota")
        value = settings["quotas"].get(QuotaCode)
        if value is None:
            raise refused("NoSuchResourceException", "GetServiceQuota")
        return {"Quota": {"Value": float(value)}}
    def get_aws_default_service_quota(self, ServiceCode, QuotaCode):
        return {"Quota": {"Value": 5.0}}

def tagged(key, value):
    return [{"Key": key, "Value": value}]

@paged
class Ec2(Modelled):
    service = "ec2"
    def describe_vpcs(self):
        ours = [{"VpcId": "vpc-0", "Tags": tagged("aws:cloudformation:stack-name", "nowd-vpc")}] * settings["deployed"]
        return {"Vpcs": ours + [{"VpcId": "vpc-1"}] * settings["vpcs"]}
    def describe_addresses(self):
        ours = [{"Tags": tagged("aws:cloudformation:stack-name", "nowd-vpc")}] * 2 * settings["deployed"]
        brought = [{"PublicIpv4Pool": "ipv4pool-ec2-0"}] * 9
        return {"Addresses": ours + brought + [{"PublicIpv4Pool": "amazon"}] * settings["addresses"]}
    def describe_instances(self, Filters):
        assert Filters == [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        ours = [{"InstanceType": "t3.micro", "Tags": tagged("aws:autoscaling:groupName", "nowd-hosts")}] * 3 * settings["deployed"]
        cheap = [{"InstanceType": "m5.large", "InstanceLifecycle": "spot"}, {"InstanceType": "p4d.24xlarge"}]
        return {"Reservations": [{"Instances": ours + cheap + [{"InstanceType": "c5.xlarge"}] * settings["instances"]}]}
    def describe_instance_types(self, InstanceTypes):
        known = {"t3.micro": 2, "c5.xlarge": 4, "p4d.24xlarge": 96}
        return {"InstanceTypes": [{"InstanceType": one, "VCpuInfo": {"DefaultVCpus": known[one]}} for one in InstanceTypes]}

@paged
class Balancers(Modelled):
    service = "elbv2"
    def describe_load_balancers(self):
        others = [{"LoadBalancerName": "shop", "Type": "application"}] * settings["balancers"]
        ours = [{"LoadBalancerName": "nowd", "Type": "application"}] * settings["deployed"]
        return {"LoadBalancers": ours + others + [{"LoadBalancerName": "net", "Type": "network"}]}

clients = {"service-quotas": ServiceQuotas(), "ec2": Ec2(), "elbv2": Balancers()}
plan = quotas.Plan("nowd", settings["gateways"], "t3.micro", 2, 4, settings["compute"], 2, settings["tasks_max"], settings["monitor"])
print(json.dumps(quotas.looked_at(clients.__getitem__, "eu-central-1", plan)))
"""

VPCS, ADDRESSES, CPUS, BALANCERS = "L-F678F1CE", "L-0263D0A3", "L-1216C47A", "L-53DA6B97"
FARGATE = "L-3032A538"
PLENTY = {VPCS: 50, ADDRESSES: 50, CPUS: 500, BALANCERS: 50}
USUAL = {"refused": "", "quotas": {}, "vpcs": 1, "addresses": 0, "instances": 0, "balancers": 0, "gateways": 2, "deployed": 0,
         "compute": "ec2", "tasks_max": 12, "monitor": False}  # fmt: skip


def looked_at(**settings) -> tuple[list[str], list[str]]:
    """Problems and warnings."""
    lint("true")
    return json.loads(told_by(SCENE.replace("SETTINGS", json.dumps({**USUAL, **settings}))))


def test_an_account_with_room_is_no_problem():
    assert looked_at(quotas=PLENTY) == [[], []]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"vpcs": 5}, "eu-central-1 allows this account 5 VPCs; others use 5, and this needs 1"),
        ({"addresses": 4}, "eu-central-1 allows this account 5 elastic addresses; others use 4, and this needs 2"),
        ({"instances": 1, "quotas": {**PLENTY, CPUS: 7}}, "7 vCPUs of running on-demand hosts; others use 4, and this needs 4"),
        ({"balancers": 5}, "5 application load balancers; others use 5, and this needs 1"),
    ],
)
def test_a_quota_that_is_too_small_is_told_with_what_is_used_of_it(settings, sentence):
    problems, _ = looked_at(**{"quotas": {CPUS: 500}, **settings})
    assert len(problems) == 1
    assert sentence in problems[0]
    assert "aws service-quotas request-service-quota-increase --region eu-central-1 --service-code " in problems[0]


def test_the_request_for_more_asks_for_what_is_needed():
    [problem], _ = looked_at(quotas=PLENTY | {CPUS: 8}, instances=3)
    assert "--service-code ec2 --quota-code L-1216C47A --desired-value 16" in problem


def test_what_this_deployment_has_already_is_not_counted_twice():
    full = {VPCS: 2, ADDRESSES: 2, CPUS: 10, BALANCERS: 1}
    assert looked_at(quotas=full, deployed=1) == [[], []]


def test_without_nat_gateways_no_address_is_needed():
    assert looked_at(quotas=PLENTY | {ADDRESSES: 0}, gateways=0) == [[], []]


def test_room_for_the_beginning_only_is_a_warning():
    problems, [warning] = looked_at(quotas=PLENTY | {CPUS: 5})
    assert problems == []
    assert "hosts_max is 4, and with the one more while hosts are replaced that takes 10 vCPUs" in warning


def test_on_fargate_the_quota_of_its_tasks_counts_and_not_that_of_hosts():
    fargate = {"compute": "fargate", "quotas": PLENTY | {CPUS: 0, FARGATE: 6}}
    assert looked_at(**fargate) == [[], []]
    assert looked_at(**fargate, tasks_max=13)[1] == [
        "tasks_max is 13, and with those of a deployment that takes 7 vCPUs; 6 are left of the quota of 6 (L-3032A538)"
    ]
    assert "takes 7 vCPUs" in looked_at(**fargate, monitor=True)[1][0]
    [problem], _ = looked_at(**{**fargate, "quotas": PLENTY | {FARGATE: 0}})
    assert "--service-code fargate --quota-code L-3032A538 --desired-value 1" in problem


def test_quotas_that_may_not_be_read_are_no_problem_but_told():
    problems, warnings = looked_at(refused="AccessDeniedException", vpcs=99)
    assert problems == []
    assert len(warnings) == 1
    assert "AccessDeniedException" in warnings[0]
