"""What `contrib/` has for others: rules, a dashboard and manifests, used by the programs that they are for."""

import json
import re
import subprocess
import tomllib

import pytest
import yaml
from support.monitor import configuration
from support.process import poll
from support.prometheus import Prometheus
from support.tools import ROOT, need

CONTRIB = ROOT / "contrib"
RULES = CONTRIB / "prometheus" / "nowcheck.rules.yml"
DASHBOARD = json.loads((CONTRIB / "grafana" / "nowcheck.json").read_text())

# All of them have to come from the monitor.
METRIC = re.compile(r"\b((?:nowcheck|probe)_[a-z0-9_]+)")


def promtool(*arguments: str) -> str:
    done = subprocess.run(
        [need("promtool"), *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_the_rules():
    assert "SUCCESS" in promtool("check", "rules", "--lint=all", "--lint-fatal", RULES.name)


def test_the_rules_alert_when_they_should_and_not_before():
    assert "SUCCESS" in promtool("test", "rules", "nowcheck.rules.test.yml")


def test_every_alert_has_a_test():
    tests = yaml.safe_load((RULES.parent / "nowcheck.rules.test.yml").read_text())["tests"]
    fired = {
        one["alertname"] for test in tests for one in test.get("alert_rule_test", []) if one["exp_alerts"]
    }  # fmt: skip
    assert fired == set(rules("alert"))


def rules(kind: str) -> dict[str, str]:
    """The expressions of all alerts or records."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return {rule[kind]: rule["expr"] for group in groups for rule in group["rules"] if kind in rule}


def queries() -> list[tuple[str, str]]:
    """The panels of the dashboard and their queries, as Grafana sends them."""
    found = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            query = target["expr"]
            for variable, value in (("$__rate_interval", "10s"), ("$__range", "30s"), ("$check", ".*")):
                query = query.replace(variable, value)
            assert "$" not in query, query
            found.append((panel["title"], query))
    return found


@pytest.fixture
def scraping(nowd, monitor, faulty, authority, tmp_path):
    """A Prometheus that has the rules, scrapes a monitor, and probes by it."""
    more = f'[[check]]\nname = "tls"\nurl = "URL"\nca_file = "{authority.file}"\n'
    more += '[[alert]]\nname = "night"\ntype = "exec"\ncommand = ["/bin/true"]\n'
    more += '[[probe]]\nmodule = "any"\nallow = ["http://127.0.0.1:*/*"]\ntimeout = "1s"\n'
    tls = faulty("answers", "--says", "nowd", tls=authority.certificate("127.0.0.1", ends_in_days=3)).url
    shop = nowd().url
    file = configuration(tmp_path, ("shop", shop), ("fast", nowd(+3).url), more=more.replace("URL", tls))
    watching = monitor("--config", file)
    where = watching.url.removeprefix("http://")
    jobs = [
        {"job_name": "nowcheck", "static_configs": [{"targets": [where]}]},
        {
            "job_name": "probes",
            "metrics_path": "/probe",
            "static_configs": [{"targets": [shop, "http://127.0.0.1:1/now", "http://192.0.2.1/now"]}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__", "replacement": where},
            ],
        },
    ]
    one = Prometheus(tmp_path, jobs, rule_files=[str(RULES)])
    yield one
    one.child.end()


def test_the_dashboard_and_the_rules_ask_a_real_prometheus_for_what_it_has(scraping):
    wrong = 'sum by (check) (nowcheck_status{status="wrong"} == 1)'
    poll(lambda: "check=fast" in scraping.query(wrong), "Prometheus knows that fast is wrong", 40)
    poll(lambda: len(scraping.result("probe_success")) == 2, "Prometheus has probed", 40)
    known = {one["metric"]["__name__"] for one in scraping.result('{__name__=~"nowcheck_.*|probe_.*"}')}
    expressions = [*queries(), *rules("alert").items(), *rules("record").items()]
    for title, query in expressions:
        asked = {name for name in METRIC.findall(query) if f"{name}:" not in query and f":{name}" not in query}
        assert asked <= known, (title, asked - known)
        scraping.result(query)
    for title, query in queries():
        poll(lambda query=query: scraping.result(query), f"{title}: {query} finds something", 40)


def test_the_alerts_fire_in_a_real_prometheus(scraping):
    def firing() -> set[tuple[str, str]]:
        found = scraping.result('ALERTS{alertstate="firing"}')
        return {(one["metric"]["alertname"], one["metric"].get("check") or one["metric"]["instance"]) for one in found}

    expected = {("ClockWrong", "fast"), ("CertificateEndsSoon", "tls"), ("ServiceDown", "http://127.0.0.1:1/now")}
    poll(lambda: firing() == expected, "the alerts of what is wrong fire, and no others", 60)
    # What needs some time is pending.
    pending = 'ALERTS{alertstate="pending", alertname="ProbeNotHeld"}'
    poll(lambda: list(scraping.by_label(pending, "instance")) == ["http://192.0.2.1/now"], "the refused probe is pending", 30)


def test_the_panels_do_not_overlap():
    cells = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells and max(x for x, _ in own) < 24, panel["title"]
        cells |= own


def manifests() -> dict[str, dict]:
    """The manifests of Kubernetes by their kind."""
    files = [CONTRIB / "kubernetes" / name for name in ("nowcheck.yaml", "probe.yaml")]
    parts = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    assert len({one["kind"] for one in parts}) == len(parts)
    return {one["kind"]: one for one in parts}


def test_the_manifests_name_the_same_ports_modules_and_labels():
    found = manifests()
    [container] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    config = found["ConfigMap"]["data"][container["args"][2].rsplit("/", 1)[1]]
    document = tomllib.loads(config)
    port = container["ports"][0]["containerPort"]
    assert document["server"]["listen"] == f"0.0.0.0:{port}"
    probe = found["Probe"]["spec"]
    service = found["Service"]
    # Prometheus is in another namespace, from which the short name does not resolve.
    name = f"{service['metadata']['name']}.{service['metadata'].get('namespace', 'default')}.svc"
    assert probe["prober"]["url"] == f"{name}:{service['spec']['ports'][0]['port']}"
    assert probe["module"] == document["probe"][0]["module"]
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    for kind in ("Service", "NetworkPolicy", "PodMonitor"):
        spec = found[kind]["spec"]
        selector = spec.get("podSelector") or spec["selector"]
        assert selector.get("matchLabels", selector) == labels, kind


def test_the_configuration_of_the_manifest_allows_its_targets_and_no_others(monitor, tmp_path):
    found = manifests()
    file = tmp_path / "nowcheck.toml"
    file.write_text(found["ConfigMap"]["data"]["nowcheck.toml"].replace("0.0.0.0:9464", "127.0.0.1:0"))
    watching = monitor("--config", file)
    module = found["Probe"]["spec"]["module"]
    for target in found["Probe"]["spec"]["targets"]["staticConfig"]["static"]:
        assert watching.get(f"/probe?module={module}&target={target}")[0] == 200, target
    assert watching.get(f"/probe?module={module}&target=http://169.254.169.254/now")[0] == 403


def test_the_scrape_of_probe_names_a_module_and_targets_that_are_answered(monitor, tmp_path):
    assert "SUCCESS" in promtool("check", "config", "probe.yml")
    [job] = yaml.safe_load((CONTRIB / "prometheus" / "probe.yml").read_text())["scrape_configs"]
    [module] = job["params"]["module"]
    file = configuration(tmp_path, more=f'[[probe]]\nmodule = "{module}"\nallow = ["https://*.example/*"]\ntimeout = "1s"\n')
    watching = monitor("--config", file)
    [targets] = [part["targets"] for part in job["static_configs"]]
    for target in targets:
        status, _, body = watching.get(f"{job['metrics_path']}?module={module}&target={target}")
        assert status == 200 and "probe_success 0" in body, target
