#!/usr/bin/env python3
"""Starts ministack, the emulator of AWS, with what it lacks of the services that our templates use.

TEST ONLY. Neither the templates nor the playbook know of it: they talk to AWS_ENDPOINT_URL. Everything here stands for
something that AWS does of itself; what is merely recorded, and not acted upon, is listed under RECORDED.

    emulator.py --port 4566 --registry 127.0.0.1:4567 --region eu-central-1
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import functools
import http.server
import ipaddress
import json
import os
import re
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--port", type=int, required=True, help="of the emulator, on loopback")
parser.add_argument("--registry", required=True, metavar="HOST:PORT", help="the registry that stands in for ECR")
parser.add_argument("--region", required=True)
options = parser.parse_args()

# ministack reads these when it is imported.
os.environ.update(
    GATEWAY_PORT=str(options.port),
    BIND_HOST="127.0.0.1",
    MINISTACK_REGION=options.region,
    # A stop may take as long as the longest stopTimeout.
    MINISTACK_DOCKER_TIMEOUT="150",
)

from ministack import app  # noqa: E402
from ministack.core import router  # noqa: E402
from ministack.core.responses import get_account_id, get_region, get_request_client_ip, json_response, now_iso  # noqa: E402
from ministack.services import alb, autoscaling, ec2, ecr, ecs, iam, route53, ssm  # noqa: E402
from ministack.services.cloudformation import provisioners, stacks  # noqa: E402


# ---- resources that are recorded: they get an identity, nothing is behind them

RECORDED = {
    # type: (prefix of its id, attributes that templates ask for)
    "AWS::EC2::SecurityGroupIngress": ("sgr-", ("Id",)),
    "AWS::EC2::SecurityGroupEgress": ("sgr-", ("Id",)),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("policy-", ("Arn",)),
    "AWS::CloudWatch::CompositeAlarm": ("alarm-", ("Arn",)),
    "AWS::WAFv2::WebACLAssociation": ("association-", ()),
}
recorded: dict[str, str] = {}
"""Identity → type, so that a test can see that nothing is left."""


def recorder(kind: str, prefix: str, attributes: tuple[str, ...]) -> dict:
    def create(logical_id, properties, stack_name):
        identity = prefix + uuid.uuid4().hex[:17]
        recorded[identity] = kind
        return identity, dict.fromkeys(attributes, identity)

    def delete(identity, properties):
        recorded.pop(identity, None)

    def update(identity, before, after, stack_name):
        return identity, dict.fromkeys(attributes, identity)

    return {"create": create, "update": update, "delete": delete}


for kind, (prefix, attributes) in RECORDED.items():
    provisioners._RESOURCE_HANDLERS.setdefault(kind, recorder(kind, prefix, attributes))


# ---- IPv6: Amazon gives a VPC a range some time after the VPC is there, and a subnet takes its own from that

ipv6_of_vpc: dict[str, list[str]] = {}
vpc = dict(provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"])


def create_vpc(logical_id, properties, stack_name):
    identity, attributes = vpc["create"](logical_id, properties, stack_name)
    return identity, {**attributes, "Ipv6CidrBlocks": ipv6_of_vpc.setdefault(identity, [])}


def give_range(logical_id, properties, stack_name):
    ranges = ipv6_of_vpc[properties["VpcId"]]
    ranges.append(f"2001:db8:{len(ipv6_of_vpc):x}:ff00::/56")
    return f"{properties['VpcId']}|{ranges[-1]}", {"Id": ranges[-1]}


provisioners._RESOURCE_HANDLERS["AWS::EC2::VPC"]["create"] = create_vpc
provisioners._RESOURCE_HANDLERS["AWS::EC2::VPCCidrBlock"] = {
    "create": give_range,
    "delete": lambda identity, properties: ipv6_of_vpc.get(properties["VpcId"], []).clear(),
}


# ---- alarms: one that reckons with several metrics is kept with the first of them, because nothing is ever measured here

alarm = dict(provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"])


def of_one_metric(properties):
    properties = dict(properties)
    metrics = properties.pop("Metrics", None)
    if not metrics:
        return properties
    [first, *_] = [one["MetricStat"] for one in metrics if "MetricStat" in one]
    return {**properties, **first["Metric"], "Period": first["Period"], "Statistic": first["Stat"]}


provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"].update(
    create=lambda logical_id, properties, stack_name: alarm["create"](logical_id, of_one_metric(properties), stack_name),
    update=lambda name, before, after, *others: alarm["update"](name, of_one_metric(before), of_one_metric(after), *others),
)


# ---- addresses, NAT gateways and flow logs: EC2 of the emulator knows them, its CloudFormation does not


def of_ec2(created: str, create, delete, attribute: str) -> dict:
    """`created` is the element that holds the id in the answer of `create`."""

    def begin(logical_id, properties, stack_name):
        asked = {name: str(value) for name, value in properties.items() if name != "Tags"}
        # Flow logs are asked for several resources at once.
        asked["ResourceId.1"] = asked.pop("ResourceId", "")
        identity = re.search(rf"<{created}>([^<]+)</{created}>", answered(create(asked)))[1]
        provisioners._ec2_apply_tags(identity, properties)
        return identity, {attribute: identity}

    def change(identity, before, after, stack_name):
        provisioners._ec2_apply_tags(identity, after, before)
        return identity, {attribute: identity}

    def end(identity, properties):
        answered(delete({name: identity for name in ("AllocationId", "NatGatewayId", "FlowLogId.1")}))

    return {"create": begin, "update": change, "delete": end}


def answered(response: tuple) -> str:
    status, _, body = response[:3]
    text = body.decode() if isinstance(body, bytes) else body
    if status >= 400:
        raise ValueError(text)
    return text


for kind, handlers in {
    "AWS::EC2::EIP": of_ec2("allocationId", ec2._allocate_address, ec2._release_address, "AllocationId"),
    "AWS::EC2::NatGateway": of_ec2("natGatewayId", ec2._create_nat_gateway, ec2._delete_nat_gateway, "NatGatewayId"),
    "AWS::EC2::FlowLog": of_ec2("item", ec2._create_flow_logs, ec2._delete_flow_logs, "Id"),
}.items():
    provisioners._RESOURCE_HANDLERS[kind] = handlers
    provisioners._STACK_TAG_PROPERTY[kind] = ("Tags", "list")


# ---- service-linked roles: under the names of AWS; a new account has none of them

SERVICE_LINKED = {
    "ecs.amazonaws.com": "ECS",
    "autoscaling.amazonaws.com": "AutoScaling",
    "elasticloadbalancing.amazonaws.com": "ElasticLoadBalancing",
    "ecs.application-autoscaling.amazonaws.com": "ApplicationAutoScaling_ECSService",
}


def create_service_linked_role(parameters):
    service = iam._p(parameters, "AWSServiceName")
    role = f"AWSServiceRoleFor{SERVICE_LINKED[service]}"
    if role in iam._roles:
        return iam._error(400, "InvalidInput", f"Service role name {role} has been taken in this account.", ns="iam")
    path = f"/aws-service-role/{service}/"
    trusted = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    asked = {"RoleName": role, "Path": path, "AssumeRolePolicyDocument": json.dumps({"Statement": [trusted]})}
    status, headers, body = iam._IAM_HANDLERS["CreateRole"](asked)[:3]
    text = body.decode() if isinstance(body, bytes) else body
    return status, headers, text.replace("CreateRoleRes", "CreateServiceLinkedRoleRes").encode()


iam._IAM_HANDLERS["CreateServiceLinkedRole"] = create_service_linked_role


# ---- capacity providers: ECS of the emulator knows them, its CloudFormation does not


def succeeded(response: tuple) -> dict:
    status, _, body = response[:3]
    document = json.loads(body) if body else {}
    if status >= 400:
        raise ValueError(document.get("message") or document)
    return document


DRAINING_HOOK = "ecs-managed-draining-termination-hook"


def create_capacity_provider(logical_id, properties, stack_name):
    if "AWSServiceRoleForECS" not in iam._roles:
        raise ValueError("Unable to assume the service linked role. Please verify that the ECS service linked role exists.")
    name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id)
    succeeded(ecs._create_capacity_provider({"name": name, **camel(properties)}))
    provider = properties["AutoScalingGroupProvider"]
    if provider.get("ManagedDraining") == "ENABLED":
        group = provider["AutoScalingGroupArn"].split("/")[-1]
        # As ECS does it. It stays in the group when the provider goes.
        hook = {"LifecycleTransition": TERMINATING, "HeartbeatTimeout": 3600, "DefaultResult": "CONTINUE"}
        autoscaling._hooks[f"{group}/{DRAINING_HOOK}"] = autoscaling._hook_record(group, DRAINING_HOOK, hook)
    return name, {}


def camel(properties):
    return provisioners._pascal_to_camel(properties)


provisioners._RESOURCE_HANDLERS["AWS::ECS::CapacityProvider"] = {
    "create": create_capacity_provider,
    "update": lambda name, before, after, stack_name: (name, {}),
    "delete": lambda name, properties: ecs._delete_capacity_provider({"capacityProvider": name}),
}


def associate(logical_id, properties, stack_name):
    succeeded(ecs._put_cluster_capacity_providers(camel(properties)))
    return properties["Cluster"], {}


provisioners._RESOURCE_HANDLERS["AWS::ECS::ClusterCapacityProviderAssociations"] = {
    "create": associate,
    "update": lambda name, before, after, stack_name: associate("", after, stack_name),
    "delete": lambda name, properties: None,
}


PAGE = 10
"""How many capacity providers ECS lists at once."""


def describe_capacity_providers(data):
    everything = json.loads(all_capacity_providers(data)[2])
    start = int(data.get("nextToken") or 0)
    end = start + int(data.get("maxResults") or PAGE)
    listed = everything["capacityProviders"]
    more = {"nextToken": str(end)} if end < len(listed) else {}
    return json_response({**everything, "capacityProviders": listed[start:end], **more})


all_capacity_providers = ecs._describe_capacity_providers
ecs._ACTION_MAP["DescribeCapacityProviders"] = describe_capacity_providers


# ---- hosts of a group: a hook holds each one that ends, until ECS has drained it, somebody lets it go or its time is over

TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
DRAINED_AFTER = 3
"""Seconds that ECS takes for a host without tasks."""

held_since: dict[str, float] = {}
"""Host → when it was first held."""
resize = autoscaling._reconcile_instances


def terminating_hooks(group: str) -> list[dict]:
    hooks = autoscaling._hooks.values()
    return [one for one in hooks if (one["AutoScalingGroupName"], one["LifecycleTransition"]) == (group, TERMINATING)]


def resize_with_hooks(group: dict) -> None:
    hosts = group["Instances"]
    serving = [one for one in hosts if one["LifecycleState"] == "InService"]
    surplus = serving[group["DesiredCapacity"] :]
    if not surplus or not terminating_hooks(group["AutoScalingGroupName"]):
        held = [one for one in hosts if one not in serving]
        group["Instances"] = serving
        resize(group)
        group["Instances"] += held
        return
    for one in surplus:
        one["LifecycleState"] = "Terminating:Wait"
        held_since[one["InstanceId"]] = time.monotonic()


def is_drained_by_ecs(group: dict) -> bool:
    """Only as long as a cluster has a capacity provider with the group."""
    used = {name for one in ecs._clusters.values() for name in one.get("capacityProviders") or []}
    providers = [one for name, one in ecs._capacity_providers.items() if name in used]
    arns = [one["autoScalingGroupProvider"].get("autoScalingGroupArn", "") for one in providers]
    return any(arn.split("/")[-1] == group["AutoScalingGroupName"] for arn in arns)


def end_what_is_due(group: dict) -> None:
    hooks = terminating_hooks(group["AutoScalingGroupName"])
    patience = min([one["HeartbeatTimeout"] for one in hooks], default=0)
    if is_drained_by_ecs(group):
        patience = min(patience, DRAINED_AFTER)
    due = time.monotonic() - patience
    group["Instances"] = [one for one in group["Instances"] if held_since.get(one["InstanceId"], due + 1) > due]


def describe_groups(parameters):
    for group in list(autoscaling._asgs.values()):
        end_what_is_due(group)
    return describe_all_groups(parameters)


def complete_lifecycle_action(parameters):
    group, host = parameters.get("AutoScalingGroupName"), parameters.get("InstanceId")
    if host not in held_since or host not in {one["InstanceId"] for one in autoscaling._asgs[group]["Instances"]}:
        return autoscaling._error("ValidationError", f"No active Lifecycle Action found with instance ID {host}")
    held_since[host] = float("-inf")
    return completed(parameters)


def create_group(logical_id, properties, stack_name):
    name, attributes = group_handlers["create"](logical_id, properties, stack_name)
    resize_with_hooks(autoscaling._asgs[name])
    return name, attributes


def update_group(name, before, after, stack_name, logical_id=None):
    result = group_handlers["update"](name, before, after, stack_name, logical_id)
    resize_with_hooks(autoscaling._asgs[name])
    return result


def delete_group(name, properties):
    """CloudFormation ends the hosts first, and waits for as long as they take."""
    group = autoscaling._asgs.get(name)
    if group:
        group.update(MinSize=0, DesiredCapacity=0)
        resize_with_hooks(group)
        while end_what_is_due(group) or group["Instances"]:
            time.sleep(0.2)
    group_handlers["delete"](name, properties)


autoscaling._reconcile_instances = resize_with_hooks
describe_all_groups, completed = autoscaling._describe_asgs, autoscaling._complete_lifecycle_action
autoscaling._ACTION_MAP.update(
    DescribeAutoScalingGroups=describe_groups, CompleteLifecycleAction=complete_lifecycle_action
)
group_handlers = dict(provisioners._RESOURCE_HANDLERS["AWS::AutoScaling::AutoScalingGroup"])
provisioners._RESOURCE_HANDLERS["AWS::AutoScaling::AutoScalingGroup"].update(
    create=create_group, update=update_group, delete=delete_group
)


# ---- hosts: those that the groups of the capacity providers are to have are in the cluster

recount = ecs._recount_cluster


def recount_with_hosts(name: str) -> None:
    recount(name)
    wanted = 0
    for provider in (ecs._clusters.get(name) or {}).get("capacityProviders") or []:
        group = (ecs._capacity_providers.get(provider) or {}).get("autoScalingGroupProvider", {}).get("autoScalingGroupArn", "")
        wanted += (autoscaling._asgs.get(group.split("/")[-1]) or {}).get("DesiredCapacity", 0)
    if name in ecs._clusters:
        ecs._clusters[name]["registeredContainerInstancesCount"] = int(wanted)


ecs._recount_cluster = recount_with_hosts


# ---- Application Auto Scaling: no figures are followed, but the lower limit is kept


def register_target(logical_id, properties, stack_name):
    _, cluster, service = properties["ResourceId"].split("/")
    at_least = int(properties["MinCapacity"])
    # The service may be created after its target, and scaled by the same rule then.
    scale_to.append((cluster, service, at_least))
    raise_to_minimum(cluster, service, at_least)
    recorded[properties["ResourceId"]] = "AWS::ApplicationAutoScaling::ScalableTarget"
    return f"{properties['ResourceId']}|{properties['ScalableDimension']}|ecs", {"Id": properties["ResourceId"]}


scale_to: list[tuple[str, str, int]] = []


def raise_to_minimum(cluster: str, service: str, at_least: int) -> None:
    found = ecs._services.get(f"{cluster}/{service}")
    if found and found["status"] == "ACTIVE" and found["desiredCount"] < at_least:
        succeeded(ecs._update_service({"cluster": cluster, "service": service, "desiredCount": at_least}))
        deadline = time.monotonic() + 60
        while found["runningCount"] < at_least and time.monotonic() < deadline:
            time.sleep(0.1)


provisioners._RESOURCE_HANDLERS["AWS::ApplicationAutoScaling::ScalableTarget"] = {
    "create": register_target,
    "update": lambda identity, before, after, stack_name: register_target("", after, stack_name),
    "delete": lambda identity, properties: recorded.pop(properties["ResourceId"], None),
}


# ---- clusters and log groups: without a name of their own they are named after their stack, as CloudFormation does it

cluster = dict(provisioners._RESOURCE_HANDLERS["AWS::ECS::Cluster"])


def with_cluster_name(properties, stack_name, logical_id):
    return {"ClusterName": provisioners._physical_name(stack_name, logical_id), **properties}


provisioners._RESOURCE_HANDLERS["AWS::ECS::Cluster"].update(
    create=lambda logical_id, properties, stack_name: cluster["create"](
        logical_id, with_cluster_name(properties, stack_name, logical_id), stack_name
    ),
    update=lambda name, before, after, stack_name, logical_id=None: cluster["update"](
        name, {"ClusterName": name, **before}, {"ClusterName": name, **after}, stack_name, logical_id
    ),
)

create_log_group = provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]["create"]


def create_named_log_group(logical_id, properties, stack_name):
    name = f"{stack_name}-{logical_id}-{uuid.uuid4().hex[:12]}"
    return create_log_group(logical_id, {"LogGroupName": name, **properties}, stack_name)


provisioners._RESOURCE_HANDLERS["AWS::Logs::LogGroup"]["create"] = create_named_log_group


# ---- ECS: a container is started with everything that its task definition says of it


def pick(mapping: dict | None, name: str, otherwise=None):
    """A property, whichever way CloudFormation's spelling came through."""
    for spelling in (name, name[0].upper() + name[1:]):
        if mapping and spelling in mapping:
            return mapping[spelling]
    return otherwise


