"""The recipes in contrib/ and the units in packaging/, each run as it is published: in a sandbox whose `time.example` is nowd."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from support.process import WAIT, Child, poll
from support.sandbox import Sandbox
from support.tools import ROOT, binary, faketime, lacking, need

CONTRIB = ROOT / "contrib"


def published(name: str) -> str:
    return (CONTRIB / name).read_text()


@pytest.fixture
def machine(tmp_path) -> Iterator[Sandbox]:
    """A machine with nowcheck, whose clock is synchronized, and on which `time.example` is this machine."""
    sandbox = Sandbox(tmp_path)
    sandbox.synchronize(tmp_path)
    sandbox.write("/usr/local/bin/nowcheck", Path(binary("nowcheck")).read_bytes(), "755")
    sandbox.write("/usr/bin/nowcheck", Path(binary("nowcheck")).read_bytes(), "755")
    sandbox.write("/usr/local/bin/nowd", Path(binary("nowd")).read_bytes(), "755")
    sandbox.write("/etc/hosts", "127.0.0.1 localhost time.example\n")
    yield sandbox
    sandbox.stop()


def serve(machine: Sandbox, offset: float = 0.0) -> Child:
    """nowd as time.example."""
    clock = [f"{name}={value}" for name, value in faketime(f"{offset:+g}s").items()] if offset else []
    nowd = machine.start("env", *clock, "/usr/local/bin/nowd", "--listen", "0.0.0.0:80", "--drain-delay", "0s")
    nowd.stderr.wait_for("listening on")
    return nowd


@pytest.fixture
def right(machine) -> Sandbox:
    serve(machine)
    return machine


@pytest.fixture
def wrong(machine) -> Sandbox:
    """The clock of time.example is 3 s behind."""
    serve(machine, -3)
    return machine


# cron


def cron_job() -> tuple[str, str]:
    """Whose job, and the command."""
    [line] = [line for line in published("cron/nowcheck").splitlines() if line.startswith("*/5")]
    *_, user, command = line.split(maxsplit=6)
    return user, command


def as_cron(machine: Sandbox) -> subprocess.CompletedProcess:
    user, command = cron_job()
    return machine.run(
        "env", "-i", "PATH=/usr/bin:/bin", f"LOGNAME={user}", f"KERNEL_SAYS={machine.environment['KERNEL_SAYS']}",
        "setpriv", f"--reuid={user}", "--clear-groups", "/bin/sh", "-c", command, code=None,
    )  # fmt: skip


def test_cron_mails_nothing_while_all_is_well(right):
    done = as_cron(right)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cron_mails_what_is_wrong(wrong):
    done = as_cron(wrong)
    assert done.returncode == 2
    assert done.stdout.startswith("CRITICAL  http://time.example"), done.stdout


# systemd


def test_the_timer_and_its_service_are_valid(machine):
    need("systemd-analyze")
    for name in ("nowcheck.service", "nowcheck.timer"):
        machine.write(f"/etc/systemd/system/{name}", published(f"systemd/{name}"))
        told = machine.run("systemd-analyze", "verify", "--man=no", name)
        assert name not in told.stderr, told.stderr
    [calendar] = re.findall("OnCalendar=(.*)", published("systemd/nowcheck.timer"))
    told = machine.run("systemd-analyze", "calendar", "--iterations=2", calendar).stdout
    assert "*:00/5:00" in told


def test_the_service_of_the_timer_fails_when_the_clock_is_wrong(machine):
    [command] = re.findall("ExecStart=(.*)", published("systemd/nowcheck.service"))
    nowd = serve(machine)
    assert machine.run(*shlex.split(command)).stdout == ""
    nowd.end()
    assert machine.run(*shlex.split(command), code=2).stdout.startswith("CRITICAL")


# Nagios, Icinga, NRPE


def nagios_command() -> str:
    """What Nagios runs for the published service: its macros are replaced, and a shell gets the rest."""
    text = published("nagios/nagios.cfg")
    [line] = re.findall(r"command_line\s+(.*)", text)
    [check] = re.findall(r"check_command\s+(.*)", text)
    name, *arguments = check.split("!")
    assert f"command_name  {name}" in text
    macros = {"USER1": "/usr/local/bin", "HOSTADDRESS": "time.example"}
    macros |= {f"ARG{number}": value for number, value in enumerate(arguments, 1)}
    return re.sub(r"\$(\w+)\$", lambda macro: macros[macro[1]], line)


def icinga_command() -> str:
    """What Icinga 2 runs for a host: the command, and its arguments in the order of their names."""
    text = published("nagios/icinga2.conf")
    assert 'command = [ PluginDir + "/nowcheck", "--output", "nagios" ]' in text
    arguments = re.findall(r'"(-\w)" = "\$(\w+)\$"', text)
    values = {"address": "127.0.0.1"} | dict(re.findall(r"vars\.(\w+) = ([\d.]+)", text))
    words = [word for flag, name in sorted(arguments) for word in (flag, values[name])]
    return shlex.join(["/usr/local/bin/nowcheck", "--output", "nagios", *words])


def nrpe_command() -> str:
    [command] = re.findall(r"^command\[\w+\]=(.*)$", published("nagios/nrpe.cfg"), re.MULTILINE)
    return command


PLUGINS = pytest.mark.parametrize("command", [nagios_command, icinga_command, nrpe_command])


@PLUGINS
def test_a_plugin_says_ok_with_performance_data(right, command: Callable[[], str]):
    told = right.shell(command()).stdout
    assert told.startswith("OK") or "OK" in told.split(":", 1)[0], told
    assert "| " in told
    assert "offset=" in told


@PLUGINS
def test_a_plugin_is_critical_when_the_clock_is_wrong(wrong, command: Callable[[], str]):
    assert "CRITICAL" in wrong.shell(command(), code=2).stdout


# nowcheck watch with Prometheus, node_exporter, Alertmanager and CloudWatch


def watch(machine: Sandbox, name: str) -> Child:
    """`nowcheck watch` with a published configuration."""
    machine.write("/etc/nowcheck/nowcheck.toml", published(name))
    machine.run("nowcheck", "config", "check", "/etc/nowcheck/nowcheck.toml")
    child = machine.start("nowcheck", "watch", "--config", "/etc/nowcheck/nowcheck.toml")
    child.stdout.wait_for("watching 1 check")
    return child


def get(machine: Sandbox, url: str) -> str:
    """An empty text while nothing answers."""
    return machine.run("curl", "--silent", "--globoff", url, code=None).stdout


def test_prometheus_scrapes_the_monitor_and_alerts(wrong):
    """The monitor runs as the unit of the package starts it, except for what it watches."""
    need("prometheus")
    for name in ("prometheus.yml", "nowcheck.rules.yml"):
        wrong.write(f"/etc/prometheus/{name}", published(f"prometheus/{name}"))
    wrong.start("nowcheck", "watch", "http://time.example", "--every", "2s", "--history", "none")
    wrong.run("promtool", "check", "config", "/etc/prometheus/prometheus.yml")
    data = "--storage.tsdb.path=/srv/prometheus"
    wrong.start("prometheus", "--config.file=/etc/prometheus/prometheus.yml", data, "--web.listen-address=127.0.0.1:9090")

    def firing() -> set[str]:
        told = get(wrong, "http://127.0.0.1:9090/api/v1/alerts")
        alerts = json.loads(told)["data"]["alerts"] if told.startswith("{") else []
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    # It scrapes and evaluates every 15 s, and every minute.
    poll(lambda: "ClockWrong" in firing(), "the alert ClockWrong", seconds=150)
    assert "ServiceDown" not in firing()


def test_the_textfile_collector_gets_a_file(right):
    right.run("mkdir", "-p", "/var/lib/node_exporter")
    watch(right, "prometheus/textfile.toml")
    path = "/var/lib/node_exporter/nowcheck.prom"
    poll(lambda: right.exists(path) and "nowcheck_up{check=\"time\"} 1" in right.read(path), "the file", seconds=60)
    if right.exists("/usr/bin/promtool"):
        right.run("promtool", "check", "metrics", given=right.read(path), code=None)


def test_alertmanager_gets_the_alert_of_a_wrong_clock(wrong):
    need("prometheus-alertmanager")
    wrong.write("/etc/alertmanager.yml", published("alertmanager/alertmanager.yml"))
    flags = ["--config.file=/etc/alertmanager.yml", "--storage.path=/srv/alertmanager", "--cluster.listen-address="]
    wrong.start("prometheus-alertmanager", *flags, "--web.listen-address=127.0.0.1:9093")
    poll(lambda: "OK" in get(wrong, "http://127.0.0.1:9093/-/ready"), "Alertmanager")
    watch(wrong, "alertmanager/nowcheck.toml")
    [alert] = poll(lambda: json.loads(get(wrong, "http://127.0.0.1:9093/api/v2/alerts")), "the alert", seconds=60)
    assert alert["labels"]["check"] == "time"
    assert [receiver["name"] for receiver in alert["receivers"]] == ["on-call"]
    wrong.run("nowcheck", "alert", "test", "on-call", "--config", "/etc/nowcheck/nowcheck.toml")


def test_cloudwatch_gets_lines_of_the_embedded_metric_format(right):
    child = watch(right, "cloudwatch/nowcheck.toml")
    line = child.stdout.wait_for(r'^\{.*"_aws".*\}$', 90)
    metrics = json.loads(line.string)["_aws"]["CloudWatchMetrics"][0]
    assert metrics["Namespace"] == "nowcheck"
    assert "nowcheck_ok" in {metric["Name"] for metric in metrics["Metrics"]}, "the alarm of the recipe watches it"


# Kubernetes


def manifests(name: str) -> dict[str, dict]:
    return {part["kind"]: part for part in yaml.safe_load_all(published(name))}


def valid(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["nowd.yaml", "nowcheck-cronjob.yaml", "nowcheck.yaml"])
def test_kubernetes_knows_every_field(schemas, name):
    valid(schemas / "kubernetes-validate", "--strict", CONTRIB / "kubernetes" / name)


def test_the_deployment_starts_nowd_with_its_probes(machine):
    parts = manifests("kubernetes/nowd.yaml")
    pod = parts["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    child = machine.start("/usr/local/bin/nowd", *container["args"])
    child.stderr.wait_for("listening on")
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        url = f"http://127.0.0.1:{ports[asked['port']]}{asked['path']}"
        assert machine.run("curl", "--silent", "--fail", url)
    assert "nowd_build_info" in get(machine, f"http://127.0.0.1:{ports['metrics']}/metrics")
    # The service leads to the pods.
    service = parts["Service"]["spec"]
    assert service["selector"].items() <= parts["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert service["ports"][0]["targetPort"] in ports
    # Kubernetes kills after this, and nowd drains for 5 s and finishes requests for 10 s.
    assert pod["terminationGracePeriodSeconds"] > 15


def test_the_cron_job_checks_the_service_of_the_deployment(right):
    name = manifests("kubernetes/nowd.yaml")["Service"]["metadata"]["name"]
    right.write("/etc/hosts", f"127.0.0.1 localhost {name}\n")
    job = manifests("kubernetes/nowcheck-cronjob.yaml")["CronJob"]["spec"]["jobTemplate"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    assert right.run("nowcheck", *container["args"]).stdout.startswith("OK")


# Docker Compose


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def images() -> dict[str, str]:
    """The names of the images of both programs."""
    if subprocess.run(["docker", "version"], capture_output=True, check=False).returncode != 0:
        lacking("no Docker engine answers")
    done = subprocess.run(["scripts/image"], cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=1_800, check=True)
    return {name.split(":")[0]: name for name in done.stdout.split()}


def test_compose_knows_every_field(schemas):
    file = CONTRIB / "docker-compose" / "compose.yaml"
    valid(schemas / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


def test_the_composed_monitor_watches_the_composed_nowd(images):
    """Each service as docker compose starts it; without Prometheus, whose image is in a registry."""
    file = yaml.safe_load(published("docker-compose/compose.yaml"))
    network = f"recipes-{os.getpid()}"
    docker("network", "create", network)
    started: list[str] = []
    try:
        for name in ("nowd", "nowcheck"):
            started.append(compose_up(file["services"][name], name, network, images))
        [address] = docker("port", started[1], "9464/tcp").split()

        def status() -> str:
            done = subprocess.run(["curl", "--silent", f"http://{address}/metrics"], capture_output=True, text=True)
            return done.stdout

        # Nothing vouches for the clock of a machine without NTP: a warning is all that is proven there.
        proven = re.compile(r'nowcheck_status\{check="nowd",status="(ok|warning)"\} 1')
        poll(lambda: proven.search(status()), f"nowd is watched; {docker('logs', started[1])}", seconds=60)
    finally:
        for name in started:
            docker("rm", "--force", "--volumes", name)
        docker("network", "rm", network)


def compose_up(service: dict, name: str, network: str, images: dict[str, str]) -> str:
    flags = ["--network", network, "--network-alias", name]
    # The engine chooses the port of the host, because the published one may be taken.
    flags += [f"--publish=127.0.0.1::{port.rsplit(':', 1)[1]}" for port in service["ports"]]
    flags += ["--read-only"] * service.get("read_only", False)
    flags += [f"--cap-drop={capability}" for capability in service.get("cap_drop", [])]
    flags += [f"--security-opt={option}" for option in service.get("security_opt", [])]
    flags += [f"--tmpfs={place}" for place in service.get("tmpfs", [])]
    folder = CONTRIB / "docker-compose"
    flags += [f"--volume={folder}/{volume.removeprefix('./')}" for volume in service.get("volumes", [])]
    assert service["image"].split(":")[0] in images
    return docker("run", "--detach", *flags, images[service["image"].split(":")[0]], *service.get("command", []))


def test_prometheus_of_the_composition_has_a_valid_configuration():
    file = CONTRIB / "docker-compose" / "prometheus.yml"
    valid(need("promtool"), "check", "config", file)
    valid(binary("nowcheck"), "config", "check", CONTRIB / "docker-compose" / "nowcheck.toml")


# GitHub Actions


def test_the_workflows_are_valid_and_pinned(schemas):
    files = [*sorted((ROOT / ".github" / "workflows").iterdir()), *sorted((CONTRIB / "github-actions").iterdir())]
    assert len(files) >= 4
    valid(schemas / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    valid(schemas / "check-jsonschema", "--builtin-schema", "vendor.dependabot", ROOT / ".github" / "dependabot.yml")
    # Untrusted text in scripts, credentials that stay, actions that may change, permissions.
    valid(schemas / "zizmor", "--offline", "--no-progress", ".github", "contrib/github-actions")


def test_what_the_workflows_run_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in (ROOT / ".github" / "workflows").iterdir():
        text = file.read_text()
        assert set(re.findall(r"\bmake ([a-z-]+)$", text, re.MULTILINE)) <= targets
        for script in re.findall(r"\bscripts/[a-z-]+", text):
            assert os.access(ROOT / script, os.X_OK), script


def workflow_steps(machine: Sandbox, archive: str, code: int) -> str:
    """Runs the steps of the published workflow as a runner does, and returns what they print."""
    steps = yaml.safe_load(published("github-actions/check-time.yml"))["jobs"]["check"]["steps"]
    machine.run("touch", "/srv/path", "/srv/summary")
    told = ""
    for step in steps:
        assert step["shell"] == "bash"
        variables = [f"{name}={archive}" for name in step.get("env", {})]
        variables += ["GITHUB_PATH=/srv/path", "GITHUB_STEP_SUMMARY=/srv/summary", "HOME=/srv/home"]
        found = ":".join([*machine.read("/srv/path").split(), "/usr/bin:/bin"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        last = step is steps[-1]
        told = machine.run("env", *variables, f"PATH={found}", *command, code=code if last else 0).stdout
    return told


@pytest.mark.parametrize(("offset", "code", "status"), [(0, 0, "OK"), (-3, 2, "CRITICAL")])
def test_the_workflow_fails_when_the_clock_is_wrong(machine, offset, code, status):
    serve(machine, offset)
    # An archive in the form of `make dist`; that one is tested elsewhere.
    machine.run("sh", "-c", "mkdir -p /srv/a/bin && mv /usr/bin/nowcheck /srv/a/bin/ && rm /usr/local/bin/nowcheck")
    machine.run("tar", "-C", "/srv", "-czf", "/srv/a.tar.gz", "a")
    told = workflow_steps(machine, "file:///srv/a.tar.gz", code)
    assert told.startswith(status)
    assert machine.read("/srv/summary") == told


# The index and the hooks


def test_the_index_lists_every_recipe():
    listed = set(re.findall(r"\]\(([^)]+)\)", published("README.md")))
    assert all((CONTRIB / path).exists() for path in listed)
    there = {path.relative_to(CONTRIB).as_posix() for path in CONTRIB.rglob("*") if path.is_file()}
    helpers = {"README.md", "docker-compose/nowcheck.toml", "docker-compose/prometheus.yml"}
    unlisted = {path for path in there - helpers - listed if not path.startswith("completions/")}
    assert not unlisted


def test_the_hooks_are_valid_and_call_what_is_there(schemas):
    valid(schemas / "pre-commit", "validate-config", ".pre-commit-config.yaml")
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in hooks:
        program = hook["entry"].split()[0]
        assert os.access(ROOT / program, os.X_OK) or need(program)


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ("Resolve names as the system does\n\nWhy.\n# a comment of git\n", ""),
        ("Merge branch 'a' into b, whose names are both much longer than sixty characters\n", ""),
        ("Resolve names.\n", "the subject ends with a full stop"),
        ("resolve names\n", "the subject begins with a capital letter"),
        ("Resolve names\nWhy.\n", "an empty line follows the subject"),
        (f"Resolve {'names ' * 10}\n", "and 60 are the limit"),
        ("# nothing\n", "there is no subject"),
    ],
)
def test_the_hook_for_messages(tmp_path, message, complaint):
    file = tmp_path / "message"
    file.write_text(message)
    done = subprocess.run(["scripts/check-subject", str(file)], cwd=ROOT, capture_output=True, text=True, timeout=WAIT)
    assert (done.returncode != 0) == bool(complaint), done.stderr
    assert complaint in done.stderr
