"""Bare Debian 13 and 12 become hosts of the fleet, over ssh, with all options; and go back to what they were.

The tests of this file tell one story, from bare hosts to bare hosts.
"""

import http.server
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.hosts import Host, Lab, emulation
from tests.fleet.hosts.image import MissingToolError
from tests.fleet.site import REPO, Played, run_playbooks

TRIXIE = "jetson-01"
BOOKWORM = "jetson-02"
NETWORK = "172.31.230"
"""Not that of the other tests' lab: both may be up."""
ALL_OPTIONS: dict[str, Any] = {
    "firewall_enabled": True,
    "time_sync_enabled": True,
    "security_updates_enabled": True,
}
NVIDIA = {
    "default-runtime": "nvidia",
    "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": []}},
}
PUBLISHED = 8080
OWN_SERVICE = 9090
LOOK_AT = [22, 80, PUBLISHED, OWN_SERVICE]
COMPOSE = f"""\
name: guest
services:
  web:
    image: guest
    command: [python3, -m, http.server, "80"]
    working_dir: /usr/bin
    restart: unless-stopped
    init: true
    user: "10001:10001"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    mem_limit: 48m
    memswap_limit: 48m
    pids_limit: 64
    tmpfs: ["/tmp:uid=10001,mode=0700,size=16m"]
    ports: ["{PUBLISHED}:80"]
"""
# What is installed and set. Not: logs, caches, what services write while they run.
SNAPSHOT = r"""
dpkg-query --show --showformat='${Package} ${Version} ${db:Status-Status}\n' | grep -v ' not-installed$'
find /etc /opt /srv /usr /home -xdev ! -type d -printf '%p %s %l\n' | grep -v '/__pycache__/\|^/etc/[a-z]*- '
getent passwd; getent group
"""

pytestmark = pytest.mark.timeout(900)


def tell(line: str) -> None:
    """Print how long something took, for the one who watches."""
    sys.stderr.write(f"\n{line}\n")


class Hosts:
    """The lab and how to run playbooks on it."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        self._inventory = folder / "hosts.yml"
        ours = {name: {"ansible_host": host.address} for name, host in lab.hosts.items()}
        ssh = {
            "ansible_user": "operator",
            "ansible_become": True,
            "ansible_ssh_private_key_file": str(lab.key.private),
            "ansible_ssh_common_args": " ".join(
                ("-o StrictHostKeyChecking=yes", f"-o UserKnownHostsFile={lab.key.known_hosts}")
            ),
            "ansible_control_path_dir": str(lab.key.masters),
        }
        self._inventory.write_text(json.dumps({"edge": {"hosts": ours, "vars": ssh}}))

    def play(self, *arguments: str, playbook: str = "playbooks/hosts.yml", **settings: Any) -> Played:
        """Run a playbook with settings that an inventory could have."""
        played = run_playbooks(
            *("-i", str(self._inventory), playbook, "-e", json.dumps(settings), *arguments),
            environment={"ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self._folder / "facts")},
            timeout_s=800,
        )
        tell(f"{playbook} {' '.join(arguments)} {list(settings)}: {played.seconds:.0f} s")
        return played

    def snapshots(self) -> dict[str, set[str]]:
        """Return what is installed and set on each host."""
        return {
            name: set(host.run("sh", "-c", SNAPSHOT).splitlines()) for name, host in self.lab.hosts.items()
        }


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    folder = tmp_path_factory.mktemp("hosts")
    began = time.monotonic()
    with Lab(
        TRIXIE,
        BOOKWORM,
        releases={BOOKWORM: "bookworm"},
        name="facefleet-hosts",
        subnet=f"{NETWORK}.0/24",
        folder=folder,
    ) as lab:
        tell(f"two bare hosts: {time.monotonic() - began:.0f} s")
        # What JetPack brings. runc stands in for NVIDIA's runtime, which calls it in the end.
        jetson = lab[BOOKWORM]
        jetson.write("/etc/docker/daemon.json", json.dumps(NVIDIA))
        jetson.run("ln", "-s", "/usr/sbin/runc", "/usr/bin/nvidia-container-runtime")
        for host in lab.hosts.values():
            let_chrony_run(host)
        yield Hosts(lab, folder)


def let_chrony_run(host: Host) -> None:
    """Let it run in a container, as long as it keeps its hands off the clock, which is this machine's."""
    host.write(
        "/etc/systemd/system/chrony.service.d/container.conf",
        "[Unit]\nConditionCapability=\n[Service]\nExecStart=\nExecStart=!/usr/sbin/chronyd -x\n",
    )


@pytest.fixture(scope="module")
def bare(hosts: Hosts) -> dict[str, set[str]]:
    """What was on the hosts before anything ran."""
    return hosts.snapshots()


