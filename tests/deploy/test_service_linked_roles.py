"""A new account gets the roles that services act with (library/service_linked_roles.py)."""

import json

import pytest
from modelled import told_by
from test_playbook import lint

SCENE = """
import json
import botocore.exceptions, service_linked_roles
settings = json.loads('''SETTINGS''')

def refusal(code, operation):
    return botocore.exceptions.ClientError({"Error": {"Code": code, "Message": code}}, operation)

class Iam(Modelled):
    service = "iam"
    made = []
    def get_role(self, RoleName):
        if settings["closed"]:
            raise refusal("AccessDenied", "GetRole")
        if RoleName not in settings["there"]:
            raise refusal("NoSuchEntity", "GetRole")
    def create_service_linked_role(self, AWSServiceName):
        if settings["taken"]:
            raise refusal("InvalidInput", "CreateServiceLinkedRole")
        self.made.append(AWSServiceName)

iam = Iam()
print(json.dumps({"roles": service_linked_roles.made(iam, settings["check"]), "asked": iam.made}))
"""

ECS, GROUPS = "AWSServiceRoleForECS", "AWSServiceRoleForAutoScaling"
OTHERS = ["AWSServiceRoleForElasticLoadBalancing", "AWSServiceRoleForApplicationAutoScaling_ECSService"]
USUAL = {"there": [GROUPS, *OTHERS], "closed": False, "taken": False, "check": False}


@pytest.mark.parametrize(
    ("settings", "roles", "asked"),
    [
        ({}, [ECS], ["ecs.amazonaws.com"]),
        ({"there": [ECS, GROUPS, *OTHERS]}, [], []),
        ({"there": [ECS, *OTHERS]}, [GROUPS], ["autoscaling.amazonaws.com"]),
        ({"taken": True}, [ECS], []),
        ({"check": True}, [ECS], []),
        ({"closed": True}, [], []),
    ],
)
def test_the_roles_that_an_account_lacks_are_made_and_no_others(settings, roles, asked):
    lint("true")
    told = json.loads(told_by(SCENE.replace("SETTINGS", json.dumps({**USUAL, **settings}))))
    assert told == {"roles": roles, "asked": asked}
