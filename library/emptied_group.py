#!/usr/bin/python
"""Ansible module: the Auto Scaling groups of a stack have no hosts left, so that the stack can be deleted.

Managed draining adds a hook to the group, which holds every host that ends until ECS has drained it. When the stack is
deleted, its capacity provider goes before its hosts: then nobody completes the hook any more, and each host is held for
an hour. So the hosts have to go first, as long as ECS still drains them. Those that are held all the same are let go.
"""

from __future__ import annotations

import time

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.group_hosts import hooks_of, hosts_of
from ansible.module_utils.stacks import described, resources_of

DOCUMENTATION = """
module: emptied_group
short_description: Takes the hosts out of the Auto Scaling groups of a stack
description: >-
  Sets their sizes to 0, waits until the hosts are gone, and completes the lifecycle actions that hold one for too long. A
  stack that is not there, or not of this project, is left alone.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  stack_name: {type: str, required: true, description: name of the stack}
  states: {type: list, elements: str, default: [], description: 'states of the stack in which something is done; none for all'}
  patience: {type: int, required: true, description: seconds until a host that is held is let go}
  timeout: {type: int, required: true, description: seconds until the hosts have to be gone}
"""

OURS = "nowd: "
"""How the description of each of our templates begins."""
POLL_SECONDS = 2

RESULTS = {"Terminating:Wait": "CONTINUE", "Pending:Wait": "ABANDON"}
"""What lets a host go that is held, by its state. One that has not come up yet is held by the hook that waits for its agent."""


def concerns_us(cloudformation, stack: str, states: list[str]) -> bool:
    found = described(cloudformation, stack)
    return bool(found) and found.get("Description", "").startswith(OURS) and (not states or found["StackStatus"] in states)


def groups_of(cloudformation, autoscaling, stack: str) -> list[dict]:
    """By the tag of CloudFormation too: a creation can fail because somebody else has a group of that name."""
    names = resources_of(cloudformation, stack, "AWS::AutoScaling::AutoScalingGroup")
    if not names:
        return []
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names)["AutoScalingGroups"]
    tag = ("aws:cloudformation:stack-name", stack)
    return [one for one in found if tag in [(each["Key"], each.get("Value")) for each in one.get("Tags", [])]]


def let_go(autoscaling, group: str, host: str, state: str) -> None:
    """Completes every hook that may hold the host."""
    for hook in hooks_of(autoscaling, group, state):
        try:
            autoscaling.complete_lifecycle_action(
                AutoScalingGroupName=group,
                LifecycleHookName=hook,
                LifecycleActionResult=RESULTS[state],
                InstanceId=host,
            )
        except botocore.exceptions.ClientError as error:
            # ECS, or the end of the wait, was faster.
            if "No active Lifecycle Action" not in error.response["Error"]["Message"]:
                raise


def empty(autoscaling, group: str, patience: int, timeout: int) -> list[str]:
    """The hosts that are still there when time is up, each with its state."""
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=group, MinSize=0, DesiredCapacity=0)
    deadline = time.monotonic() + timeout
    held_since: dict[tuple[str, str], float] = {}
    while (hosts := hosts_of(autoscaling, group)) and time.monotonic() < deadline:
        for host, state in hosts.items():
            since = held_since.setdefault((host, state), time.monotonic())
            if state in RESULTS and time.monotonic() - since >= patience:
                let_go(autoscaling, group, host, state)
        time.sleep(POLL_SECONDS)
    return [f"{host} ({state})" for host, state in sorted(hosts.items())]


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "stack_name": {"type": "str", "required": True},
            "states": {"type": "list", "elements": "str", "default": []},
            "patience": {"type": "int", "required": True},
            "timeout": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    given = module.params
    stack, session = given["stack_name"], botocore.session.Session()
    cloudformation, autoscaling = (session.create_client(one, given["region"]) for one in ("cloudformation", "autoscaling"))
    changed, left = False, []
    try:
        for group in groups_of(cloudformation, autoscaling, stack) if concerns_us(cloudformation, stack, given["states"]) else []:
            full = bool(group["Instances"] or group["MinSize"] or group["DesiredCapacity"])
            changed = changed or full
            if full and not module.check_mode:
                left += empty(autoscaling, group["AutoScalingGroupName"], given["patience"], given["timeout"])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"the hosts of {stack} cannot be taken away: {error}")
    if left:
        module.fail_json(msg=f"after {given['timeout']} s hosts of {stack} are still there: {', '.join(left)}")
    module.exit_json(changed=changed)


if __name__ == "__main__":
    main()
