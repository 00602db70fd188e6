#!/usr/bin/env python3
"""Writes docs/costs.md: what the deployment costs a month. How many there are of what is counted in the templates.

.venv/bin/python docs/costs.py            # rewrites docs/costs.md; a test fails when it is not what this writes
.venv/bin/python docs/costs.py FILE       # writes it there
.venv/bin/python docs/costs.py --summary   # prints the table that is in docs/aws.md
"""

import argparse
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/deploy"))

from cloudformation import FARGATE, stack  # noqa: E402

REGION = "eu-central-1"
KNOWN = "2025"
WRITTEN = "November 2026"
HOURS = 730
"""Of a month."""

PRICES = {
    "t3.micro": ("t3.micro, Linux, on demand", "0.0120", "hour"),
    "t3a.micro": ("t3a.micro, the same", "0.0108", "hour"),
    "disk": ("gp3 volume", "0.0952", "GB and month"),
    "fargate cpu": ("vCPU of a task on Fargate", "0.04656", "hour"),
    "fargate memory": ("memory of a task on Fargate", "0.00511", "GB and hour"),
    "balancer": ("Application Load Balancer", "0.0270", "hour"),
    "capacity": ("capacity unit of it (LCU)", "0.0080", "hour"),
    "address": ("public IPv4 address", "0.0050", "hour"),
    "nat": ("NAT gateway", "0.0520", "hour"),
    "nat data": ("data through it", "0.0520", "GB"),
    "endpoint": ("interface endpoint, in one zone", "0.0120", "hour"),
    "endpoint data": ("data through it", "0.0100", "GB"),
    "log": ("log data taken in", "0.6300", "GB"),
    "metric": ("metric that is not AWS's own", "0.3000", "month"),
    "alarm": ("alarm, for each metric", "0.1000", "month"),
    "dashboard": ("dashboard (the first three are free)", "3.0000", "month"),
    "key": ("key of KMS", "1.0000", "month"),
    "firewall": ("WAF: access list", "5.0000", "month"),
    "rule": ("WAF: rule", "1.0000", "month"),
    "inspected": ("WAF: a million requests", "0.6000", "million"),
}
"""List prices in US dollars, without taxes and free tiers."""

LCU = Decimal(1)
DATA = Decimal(2)
LOGS = Decimal(1)
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


OF_HOSTS = ["ConnectedHosts"]
"""What hosts publish themselves: the program in infrastructure/hosts.yaml."""


def price(name: str) -> Decimal:
    _, amount, unit = PRICES[name]
    return Decimal(amount) * (HOURS if unit.endswith("hour") else 1)


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
    Variant("nat-per-zone", "as it is set: a zone may fail"),
    Variant("nat-single", "one NAT gateway for both zones"),
    Variant("public", "hosts with addresses of their own: a zone may fail"),
    Variant("public", "the same on cheaper hosts", "t3a.micro"),
    Variant("endpoints", "closed: no way out to the internet"),
    Variant("public", "no hosts, tasks with addresses of their own: a zone may fail", compute="fargate"),
    Variant("endpoints", "no hosts, closed", compute="fargate"),
]


def of_hosts(variant: Variant) -> tuple[Decimal, Decimal]:
    """Two hosts, and their addresses."""
    group = stack("hosts", Egress=variant.egress)
    hosts = group.parameters["DesiredHosts"]
    launch = group.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    [disk], [interface] = launch["BlockDeviceMappings"], launch["NetworkInterfaces"]
    machines = hosts * (price(variant.instance_type) + disk["Ebs"]["VolumeSize"] * price("disk"))
    return machines, hosts * price("address") if interface["AssociatePublicIpAddress"] else Decimal(0)


def of_tasks(variant: Variant) -> tuple[Decimal, Decimal]:
    """As many tasks on Fargate as there are at least, and their addresses."""
    service = stack("web-service", **FARGATE, Egress=variant.egress)
    tasks, task = service.parameters["MinTasks"], service.only("AWS::ECS::TaskDefinition")
    cpus, memory = Decimal(task["Cpu"]) / 1024, Decimal(task["Memory"]) / 1024
    interface = service.only("AWS::ECS::Service")["NetworkConfiguration"]["AwsvpcConfiguration"]
    machines = tasks * (cpus * price("fargate cpu") + memory * price("fargate memory"))
    return machines, tasks * price("address") if interface["AssignPublicIp"] == "ENABLED" else Decimal(0)


