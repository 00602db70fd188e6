"""The preflight asks Route 53 whether a name can be made in its zone, and would get a certificate (library/zone_rules.py)."""

import json

import pytest
from modelled import told_by
from test_playbook import lint

SCENE = """
import json, types
import botocore.exceptions, zone_rules
settings = json.loads('''SETTINGS''')

def refused(code, operation):
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": "no"}}, operation)

class Route53(Modelled):
    service = "route53"
    def get_hosted_zone(self, Id):
        if settings["refused"]:
            raise refused(settings["refused"], "GetHostedZone")
        return {"HostedZone": {"Id": "/hostedzone/" + Id, "Name": settings["zone"], "Config": {"PrivateZone": settings["private"]}}}
    def list_resource_record_sets(self, HostedZoneId, StartRecordName):
        assert HostedZoneId == "Z1"
        # In the order of Route 53: by labels, from the last one.
        records = [{"Name": name, "Type": kind, "ResourceRecords": [{"Value": value} for value in values]}
                   for name, kind, values in settings["records"]]
        order = lambda name: name.rstrip(".").split(".")[::-1]
        records.sort(key=lambda one: order(one["Name"]))
        return {"ResourceRecordSets": [one for one in records if order(one["Name"]) >= order(StartRecordName)]}

class CloudFormation(Modelled):
    service = "cloudformation"
    def get_paginator(self, operation):
        return types.SimpleNamespace(paginate=lambda **asked: [self.list_stack_resources(**asked)])
    def list_stack_resources(self, StackName):
        if not settings["made"]:
            raise botocore.exceptions.ClientError({"Error": {"Message": "Stack with id x does not exist"}}, "ListStackResources")
        made = [{"ResourceType": "AWS::Route53::RecordSet", "PhysicalResourceId": one} for one in settings["made"]]
        return {"StackResourceSummaries": made}

given = {"stack_name": "nowd-load-balancers", "hosted_zone": "Z1", "public_name": settings["name"],
         "makes_certificate": settings["makes_certificate"]}
print(json.dumps(zone_rules.problems_of(Route53(), CloudFormation(), given)))
"""

USUAL = {"refused": "", "zone": "example.org.", "private": False, "name": "time.example.org", "records": [], "made": [],
         "makes_certificate": True}  # fmt: skip


def problems(**settings) -> list[str]:
    lint("true")
    return json.loads(told_by(SCENE.replace("SETTINGS", json.dumps({**USUAL, **settings}).replace("\\", "\\\\"))))


@pytest.mark.parametrize("name", ["time.example.org", "Time.Example.org", "example.org", "a.b.example.org"])
def test_a_free_name_of_the_zone_is_no_problem(name):
    others = [["example.org.", "NS", ["ns1.example."]], ["example.org.", "SOA", ["x"]], ["www.example.org.", "A", ["192.0.2.1"]]]
    assert problems(name=name, records=others) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"refused": "NoSuchHostedZone"}, "hosted_zone is Z1, and this account has no such zone: aws route53 list-hosted-zones"),
        ({"private": True}, "hosted_zone Z1 (example.org.) is a private one"),
        ({"name": "time.example.com"}, "public_name is time.example.com, and hosted_zone Z1 holds the names of example.org."),
        ({"name": "timeexample.org"}, "holds the names of example.org."),
        ({"records": [["time.example.org.", "CNAME", ["x.example."]]]}, "has a record already (CNAME)"),
        ({"records": [["time.example.org.", "CAA", ['0 issue "letsencrypt.org"']]]}, "of time.example.org. lets only letsencrypt.org"),
        ({"records": [["example.org.", "CAA", ['0 issue ";"']]]}, "the CAA record of example.org. lets only nobody issue"),
    ],
)
def test_what_would_fail_or_hang_later_is_told_before_anything_is_created(settings, sentence):
    [problem] = problems(**settings)
    assert sentence in problem


RECORDS = [["time.example.org.", "A", ["192.0.2.1"]], ["time.example.org.", "AAAA", ["2001:db8::1"]]]


def test_records_that_this_deployment_made_are_no_problem():
    for identity in ("time.example.org", "time.example.org.|Z1|A"):
        assert problems(records=RECORDS, made=[identity]) == []
    assert "(A, AAAA)" in problems(records=RECORDS, made=["other.example.org"])[0]


def test_the_nearest_record_says_who_may_issue_certificates():
    everybody_but_amazon = ["example.org.", "CAA", ['0 issue "letsencrypt.org"']]
    for near in (['0 issue "amazon.com"'], ['0 issue "x.example"', '0 issue "amazontrust.com; a=b"'], ['0 iodef "mailto:a@b.example"']):
        assert problems(records=[everybody_but_amazon, ["time.example.org.", "CAA", near]]) == []
    assert problems(records=[everybody_but_amazon], makes_certificate=False) == []
