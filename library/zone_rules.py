#!/usr/bin/python
"""Ansible module: why a name could not be made in a hosted zone of Route 53, or would get no certificate.

CloudFormation would find out late, or wait for hours for a certificate that is never issued. Returns `problems`, sentences.
It changes nothing, in check mode or not.
"""

from __future__ import annotations

import re

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stacks import resources_of
from botocore.config import Config

DOCUMENTATION = """
module: zone_rules
short_description: Says why a name cannot be made in its hosted zone
description: Asks Route 53 for the zone and for its records of the name. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  stack_name: {type: str, required: true, description: 'the stack that makes the name: what is of it already is no problem'}
  hosted_zone: {type: str, required: true, description: ID of the hosted zone}
  public_name: {type: str, required: true, description: the name}
  makes_certificate: {type: bool, required: true, description: whether Amazon is to issue a certificate for it}
"""

PATIENCE = Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 2})

TAKES_THE_PLACE = {"A", "AAAA", "CNAME"}
"""Types of records beside which the two of the name cannot be made."""
AMAZON = {"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}
"""By which names a CAA record lets ACM issue certificates."""


def spelled(name: str) -> str:
    """As Route 53 spells it."""
    return name.lower().rstrip(".") + "."


def wrong_with_zone(zone: dict, hosted_zone: str, name: str) -> list[str]:
    of = zone["Name"]
    if zone.get("Config", {}).get("PrivateZone"):
        return [f"hosted_zone {hosted_zone} ({of}) is a private one, which neither clients nor ACM can see"]
    if spelled(name) != of and not spelled(name).endswith(f".{of}"):
        return [f"public_name is {name}, and hosted_zone {hosted_zone} holds the names of {of}: take the zone that holds it"]
    return []


def own_names(cloudformation, stack: str) -> set[str]:
    """The names that the stack has made already."""
    found = resources_of(cloudformation, stack, "AWS::Route53::RecordSet")
    # The name, or what identifies the record, of which it is a part.
    return {spelled(part) for identity in found for part in identity.split("|")}


def records_of(route53, hosted_zone: str, name: str) -> list[dict]:
    """Of the name. They are listed in order, and begin with those of it."""
    asked = {"HostedZoneId": hosted_zone, "StartRecordName": name}
    found = route53.list_resource_record_sets(**asked)["ResourceRecordSets"]
    return [one for one in found if one["Name"] == name]


def issuers_of(records: list[dict]) -> set[str] | None:
    """Who may issue certificates, by records of type CAA; nothing when they do not say."""
    values = [value["Value"] for one in records if one["Type"] == "CAA" for value in one.get("ResourceRecords", [])]
    told = [re.fullmatch(r'\d+ issue "?([^";]*).*', value.strip(), re.IGNORECASE) for value in values]
    issuers = {one[1].strip().lower() for one in told if one}
    return issuers or None


def wrong_with_issuers(route53, hosted_zone: str, of: str, name: str) -> list[str]:
    """The records of the nearest name count, on the way from the name to that of the zone."""
    here = spelled(name)
    while here == of or here.endswith(f".{of}"):
        records = records_of(route53, hosted_zone, here)
        if any(one["Type"] == "CAA" for one in records):
            issuers = issuers_of(records)
            if issuers is None or issuers & AMAZON:
                return []
            return [
                f"the CAA record of {here} lets only {', '.join(sorted(issuers - {''})) or 'nobody'} issue certificates: add one "
                'with 0 issue "amazon.com", or name a certificate that you have with certificate_arn'
            ]
        here = here.split(".", 1)[1]
    return []


def problems_of(route53, cloudformation, given: dict) -> list[str]:
    hosted_zone, name = given["hosted_zone"], given["public_name"]
    try:
        zone = route53.get_hosted_zone(Id=hosted_zone)["HostedZone"]
    except botocore.exceptions.ClientError as error:
        if error.response["Error"].get("Code") not in ("NoSuchHostedZone", "InvalidInput"):
            raise
        return [
            f"hosted_zone is {hosted_zone}, and this account has no such zone: aws route53 list-hosted-zones shows those that it "
            "has. A zone of another account cannot be used: make the record and the certificate yourself (certificate_arn)"
        ]
    problems = wrong_with_zone(zone, hosted_zone, name)
    if problems:
        return problems
    there = {one["Type"] for one in records_of(route53, hosted_zone, spelled(name))} & TAKES_THE_PLACE
    if there and spelled(name) not in own_names(cloudformation, given["stack_name"]):
        problems.append(
            f"public_name {name} has a record already ({', '.join(sorted(there))}) that is not of this deployment: delete it, or "
            "choose another name"
        )
    if given["makes_certificate"]:
        problems += wrong_with_issuers(route53, hosted_zone, zone["Name"], name)
    return problems


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "stack_name": {"type": "str", "required": True},
            "hosted_zone": {"type": "str", "required": True},
            "public_name": {"type": "str", "required": True},
            "makes_certificate": {"type": "bool", "required": True},
        },
        supports_check_mode=True,
    )
    session, region = botocore.session.Session(), module.params["region"]
    route53, cloudformation = (session.create_client(one, region, config=PATIENCE) for one in ("route53", "cloudformation"))
    problems = []
    try:
        problems = problems_of(route53, cloudformation, module.params)
    except botocore.exceptions.ClientError as error:
        # Who may not ask may still be allowed to deploy through a role.
        module.warn(f"whether public_name can be made is not known: {error}")
    except botocore.exceptions.BotoCoreError as error:
        problems = [f"AWS cannot be asked for hosted_zone: {error}"]
    module.exit_json(changed=False, problems=problems)


if __name__ == "__main__":
    main()
