#!/usr/bin/python
"""Ansible module: why tasks of a cluster stopped by themselves in the last half hour, and what its services had to say.
CloudFormation does not tell.

Returns `reasons`, each once, and the last `events`, in order. It changes nothing, and knows nothing when it may not ask.
"""

from __future__ import annotations

import datetime

import botocore.exceptions
import botocore.session
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: stopped_tasks
short_description: Says why tasks stopped by themselves, and what services say
description: Asks ECS, which remembers a stopped task for an hour. Changes nothing.
author: the nowd project
options:
  region: {type: str, required: true, description: the region}
  cluster: {type: str, required: true, description: the cluster}
"""

EVENTS = 5

RECENT = datetime.timedelta(minutes=30)


def reason_of(task: dict) -> str:
    containers = [
        f"{container['name']}: " + ", ".join(filter(None, [container.get("reason"), f"exit code {container['exitCode']}"]))
        for container in task.get("containers", [])
        if container.get("exitCode") is not None
    ]
    return "; ".join(["A task stopped: " + task.get("stoppedReason", "no reason was given"), *containers])


def events_of(ecs, cluster: str, since: datetime.datetime) -> list[str]:
    """The last ones, without those of which nobody learns anything."""
    names = ecs.list_services(cluster=cluster)["serviceArns"]
    services = ecs.describe_services(cluster=cluster, services=names[:10])["services"] if names else []
    events = sorted((one for service in services for one in service.get("events", [])), key=lambda one: one["createdAt"])
    told = [one["message"] for one in events if one["createdAt"] >= since and "steady state" not in one["message"]]
    # Each once, where it was said last.
    return list(dict.fromkeys(reversed(told)))[:EVENTS][::-1]


def main() -> None:
    module = AnsibleModule(
        argument_spec={"region": {"type": "str", "required": True}, "cluster": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    cluster, reasons, events = module.params["cluster"], [], []
    try:
        ecs = botocore.session.Session().create_client("ecs", module.params["region"])
        names = ecs.list_tasks(cluster=cluster, desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=names)["tasks"] if names else []
        since = datetime.datetime.now(datetime.timezone.utc) - RECENT
        for task in tasks:
            by_itself = task.get("stopCode") in ("EssentialContainerExited", "TaskFailedToStart", "ServiceSchedulerInitiated")
            if by_itself and task.get("stoppedAt", since) >= since and "scaling" not in task.get("stoppedReason", "").lower():
                reasons.append(reason_of(task))
        events = events_of(ecs, cluster, since)
    except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
        pass  # it only adds to what is known
    module.exit_json(changed=False, reasons=sorted(set(reasons)), events=events)


if __name__ == "__main__":
    main()