def flag(value) -> bool:
    return str(value).lower() == "true"


secrets_of = ecs._resolve_container_secrets


def secrets_by_either_spelling(container: dict) -> dict[str, str]:
    secrets = [{name: pick(one, name) for name in ("name", "valueFrom")} for one in container.get("secrets") or []]
    return secrets_of({**container, "secrets": secrets})


ecs._resolve_container_secrets = secrets_by_either_spelling

run_arguments = ecs._build_run_kwargs
PROBED_EVERY_SECONDS = 3
"""Nobody here waits for a minute until a container has been asked for its health."""


def run_arguments_in_full(container, definition, env, ports, *rest):
    from docker.types import Ulimit

    # The emulator hands every task credentials and addresses of its own; our image needs and should get none.
    arguments = run_arguments(container, definition, env, ports, *rest)
    if definition.get("networkMode") == "awsvpc":
        # On AWS the task has an address of its own; here a port of loopback, as a task on a host.
        ports = {f"{pick(one, 'containerPort')}/tcp": None for one in container.get("portMappings", [])}
        arguments["environment"] = {**arguments["environment"], "ECS_CONTAINER_METADATA_URI_V4": f"{task_metadata()}/v4/a-task"}
    linux = pick(container, "linuxParameters", {})
    capabilities = pick(linux, "capabilities", {})
    arguments.update(
        # The host port is chosen by Docker, as on a host of ECS, but is not shown to the network.
        ports={port: ("127.0.0.1", None) for port in ports},
        extra_hosts=None,
        read_only=flag(container.get("readonlyRootFilesystem")),
        user=container.get("user"),
        cap_drop=pick(capabilities, "drop", []),
        security_opt=container.get("dockerSecurityOptions") or [],
        init=flag(pick(linux, "initProcessEnabled")),
        ulimits=[
            Ulimit(name=pick(one, "name"), soft=int(pick(one, "softLimit")), hard=int(pick(one, "hardLimit")))
            for one in container.get("ulimits", [])
        ],
    )
    if not ports:
        # The public URL is a name of loopback here. So a task that nobody reaches shares the network of this machine, where
        # that name leads to the balancer.
        arguments.pop("network", None)
        arguments.update(network_mode="host", ports=None)
        container, arguments["environment"] = with_a_port_of_its_own(container, arguments["environment"])
    for ours, theirs in (("memory", "mem_limit"), ("memoryReservation", "mem_reservation")):
        if container.get(ours):
            arguments[theirs] = f"{int(container[ours])}m"
    if check := container.get("healthCheck"):
        second = 1_000_000_000
        arguments["healthcheck"] = {
            "test": pick(check, "command"),
            "interval": min(int(pick(check, "interval", 30)), PROBED_EVERY_SECONDS) * second,
            "timeout": int(pick(check, "timeout", 5)) * second,
            "retries": int(pick(check, "retries", 3)),
            "start_period": int(pick(check, "startPeriod", 0)) * second,
        }
    stop_timeouts[arguments["name"]] = int(container.get("stopTimeout") or 30)
    return arguments


