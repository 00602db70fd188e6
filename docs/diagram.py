#!/usr/bin/env python3
"""Draws docs/deployment.svg from the templates: what there is, where it is, and who talks to whom.

.venv/bin/python docs/diagram.py          # redraws docs/deployment.svg; a test fails when it is not what this draws
.venv/bin/python docs/diagram.py FILE     # draws it there
"""

import argparse
import re
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/deploy"))

from cloudformation import CERTIFICATE, stack  # noqa: E402

WIDTH, HEIGHT = 1010, 720
INK, SOFT, PAPER = "#1f2937", "#6b7280", "#ffffff"
COLORS = {
    "vpc": "#f8fafc",
    "zone": "#eef2f7",
    "public": "#e3f4e8",
    "private": "#e4edfb",
    "thing": PAPER,
    "aws": "#fdf3e0",
}


class Drawing:
    def __init__(self):
        self.parts = []

    def box(self, x, y, width, height, kind, lines, dashed=False):
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" fill="{COLORS[kind]}" '
            f'stroke="{SOFT}"{dash}/>'
        )
        for number, line in enumerate(lines):
            style = f'font-weight="600" fill="{INK}"' if number == 0 else f'fill="{SOFT}"'
            self.parts.append(f'<text x="{x + 10}" y="{y + 20 + 17 * number}" {style}>{escape(line)}</text>')

    def arrow(self, points, text="", at=None, dashed=False):
        path = " ".join(f"{x},{y}" for x, y in points)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{INK}" stroke-width="1.4" marker-end="url(#head)"{dash}/>'
        )
        if text:
            x, y = at
            self.parts.append(f'<text x="{x}" y="{y}" fill="{INK}">{escape(text)}</text>')

    def svg(self, title):
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            'font-family="system-ui, sans-serif" font-size="13">\n'
            f"<title>{escape(title)}</title>\n"
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto">'
            f'<path d="M0 0 8 4 0 8z" fill="{INK}"/></marker></defs>\n'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def ports(rules):
    return ", ".join(str(port) for port in sorted({rule["FromPort"] for rule in rules}))


