#!/usr/bin/python
"""Ansible module: the flow logs of a VPC are delivered.

A flow log whose role lacks a right is made all the same, and nothing is ever written. EC2 says so in its state alone.
Returns `problems`. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.pages import answers

DOCUMENTATION = """
module: flow_logs
short_description: Says which flow logs of a VPC are not delivered
description: Asks EC2 how the delivery of each flow log stands. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  vpc: {type: str, required: true, description: the VPC}
"""


def problems_of(ec2, vpc: str) -> list[str]:
    wanted = [{"Name": "resource-id", "Values": [vpc]}]
    logs = answers(ec2, "describe_flow_logs", "FlowLogs", Filter=wanted)
    return [
        f"The flow log {one['FlowLogId']} of {vpc} is not delivered: {one.get('DeliverLogsErrorMessage', 'no reason was given')}."
        for one in logs
        if one.get("DeliverLogsStatus") == "FAILED"
    ]


def main() -> None:
    module = AnsibleModule(
        argument_spec={"region": {"type": "str", "required": True}, "vpc": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    ec2 = botocore.session.Session().create_client("ec2", module.params["region"])
    try:
        problems = problems_of(ec2, module.params["vpc"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"EC2 cannot be asked for the flow logs of {module.params['vpc']}: {error}")
    module.exit_json(changed=False, problems=problems)


if __name__ == "__main__":
    main()
