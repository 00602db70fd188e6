#!/usr/bin/python
"""Ansible module: why tasks of a cluster stopped by themselves in the last half hour. CloudFormation does not tell.

Returns `reasons`, each once. It changes nothing, and knows nothing when it may not ask.
"""

from __future__ import annotations

import datetime

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stopped_tasks
short_description: Says why tasks stopped by themselves
description: Asks ECS, which remembers a stopped task for an hour. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  cluster: {type: str, required: true, description: the cluster}
"""

RECENT = datetime.timedelta(minutes=30)


def reason_of(task: dict) -> str:
    containers = [
        f"{container['name']}: " + ", ".join(filter(None, [container.get("reason"), f"exit code {container['exitCode']}"]))
        for container in task.get("containers", [])
        if container.get("exitCode") is not None
    ]
    return "; ".join(["A task stopped: " + task.get("stoppedReason", "no reason was given"), *containers])


def main() -> None:
    module = AnsibleModule(
        argument_spec={"region": {"type": "str", "required": True}, "cluster": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    cluster, reasons = module.params["cluster"], []
    try:
        ecs = botocore.session.Session().create_client("ecs", module.params["region"])
        names = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=names)["tasks"] if names else []
        since = datetime.datetime.now(datetime.timezone.utc) - RECENT
        for task in tasks:
            by_itself = task.get("stopCode") in ("EssentialContainerExited", "TaskFailedToStart", "ServiceSchedulerInitiated")
            if by_itself and task.get("stoppedAt", since) >= since and "scaling" not in task.get("stoppedReason", "").lower():
                reasons.append(reason_of(task))
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        pass  # it only adds to what is known
    module.exit_json(changed=False, reasons=sorted(set(reasons)))


if __name__ == "__main__":
    main()
