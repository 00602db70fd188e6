"""Runs the real Prometheus, and asks it what it knows."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from support.process import Child, free_port
from support.tools import need


def check_metrics(text: str) -> None:
    """What Prometheus itself says of the format."""
    command = [need("promtool"), "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


class Prometheus:
    """The real one, which scrapes each second: a monitor, or what `scrape_configs` say."""

    def __init__(self, folder: Path, target: str | dict | list[dict], **more):
        port = free_port()
        if isinstance(target, str):
            target = {"job_name": "nowcheck", "static_configs": [{"targets": [target]}]}
        jobs = target if isinstance(target, list) else [target]
        times = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        # JSON is YAML, too.
        (folder / "prometheus.yml").write_text(json.dumps({"global": times, "scrape_configs": jobs, **more}))
        self.url = f"http://127.0.0.1:{port}"
        self.child = Child(
            [
                need("prometheus"),
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ]
        )

    def result(self, expression: str) -> list[dict]:
        """What the query finds; an error if Prometheus does not understand it, nothing as long as it does not answer."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            # While it starts, it is unavailable.
            if error.code != 503:
                raise AssertionError(f"{expression}: {error.read().decode()}") from error
            return []
        except OSError:
            return []

    def query(self, expression: str) -> dict[str, float]:
        """The values of the series, by what tells them apart."""
        common = ("instance", "job")
        return {
            ",".join(f"{name}={value}" for name, value in sorted(one["metric"].items()) if name not in common): float(
                one["value"][1]
            )
            for one in self.result(expression)
        }

    def by_label(self, expression: str, label: str) -> dict[str, float]:
        """The values of the series, by one of their labels."""
        return {one["metric"][label]: float(one["value"][1]) for one in self.result(expression)}
