"""What the deployment costs a month, item by item. How many there are of what is counted in the templates."""

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from aws_prices import price

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/deploy"))

from cloudformation import FARGATE, stack  # noqa: E402

LCU = Decimal(1)
DATA = Decimal(2)
LOGS = Decimal(1)
MONITOR_LOGS = Decimal("0.1")
"""Two lines a minute, of 1.4 kB together, make 0.06."""
INSIGHTS = {"disabled": 0, "enabled": 28, "enhanced": 110}
"""Metrics that Container Insights makes of one cluster with one service, two hosts and two tasks: an estimate."""
SCALING_ALARMS_OF_SERVICE = 2 * 2
SCALING_ALARMS = 2 + SCALING_ALARMS_OF_SERVICE
"""Made by AWS: two for the capacity provider, two for each policy of the service."""


def own_metrics() -> list[str]:
    """What nowd publishes: the names that are given together with a unit, without those of its tests."""
    program, _, _ = (ROOT / "services/app/src/metrics/emf.rs").read_text().partition("#[cfg(test)]")
    units = "Count|Seconds|Milliseconds|Microseconds|Bytes|Percent|None"
    names = sorted(set(re.findall(rf'"([A-Z][A-Za-z]+)",\s*"(?:{units})"', program)))
    if "ClockSynchronized" not in names:
        raise SystemExit("services/app/src/metrics/emf.rs does not name its metrics as it did: see own_metrics()")
    return names


def monitor_metrics() -> list[str]:
    """What nowcheck writes for CloudWatch of one check and of itself. That on a certificate is there only with one."""
    program = (ROOT / "crates/nowcheck-watch/src/export/emf.rs").read_text()
    names = re.findall(r'line\.metric\("(nowcheck_\w+)"', program)
    if "nowcheck_up" not in names:
        raise SystemExit("crates/nowcheck-watch/src/export/emf.rs does not name its metrics as it did: see monitor_metrics()")
    return [name for name in names if "certificate" not in name]


OF_HOSTS = ["ConnectedHosts"]
"""What hosts publish themselves: the program in infrastructure/hosts.yaml."""


@dataclass(frozen=True)
class Variant:
    egress: str
    meant_for: str
    instance_type: str = "t3.micro"
    compute: str = "ec2"

    @property
    def title(self) -> str:
        usual = self.instance_type == stack("hosts").parameters["InstanceType"]
        more = [] if usual else [f"`{self.instance_type}`"]
        return ", ".join([f"`{self.egress}`", *more, *([] if self.compute == "ec2" else [f"`{self.compute}`"])])


VARIANTS = [
    Variant("nat-per-zone", "the default; survives the loss of a zone"),
    Variant("nat-single", "one NAT gateway for both zones"),
    Variant("public", "hosts with public addresses; survives the loss of a zone"),
    Variant("public", "the same on cheaper hosts", "t3a.micro"),
    Variant("endpoints", "closed: no way out to the internet"),
    Variant("public", "no hosts, tasks with public addresses; survives the loss of a zone", compute="fargate"),
    Variant("endpoints", "no hosts, closed", compute="fargate"),
]


def machines_at_least(variant: Variant) -> int:
    """Hosts, or tasks on Fargate."""
    if variant.compute == "ec2":
        return stack("hosts").parameters["DesiredHosts"]
    return stack("web-service", **FARGATE).parameters["MinTasks"]


def of_hosts(variant: Variant, hosts: int) -> tuple[Decimal, Decimal]:
    """So many hosts, and their addresses."""
    group = stack("hosts", Egress=variant.egress)
    launch = group.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    [disk], [interface] = launch["BlockDeviceMappings"], launch["NetworkInterfaces"]
    machines = hosts * (price(variant.instance_type) + disk["Ebs"]["VolumeSize"] * price("disk"))
    return machines, hosts * price("address") if interface["AssociatePublicIpAddress"] else Decimal(0)


