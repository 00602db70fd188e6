"""Names are resolved as this machine resolves them: what `getaddrinfo` answers is right by definition.

The checks run in a network namespace with its own /etc/hosts, /etc/resolv.conf and name servers
(tests/servers/own_names.py). Python's `getaddrinfo`, in the same namespace, is the oracle.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from support.nowcheck import Run, clean_environment, parse_outcome, trusting
from support.process import WAIT, Child
from support.tools import ROOT, binary, lacking, need

ORACLE = """
import socket, sys
try:
    found = socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM)
    print(*dict.fromkeys(one[4][0].split("%")[0] for one in found))
except socket.gaierror as error:
    print("error", error.errno)
"""

HERE = {"A": ["127.0.0.1"], "AAAA": []}
ONE_SERVER = "nameserver 127.0.0.1\n"
LOCALHOST = "127.0.0.1 localhost\n::1 localhost\n"


@dataclass
class Names:
    """What the names are."""

    hosts: str = LOCALHOST
    resolv: str = ONE_SERVER
    servers: dict = field(default_factory=lambda: {"127.0.0.1": {}})


def zone(**names: dict) -> dict:
    """What one name server knows; `_` stands for a dot, and `__` for an underscore."""

    def dotted(name: str) -> str:
        return name.replace("__", "\0").replace("_", ".").replace("\0", "_")

    return {"127.0.0.1": {dotted(name): said for name, said in names.items()}}


class Machine:
    def __init__(self):
        need("ip")
        need("nsenter")
        self.child = Child([sys.executable, "-B", str(ROOT / "tests" / "servers" / "own_names.py")])
        said = json.loads(self.child.stdout.wait_for(r"^\{.*\}$", 3 * WAIT).string)
        if "impossible" in said:
            self.child.end()
            lacking(f"a network namespace with names of its own is not to be had here: {said['impossible']}")
        self.entry: list[str] = said["enter"]
        self.lines = 1

    def tell(self, names: Names) -> dict:
        """Makes the names so. Gives what each name server was asked before."""
        self.child.process.stdin.write(json.dumps(names.__dict__) + "\n")
        self.child.process.stdin.flush()
        self.lines += 1
        self.child.stdout.wait_for_count(self.lines)
        return json.loads(self.child.stdout.lines[-1][1])["asked"]

    def run(self, *command: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["nsenter", *self.entry, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT + 40,
            env=clean_environment(),
        )

    def oracle(self, name: str) -> str:
        return self.run(sys.executable, "-c", ORACLE, name).stdout.strip()

    def check(self, *arguments: str, before: tuple[str, ...] = ()) -> Run:
        done = self.run(*before, binary("nowcheck"), *trusting(*arguments), "--output", "json")
        run = Run(done.returncode, done.stdout, done.stderr, 0.0)
        assert done.stdout.count("\n") == 1, str(run)
        run.outcome = parse_outcome(done.stdout.strip())
        return run

    def advice(self, *arguments: str) -> str:
        return self.run(binary("nowcheck"), *arguments).stdout

    def end(self) -> None:
        self.child.process.stdin.close()
        self.child.wait()


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    machine = Machine()
    try:
        yield machine
    finally:
        machine.end()


def url(host: str) -> str:
    return f"http://{host}:8000/"


def addresses(run: Run) -> list[str]:
    return [target["address"].rsplit(":", 1)[0].strip("[]") for target in run.outcome["targets"]]


def assert_answered(run: Run) -> None:
    """The service is right. Whether that is OK or a warning depends on who vouches for this machine's clock."""
    assert run.exit in (0, 1), str(run)
    assert all(target["backends"] for target in run.outcome["targets"]), str(run)


def assert_not_blamed(run: Run, kind: str, *words: str) -> None:
    """The service is not to blame: UNKNOWN, and the sentence says why."""
    assert run.verdict == ("UNKNOWN", "checker_fault"), str(run)
    assert (run.failure["phase"], run.failure["kind"]) == ("resolve", kind), str(run)
    for word in words:
        assert word in run.failure["message"], str(run)


