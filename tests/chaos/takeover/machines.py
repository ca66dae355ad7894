"""Machines to deploy on: network namespaces, each with an Engine as one may be set up."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.engine import PrivateEngine

_RULES = "--iptables=true --ip6tables=true"
_NETWORK = "198.18.7"  # RFC 2544: of no real network
_NETWORK_IPV6 = "fd5c:a7::"
HERE = f"{_NETWORK}.1"
HERE_IPV6 = f"{_NETWORK_IPV6}1"

_COMPOSE = """\
services:
  web:
    build: .
    container_name: shop-web
    STOP
    ports: ["ADDRESSPORT:8000", "ADDRESSECHO:8001"]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8000/"]
      interval: 1s
      timeout: 10s
      retries: 5
      start_period: 5s
      start_interval: 0.2s
    NETWORKS
"""
_IPV6 = """\
networks:
  default:
    enable_ipv6: true
    ipam: {config: [{subnet: "10.251.0.0/24"}, {subnet: "fd5c:a8::/64"}]}
"""
_FIXED = """\
networks:
  default:
    ipam: {config: [{subnet: "10.251.0.0/24"}]}
"""


@dataclass(frozen=True)
class Machine:
    """One kind of machine, and what is deployed there. `inside` and `outside` are the addresses
    that are asked, on the machine itself and from another one.
    """

    options: str = _RULES
    legacy: bool = False
    address: str = ""
    stop: str = "stop_signal: KILL"
    network: str = "restart: 'no'"
    networks: str = ""
    inside: str = "127.0.0.1"
    outside: str = HERE

    def compose(self, port: int, echo: int) -> str:
        """Return the Compose file of the project."""
        words = {
            "ADDRESS": self.address and f"{self.address}:",
            "PORT": str(port),
            "ECHO": str(echo),
            "STOP": self.stop,
            "NETWORKS": self.network,
        }
        text = _COMPOSE
        for word, value in words.items():
            text = text.replace(word, value)
        return text + self.networks


MACHINES = {
    "iptables-nft": Machine(),
    "iptables-legacy": Machine(legacy=True),
    "no userland proxy": Machine(f"{_RULES} --userland-proxy=false"),
    "no rules of the Engine": Machine("--iptables=false --ip6tables=false"),
    "IPv6 loopback": Machine(inside="::1"),
    "IPv6 loopback, no rules": Machine("--iptables=false --ip6tables=false", inside="::1"),
    "containers with IPv6": Machine(inside="::1", outside=HERE_IPV6, networks=_IPV6),
    "host_ip": Machine(address=HERE, inside=HERE),
    "fixed address": Machine(
        network="networks: {default: {ipv4_address: 10.251.0.9}}", networks=_FIXED
    ),
    "ignores SIGTERM": Machine(stop="stop_grace_period: 3s"),
}


class Namespaces:
    """The machine's network, and that of another one beside it."""

    def __init__(self, name: str) -> None:
        self.machine, self.other = name, f"{name}-other"

    def command(self, *words: str) -> list[str]:
        """Return a command as it runs on the machine: ip-netns(8) mounts a /sys without the control
        groups that an Engine needs.
        """
        groups, inside = "/sys/fs/cgroup", "/mnt"
        script = (
            f"mount --rbind {groups} {inside} && exec ip netns exec {self.machine} "
            f'sh -c \'mount --rbind {inside} {groups} && exec "$@"\' sh "$@"'
        )
        return ["unshare", "--mount", "sh", "-c", script, "sh", *words]

    def make(self) -> None:
        """Make both, connected."""
        here, there = self.machine, self.other
        for words in (
            f"netns add {here}",
            f"netns add {there}",
            f"-n {here} link set lo up",
            f"-n {there} link set lo up",
            f"-n {here} link add up0 type veth peer name up0 netns {there}",
            f"-n {here} addr add {HERE}/24 dev up0",
            f"-n {there} addr add {_NETWORK}.2/24 dev up0",
            f"-n {here} addr add {HERE_IPV6}/64 dev up0 nodad",
            f"-n {there} addr add {_NETWORK_IPV6}2/64 dev up0 nodad",
            f"-n {here} link set up0 up",
            f"-n {there} link set up0 up",
        ):
            subprocess.run(["ip", *words.split()], check=True)

    def remove(self) -> None:
        """Remove both."""
        for name in (self.machine, self.other):
            subprocess.run(["ip", "netns", "del", name], check=False)


@contextmanager
def engine_of(machine: Machine, name: str) -> Iterator[PrivateEngine]:
    """Run the machine's Engine: in this process's network, and in its environment."""
    engine = PrivateEngine(name)
    with tempfile.TemporaryDirectory() as folder:
        if machine.legacy:
            for command in ("iptables", "ip6tables"):
                Path(folder, command).symlink_to("/usr/sbin/xtables-legacy-multi")
                for part in ("save", "restore"):
                    Path(folder, f"{command}-{part}").symlink_to("/usr/sbin/xtables-legacy-multi")
            os.environ["PATH"] = f"{folder}:{os.environ['PATH']}"
        os.environ["ENGINE_OPTIONS"] = machine.options
        try:
            os.environ.update(engine.up())
            yield engine
        finally:
            engine.remove()


def play(namespaces: Namespaces, *words: str) -> int:
    """Play on a machine of its own; return how that ended."""
    namespaces.make()
    command = [sys.executable, "-m", "tests.chaos.takeover.played", namespaces.other, *words]
    try:
        return subprocess.run(namespaces.command(*command), check=False).returncode
    finally:
        namespaces.remove()
