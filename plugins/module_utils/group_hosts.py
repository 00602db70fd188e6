"""The hosts of an Auto Scaling group, and what holds them, for the modules."""

from __future__ import annotations

HELD_BY = {
    "Pending:Wait": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "Terminating:Wait": "autoscaling:EC2_INSTANCE_TERMINATING",
}
"""The state of a host that is held → the transition of the hooks that hold it."""


def hosts_of(autoscaling, group: str) -> dict[str, str]:
    """Host → its state."""
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    return {host["InstanceId"]: host["LifecycleState"] for one in found for host in one["Instances"]}


def hooks_of(autoscaling, group: str, state: str) -> list[str]:
    """The hooks that may hold a host in this state."""
    hooks = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
    return [one["LifecycleHookName"] for one in hooks if one["LifecycleTransition"] == HELD_BY[state]]
