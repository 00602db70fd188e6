#!/usr/bin/python
"""Ansible module: which certificates of a stack wait to be validated, and for what. CloudFormation does not tell.

Returns `waiting`, a sentence for each. It changes nothing, and knows nothing when it may not ask.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stacks import resources_of

DOCUMENTATION = """
module: pending_certificates
short_description: Names the certificates that are not validated yet
description: Asks CloudFormation for the certificates of the stack, and ACM how they stand. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  stack_name: {type: str, required: true, description: name of the stack}
"""


def sentence_of(certificate: dict) -> str | None:
    name, status = certificate["DomainName"], certificate["Status"]
    if status == "FAILED":
        return f"ACM does not issue a certificate for {name}: {certificate.get('FailureReason', 'no reason was given')}"
    if status != "PENDING_VALIDATION":
        return None
    records = [one["ResourceRecord"] for one in certificate.get("DomainValidationOptions", []) if "ResourceRecord" in one]
    looked_for = " and ".join(f"{one['Type']} {one['Name']}" for one in records) or "the record of the name"
    return (
        f"The certificate for {name} waits until ACM sees {looked_for} in the public DNS. If that is in the zone, the name servers "
        "of the domain, as its registrar has them, are not those of the zone"
    )


def waiting(cloudformation, acm, stack: str) -> list[str]:
    found = resources_of(cloudformation, stack, "AWS::CertificateManager::Certificate")
    arns = [arn for arn in found if arn.startswith("arn:")]
    told = (sentence_of(acm.describe_certificate(CertificateArn=arn)["Certificate"]) for arn in arns)
    return [one for one in told if one]


def main() -> None:
    module = AnsibleModule(
        argument_spec={"region": {"type": "str", "required": True}, "stack_name": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    session, region = botocore.session.Session(), module.params["region"]
    try:
        cloudformation, acm = (session.create_client(service, region) for service in ("cloudformation", "acm"))
        told = waiting(cloudformation, acm, module.params["stack_name"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        told = []  # it only adds to what is known
    module.exit_json(changed=False, waiting=told)


if __name__ == "__main__":
    main()