def costs(variant: Variant) -> dict[str, Decimal]:
    """Item by item."""
    on_hosts = variant.compute == "ec2"
    vpc, cluster = stack("vpc", Egress=variant.egress, Compute=variant.compute), stack("ecs-cluster")
    service = stack("web-service", **({} if on_hosts else FARGATE))
    machines, addresses = of_hosts(variant) if on_hosts else of_tasks(variant)
    zones = 2
    gateways = len(vpc.of_type("AWS::EC2::NatGateway"))
    endpoints = [e for e in vpc.of_type("AWS::EC2::VPCEndpoint").values() if e["VpcEndpointType"] == "Interface"]
    in_zones = sum(len(endpoint["SubnetIds"]) for endpoint in endpoints)
    stacks = (stack("hosts"), service) if on_hosts else (service,)
    alarms = [alarm for one in stacks for alarm in one.of_type("AWS::CloudWatch::Alarm").values()]
    # Of an alarm that reckons each metric costs.
    watched = sum(sum("MetricStat" in one for one in alarm.get("Metrics", [])) or 1 for alarm in alarms)
    watched += SCALING_ALARMS if on_hosts else SCALING_ALARMS_OF_SERVICE
    return {
        "Hosts, or tasks on Fargate": machines,
        "Their addresses": addresses,
        "Load balancer": price("balancer") + LCU * price("capacity") + zones * price("address"),
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


CENTS = Decimal("0.01")


def total(variant: Variant) -> Decimal:
    """What is shown adds up: the sum is of what is shown."""
    return sum(amount.quantize(CENTS) for amount in costs(variant).values())


def summary() -> str:
    """The table of docs/aws.md, which a test holds to this."""
    lines = ["| `egress`, and more | | US dollars a month |", "|---|---|---:|"]
    lines += [f"| {variant.title} | {variant.meant_for} | {total(variant):.0f} |" for variant in VARIANTS]
    return "\n".join(lines) + "\n"


def document() -> str:
    columns = [costs(variant) for variant in VARIANTS]
    rows = [[item, *(f"{column[item].quantize(CENTS):.2f}" for column in columns)] for item in columns[0]]
    rows.append(["**A month**", *(f"**{total(variant):.2f}**" for variant in VARIANTS)])
    endpoints = stack("vpc", Egress="endpoints").of_type("AWS::EC2::VPCEndpoint").values()
    interfaces = sum(endpoint["VpcEndpointType"] == "Interface" for endpoint in endpoints)
    hosts = stack("hosts").parameters["DesiredHosts"]
    of_insights = {name: count * price("metric") for name, count in INSIGHTS.items()}
    lines = [
        "# What it costs",
        "",
        "This page is for people who decide how to deploy to AWS.",
        "",
        f"In US dollars a month ({HOURS} hours) in {REGION}, for {hosts} hosts, or as many tasks on Fargate, and little traffic, by the",
        "settings `egress`, `instance_type` and `compute`.",
        "",
        f"**These are list prices of {KNOWN}, written down from memory in {WRITTEN}, not asked of AWS: check them** against the",
        "[price calculator](https://calculator.aws) before you rely on them. Taxes and free tiers are left out.",
        "",
        "| |" + "|".join(f" {variant.title} " for variant in VARIANTS) + "|",
        "|---|" + "---:|" * len(VARIANTS),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        f"* Supposed are {LCU} LCU on average (25 new connections a second, or 1 GB an hour), {DATA} GB a month",
        f"  between hosts and AWS, and {LOGS} GB of logs, the flow logs among them. What goes to the internet costs",
        "  extra beyond 100 GB a month.",
        "* `public` survives the loss of a zone as `nat-per-zone` does, without a gateway. The hosts have public addresses, and",
        "  only the load balancer reaches them.",
        f"* `endpoints` is the closed variant, not the cheap one: {interfaces} endpoints in two zones cost more than a NAT",
        "  gateway in each.",
        f"* `container_insights: enabled` adds {of_insights['enabled']:.2f} to each, and `enhanced` {of_insights['enhanced']:.2f}. How many",
        f"  metrics there are ({INSIGHTS['enabled']} and {INSIGHTS['enhanced']}) is an estimate.",
        f"* `rate_limit` adds {firewall():.2f} to each, and {PRICES['inspected'][1][:4]} for every million requests: a request a second is",
        f"  {Decimal(PRICES['inspected'][1]) * HOURS * 3600 / 1_000_000:.2f} a month. A certificate, IPv6 and the records of `hosted_zone` cost nothing; the zone itself is yours.",
        "* Each task more on Fargate costs as much as the first; a host holds eight. Tasks of a deployment are there twice for some",
        "  minutes.",
        "* While hosts are replaced there is one more for some minutes. A t3 that for long uses more than its share of",
        "  CPU is charged for it (0.05 an hour and CPU); scaling by CPU is set to come first.",
        "* A t3a.micro has as many CPUs and as much memory as a t3.micro. Not every zone has it; `make deploy` says so.",
        "* Access logs cost what they take in S3, which is little. Images take a few MB.",
        "",
        "The prices behind it:",
        "",
        "| | US dollars | per |",
        "|---|---:|---|",
        *(f"| {what} | {amount} | {unit} |" for what, amount, unit in PRICES.values()),
        "",
        "Of these, one has a dated source: the table of EC2 prices in Apache Libcloud 3.9.1, which is of March 2025, has a",
        "t3a.micro with 0.0108. For a t3.micro it says nothing; a t3.small, which is twice as large, is there with 0.0240.",
        "",
        f"The metrics of nowd are {len(own_metrics())}: {', '.join(own_metrics())}. That of the hosts is {OF_HOSTS[0]}.",
        "",
        "This page is written by [`docs/costs.py`](costs.py): change prices there.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", type=Path, default=ROOT / "docs/costs.md")
    arguments.add_argument("--summary", action="store_true", help="print the table of docs/aws.md instead")
    given = arguments.parse_args()
    if given.summary:
        print(summary(), end="")
    else:
        given.file.write_text(document())
