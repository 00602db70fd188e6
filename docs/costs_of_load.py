"""What so many requests cost a month, part by part: from what a request was measured to take (docs/performance.md), from the
templates, and from the assumptions that are named here."""

import math
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from aws_prices import HOURS, data_out, price
from costs_of_deployment import CENTS, ROOT, Variant, costs, firewall, machines_at_least

sys.path.insert(0, str(ROOT / "benches"))

import request_heads  # noqa: E402
from cloudformation import FARGATE, stack  # noqa: E402
from harness import CannotMeasure, read_block, read_table  # noqa: E402

SECONDS = HOURS * 3600
"""Of a month."""
GB = Decimal(10**9)

SLOWER = 2
"""So many times the measured processor time is reckoned with: a vCPU is half a core, and requests arrive one by one."""
REUSE = 10
"""Requests over a connection of a client."""
PACKET = 20 + 32
"""Bytes of the headers of a packet: IPv4, and TCP with timestamps. A request and an answer take one packet each."""
HANDSHAKE = 4_000
"""Bytes that the balancer sends for a new connection with TLS, most of them certificates."""
RECORD = "2 123456789012 eni-0123456789abcdef0 203.0.113.147 10.180.12.147 51234 443 6 24 12480 1790000000 1790000060 ACCEPT OK"
RECORD_BYTES = len(RECORD) + 26
"""Of a flow log in CloudWatch Logs, which adds 26 to each."""
RECORDS = 2
"""Of a connection of a client: one in each direction. The balancer's own connections to the tasks are few and long."""
ACCESS_LOG_BYTES = 100
"""What the balancer keeps of a request in S3, compressed."""


@dataclass(frozen=True)
class Host:
    """A t3.micro or a t3a.micro, by AWS's tables."""

    cpus: int = 2
    baseline: Decimal = Decimal("0.10")
    """The share of each that it may use for ever."""
    megabits: int = 64
    """A second that it may send, and receive, for ever."""


HOST = Host()


@dataclass(frozen=True)
class Request:
    """What one was measured to take."""

    on: str
    """The machine, and the date."""
    microseconds: Decimal
    answer: int
    """Bytes of the response."""
    asked: int
    """Bytes of the request."""


@cache
def request() -> Request:
    page = ROOT / "docs/performance.md"
    try:
        block = read_block(page, "bench-request")
        measured_on, answer = re.search(r"Measured on (.+?): .*?(\d+) bytes a response", block).groups()
        _, _, behind_balancer = block.partition("With a balancer's head")
        microseconds = read_table(behind_balancer, "µs CPU/request")["nowd"]["µs CPU/request"]
    except (CannotMeasure, AttributeError, KeyError) as reason:
        raise SystemExit(f"{page} does not say what a request takes ({reason}): run `make bench ARGS=--write`") from reason
    asked = len(request_heads.balancer("/now", "time.example", 1))
    return Request(measured_on, Decimal(microseconds), int(answer), asked)


@dataclass(frozen=True)
class Load:
    name: str
    rate: Decimal
    """Requests a second, on average."""
    reuse: int = REUSE

    @property
    def connections(self) -> Decimal:
        """New ones a second."""
        return self.rate / self.reuse

    @property
    def millions(self) -> Decimal:
        """Of requests a month."""
        return self.rate * SECONDS / 10**6

    @property
    def cpus(self) -> Decimal:
        """That nowd uses."""
        return self.rate * request().microseconds * SLOWER / 10**6

    def gigabytes(self, bytes_of_each: int) -> Decimal:
        """A month, with so many bytes for each request."""
        return self.rate * bytes_of_each * SECONDS / GB

    def gigabytes_of_connections(self, bytes_of_each: int) -> Decimal:
        return self.connections * bytes_of_each * SECONDS / GB


LOADS = [
    Load("a million a month", Decimal(10**6) / SECONDS),
    Load("100 a second", Decimal(100)),
    Load("100,000 a second", Decimal(100_000)),
]


# How many machines.


@dataclass(frozen=True)
class Scaling:
    """By what the service scales."""

    requests: Decimal
    """A second, for each task."""
    cpu: Decimal
    """The share of what a task may use."""
    task_cpus: Decimal
    least: int
    most: int


