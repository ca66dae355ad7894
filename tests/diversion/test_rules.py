"""The rules that a diversion puts in force, and what it reads of a host's firewall first."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from workers.diversion.__main__ import watch
from workers.diversion.door import Diversion, Door
from workers.diversion.rules import engine_keeps_rules, let_go, rule_that_names, ruleset, tracking

DOOR = Door(8080, "", "172.18.0.9", 80, "br-1", 32768, 32769, ("172.18.0.2",))
IPTABLES = """\
table ip nat {
	chain DOCKER {
		ip daddr 172.18.0.2 tcp dport 80 counter packets 0 bytes 0 accept
	}
}
table ip filter {
	chain DOCKER-USER {
		%s
	}
}
"""


SYN = "tcp flags & (fin | syn | rst | ack) == syn "


def rules_of(door: Door, *, direct: bool, proxied: bool = True) -> list[str]:
    text = ruleset(
        Diversion("scar_t", (door,)),
        bridges=["docker0", "br-1"],
        direct=direct,
        proxied={"br-1": proxied},
    )
    rules = [line for line in text.splitlines() if " dport " in line]
    assert all(SYN in rule for rule in rules)
    return [rule.replace(SYN, "") for rule in rules]


def test_a_diversion_belongs_to_the_process_that_makes_it() -> None:
    text = ruleset(Diversion("scar_t", (DOOR,)), bridges=[], direct=True, proxied={})
    assert text.count("flags owner") == text.count("table ip") == 2
    assert text.count("priority -110") == 4


def test_connections_are_tracked_before_the_rules_and_until_the_tables_are_gone() -> None:
    diversion = Diversion("scar_t", (DOOR,))
    before = tracking(diversion)
    assert before.count("flags owner") == before.count("table ip") == before.count("dnat") == 2
    chains = [
        f"flush chain {family} scar_t {chain}"
        for family in ("ip", "ip6")
        for chain in ("pre", "out")
    ]
    assert let_go(diversion).splitlines() == chains


def test_open_connections_go_on_on_a_host_without_rules_of_its_own() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has a network of its own")
    command = ["unshare", "--net", sys.executable, "-m", "tests.diversion.loopback"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.stdout.startswith("unable"):
        pytest.skip(done.stdout)
    assert done.stdout == "as before\n", done.stderr


def test_the_stand_in_sees_the_clients_address_where_the_engine_keeps_rules() -> None:
    assert rules_of(replace(DOOR, local_ipv6=0), direct=True) == [
        'iifname { "br-1", "docker0" } fib daddr type local tcp dport 8080 redirect to :32768',
        "fib daddr type local tcp dport 8080 dnat to 172.18.0.9:80",
        "fib daddr type local tcp dport 8080 dnat to 127.0.0.1:32768",
    ]


def test_without_a_proxy_every_connection_goes_to_the_stand_in_itself() -> None:
    rules = rules_of(replace(DOOR, local_ipv6=0), direct=True, proxied=False)
    assert rules == ["fib daddr type local tcp dport 8080 dnat to 172.18.0.9:80"] * 2


def test_without_the_engines_rules_every_connection_goes_through_its_proxy() -> None:
    rules = rules_of(replace(DOOR, local_ipv6=0), direct=False)
    assert not [rule for rule in rules if "172.18.0.9" in rule]


def test_ipv6_goes_to_the_port_that_the_engine_has_opened_for_it() -> None:
    redirected = "fib daddr type local tcp dport 8080 redirect to :32769"
    assert rules_of(DOOR, direct=True)[-2:] == [redirected] * 2
    with_address = replace(DOOR, address_ipv6="fd00::9")
    straight = "fib daddr type local tcp dport 8080 dnat to [fd00::9]:80"
    assert rules_of(with_address, direct=True)[-2:] == [straight, redirected]
    assert rules_of(with_address, direct=True, proxied=False)[-2:] == [straight] * 2


def test_a_port_of_one_address_is_diverted_there_alone() -> None:
    outside = rules_of(replace(DOOR, host_ip="10.0.0.5"), direct=True)
    assert all("ip daddr 10.0.0.5 tcp dport 8080" in rule for rule in outside)
    assert rules_of(replace(DOOR, host_ip="127.0.0.1"), direct=True) == [
        "ip daddr 127.0.0.1 tcp dport 8080 dnat to 127.0.0.1:32768"
    ]


def test_a_firewall_rule_of_a_person_with_the_old_address_is_seen() -> None:
    listed = IPTABLES % "ip daddr 172.18.0.2 accept"
    assert rule_that_names(listed, DOOR.replaced) == "ip daddr 172.18.0.2 accept"
    assert rule_that_names(IPTABLES % "ip daddr 172.18.0.22 accept", DOOR.replaced) is None
    own = "table inet mine {\n\tchain input {\n\t\tip saddr { 172.18.0.2, 10.0.0.1 } drop\n"
    assert rule_that_names(own, DOOR.replaced) == "ip saddr { 172.18.0.2, 10.0.0.1 } drop"


def test_whether_the_engine_keeps_rules_shows_in_nftables_or_in_the_legacy_tables() -> None:
    assert engine_keeps_rules(IPTABLES % "", "")
    assert engine_keeps_rules("table ip docker-bridges {\n", "")
    assert engine_keeps_rules("", "filter\nnat\n")
    assert not engine_keeps_rules("table ip nat {\n\tchain POSTROUTING {\n", "filter\n")


def test_a_diversion_ends_when_the_stand_in_fails_three_times_in_a_row() -> None:
    said = [True, False, False, True, False, False, False]
    asked = iter(said)
    watch(Diversion("t", (DOOR,)), lambda _: next(asked), pause=lambda _: None)
    assert list(asked) == []


def test_a_diversion_ends_after_its_time() -> None:
    now = iter(range(100))
    watch(
        Diversion("t", (DOOR,), seconds=30.0),
        lambda _: True,
        clock=lambda: float(next(now)),
        pause=lambda _: None,
    )
    assert next(now) < 40


def test_the_argument_of_the_program_is_read_as_it_was_written() -> None:
    diversion = Diversion("scar_t", (DOOR,))
    assert Diversion.from_argument(diversion.to_argument()) == diversion


def test_what_a_compose_file_names_ends_no_rule_and_begins_none() -> None:
    for field in ("host_ip", "address", "address_ipv6"):
        spoilt = replace(DOOR, **{field: '0.0.0.0 accept; add rule x "'})  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="accept"):
            Diversion.from_argument(Diversion("scar_t", (spoilt,)).to_argument())
    bridges = ["br-1", 'a"}drop#']
    text = ruleset(Diversion("t", (DOOR,)), bridges=bridges, direct=True, proxied={})
    assert 'iifname { "br-1" }' in text
    assert "drop" not in text