RESOLVED = {
    # docker/compose#229: services are called so in every network of Docker.
    "underscore-in-hosts": (Names(hosts="127.0.0.1 time_service\n"), "time_service"),
    "underscore-in-the-dns": (Names(servers=zone(time__service_example=HERE)), "time_service.example"),
    # hickory-dns/hickory-dns#2959.
    "underscore-in-the-search-domain": (
        Names(resolv=ONE_SERVER + "search a_b.example\n", servers=zone(nowd_a__b_example=HERE)),
        "nowd",
    ),
    "search-domains-of-kubernetes": (
        Names(
            resolv=ONE_SERVER + "search prod.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n",
            servers=zone(nowd_prod_svc_cluster_local=HERE),
        ),
        "nowd.prod",
    ),
    "final-dot": (Names(servers=zone(time_example=HERE)), "time.example."),
    # StevenBlack/hosts#47: an entry for one family answers for the name, whatever the DNS has for the other.
    "pinned-for-one-family": (
        Names(hosts="127.0.0.1 time.example\n", servers=zone(time_example={"A": [], "AAAA": ["2001:db8::1"]})),
        "time.example",
    ),
    "hosts-alone-with-an-empty-resolv.conf": (Names(hosts="127.0.0.1 time\n", resolv="", servers={}), "time"),
    "twice-in-hosts": (Names(hosts="127.0.0.1 time\n127.0.0.1 time\n"), "time"),
    "both-families": (
        Names(servers=zone(time_example={"A": ["127.0.0.1"], "AAAA": ["::1"]})),
        "time.example",
    ),
    # systemd/systemd#5755: the order of the name servers is that of the file.
    "first-of-two-name-servers-is-slower": (
        Names(
            resolv="nameserver 127.0.0.1\nnameserver 127.0.0.2\n",
            servers={"127.0.0.1": {"time.example": HERE | {"delay": 0.1}}, "127.0.0.2": {}},
        ),
        "time.example",
    ),
    "two-name-servers-that-disagree": (
        Names(
            resolv="nameserver 127.0.0.1\nnameserver 127.0.0.2\n",
            servers={
                "127.0.0.1": {"time.example": HERE | {"delay": 0.1}},
                "127.0.0.2": {"time.example": {"A": ["127.0.0.99"]}},
            },
        ),
        "time.example",
    ),
    "first-of-two-name-servers-refuses": (
        Names(
            resolv="nameserver 127.0.0.2\nnameserver 127.0.0.1\n",
            servers={"127.0.0.2": {"*": {"A": "REFUSED", "AAAA": "REFUSED"}}, "127.0.0.1": {"time.example": HERE}},
        ),
        "time.example",
    ),
    "first-of-two-name-servers-is-closed": (
        Names(resolv="nameserver 127.0.0.77\nnameserver 127.0.0.1\n", servers=zone(time_example=HERE)),
        "time.example",
    ),
    "odd-lines-in-resolv.conf": (
        Names(
            resolv="; comment\nlookup file bind\nnameserver\t127.0.0.1 # comment\n"
            "options edns0 trust-ad retrans:1 unknown:3\nsortlist 192.0.2.0\nsearch .\n",
            servers=zone(time_example=HERE),
        ),
        "time.example",
    ),
    "servfail-for-ipv6": (Names(servers=zone(time_example=HERE | {"AAAA": "SERVFAIL"})), "time.example"),
    "localhost-of-hosts": (Names(hosts="127.0.0.9 localhost\n"), "localhost"),
}


@pytest.mark.parametrize("case", RESOLVED.values(), ids=RESOLVED.keys())
def test_a_name_has_the_addresses_that_the_system_says(machine, case):
    names, name = case
    machine.tell(names)
    run = machine.check(url(name))
    assert_answered(run)
    assert addresses(run) == machine.oracle(name).split(), str(run)


def test_the_check_asks_a_quick_dns_no_more_than_the_system_does(machine):
    machine.tell(Names(servers=zone(time_example=HERE)))
    assert_answered(machine.check(url("time.example")))
    asked = machine.tell(Names())["127.0.0.1"]
    assert sorted(asked) == [["time.example", "A"], ["time.example", "AAAA"]]


@pytest.mark.parametrize("name", ["localhost", "time.localhost"])
def test_localhost_is_this_machine_although_no_file_and_no_server_knows_it(machine, name):
    machine.tell(Names(hosts=""))
    assert machine.oracle(name).startswith("error")
    run = machine.check(url(name))
    assert_answered(run)
    assert sorted(addresses(run)) == ["127.0.0.1", "::1"]


def test_a_silent_dns_does_not_keep_localhost_waiting_for_long(machine):
    machine.tell(Names(hosts="", servers=zone(**{"*": {"A": "silence", "AAAA": "silence"}})))
    run = machine.check(url("time.localhost"))
    assert_answered(run)
    assert all(target["phases"]["resolve"] < 1.5 for target in run.outcome["targets"])


@pytest.mark.parametrize("said", ["NXDOMAIN", []], ids=["no-such-name", "no-address"])
def test_a_name_that_the_dns_denies_is_down(machine, said):
    machine.tell(Names(servers=zone(time_example={"A": said, "AAAA": said})))
    run = machine.check(url("time.example"))
    assert run.verdict == ("CRITICAL", "down")
    assert (run.failure["phase"], run.failure["kind"]) == ("resolve", "no_such_name")


