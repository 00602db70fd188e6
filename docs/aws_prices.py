"""List prices of AWS, which docs/costs.md shows, and in which everything there is reckoned."""

from decimal import Decimal

REGION = "eu-central-1"
KNOWN = "2025"
WRITTEN = "November 2026"
HOURS = 730
"""Of a month."""

PRICES = {
    "t3.micro": ("t3.micro, Linux, on demand", "0.0120", "hour"),
    "t3a.micro": ("t3a.micro, the same", "0.0108", "hour"),
    "credits": ("vCPU of a t3 or t3a beyond its baseline", "0.0500", "hour"),
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
    "out 10 TB": ("data to the internet, the first 10 TB a month", "0.0900", "GB"),
    "out 50 TB": ("the next 40 TB", "0.0850", "GB"),
    "out 150 TB": ("the next 100 TB", "0.0700", "GB"),
    "out": ("what is beyond", "0.0500", "GB"),
    "log": ("log data taken in, flow logs too", "0.6300", "GB"),
    "kept": ("data kept in S3", "0.0245", "GB and month"),
    "metric": ("metric that is not AWS's own", "0.3000", "month"),
    "alarm": ("alarm, for each metric", "0.1000", "month"),
    "dashboard": ("dashboard (the first three are free)", "3.0000", "month"),
    "key": ("key of KMS", "1.0000", "month"),
    "firewall": ("WAF: access list", "5.0000", "month"),
    "rule": ("WAF: rule", "1.0000", "month"),
    "inspected": ("WAF: a million requests", "0.6000", "million"),
}
"""List prices in US dollars, without taxes and free tiers."""


def price(name: str) -> Decimal:
    _, amount, unit = PRICES[name]
    return Decimal(amount) * (HOURS if unit.endswith("hour") else 1)


OUT = (("out 10 TB", 10_240), ("out 50 TB", 40_960), ("out 150 TB", 102_400))
"""GB that a month has at each of these prices, before what is beyond."""


def data_out(gigabytes: Decimal) -> Decimal:
    """What so much to the internet costs a month. The 100 GB that are free for an account are not taken off."""
    cost = Decimal(0)
    for name, most in OUT:
        part = min(gigabytes, Decimal(most))
        cost += part * price(name)
        gigabytes -= part
    return cost + gigabytes * price("out")
