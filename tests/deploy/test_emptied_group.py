"""Hosts are taken out of their group before it is deleted (library/emptied_group.py)."""

import json

import pytest
from modelled import told_by
from test_playbook import lint

SCENE = """
import json, types
import botocore.exceptions, emptied_group
settings = json.loads('''SETTINGS''')
clock = [0.0]
emptied_group.time = types.SimpleNamespace(monotonic=lambda: clock[0], sleep=lambda length: clock.__setitem__(0, clock[0] + length))

class Group(Modelled):
    service = "autoscaling"
    hosts = {"i-1": "InService", "i-2": "InService"} if settings["in_service"] else {"i-1": "Pending:Wait"}
    hooks = [("registered", "LAUNCHING"), ("ecs-managed-draining-termination-hook", "TERMINATING")]
    asked = []
    drains = settings["drains"]
    def describe_auto_scaling_groups(self, AutoScalingGroupNames):
        if self.drains and clock[0] > 5:
            self.hosts.clear()
        hosts = [{"InstanceId": one, "LifecycleState": state} for one, state in self.hosts.items()]
        tag = {"Key": "aws:cloudformation:stack-name", "Value": settings["owner"]}
        return {"AutoScalingGroups": [{"AutoScalingGroupName": "nowd-hosts", "Instances": hosts, "Tags": [tag]}]}
    def update_auto_scaling_group(self, **asked):
        self.asked.append(asked)
        for one, state in self.hosts.items():
            self.hosts[one] = "Terminating:Wait" if state == "InService" else state
    def describe_lifecycle_hooks(self, AutoScalingGroupName):
        names = [{"LifecycleHookName": n, "LifecycleTransition": "autoscaling:EC2_INSTANCE_" + t} for n, t in self.hooks]
        return {"LifecycleHooks": names}
    def complete_lifecycle_action(self, **asked):
        self.asked.append(asked)
        if settings["gone_meanwhile"]:
            self.hosts.clear()
            wrong = {"Error": {"Code": "ValidationError", "Message": "No active Lifecycle Action found with instance ID i-1"}}
            raise botocore.exceptions.ClientError(wrong, "CompleteLifecycleAction")
        if settings["lets_go"]:
            del self.hosts[asked["InstanceId"]]

class Stack(Modelled):
    service = "cloudformation"
    def describe_stacks(self, StackName):
        return {"Stacks": [{"Description": settings["description"], "StackStatus": "DELETE_IN_PROGRESS"}]}
    def get_paginator(self, operation):
        one = {"ResourceType": "AWS::AutoScaling::AutoScalingGroup", "PhysicalResourceId": "nowd-hosts"}
        return types.SimpleNamespace(paginate=lambda StackName: [{"StackResourceSummaries": [one]}])

group, stack = Group(), Stack()
ours = emptied_group.concerns_us(stack, "nowd-hosts", settings["states"])
groups = emptied_group.groups_of(stack, group, "nowd-hosts") if ours else []
left = [one for each in groups for one in emptied_group.empty(group, each["AutoScalingGroupName"], 120, 600)]
print(json.dumps({"left": left, "asked": group.asked, "seconds": clock[0]}))
"""

USUAL = {"in_service": True, "drains": False, "lets_go": True, "gone_meanwhile": False, "owner": "nowd-hosts",
         "description": "nowd: the cluster.", "states": []}  # fmt: skip
EMPTY = {"AutoScalingGroupName": "nowd-hosts", "MinSize": 0, "DesiredCapacity": 0}


def emptied(**settings) -> dict:
    # It makes the environment of the playbooks, or skips.
    lint("true")
    return json.loads(told_by(SCENE.replace("SETTINGS", json.dumps({**USUAL, **settings}))))


def test_hosts_that_ecs_drains_go_by_themselves():
    told = emptied(drains=True)
    assert (told["left"], told["asked"]) == ([], [EMPTY])


@pytest.mark.parametrize("gone_meanwhile", [False, True])
def test_a_host_that_nobody_drains_is_let_go_after_the_patience(gone_meanwhile):
    told = emptied(gone_meanwhile=gone_meanwhile)
    first, *others = told["asked"]
    assert (told["left"], first) == ([], EMPTY)
    assert {(one["LifecycleHookName"], one["LifecycleActionResult"]) for one in others} == {
        ("ecs-managed-draining-termination-hook", "CONTINUE")
    }
    assert 120 <= told["seconds"] < 130


def test_a_host_that_has_not_come_up_is_given_up():
    told = emptied(in_service=False)
    assert told["left"] == []
    assert [(one["LifecycleHookName"], one["LifecycleActionResult"]) for one in told["asked"][1:]] == [("registered", "ABANDON")]


def test_hosts_that_are_still_there_in_the_end_are_named_with_their_state():
    told = emptied(lets_go=False)
    assert told["left"] == ["i-1 (Terminating:Wait)", "i-2 (Terminating:Wait)"]
    assert 600 <= told["seconds"] < 610


@pytest.mark.parametrize(
    "settings",
    [{"owner": "shop-hosts"}, {"description": "The hosts of the shop."}, {"states": ["ROLLBACK_IN_PROGRESS"]}],
)
def test_a_group_of_somebody_else_is_left_alone(settings):
    assert emptied(**settings)["asked"] == []