@pytest.mark.full
def test_check_mode_tells_what_would_happen_on_bare_hosts_and_changes_nothing(
    hosts: Hosts, bare: dict[str, set[str]]
) -> None:
    told = hosts.play("--check", "--diff", **ALL_OPTIONS).succeeded()
    assert set(told.changed) == {TRIXIE, BOOKWORM}
    for package in ("docker.io", "python3-requests", "chrony", "unattended-upgrades", "nftables"):
        assert package in told.output
    assert not (changed := differences(bare, hosts.snapshots())), changed


def differences(before: dict[str, set[str]], after: dict[str, set[str]]) -> str:
    """Return what went from the hosts, marked -, and what came, marked +."""
    found = {
        f"{name}: {mark} {line}"
        for name, was in before.items()
        for mark, lines in (("-", was - after[name]), ("+", after[name] - was))
        for line in lines
    }
    return "\n".join(sorted(found))


def test_a_bare_host_gets_an_engine_and_the_second_run_changes_nothing(hosts: Hosts) -> None:
    hosts.play().succeeded()
    for host in hosts.lab.hosts.values():
        make_guest(host)
        assert "Up" in host.run("docker", "compose", "--project-directory", "/srv/guest", "ps")
        assert host.reach([PUBLISHED]) == [PUBLISHED]
        memory = host.run("docker", "inspect", "--format", "{{.HostConfig.Memory}}", "guest-web-1")
        assert int(memory) == 48 * 1024**2
    assert hosts.play().succeeded().changed == {}
    assert hosts.play("--check", "--diff").succeeded().changed == {}


def make_guest(host: Host) -> None:
    """Run a container as hardened as ours, from an image of the host's own Python: nothing is pulled."""
    host.run(
        "sh",
        "-c",
        "cd / && tar -ch usr/bin usr/lib/python3* usr/lib/*-linux-gnu lib64 | docker import - guest",
    )
    host.write("/srv/guest/compose.yaml", COMPOSE)
    host.run("docker", "compose", "--project-directory", "/srv/guest", "up", "--detach")


def test_the_runtime_of_jetpack_stays(hosts: Hosts) -> None:
    jetson = hosts.lab[BOOKWORM]
    settings = json.loads(jetson.run("cat", "/etc/docker/daemon.json"))
    assert settings.items() >= NVIDIA.items()
    assert settings["log-driver"] == "json-file"
    assert jetson.run("docker", "info", "--format", "{{.DefaultRuntime}}").strip() == "nvidia"
    assert jetson.run("docker", "run", "--rm", "guest", "python3", "-c", "print('runs')").strip() == "runs"


def test_settings_that_are_broken_are_named_and_left_alone(hosts: Hosts) -> None:
    host = hosts.lab[TRIXIE]
    right = host.run("cat", "/etc/docker/daemon.json")
    host.write("/etc/docker/daemon.json", "{broken")
    hosts.play("--limit", TRIXIE).failed("/etc/docker/daemon.json is not a JSON object", "json.tool")
    assert host.run("cat", "/etc/docker/daemon.json") == "{broken"
    host.write("/etc/docker/daemon.json", right)


def test_power_cuts_and_pulled_cables(hosts: Hosts) -> None:
    host = hosts.lab[TRIXIE]
    host.unplug()
    assert host.reach([22]) == []
    assert "Up" in host.run("docker", "ps")
    host.plug()
    assert host.ssh("hostname").stdout.strip() == TRIXIE
    host.kill()
    host.start()
    host.await_ports([22, PUBLISHED])


def test_an_address_is_led_elsewhere_for_the_containers_too(hosts: Hosts) -> None:
    host = hosts.lab[TRIXIE]
    with http.server.ThreadingHTTPServer((hosts.lab.gateway, 0), Greeting) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            host.dnat("169.254.169.254:80", f"{hosts.lab.gateway}:{server.server_port}")
            read = "import urllib.request as r; print(r.urlopen('http://169.254.169.254/').read().decode())"
            for place in ((), ("docker", "exec", "guest-web-1")):
                assert host.run(*place, "python3", "-c", read).strip() == "greeting"
        finally:
            server.shutdown()