def with_a_port_of_its_own(container: dict, environment: dict[str, str]) -> tuple[dict, dict[str, str]]:
    """On AWS a task has a loopback address of its own. Here it shares that of this machine, with other monitors: the port of which
    its health check asks becomes one that is free."""
    check = container.get("healthCheck") or {}
    command = pick(check, "command") or []
    listener = next((found[0] for found in map(re.compile(r"127\.0\.0\.1:\d+").search, command) if found), None)
    if not listener:
        return container, environment
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        ours = f"127.0.0.1:{free.getsockname()[1]}"
    check = {**check, "command": [one.replace(listener, ours) for one in command]}
    return {**container, "healthCheck": check}, {name: value.replace(listener, ours) for name, value in environment.items()}


class TaskMetadata(http.server.BaseHTTPRequestHandler):
    """What Fargate states of the clock of a task's machine, at an address that containers reach."""

    def do_GET(self) -> None:
        drift = {
            "ClockErrorBound": CLOCK_ERROR_MILLISECONDS, "ReferenceTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "ClockSynchronizationStatus": "SYNCHRONIZED",
        }  # fmt: skip
        body = json.dumps({"LaunchType": "FARGATE", "ClockDrift": drift}).encode()
        self.send_response(200 if self.path == "/v4/a-task/task" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None: ...


CLOCK_ERROR_MILLISECONDS = 7.25
"""Such as no kernel would say."""


@functools.cache
def task_metadata() -> str:
    bridge = ecs._get_docker().networks.get("bridge").attrs["IPAM"]["Config"][0]
    # The engine's own address is the first one, and not every version names it.
    here = bridge.get("Gateway") or str(ipaddress.ip_network(bridge["Subnet"])[1])
    server = http.server.ThreadingHTTPServer((here, 0), TaskMetadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{here}:{server.server_port}"


stop_timeouts: dict[str, int] = {}
ecs._build_run_kwargs = run_arguments_in_full


def stop_and_remove(client, container_or_id):
    """SIGTERM, as long as the task definition allows, SIGKILL."""
    if not client or container_or_id is None:
        return
    try:
        container = client.containers.get(container_or_id) if isinstance(container_or_id, str) else container_or_id
        container.stop(timeout=stop_timeouts.get(container.name, 30))
        container.remove(v=True, force=True)
    except Exception:  # noqa: BLE001  it may be gone already, and nobody waits for the answer
        ecs.logger.info("ECS: %s was gone already", container_or_id)


ecs._remove_docker_container = stop_and_remove

# Tasks stop side by side, and whoever stops them does not wait for it; CloudFormation does, below.
stopping: list[threading.Thread] = []
clean_up = ecs._cleanup_task_resources


def clean_up_aside(task, client, extra_container=None):
    thread = threading.Thread(target=clean_up, args=(task, client, extra_container), daemon=True)
    stopping.append(thread)
    thread.start()


ecs._cleanup_task_resources = clean_up_aside


def wait_until_stopped() -> None:
    # Two may wait at once, each in a thread of its own, for what begins to stop meanwhile too.
    while threads := stopping[:1]:
        [thread] = threads
        thread.join()
        with contextlib.suppress(ValueError):
            stopping.remove(thread)


# ---- ECS and the load balancer: a task is a host and a port, and gets requests once its health check passes


def host_port(task: dict, container_port: int) -> int | None:
    client = ecs._get_docker()
    for container_id in task.get("_docker_ids") or []:
        try:
            bindings = client.containers.get(container_id).attrs["NetworkSettings"]["Ports"]
        except Exception:  # noqa: BLE001  a container that ended meanwhile has no ports
            continue
        for binding in bindings.get(f"{container_port}/tcp") or []:
            return int(binding["HostPort"])
    return None


def publish_targets(cluster_name: str, service: dict) -> None:
    """All running tasks of the service, and no other, are in its target groups."""
    group = f"service:{service.get('serviceName')}"
    for balancer in service.get("loadBalancers") or []:
        targets = []
        for task in list(ecs._tasks.values()) if service.get("status") == "ACTIVE" else []:
            if (task.get("group"), task.get("clusterArn")) != (group, service.get("clusterArn")):
                continue
            if task.get("lastStatus") == "RUNNING" and task.get("_host_port"):
                targets.append(("127.0.0.1", task["_host_port"]))
        alb.set_targets_for_group(balancer["targetGroupArn"], targets, ["127.0.0.1"])


ecs._sync_service_targets = publish_targets

HEALTHY_AFTER = 2
"""Good answers in a row."""
PATIENCE_SECONDS = 15
"""A task that is not healthy by then has failed; AWS gives it the grace period and the count of the target group."""

exit_codes: dict[str, int] = {}
mark_running = ecs._mark_task_running


def mark_running_when_healthy(task_arn: str, task: dict) -> bool:
    cluster = ecs._cluster_name_from_arn(task.get("clusterArn", ""))
    service = ecs._services.get(f"{cluster}/{task.get('group', '').removeprefix('service:')}") or {}
    balancers = service.get("loadBalancers") or []
    problem = "" if balancers else wait_for_health_check(task)
    for balancer in balancers:
        path = (alb._tgs.get(balancer["targetGroupArn"]) or {}).get("HealthCheckPath") or "/"
        problem = wait_until_healthy(task, int(balancer["containerPort"]), path)
    if problem:
        # One that has ended stopped by itself; one that is not ready is stopped by the service.
        ended = task_arn in exit_codes
        code = "EssentialContainerExited" if ended else "ServiceSchedulerInitiated"
        stopped = ecs._mark_task_stopped(task_arn, task, problem, code, exit_codes.get(task_arn))
        if stopped and not ended:
            ecs._cleanup_task_resources(task, ecs._get_docker())
            ecs._record_service_task_failure(task)
        return False
    return mark_running(task_arn, task)


def wait_until_healthy(task: dict, container_port: int, path: str) -> str:
    """Nothing when the task is healthy; else why it is not."""
    deadline, good, last = time.monotonic() + PATIENCE_SECONDS, 0, "no port is open"
    while time.monotonic() < deadline:
        for container_id in task.get("_docker_ids") or []:
            container = ecs._get_docker().containers.get(container_id)
            if container.status == "exited":
                exit_codes[task["taskArn"]] = container.attrs["State"]["ExitCode"]
                return "Essential container in task exited"
        task["_host_port"] = host_port(task, container_port)
        if task["_host_port"]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{task['_host_port']}{path}", timeout=2) as answer:
                    answer.read()
                good += 1
                if good == HEALTHY_AFTER:
                    return ""
            except OSError as error:
                good, last = 0, str(error)
        time.sleep(0.2)
    return f"Task failed ELB health checks in target group: {last}"


def wait_for_health_check(task: dict) -> str:
    """The same of a task without a balancer, by the health checks of its containers."""
    deadline = time.monotonic() + 3 * PATIENCE_SECONDS
    while time.monotonic() < deadline:
        containers = [ecs._get_docker().containers.get(one) for one in task.get("_docker_ids") or []]
        for container in containers:
            if container.status == "exited":
                exit_codes[task["taskArn"]] = container.attrs["State"]["ExitCode"]
                return "Essential container in task exited"
        if all(one.attrs["State"].get("Health", {}).get("Status", "healthy") == "healthy" for one in containers):
            return ""
        time.sleep(0.2)
    return "Task failed container health checks"


ecs._mark_task_running = mark_running_when_healthy


# ---- ECS under CloudFormation: numbers are numbers, and a deployment is waited for

make_deployment = ecs._make_deployment


def make_deployment_in_progress(*arguments, **named):
    """The first deployment of a service may fail like any other."""
    deployment = make_deployment(*arguments, **named)
    if deployment["desiredCount"]:
        deployment.update(rolloutState="IN_PROGRESS", rolloutStateReason="")
    return deployment


ecs._make_deployment = make_deployment_in_progress


def with_numbers(properties: dict) -> dict:
    properties = dict(properties)
    for name in ("DesiredCount", "HealthCheckGracePeriodSeconds"):
        if name in properties:
            properties[name] = int(properties[name])
    properties["LoadBalancers"] = [
        {**one, "ContainerPort": int(one["ContainerPort"])} for one in properties.get("LoadBalancers") or []
    ]
    return properties


def service_of(arn: str) -> dict:
    cluster, name = arn.split("/")[-2:]
    return ecs._services[f"{cluster}/{name}"]


def wait_for_deployment(arn: str, known: list[dict]) -> None:
    """Waits for the one that is not `known`. By now the primary one may be one of them again, to which ECS has gone back."""
    service = service_of(arn)
    new = [one for one in service["deployments"] if not any(one is other for other in known)]
    ours = new[0] if new else ecs._primary_deployment(service)
    while ours["rolloutState"] not in ("COMPLETED", "FAILED"):
        if not any(one is ours for one in service["deployments"]):
            break
        time.sleep(0.1)
    wait_until_stopped()
    if ours["rolloutState"] == "FAILED":
        raise ValueError(
            "Resource handler returned message: \"Error occurred during operation 'ECS Deployment Circuit Breaker was "
            "triggered'.\" (HandlerErrorCode: GeneralServiceException)"
        )


def create_service(logical_id, properties, stack_name):
    arn, attributes = provisioners._ecs_service_create(logical_id, with_numbers(properties), stack_name)
    try:
        wait_for_deployment(arn, [])
    except ValueError:
        # A rollback knows nothing yet of what was not made in full.
        delete_service(arn, properties)
        raise
    return arn, attributes


def update_service(arn, before, after, stack_name):
    known = list(service_of(arn)["deployments"])
    result = provisioners._ecs_service_update(arn, with_numbers(before), with_numbers(after), stack_name)
    wait_for_deployment(arn, known)
    delete_replaced_parameters()
    return result


def delete_service(arn, properties):
    # Without a name in the template the service has one all the same; the emulator looks for it in the template.
    ecs._delete_service({"cluster": arn.split("/")[-2], "service": arn.split("/")[-1], "force": True})
    wait_until_stopped()


provisioners._RESOURCE_HANDLERS["AWS::ECS::Service"] = {
    "create": create_service,
    "update": update_service,
    "delete": delete_service,
}

# What waits must not hold up the loop that also carries the balancer's requests.
on_worker_thread = stacks._runs_on_worker_thread
stacks._runs_on_worker_thread = lambda kind: (
    kind in ("AWS::ECS::Service", "AWS::ApplicationAutoScaling::ScalableTarget", "AWS::AutoScaling::AutoScalingGroup")
    or on_worker_thread(kind)
)


# ---- the load balancer's name: one that every machine resolves to itself, with the port on which we listen

create_balancer = provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::LoadBalancer"]["create"]


def create_local_balancer(logical_id, properties, stack_name):
    arn, attributes = create_balancer(logical_id, properties, stack_name)
    name = f"{attributes['LoadBalancerName']}.alb.localhost"
    alb._lbs[arn]["DNSName"] = name
    return arn, {**attributes, "DNSName": f"{name}:{options.port}"}


provisioners._RESOURCE_HANDLERS["AWS::ElasticLoadBalancingV2::LoadBalancer"]["create"] = create_local_balancer


# ---- names: a certificate is issued once its zone holds the record that ACM asks for; an alias of the balancer leads to it

VALIDATED_AFTER = 1
"""Seconds that ACM takes to see the record."""
TERMINATOR = "127.0.0.44"
"""What comes from this address came by TLS, to port 443: there is nothing here that speaks it."""

certificate = dict(provisioners._RESOURCE_HANDLERS["AWS::CertificateManager::Certificate"])


def create_certificate(logical_id, properties, stack_name):
    arn, attributes = certificate["create"](logical_id, properties, stack_name)
    for wanted in properties.get("DomainValidationOptions", []):
        zone, name = wanted["HostedZoneId"], wanted["DomainName"]
        held = (route53._zones.get(zone) or {}).get("name", "")
        if not held or not f"{name}.".endswith(f".{held}"):
            certificate["delete"](arn, properties)
            raise ValueError(f"No hosted zone {zone} holds {name}")
        record = {"Name": f"_0123456789abcdef.{name}", "Type": "CNAME", "TTL": "300", "ResourceRecords": ["_fedcba.acm-validations.aws."]}
        # It stays when the certificate goes; the next one for the name finds it.
        if not any(one["Name"] == f"{record['Name']}." for one in route53._records.get(zone, [])):
            provisioners._r53_record_set_create("Validation", {**record, "HostedZoneId": zone}, stack_name)
        time.sleep(VALIDATED_AFTER)
    return arn, attributes


provisioners._RESOURCE_HANDLERS["AWS::CertificateManager::Certificate"]["create"] = create_certificate


def balancer_behind(name: str) -> str:
    """The name that the emulator knows the balancer by."""
    for records in route53._records.values():
        for one in records:
            if one["Name"] == f"{name.lower()}." and one["Type"] == "A" and "AliasTarget" in one:
                return one["AliasTarget"]["DNSName"].rstrip(".").split(":")[0]
    return ""


handle_alb_request, is_potential_alb_request = app._handle_alb_request, app._is_potential_alb_request


async def handle_by_name(host, *arguments, **named):
    balancer = balancer_behind(host.split(":")[0])
    if balancer:
        host = f"{balancer}:{443 if get_request_client_ip() == TERMINATOR else 80}"
    return await handle_alb_request(host, *arguments, **named)


app._handle_alb_request = handle_by_name
app._is_potential_alb_request = lambda host, path: is_potential_alb_request(host, path) or bool(balancer_behind(host.split(":")[0]))


# ---- ECR: repositories are the emulator's, images are in a real registry

USER, PASSWORD = "AWS", "a-password-for-the-registry-on-loopback"  # noqa: S105  see registry.yml
AUTHORIZATION = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def registry(method: str, path: str):
    """The answer's headers and body; nothing when there is none of that name."""
    request = urllib.request.Request(f"http://{options.registry}/v2/{path}", method=method)
    request.add_header("Authorization", f"Basic {AUTHORIZATION}")
    request.add_header("Accept", MANIFEST)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


def tags_and_digests(repository: str) -> dict[str, str]:
    listed = registry("GET", f"{repository}/tags/list")
    tags = (json.loads(listed[1]).get("tags") or []) if listed else []
    found = {tag: registry("HEAD", f"{repository}/manifests/{tag}") for tag in tags}
    return {tag: answer[0]["Docker-Content-Digest"] for tag, answer in found.items() if answer}


def sees_the_registry(handler):
    """Before an operation of ECR looks at its images, they are what the registry holds."""

    def handle(data):
        name = data.get("repositoryName", "")
        if name in ecr._repositories:
            by_digest: dict[str, list[str]] = {}
            for tag, digest in tags_and_digests(name).items():
                by_digest.setdefault(digest, []).append(tag)
            ecr._images[name] = [
                {
                    "imageDigest": digest,
                    "imageTags": tags,
                    "imageId": {"imageDigest": digest, "imageTag": tags[0]},
                    "imageManifestMediaType": MANIFEST,
                }
                for digest, tags in by_digest.items()
            ]
            wanted = data.get("imageIds") or []
            if handler is describe_images and wanted and not any(ecr._find_image(name, one) for one in wanted):
                return ecr.error_response_json("ImageNotFoundException", f"{wanted} is not in {name}", 400)
        return handler(data)

    return handle


def delete_images(data):
    for one in data.get("imageIds", []):
        digest = one.get("imageDigest") or tags_and_digests(data["repositoryName"]).get(one.get("imageTag"))
        if digest:
            registry("DELETE", f"{data['repositoryName']}/manifests/{digest}")
    return json_response({"imageIds": data.get("imageIds", []), "failures": []})


def delete_repository(data):
    response = delete_empty_repository(data)
    if response[0] < 400:
        for digest in set(tags_and_digests(data["repositoryName"]).values()):
            registry("DELETE", f"{data['repositoryName']}/manifests/{digest}")
    return response


describe_images = ecr._describe_images
ecr._describe_images = sees_the_registry(describe_images)
ecr._list_images = sees_the_registry(ecr._list_images)
ecr._batch_delete_image = delete_images
delete_empty_repository = sees_the_registry(ecr._delete_repository)
ecr._delete_repository = delete_repository
ecr._repo_uri = lambda name: f"{options.registry}/{name}"
ecr._get_authorization_token = lambda data: json_response({
    "authorizationData": [
        {
            "authorizationToken": AUTHORIZATION,
            "expiresAt": int(time.time()) + 43200,
            "proxyEndpoint": f"http://{options.registry}",
        }
    ]
})
# The agent on a host of ECS asks ECR for the password; here every pull brings it along.
ecs._resolve_repository_credentials = lambda container: {"username": USER, "password": PASSWORD}


# ---- Service Quotas: those of a new account

QUOTAS = {"L-3032A538": 6, "L-F678F1CE": 5, "L-0263D0A3": 5, "L-1216C47A": 10, "L-53DA6B97": 50}


async def service_quotas(method, path, headers, body, query):
    asked = json.loads(body)
    value = float(QUOTAS[asked["QuotaCode"]])
    return json_response({"Quota": {"ServiceCode": asked["ServiceCode"], "QuotaCode": asked["QuotaCode"], "Value": value}})


router.SERVICE_PATTERNS["servicequotas"] = {"target_prefixes": ["ServiceQuotasV20190624"]}
app.SERVICE_HANDLERS["servicequotas"] = service_quotas


# ---- SSM: the images of the hosts, which AWS publishes in every region

public_parameter = ssm._public_parameter


def hosts_image(name: str):
    if re.fullmatch(r"/aws/service/ecs/optimized-ami/amazon-linux-2023/al2023-ami-ecs-hvm-[^/]+/image_id", name):
        return {"Name": name, "Type": "String", "Value": "ami-0123456789abcdef0", "Version": 1, "ARN": f"arn:aws:ssm:::{name}",
                "LastModifiedDate": 0}
    return public_parameter(name)


ssm._public_parameter = hosts_image


# ---- SSM: a parameter that another one replaces is there until the update is through, for the tasks of a rollback

parameter = dict(provisioners._RESOURCE_HANDLERS["AWS::SSM::Parameter"])
replaced_parameters: list[str] = []


def update_parameter(name, before, after, stack_name, logical_id=None):
    wanted = after.get("Name", name)
    if wanted == name:
        return parameter["update"](name, before, after, stack_name, logical_id)
    if wanted in replaced_parameters:
        # Back to it.
        replaced_parameters.remove(wanted)
        parameter["delete"](name, before)
        return wanted, provisioners._ssm_attrs(wanted, provisioners._ssm_put_data(wanted, after))
    replaced_parameters.append(name)
    return parameter["create"](logical_id, after, stack_name)


def delete_replaced_parameters() -> None:
    while replaced_parameters:
        parameter["delete"](replaced_parameters.pop(), {})


provisioners._RESOURCE_HANDLERS["AWS::SSM::Parameter"].update(update=update_parameter)


if __name__ == "__main__":
    import sys

    sys.argv = sys.argv[:1]
    app.main()
