"""Writes the nftables rules of a diversion, and reads what a firewall has already.

Docker's own chains of type nat stand at priority -100, so that a decision at -110 comes first, and
the first one counts. Connections that are open already keep their way, with the table and after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.diversion.door import Diversion, Door

_PRIORITY = -110
_ENGINES_TABLES = frozenset({"filter", "nat", "raw", "mangle", "docker-bridges"})
_CHAIN = re.compile(r"\s*chain (\S+) \{")
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")
"""A Compose file may name the bridge of a network, and the kernel takes nearly everything."""

_TABLE = re.compile(r"table \S+ (\S+) \{")


def ruleset(
    diversion: Diversion, *, bridges: Sequence[str], direct: bool, proxied: dict[str, bool]
) -> str:
    """Return the text that makes the tables of a diversion.

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
        if door.local_ipv6 and not door.host_ip:
            own = direct and bool(door.address_ipv6)
            local = f"redirect to :{door.local_ipv6}"
            straight = f"dnat to [{door.address_ipv6}]:{door.target}" if own else local
            alone = own and not through_proxy
            before_ipv6 += [] if alone else _from_bridges(door, bridges, local)
            before_ipv6.append(f"{_match(door)} {straight}")
            out_ipv6.append(f"{_match(door)} {straight if alone else local}")
    text = _table("ip", diversion.table, before, out)
    return text + (_table("ip6", diversion.table, before_ipv6, out_ipv6) if out_ipv6 else "")


def _from_bridges(door: Door, bridges: Sequence[str], action: str) -> list[str]:
    """Return the rule for containers: the Engine lets none of another network through directly."""
    names = ", ".join(f'"{name}"' for name in sorted(bridges) if _INTERFACE.fullmatch(name))
    return [f"iifname {{ {names} }} {_match(door)} {action}"] if names else []


def _match(door: Door) -> str:
    where = f"ip daddr {door.host_ip}" if door.host_ip else "fib daddr type local"
    return f"{where} tcp dport {door.port}"


def _local(door: Door, *, out: bool = False) -> str:
    if door.host_ip:
        return f"dnat to {door.host_ip}:{door.local}"
    return f"dnat to 127.0.0.1:{door.local}" if out else f"redirect to :{door.local}"


def _table(family: str, name: str, before: Sequence[str], out: Sequence[str]) -> str:
    return "\n".join(
        [
            f"table {family} {name} {{",
            "flags owner",
            *_chain("pre", "prerouting", before),
            *_chain("out", "output", out),
            "}\n",
        ]
    )


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