class Greeting(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"greeting")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@pytest.mark.full
def test_only_the_stated_ports_answer(hosts: Hosts) -> None:
    lab = hosts.lab
    for host in lab.hosts.values():
        host.run("systemd-run", "--unit=own", "python3", "-m", "http.server", str(OWN_SERVICE))
        host.await_ports([22, PUBLISHED, OWN_SERVICE])
    rules_of_docker = {name: docker_rules(host) for name, host in lab.hosts.items()}
    closed: dict[str, Any] = {
        "firewall_enabled": True,
        "firewall_ssh_from": [f"{NETWORK}.0/24"],
        "firewall_published_from": [],
    }

    hosts.play("--check", "--diff", **closed).succeeded()
    assert all(host.reach(LOOK_AT) == [22, PUBLISHED, OWN_SERVICE] for host in lab.hosts.values())
    hosts.play("--diff", **closed).succeeded()
    assert all(host.reach(LOOK_AT) == [22] for host in lab.hosts.values())
    assert hosts.play(**closed).succeeded().changed == {}
    assert {name: docker_rules(host) for name, host in lab.hosts.items()} == rules_of_docker

    # From here, not from the neighbour; and the way out of a container stays open.
    some = closed | {"firewall_published_from": [lab.gateway], "firewall_ports": [{"port": OWN_SERVICE}]}
    assert set(hosts.play(**some).succeeded().changed) == {TRIXIE, BOOKWORM}
    assert all(host.reach(LOOK_AT) == [22, PUBLISHED, OWN_SERVICE] for host in lab.hosts.values())
    trixie, bookworm = lab[TRIXIE], lab[BOOKWORM]
    assert connects(trixie, bookworm.address, OWN_SERVICE)
    assert not connects(trixie, bookworm.address, PUBLISHED)
    assert connects(trixie, bookworm.address, OWN_SERVICE, inside="guest-web-1")
    assert connects(trixie, trixie.address, PUBLISHED)


def docker_rules(host: Host) -> list[str]:
    """Return the packet filter rules that are not ours."""
    return sorted(line for line in host.run("iptables-save").splitlines() if line.startswith("-"))


def connects(host: Host, address: str, port: int, inside: str = "") -> bool:
    """Tell whether a host, or a container on it, gets a TCP connection."""
    code = f"import socket; socket.create_connection(('{address}', {port}), 2)"
    place = ("docker", "exec", inside) if inside else ()
    return "Error" not in host.run(*place, "python3", "-c", code, check=False)


@pytest.mark.full
def test_the_firewall_is_there_after_a_power_cut(hosts: Hosts) -> None:
    host = hosts.lab[TRIXIE]
    host.kill()
    host.start()
    host.await_ports([22, PUBLISHED])
    host.run("systemd-run", "--unit=other", "python3", "-m", "http.server", "80")
    assert host.reach(LOOK_AT) == [22, PUBLISHED]
    host.run("systemctl", "stop", "other")
    host.run("systemd-run", "--unit=own", "python3", "-m", "http.server", str(OWN_SERVICE))
    host.await_ports([OWN_SERVICE])


@pytest.mark.full
def test_the_firewall_does_not_cut_the_branch_that_it_sits_on(hosts: Hosts) -> None:
    before = [our_rules(host) for host in hosts.lab.hosts.values()]
    hosts.play(firewall_enabled=True, firewall_ssh_from=["10.0.0.0/8"]).failed(
        "would lock you out", hosts.lab.gateway
    )
    hosts.play(firewall_enabled=True, firewall_ssh_port=2222).failed("would lock you out", "to port 22")
    hosts.play(firewall_enabled=True, firewall_ports=[{"port": "ssh"}]).failed("firewall_ports")
    hosts.play(firewall_enabled=True, firewall_ssh_from=["gate.example"]).failed(
        "gate.example", "192.0.2.0/24"
    )
    assert [our_rules(host) for host in hosts.lab.hosts.values()] == before


def our_rules(host: Host) -> str:
    """Return the table of the firewall as the kernel has it."""
    return host.run("nft", "list", "table", "inet", "facefleet_firewall")


@pytest.mark.full
def test_the_firewall_goes_when_it_is_asked_for_no_more(hosts: Hosts) -> None:
    ends(hosts)
    for host in hosts.lab.hosts.values():
        assert host.reach(LOOK_AT) == [22, PUBLISHED, OWN_SERVICE]
        assert "facefleet" not in host.run("nft", "list", "ruleset")
        host.run("systemctl", "stop", "own")


def ends(hosts: Hosts) -> None:
    """Ask for no option any more, twice."""
    assert hosts.play().succeeded().changed != {}
    assert hosts.play().succeeded().changed == {}