def of_tasks(variant: Variant, tasks: int) -> tuple[Decimal, Decimal]:
    """So many tasks on Fargate, and their addresses."""
    service = stack("web-service", **FARGATE, Egress=variant.egress)
    task = service.only("AWS::ECS::TaskDefinition")
    cpus, memory = Decimal(task["Cpu"]) / 1024, Decimal(task["Memory"]) / 1024
    interface = service.only("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    machines = tasks * (cpus * price("fargate cpu") + memory * price("fargate memory"))
    return machines, tasks * price("address") if interface["AssignPublicIp"] == "ENABLED" else Decimal(0)


def metrics_of(alarms: Iterable[dict]) -> int:
    """How many metrics they watch. Of an alarm that reckons each costs."""
    return sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)


def costs(variant: Variant, machines: int | None = None, capacity: Decimal = LCU) -> dict[str, Decimal]:
    """Item by item, with as many hosts or tasks as there are at least, or with so many; and so many LCUs."""
    count = machines_at_least(variant) if machines is None else machines
    on_hosts = variant.compute == "ec2"
    vpc, cluster = stack("vpc", Egress=variant.egress, Compute=variant.compute), stack("ecs-cluster")
    service = stack("web-service", **({} if on_hosts else FARGATE))
    computing, addresses = of_hosts(variant, count) if on_hosts else of_tasks(variant, count)
    zones = 2
    gateways = len(vpc.of_type("AWS::EC2::NatGateway"))
    endpoints = [e for e in vpc.of_type("AWS::EC2::VPCEndpoint").values() if e["VpcEndpointType"] == "Interface"]
    in_zones = sum(len(endpoint["SubnetIds"]) for endpoint in endpoints)
    stacks = (stack("hosts"), service) if on_hosts else (service,)
    alarms = [alarm for one in stacks for alarm in one.of_type("AWS::CloudWatch::Alarm").values()]
    watched = metrics_of(alarms)
    watched += SCALING_ALARMS if on_hosts else SCALING_ALARMS_OF_SERVICE
    return {
        "Hosts, or tasks on Fargate": computing,
        "Their addresses": addresses,
        "Load balancer": price("balancer") + capacity * price("capacity") + zones * price("address"),
        "NAT gateways": gateways * (price("nat") + price("address")) + (DATA * price("nat data") if gateways else 0),
        "Endpoints": in_zones * price("endpoint") + (DATA * price("endpoint data") if in_zones else 0),
        "Logs": LOGS * price("log"),
        "Container Insights": INSIGHTS[cluster.parameters["ContainerInsights"]] * price("metric"),
        "Metrics, alarms, dashboard, key": len(own_metrics() + (OF_HOSTS if on_hosts else [])) * price("metric")
        + watched * price("alarm")
        + price("dashboard")
        + price("key"),
    }


def firewall() -> Decimal:
    """A month, without what each request costs."""
    lists = stack("load-balancers", RateLimit="600").of_type("AWS::WAFv2::WebACL").values()
    return sum(price("firewall") + len(one["Rules"]) * price("rule") for one in lists)


def monitor() -> Decimal:
    """On hosts, where its task has room: metrics and alarms."""
    alarms = stack("monitor").of_type("AWS::CloudWatch::Alarm")
    return len(monitor_metrics()) * price("metric") + metrics_of(alarms.values()) * price("alarm")


def task_of_monitor() -> Decimal:
    """On Fargate, without its address."""
    task = stack("monitor", **FARGATE).only("AWS::ECS::TaskDefinition")
    return Decimal(task["Cpu"]) / 1024 * price("fargate cpu") + Decimal(task["Memory"]) / 1024 * price("fargate memory")


CENTS = Decimal("0.01")


def total(variant: Variant) -> Decimal:
    """What is shown adds up: the sum is of what is shown."""
    return sum(amount.quantize(CENTS) for amount in costs(variant).values())
