#!/usr/bin/python
"""Ansible module: a stack, and the load balancers in it, can be deleted.

Works on a stack in whatever state it is. (An update, which would lift the protection too, is refused by a stack that
never came to be or could not be deleted.)
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.stacks import described, resources_of

DOCUMENTATION = """
module: unprotected_stack
short_description: Lifts the protection of a stack against deletion
description: And that of the load balancers in it. A stack that is not there needs none.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  stack_name: {type: str, required: true, description: name of the stack}
"""

PROTECTION = "deletion_protection.enabled"


def load_balancers(cloudformation, stack: str) -> list[str]:
    found = resources_of(cloudformation, stack, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    return [arn for arn in found if arn.startswith("arn:")]


def balancer_is_protected(elbv2, arn: str) -> bool:
    try:
        attributes = elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
    except elbv2.exceptions.LoadBalancerNotFoundException:
        return False
    return {"Key": PROTECTION, "Value": "true"} in attributes


def main() -> None:
    module = AnsibleModule(
        argument_spec={"region": {"type": "str", "required": True}, "stack_name": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    stack, region = module.params["stack_name"], module.params["region"]
    session = botocore.session.Session()
    cloudformation, elbv2 = (session.create_client(service, region) for service in ("cloudformation", "elbv2"))
    try:
        protected = (described(cloudformation, stack) or {}).get("EnableTerminationProtection", False)
        balancers = [arn for arn in load_balancers(cloudformation, stack) if balancer_is_protected(elbv2, arn)]
        if not module.check_mode:
            if protected:
                cloudformation.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
            for arn in balancers:
                elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": PROTECTION, "Value": "false"}])
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"the protection of {stack} cannot be lifted: {error}")
    module.exit_json(changed=protected or bool(balancers))


if __name__ == "__main__":
    main()
