#!/usr/bin/python
"""Ansible module: which hosts of an Auto Scaling group are held by a hook, and for what. CloudFormation does not tell.

Returns `waiting`, a sentence for each. It changes nothing, and knows nothing when it may not ask.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.group_hosts import hooks_of, hosts_of

DOCUMENTATION = """
module: waiting_hosts
short_description: Names the hosts that a hook holds
description: Asks the Auto Scaling group for its hosts and its hooks. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  group: {type: str, required: true, description: the Auto Scaling group of the hosts}
"""

WHY = {
    "Pending:Wait": "its agent has not registered with the cluster yet",
    "Terminating:Wait": "it still has tasks that have to end, or nobody drains it",
}
"""The state of a host that is held → what it waits for."""


def waiting(autoscaling, group: str) -> list[str]:
    sentences = []
    for host, state in sorted(hosts_of(autoscaling, group).items()):
        if state not in WHY:
            continue
        holding = hooks_of(autoscaling, group, state)
        by = f" by {' and '.join(holding)}" if holding else ""
        sentences.append(f"The host {host} is held{by} ({state}): {WHY[state]}")
    return sentences


def main() -> None:
    module = AnsibleModule(
        argument_spec={"region": {"type": "str", "required": True}, "group": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    try:
        autoscaling = botocore.session.Session().create_client("autoscaling", module.params["region"])
        told = waiting(autoscaling, module.params["group"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        told = []  # it only adds to what is known
    module.exit_json(changed=False, waiting=told)


if __name__ == "__main__":
    main()