def remove(hosts: Hosts, folder: Path, *roles: str) -> Played:
    """Call the entry point remove of roles, twice."""
    tasks = [
        {"name": role, "ansible.builtin.include_role": {"name": role, "tasks_from": "remove.yml"}}
        for role in roles
    ]
    book = folder / "remove.yml"
    book.write_text(
        json.dumps([{"name": "Remove", "hosts": "edge", "gather_subset": ["!all"], "tasks": tasks}])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_ROLES_PATH", str(REPO / "roles"))
        first = hosts.play(playbook=str(book)).succeeded()
        assert hosts.play(playbook=str(book)).succeeded().changed == {}
    return first


@pytest.mark.full
def test_the_clock_follows_the_named_servers(hosts: Hosts) -> None:
    server, client = hosts.lab[TRIXIE], hosts.lab[BOOKWORM]
    server.write("/etc/chrony/conf.d/serves.conf", "local stratum 5\nallow\n")
    hosts.play("--limit", TRIXIE, time_sync_enabled=True, time_sync_wait=0).succeeded()
    settings: dict[str, Any] = {
        "time_sync_enabled": True,
        "time_sync_wait": 0,
        "time_sync_servers": [server.address],
    }
    hosts.play("--limit", BOOKWORM, "--diff", **settings).succeeded()
    client.run("chronyc", "waitsync", "30", "0", "0", "1")
    sources = client.run("chronyc", "-n", "-c", "sources").splitlines()
    assert [line.split(",")[:3] for line in sources] == [["^", "*", server.address]]
    again = hosts.play("--limit", BOOKWORM, **settings).succeeded()
    assert again.changed == {}

    # Here chrony is not allowed to set the clock, so that the kernel's word is that nobody did.
    assert "is not synchronised" in again.output
    hosts.play("--limit", BOOKWORM, time_sync_required=True, **settings).failed(
        "is not synchronised", BOOKWORM
    )
    ends(hosts)
    assert "#facefleet" not in client.run("cat", "/etc/chrony/chrony.conf")
    assert server.address not in client.run("chronyc", "-n", "-c", "sources")
    server.run("rm", "/etc/chrony/conf.d/serves.conf")


@pytest.mark.full
def test_only_security_updates_install_themselves_and_the_engine_is_left_alone(hosts: Hosts) -> None:
    hosts.play(security_updates_enabled=True, security_updates_reboot_time="04:30").succeeded()
    assert (
        hosts.play(security_updates_enabled=True, security_updates_reboot_time="04:30").succeeded().changed
        == {}
    )
    for host in hosts.lab.hosts.values():
        said = host.run("unattended-upgrade", "--dry-run", "--debug")
        origins, never = (
            next(line for line in said.splitlines() if line.startswith(start))
            for start in ("Allowed origins are:", "Initial blacklist:")
        )
        assert origins.count("origin=") == origins.count("label=Debian-Security") == 2
        assert {"docker", "containerd", "runc"} <= set(never.split())
        assert 'Automatic-Reboot-Time "04:30"' in host.run("apt-config", "dump", "Unattended-Upgrade")
        assert (
            host.run("systemctl", "is-active", "apt-daily.timer", "apt-daily-upgrade.timer").split()
            == ["active"] * 2
        )
    hosts.play(security_updates_enabled=True).succeeded()
    assert 'Automatic-Reboot "false"' in hosts.lab[TRIXIE].run("apt-config", "dump", "Unattended-Upgrade")
    hosts.play(security_updates_enabled=True, security_updates_reboot_time="25:00").failed("25:00", "04:30")
    ends(hosts)
    assert "reboot" not in hosts.lab[TRIXIE].run("apt-config", "dump", "Unattended-Upgrade").lower()


def test_a_program_for_arm64_runs_in_the_hosts_containers(hosts: Hosts, tmp_path: Path) -> None:
    host = hosts.lab[TRIXIE]
    try:
        with emulation.arm64():
            emulation.make_root(tmp_path / "arm64.tar")
            host.copy(tmp_path / "arm64.tar", "/srv/guest/arm64.tar")
            host.run("docker", "import", "--platform", "linux/arm64", "/srv/guest/arm64.tar", "guest-arm64")
            began = time.monotonic()
            run = ("docker", "run", "--rm", "--platform", "linux/arm64", "--cap-drop=ALL", "--read-only")
            assert host.run(*run, "guest-arm64", "/usr/bin/uname", "--machine").strip() == "aarch64"
            tell(f"uname for arm64: {time.monotonic() - began:.1f} s")
    except MissingToolError as missing:
        pytest.skip(str(missing))


@pytest.mark.full
def test_removing_all_leaves_the_hosts_as_they_were(
    hosts: Hosts, bare: dict[str, set[str]], tmp_path: Path
) -> None:
    for host in hosts.lab.hosts.values():
        host.run("docker", "compose", "--project-directory", "/srv/guest", "down")
        host.run("rm", "-r", "/srv/guest")
    remove(hosts, tmp_path, "firewall", "time_sync", "security_updates", "docker_engine", "packages")
    assert not (changed := differences(bare, hosts.snapshots())), changed