@cache
def scaling() -> Scaling:
    service = stack("web-service", **FARGATE)
    policies = service.of_type("AWS::ApplicationAutoScaling::ScalingPolicy").values()
    target = {p["PolicyName"]: Decimal(p["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]) for p in policies}
    cpus = Decimal(service.only("AWS::ECS::TaskDefinition")["Cpu"]) / 1024
    least, most = service.parameters["MinTasks"], service.parameters["MaxTasks"]
    return Scaling(target["requests"] / 60, target["cpu"] / 100, cpus, least, most)


def tasks(load: Load) -> int:
    """As many as scaling by requests makes, up to its limit; and more if the CPU asks for it."""
    by = scaling()
    by_requests = min(math.ceil(load.rate / by.requests), by.most)
    return max(by.least, by_requests, math.ceil(load.cpus / (by.task_cpus * by.cpu)))


def machines(variant: Variant, load: Load) -> int:
    """Hosts that hold the tasks and carry the bytes; or tasks on Fargate."""
    if variant.compute == "fargate":
        return tasks(load)
    held_by_each = int(HOST.cpus / scaling().task_cpus)
    bits = load.rate * (max(request().asked, request().answer) + PACKET) * 8
    by_network = math.ceil(bits / (HOST.megabits * 10**6))
    return max(machines_at_least(variant), math.ceil(tasks(load) / held_by_each), by_network)


def cpus_beyond_baseline(hosts: int, load: Load) -> Decimal:
    return max(Decimal(0), load.cpus - hosts * HOST.cpus * HOST.baseline)


# The load balancer.


@cache
def idle_seconds() -> int:
    balancer = stack("load-balancers").only("AWS::ElasticLoadBalancingV2::LoadBalancer")
    values = {one["Key"]: one["Value"] for one in balancer["LoadBalancerAttributes"]}
    return int(values["idle_timeout.timeout_seconds"])


@cache
def rules() -> int:
    """That the balancer may evaluate for a request: those of the service, and the default."""
    return len(stack("web-service").of_type("AWS::ElasticLoadBalancingV2::ListenerRule")) + 1


def capacity(load: Load) -> dict[str, Decimal]:
    """LCUs by dimension. The largest is paid for."""
    per_hour = load.rate * 3600 * (request().asked + request().answer) / GB
    return {
        "new connections (25 a second)": load.connections / 25,
        # Each is open until it has been idle for so long.
        "active connections (3,000 in a minute)": load.connections * idle_seconds() / 3000,
        "bytes (1 GB an hour)": per_hour,
        # Ten are free.
        "rule evaluations (1,000 a second)": load.rate * max(0, rules() - 10) / 1000,
    }


def units(load: Load) -> Decimal:
    return max(capacity(load).values())


# The costs.


def parts(variant: Variant, load: Load) -> dict[str, Decimal]:
    """What a month costs, part by part, in whole cents."""
    count = machines(variant, load)
    steady = costs(variant, count, Decimal(0))
    on_hosts = variant.compute == "ec2"
    exact = {
        "Hosts, or tasks on Fargate": steady.pop("Hosts, or tasks on Fargate"),
        "CPU beyond the baseline": cpus_beyond_baseline(count, load) * price("credits") if on_hosts else Decimal(0),
        "Their addresses": steady.pop("Their addresses"),
        "Load balancer, without LCUs": steady.pop("Load balancer"),
        "LCUs": units(load) * price("capacity"),
        "Data to the internet": data_out(load.gigabytes(request().answer + PACKET)),
        "Flow logs of connections": load.gigabytes_of_connections(RECORDS * RECORD_BYTES) * price("log"),
        "Other logs": steady.pop("Logs"),
        **steady,
    }
    return {part: Decimal(amount).quantize(CENTS) for part, amount in exact.items()}


def total(variant: Variant, load: Load) -> Decimal:
    return sum(parts(variant, load).values())


def per_million(variant: Variant, load: Load) -> Decimal:
    return total(variant, load) / load.millions


# What settings add.


def of_access_logs(load: Load) -> Decimal:
    """In S3, once the bucket holds as many days as it keeps."""
    bucket = stack("load-balancers", AccessLogs="true").only("AWS::S3::Bucket")
    [rule] = bucket["LifecycleConfiguration"]["Rules"]
    months = Decimal(rule["ExpirationInDays"] * 24) / HOURS
    return load.gigabytes(ACCESS_LOG_BYTES) * months * price("kept")


def of_handshakes(load: Load) -> Decimal:
    """Of TLS: the data that they send."""
    plain = load.gigabytes(request().answer + PACKET)
    return data_out(plain + load.gigabytes_of_connections(HANDSHAKE)) - data_out(plain)


def of_rate_limit(load: Load) -> Decimal:
    return firewall() + load.millions * price("inspected")