def document() -> str:
    vpc, groups = stack("vpc"), stack("security-groups")
    cluster, service = stack("hosts"), stack("web-service")
    [task] = service.only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    [rule] = service.of_type("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    target = service.only("AWS::ElasticLoadBalancingV2::TargetGroup")
    ingress = groups.only("AWS::EC2::SecurityGroupIngress")
    world = groups.resources["LoadBalancerSecurityGroup"]["Properties"]["SecurityGroupIngress"]
    secure = stack("security-groups", CertificateArn=CERTIFICATE)
    also = [
        r for r in secure.resources["LoadBalancerSecurityGroup"]["Properties"]["SecurityGroupIngress"] if r not in world
    ]
    closed = stack("vpc", Egress="endpoints").of_type("AWS::EC2::VPCEndpoint").values()
    interfaces = [e["ServiceName"].split(".", 3)[3] for e in closed if e["VpcEndpointType"] == "Interface"]
    launch = cluster.only("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    paths = rule["Conditions"][0]["PathPatternConfig"]["Values"]
    hosts, tasks = cluster.parameters, service.parameters

    drawing = Drawing()
    drawing.box(300, 10, 130, 36, "thing", ["The internet"])
    drawing.box(20, 80, 690, 620, "vpc", [f"VPC {vpc.parameters['VpcCidr']}"])
    for n, x in ((1, 40), (2, 380)):
        private = vpc.parameters[f"PrivateSubnet{n}Cidr"]
        public = vpc.parameters[f"PublicSubnet{n}Cidr"]
        drawing.box(x, 110, 310, 575, "zone", [f"Availability Zone {n}"], dashed=True)
        drawing.box(x + 10, 150, 290, 195, "public", [f"public {public}"])
        drawing.box(x + 10, 380, 290, 290, "private", [f"private {private}"])
        if f"NatGateway{n}" in vpc.resources:
            drawing.box(x + 165, 290, 125, 44, "thing", ["NAT gateway", "its own address"])
        drawing.box(x + 20, 410, 270, 130, "thing", [
            f"Host, {launch['InstanceType']}",
            "Amazon Linux 2023 for ECS, pinned",
            "metadata by token, not for tasks",
            "encrypted disk, no SSH, not public",
        ])  # fmt: skip
        drawing.box(x + 30, 485, 250, 45, "private", [
            "nowd",
            f"any port {ingress['FromPort']}–{ingress['ToPort']} → {task['PortMappings'][0]['ContainerPort']}",
        ])  # fmt: skip
        drawing.arrow([(x + 227, 410), (x + 227, 336)], "443", (x + 233, 368))
        low, high = ingress["FromPort"], ingress["ToPort"]
        drawing.arrow([(x + 15, 272), (x + 15, 508), (x + 28, 508)], f"{low}–{high}", (x + 22, 368))
    drawing.box(45, 180, 640, 92, "thing", [
        f"Application Load Balancer, IPv4 and IPv6, on {ports(world)} ({ports(also)} instead, with a certificate)",
        f"answers {'  '.join(paths)}",
        "everything else: 404",
        f"a task is ready when {target['HealthCheckPath']} says so",
    ])  # fmt: skip
    drawing.arrow([(365, 46), (365, 178)], ports(world), (372, 68))
    drawing.box(60, 560, 610, 92, "thing", [
        "Auto Scaling group and service, over both zones",
        f"hosts: {hosts['MinHosts']} to {hosts['MaxHosts']}; none goes before another is ready",
        f"tasks: {tasks['MinTasks']} to {tasks['MaxTasks']}, by CPU and requests; deploying, at most twice as many",
        f"each is given {task['MemoryReservation']} MiB of memory and stopped at {task['Memory']}",
    ])  # fmt: skip

    # Outside of the VPC.
    alarms = service.of_type("AWS::CloudWatch::Alarm")
    retention = tasks["LogRetentionDays"]
    rolling_back = len(service.only("AWS::ECS::Service")["DeploymentConfiguration"]["Alarms"]["AlarmNames"])
    drawing.box(740, 90, 255, 75, "aws", ["ECR", "images, tags that never change,", "scanned, deployed by digest"])
    drawing.box(740, 180, 255, 58, "aws", ["ECS", "what runs where; rolls back"])
    watching = len(stack("monitor").of_type("AWS::CloudWatch::Alarm"))
    drawing.box(740, 253, 255, 97, "aws", [
        "CloudWatch",
        f"logs of tasks and network, {retention} days",
        f"dashboard, {len(alarms)} alarms,",
        f"{rolling_back} of which roll a deployment back",
        f"monitor: true: {watching} more, by nowcheck",
    ])  # fmt: skip
    drawing.box(740, 360, 255, 58, "aws", ["SNS, KMS", "alarms by e-mail, encrypted"])
    drawing.box(740, 433, 255, 58, "aws", ["Systems Manager", "sessions instead of SSH"])
    drawing.box(740, 506, 255, 58, "aws", ["S3, by its endpoint", "layers of images, packages"])
    drawing.arrow([(865, 350), (865, 358)])
    lines = ["egress: endpoints", f"no NAT, {len(interfaces)} endpoints in each zone:"]
    text = ", ".join(interfaces)
    lines += re.findall(r".{1,34}(?:, |$)", text)
    drawing.box(740, 580, 255, 120, "vpc", lines, dashed=True)
    drawing.arrow([(672, 312), (722, 312), (722, 215), (738, 215)], dashed=True)
    drawing.arrow([(722, 312), (722, 130), (738, 130)], dashed=True)
    drawing.arrow([(722, 312), (722, 300), (738, 300)], dashed=True)
    drawing.arrow([(722, 312), (722, 462), (738, 462)], dashed=True)
    drawing.arrow([(672, 535), (738, 535)], dashed=True)
    return drawing.svg("nowd on Amazon ECS, drawn from the templates")


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", type=Path, default=ROOT / "docs/deployment.svg")
    arguments.parse_args().file.write_text(document())
