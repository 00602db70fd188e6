#!/usr/bin/python
"""Ansible module: the roles that services of AWS act with in this account are there.

A service makes its role when it is first used, but a stack may need it some seconds earlier: then the first cluster of a
new account fails. So each role is asked for, and made if the account has none. They belong to the account, not to an
environment, cost nothing, and stay.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: service_linked_roles
short_description: Makes the service-linked roles that an account lacks
description: Of ECS, Auto Scaling, the load balancer and the scaling of services.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
"""

# The service that acts with a role → the role. The names are those of AWS.
ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
}


def code_of(error: botocore.exceptions.ClientError) -> str:
    return error.response["Error"].get("Code", "")


def is_there(iam, role: str) -> bool:
    try:
        iam.get_role(RoleName=role)
    except botocore.exceptions.ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        return False
    return True


def make(iam, service: str) -> None:
    try:
        iam.create_service_linked_role(AWSServiceName=service)
    except botocore.exceptions.ClientError as error:
        # Somebody was faster.
        if code_of(error) != "InvalidInput":
            raise


def made(iam, check_mode: bool) -> list[str]:
    """The roles that were made, or would be. One that may not be read is left to its service."""
    lacking = []
    for service, role in ROLES.items():
        try:
            if is_there(iam, role):
                continue
        except botocore.exceptions.ClientError as error:
            if code_of(error) != "AccessDenied":
                raise
            continue
        if not check_mode:
            make(iam, service)
        lacking.append(role)
    return lacking


def main() -> None:
    module = AnsibleModule(argument_spec={"region": {"type": "str", "required": True}}, supports_check_mode=True)
    iam = botocore.session.Session().create_client("iam", module.params["region"])
    try:
        roles = made(iam, module.check_mode)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        commands = "; ".join(f"aws iam create-service-linked-role --aws-service-name {service}" for service in ROLES)
        module.fail_json(
            msg=f"The service-linked roles of this account cannot be made: {error}. Ask an administrator to run once: {commands}"
        )
    module.exit_json(changed=bool(roles), roles=roles)


if __name__ == "__main__":
    main()
