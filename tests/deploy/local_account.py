"""An AWS on this machine for the tests (scripts/emulator), and the playbooks run against it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from support.tools import ROOT, lacking

DEADLINE_SECONDS = 1800


def need_an_engine() -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "version"], capture_output=True, check=False).returncode:
        lacking("no Docker engine answers")
    if not shutil.which("docker-registry", path=os.environ["PATH"] + ":/usr/sbin:/sbin:/usr/bin"):
        lacking("the program `docker-registry` is not installed")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Run:
    """What a playbook said, and how it ended."""

    code: int
    text: str

    def recap(self, what: str) -> int:
        """`changed`, `failed`, … of the last line."""
        return int(re.search(rf"^localhost .*\b{what}=(\d+)", self.text, re.MULTILINE)[1])

    @property
    def words(self) -> str:
        """The text without the breaks that YAML puts into long lines."""
        return " ".join(self.text.split())


def docker(*arguments: str, given: str | None = None) -> str:
    ended = subprocess.run(
        ["docker", *arguments], input=given, capture_output=True, text=True, timeout=300, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@dataclass
class Account:
    """The emulator, from its start to its end."""

    state: Path
    port: int = field(default_factory=free_port)
    registry_port: int = field(default_factory=free_port)

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
        ours = {
            "EMULATOR_STATE": str(self.state),
            "EMULATOR_PORT": str(self.port),
            "EMULATOR_REGISTRY_PORT": str(self.registry_port),
        }
        told = subprocess.run(
            ["bash", "-c", 'eval "$(scripts/emulator variables)"; env -0'],
            env={**kept, **ours}, cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return dict(line.split("=", 1) for line in told.stdout.split("\0") if line)

    def emulator(self, command: str) -> None:
        ended = subprocess.run(
            ["scripts/emulator", command], env=self.environment(), cwd=ROOT, capture_output=True, text=True,
            timeout=DEADLINE_SECONDS, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stdout + ended.stderr

    def playbook(self, *arguments: str, script: str = "scripts/deploy", given: str | None = None) -> Run:
        ended = subprocess.run(
            [script, *arguments], env=self.environment(), cwd=ROOT, stdin=None if given else subprocess.DEVNULL,
            input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_SECONDS, check=False,
        )  # fmt: skip
        return Run(ended.returncode, ended.stdout)

    def ask(self, service: str, operation: str, /, **parameters):
        """One operation of AWS, with the library that the playbook uses."""
        program = (
            "import botocore.session, json, sys; service, operation, parameters = json.load(sys.stdin);"
            "answer = getattr(botocore.session.Session().create_client(service), operation)(**parameters);"
            "json.dump(answer, sys.stdout, default=str)"
        )
        ended = subprocess.run(
            ["build/deploy/bin/python", "-c", program], input=json.dumps([service, operation, parameters]),
            env=self.environment(), cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    def stacks(self) -> dict[str, str]:
        return {one["StackName"]: one["StackStatus"] for one in self.ask("cloudformation", "describe_stacks")["Stacks"]}

    def outputs(self, stack: str) -> dict[str, str]:
        [found] = self.ask("cloudformation", "describe_stacks", StackName=stack)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    def containers(self) -> list[dict]:
        """The tasks of this emulator: their image is of its registry."""
        names = subprocess.run(
            ["docker", "ps", "--all", "--quiet", "--filter", "name=ministack-ecs-"], capture_output=True, text=True, check=True
        ).stdout.split()  # fmt: skip
        found = [
            json.loads(subprocess.run(["docker", "inspect", name], capture_output=True, text=True, check=False).stdout)
            for name in names
        ]
        return [one[0] for one in found if one and one[0]["Config"]["Image"].startswith(f"127.0.0.1:{self.registry_port}/")]

    def monitors(self) -> list[dict]:
        """Those of the containers that are monitors."""
        return [one for one in self.containers() if one["Config"]["Cmd"] and one["Config"]["Cmd"][0] == "watch"]

    def settled(self) -> set[str]:
        """The containers, once there are no more than two: those that were told to end serve for a while."""
        deadline = time.monotonic() + 60
        while len(now := {container["Id"] for container in self.containers()}) != 2 and time.monotonic() < deadline:
            time.sleep(1)
        return now

    def url(self) -> str:
        return f"http://nowd.alb.localhost:{self.port}"


def configuration_of(monitor: dict) -> str:
    """As it was given: here it listens at another port (tests/deploy/emulator/emulator.py)."""
    [text] = [one for one in monitor["Config"]["Env"] if one.startswith("NOWCHECK_CONFIG=")]
    return re.sub(r'listen = "127\.0\.0\.1:\d+"', 'listen = "127.0.0.1:9464"', text.partition("=")[2])


class NoRedirects(urllib.request.HTTPErrorProcessor):
    """Gives every answer as it is."""

    def http_response(self, request, response):
        return response


class TlsTerminator:
    """Ends TLS at port 443 of an address of its own, and hands on what is said to the emulator, from another address, by which
    that knows it (tests/deploy/emulator/emulator.py)."""

    address = "127.0.0.43"
    towards_emulator = "127.0.0.44"

    def __init__(self, certificate, port: int) -> None:
        self.port = port
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(context)
        try:
            plain = socket.create_server((self.address, 443))
        except PermissionError:
            lacking("only root can listen at port 443")
        self.listener = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)

    def __enter__(self) -> TlsTerminator:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        # Closing alone would not wake the thread that waits for a connection.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.hand_on, args=(client,), daemon=True).start()

    def hand_on(self, client: ssl.SSLSocket) -> None:
        try:
            client.do_handshake()
            emulator = socket.create_connection(("127.0.0.1", self.port), source_address=(self.towards_emulator, 0))
        except OSError:
            client.close()
            return
        back = threading.Thread(target=copy, args=(emulator, client), daemon=True)
        back.start()
        copy(client, emulator)
        back.join()


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@dataclass
class Client:
    """Asks through the balancer, 50 times a second and each time anew, and notes whatever is not the time."""

    account: Account
    environment: str = "nowd"
    asked: int = 0
    failures: list[str] = field(default_factory=list)
    instances: list[str] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"{self.environment}.alb.localhost"

    def __enter__(self) -> Client:
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(number,), daemon=True) for number in range(5)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=30)

    def ask(self, number: int) -> None:
        # Five that ask ten times a second each, so that a slow answer does not hold up the others.
        due = time.monotonic() + number * 0.02
        while not self.ending.wait(max(0.0, due - time.monotonic())):
            due += 0.1
            request = urllib.request.Request(f"http://127.0.0.1:{self.account.port}/now", headers={"Host": self.host})
            self.asked += 1
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.instances.append(json.load(answer)["instance"])
            except (OSError, ValueError, KeyError) as error:
                self.failures.append(f"{time.strftime('%X')} {error!r}")
