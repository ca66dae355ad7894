"""Writes the nftables rules of a diversion, and reads what a firewall has already.

Docker's own chains of type nat stand at priority -100, so that a decision at -110 comes first, and
the first one counts. Connections that are open already keep their way, with the rules and after
them.

The kernel tracks and translates connections only while something asks for it, by protocol: with the
last rule of type nat, translated connections lose their way, and once it tracks again, an open
connection looks to it like a new one. So that neither happens to a host without such rules of its
own, tracking is asked for before the first rule and until after the last, and a rule counts for the
first packet of a connection alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.diversion.door import Diversion, Door

_PRIORITY = -110
_CHAINS = ("pre", "out")
_FIRST_PACKET = "tcp flags & (fin | syn | rst | ack) == syn"
_NOBODYS = "ip daddr 192.0.2.1 tcp dport 9 dnat to 192.0.2.1:9"
_NOBODYS_IPV6 = "ip6 daddr 2001:db8::1 tcp dport 9 dnat to [2001:db8::1]:9"
_ENGINES_TABLES = frozenset({"filter", "nat", "raw", "mangle", "docker-bridges"})
_CHAIN = re.compile(r"\s*chain (\S+) \{")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
"""A Compose file may name the bridge of a network, and the kernel takes nearly everything."""

_TABLE = re.compile(r"table \S+ (\S+) \{")


def tracking(diversion: Diversion) -> str:
    """Return the text that makes the tables with a rule that fits no packet: RFC 5737, RFC 3849."""
    text = _table("ip", diversion.table, _chain("tracking", "output", [_NOBODYS]))
    if any(_has_ipv6(door) for door in diversion.doors):
        text += _table("ip6", diversion.table, _chain("tracking", "output", [_NOBODYS_IPV6]))
    return text


def let_go(diversion: Diversion) -> str:
    """Return the text that ends a diversion of new connections: those to a stand-in keep their way
    as long as the tables are there.
    """
    families = ["ip", *(["ip6"] if any(map(_has_ipv6, diversion.doors)) else [])]
    return "".join(
        f"flush chain {family} {diversion.table} {chain}\n"
        for family in families
        for chain in _CHAINS
    )


def ruleset(
    diversion: Diversion, *, bridges: Sequence[str], direct: bool, proxied: dict[str, bool]
) -> str:
    """Return the text that puts the rules into the tables of a diversion.

    `direct`: the Engine keeps firewall rules, so that packets may be sent to the stand-in itself
    and it sees the client's address; otherwise they go to its own published port. `proxied`: by
    bridge, whether connections of this host go through the Engine's proxy.
    """
    before: list[str] = []
    out: list[str] = []
    before_ipv6: list[str] = []
    out_ipv6: list[str] = []
    for door in diversion.doors:
        through_proxy = proxied.get(door.bridge, True)
        straight = f"dnat to {door.address}:{door.target}" if direct else _local(door)
        alone = direct and not through_proxy
        if not door.host_ip.startswith("127."):
            before += [] if alone else _from_bridges(door, bridges, _local(door))
            before.append(f"{_match(door)} {straight}")
        out.append(f"{_match(door)} {straight if alone else _local(door, out=True)}")
        if _has_ipv6(door):
            own = direct and bool(door.address_ipv6)
            local = f"redirect to :{door.local_ipv6}"
            straight = f"dnat to [{door.address_ipv6}]:{door.target}" if own else local
            alone = own and not through_proxy
            before_ipv6 += [] if alone else _from_bridges(door, bridges, local)
            before_ipv6.append(f"{_match(door)} {straight}")
            out_ipv6.append(f"{_match(door)} {straight if alone else local}")
    text = _table("ip", diversion.table, _both_chains(before, out))
    return text + (
        _table("ip6", diversion.table, _both_chains(before_ipv6, out_ipv6)) if out_ipv6 else ""
    )


def _has_ipv6(door: Door) -> bool:
    return bool(door.local_ipv6) and not door.host_ip


def _from_bridges(door: Door, bridges: Sequence[str], action: str) -> list[str]:
    """Return the rule for containers: the Engine lets none of another network through directly."""
    names = ", ".join(f'"{name}"' for name in sorted(bridges) if _INTERFACE.fullmatch(name))
    return [f"iifname {{ {names} }} {_match(door)} {action}"] if names else []


def _match(door: Door) -> str:
    where = f"ip daddr {door.host_ip}" if door.host_ip else "fib daddr type local"
    return f"{where} tcp dport {door.port} {_FIRST_PACKET}"


def _local(door: Door, *, out: bool = False) -> str:
    if door.host_ip:
        return f"dnat to {door.host_ip}:{door.local}"
    return f"dnat to 127.0.0.1:{door.local}" if out else f"redirect to :{door.local}"


def _table(family: str, name: str, chains: Sequence[str]) -> str:
    return "\n".join([f"table {family} {name} {{", "flags owner", *chains, "}\n"])


def _both_chains(before: Sequence[str], out: Sequence[str]) -> list[str]:
    hooks = zip(_CHAINS, ("prerouting", "output"), (before, out), strict=True)
    return [line for name, hook, rules in hooks for line in _chain(name, hook, rules)]


def _chain(name: str, hook: str, rules: Sequence[str]) -> list[str]:
    head = f"type nat hook {hook} priority {_PRIORITY}; policy accept;"
    return [f"chain {name} {{", head, *rules, "}"]


def engine_keeps_rules(listed: str, legacy_tables: str) -> bool:
    """Return whether the Engine keeps firewall rules for its ports.

    `listed` is `nft list ruleset`; `legacy_tables` is /proc/net/ip_tables_names, whose rules
    nftables does not show. Without any rules, the Engine runs with `--iptables=false`.
    """
    tables = {match[1] for line in listed.splitlines() if (match := _TABLE.match(line))}
    chains = {match[1] for line in listed.splitlines() if (match := _CHAIN.match(line))}
    return "docker-bridges" in tables or "DOCKER" in chains or "nat" in legacy_tables.split()


def rule_that_names(listed: str, addresses: Sequence[str]) -> str | None:
    """Return the first rule of a person that names one of the addresses.

    The Engine's own rules name them too; its chain DOCKER-USER and other tables are a person's.
    """
    table = chain = ""
    for line in listed.splitlines():
        table = match[1] if (match := _TABLE.match(line)) else table
        chain = match[1] if (match := _CHAIN.match(line)) else chain
        if table in _ENGINES_TABLES and chain != "DOCKER-USER":
            continue
        words = re.split(r"[\s,{}:/]+", line)
        if any(address in words for address in addresses):
            return line.strip()
    return None
