#!/usr/bin/python
"""Ansible module: how many hosts have joined a cluster, and what their Auto Scaling group says of those that did not come up.

Returns `registered` and `reasons`. It changes nothing, in check mode or not.
"""

from __future__ import annotations

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: registered_hosts
short_description: Counts the hosts of a cluster
description: Asks ECS, and the Auto Scaling group for the last launches that failed. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  cluster: {type: str, required: true, description: the cluster}
  group: {type: str, required: true, description: the Auto Scaling group of its hosts}
"""


def reasons_of(session: botocore.session.Session, region: str, group: str) -> list[str]:
    """Of the last activities those that failed, newest first."""
    try:
        told = session.create_client("autoscaling", region).describe_scaling_activities(AutoScalingGroupName=group, MaxRecords=10)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        return []  # it only adds to what is known
    failed = (one for one in told["Activities"] if one["StatusCode"] in ("Failed", "Canceled"))
    return list(dict.fromkeys(one.get("StatusMessage") or one.get("Description", "no reason was given") for one in failed))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "region": {"type": "str", "required": True},
            "cluster": {"type": "str", "required": True},
            "group": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    cluster, group, region = module.params["cluster"], module.params["group"], module.params["region"]
    session = botocore.session.Session()
    try:
        found = session.create_client("ecs", region).describe_clusters(clusters=[cluster])["clusters"]
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
        module.fail_json(msg=f"ECS cannot be asked for the hosts of {cluster}: {error}")
    registered = sum(one["registeredContainerInstancesCount"] for one in found)
    module.exit_json(changed=False, registered=registered, reasons=reasons_of(session, region, group))


if __name__ == "__main__":
    main()