CANNOT_TELL = {
    "SERVFAIL": Names(servers=zone(time_example={"A": "SERVFAIL", "AAAA": "SERVFAIL"})),
    "REFUSED": Names(servers=zone(time_example={"A": "REFUSED", "AAAA": "REFUSED"})),
    "closed-port": Names(resolv="nameserver 127.0.0.77\n"),
    "no-route-to-the-name-server": Names(resolv="nameserver 192.0.2.1\n"),
    "empty-resolv.conf": Names(resolv="", servers={"127.0.0.1": {"*": {"A": "SERVFAIL", "AAAA": "SERVFAIL"}}}),
}


@pytest.mark.parametrize("names", CANNOT_TELL.values(), ids=CANNOT_TELL.keys())
def test_a_dns_that_fails_says_nothing_about_the_service(machine, names):
    machine.tell(names)
    assert machine.oracle("time.example") == "error -3"
    run = machine.check(url("time.example"))
    assert_not_blamed(run, "dns_failure", "time.example", "Temporary failure in name resolution")
    assert "/etc/resolv.conf" in machine.advice(url("time.example"))


def test_a_silent_dns_ends_in_unknown_and_the_advice_is_about_the_dns(machine):
    machine.tell(Names(servers=zone(time_example={"A": "silence", "AAAA": "silence"})))
    run = machine.check(url("time.example"), "--timeout", "3s")
    assert_not_blamed(run, "timeout", "the DNS gave no usable answer")
    assert run.failure["elapsed"] == pytest.approx(1.8, abs=0.3), "60 % of the round"
    assert "the DNS is slow or silent" in machine.advice(url("time.example"), "--timeout", "1s")


def test_without_a_free_descriptor_no_name_is_said_not_to_exist(machine):
    """Without one, glibc says of every name that it does not exist."""
    machine.tell(Names(hosts="127.0.0.1 time\n"))
    for limit in range(4, 14):
        limited = ("sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh")
        done = machine.run(*limited, binary("nowcheck"), url("time"))
        assert done.returncode != 2, f"with {limit} descriptors: {done.stdout}{done.stderr}"


def test_a_dns_that_takes_two_fifths_of_the_round_leaves_time_for_a_verdict(machine):
    """prometheus/blackbox_exporter#1436."""
    machine.tell(Names(servers=zone(time_example=HERE | {"delay": 2.0})))
    run = machine.check(url("time.example"), "--timeout", "5s")
    assert_answered(run)
    assert 1.9 < run.target["phases"]["resolve"] < 3


@pytest.mark.parametrize("host", ["127.0.0.1", "time.example", "other.example"])
def test_a_reference_may_be_resolved_as_slowly_as_a_target_and_beside_it(machine, host):
    slow = HERE | {"delay": 2.0}
    machine.tell(Names(servers=zone(time_example=slow, other_example=slow)))
    run = machine.check(url(host), "--reference", "ntp:time.example:1123", "--timeout", "5s")
    assert run.verdict == ("OK", "in_sync"), str(run)
    (source,) = run.outcome["reference"]["sources"]
    assert source["address"] == "127.0.0.1:1123", str(run)


def test_a_silent_dns_for_a_reference_is_named_with_advice_about_the_dns(machine):
    machine.tell(Names(servers=zone(time_example={"A": "silence", "AAAA": "silence"})))
    arguments = [url("127.0.0.1"), "--reference", "ntp:time.example:1123", "--timeout", "3s"]
    run = machine.check(*arguments)
    assert run.verdict[0] == "UNKNOWN", str(run)
    assert all(target["backends"] for target in run.outcome["targets"]), "the service was asked all the same"
    assert "the DNS is slow or silent" in machine.advice(*arguments)


def test_silence_for_one_family_does_not_cost_the_other(machine):
    machine.tell(Names(servers=zone(time_example=HERE | {"AAAA": "silence"})))
    run = machine.check(url("time.example"), "--timeout", "4s")
    assert_answered(run)
    assert [note["code"] for note in run.target["notes"] if note["code"] == "addresses_unknown"], str(run)


UNUSABLE = {
    # YunoHost-Apps/uptime-kuma_ynh#75.
    "no-route": ("2001:db8::1", "no route"),
    "link-local-without-a-zone": ("fe80::77", "is a link-local address, and its interface is missing"),
}


@pytest.mark.parametrize("case", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_an_address_that_this_machine_cannot_use_is_left_out_beside_one_that_answers(machine, case):
    address, words = case
    machine.tell(Names(servers=zone(time_example=HERE | {"AAAA": [address]})))
    run = machine.check(url("time.example"))
    assert_answered(run)
    assert addresses(run) == ["127.0.0.1"]
    (note,) = [note for note in run.target["notes"] if note["code"] == "address_skipped"]
    assert address in note["message"] and words in note["message"]
    machine.tell(Names(servers=zone(time_example={"A": [], "AAAA": [address]})))
    alone = machine.check(url("time.example"))
    assert (alone.verdict, alone.failure["kind"]) == (("UNKNOWN", "checker_fault"), "no_route"), str(alone)


@pytest.mark.parametrize("route", ["unreachable", "prohibit", "blackhole", "throw"])
@pytest.mark.parametrize("family, address", [("A", "198.51.100.7"), ("AAAA", "2001:db8::7")])
def test_an_address_that_the_routes_of_this_machine_rule_out_is_left_out(machine, route, family, address):
    both = {"A": ["127.0.0.1"], "AAAA": []}
    machine.tell(Names(servers=zone(time_example={**both, family: [*both[family], address]})))
    assert machine.run("ip", "route", "add", route, address).returncode == 0
    try:
        run = machine.check(url("time.example"))
        assert_answered(run)
        assert addresses(run) == ["127.0.0.1"], str(run)
        (note,) = [note for note in run.target["notes"] if note["code"] == "address_skipped"]
        assert address in note["message"] and "no route" in note["message"], str(run)
        alone = machine.check(url(f"[{address}]" if ":" in address else address))
        assert (alone.verdict, alone.failure["kind"]) == (("UNKNOWN", "checker_fault"), "no_route"), str(alone)
    finally:
        machine.run("ip", "route", "del", route, address)


@pytest.mark.parametrize("flag, used", [("-4", ["127.0.0.1"]), ("-6", ["::1"]), ("--ipv4", ["127.0.0.1"])])
def test_only_addresses_of_the_wanted_version_are_checked(machine, flag, used):
    machine.tell(Names(servers=zone(time_example={"A": ["127.0.0.1"], "AAAA": ["::1"]})))
    run = machine.check(url("time.example"), flag)
    assert_answered(run)
    assert addresses(run) == used
    assert addresses(machine.check(url("time.localhost"), flag)) == used
    literal = used[0] if flag != "-6" else f"[{used[0]}]"
    references = machine.check(url(literal), flag, "--reference", "ntp:time.example:1123")
    assert_answered(references)
    (source,) = references.outcome["reference"]["sources"]
    assert used[0] in source["address"]


def test_a_name_without_an_address_of_the_wanted_version_is_not_called_down(machine):
    machine.tell(Names(servers=zone(time_example=HERE)))
    words = "time.example has no IPv6 address, and only those are checked; it has 127.0.0.1"
    assert_not_blamed(machine.check(url("time.example"), "-6"), "local", words)
    words = "127.0.0.1 is an IPv4 address, and only IPv6 addresses are checked"
    assert_not_blamed(machine.check(url("127.0.0.1"), "-6"), "local", words)
    denied = machine.check(url("nowhere.example"), "-6")
    assert denied.verdict == ("CRITICAL", "down")
    both = machine.run(binary("nowcheck"), url("time.example"), "-4", "-6")
    assert both.returncode == 3


@pytest.mark.parametrize("host", ["[fe80::77%25lo]", "[fe80::77%lo]"])
def test_an_address_may_have_a_zone(machine, host):
    machine.tell(Names())
    run = machine.check(url(host))
    assert_answered(run)
    assert run.target["url"] == "http://[fe80::77%25lo]:8000/now"
    against = machine.check(url("127.0.0.1"), "--reference", f"ntp:{host}:1123")
    assert_answered(against)
    assert against.outcome["reference"]["sources"][0]["name"] == "ntp:[fe80::77%25lo]:1123"
    assert_answered(machine.check(url("time.example"), "--resolve", f"time.example:{host}".replace("%25", "%")))


def test_a_zone_that_is_no_interface_is_named(machine):
    machine.tell(Names())
    assert_not_blamed(machine.check(url("[fe80::77%25nope]")), "local", "this machine has no interface `nope`")


def test_a_zone_that_is_not_needed_and_one_that_is_missing_are_named(machine):
    machine.tell(Names())
    assert_not_blamed(machine.check(url("[::1%25lo]")), "local", "::1 is not a link-local address")
    assert "next: write the address without %lo" in machine.advice(url("[::1%25lo]"))
    missing = machine.advice(url("[fe80::77]"))
    assert "its interface is missing" in missing and "next: add the interface to the address" in missing


def test_references_are_resolved_in_the_same_way(machine):
    machine.tell(Names(hosts="127.0.0.1 time_server\n", servers=zone(ntp_a__b_example=HERE)))
    for name in ("time_server", "ntp.a_b.example"):
        run = machine.check(url("127.0.0.1"), "--reference", f"ntp:{name}:1123")
        assert_answered(run)
        assert run.outcome["reference"]["sources"][0]["address"] == "127.0.0.1:1123"
