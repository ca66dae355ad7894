"""What is diverted, as the worker passes it to the program."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Door:
    """One published TCP port.

    `host_ip` is empty where it is open on every address. `address` and `target` are those of the
    stand-in on the Engine's network interface `bridge`, `local` the port of the host that the
    Engine has published for it, `local_ipv6` the same for IPv6, 0 where there is none.
    `address_ipv6` is the stand-in's own, empty where it has none. `replaced` are the addresses of
    the container that is replaced: a firewall rule that names one does not count for the stand-in.
    """

    port: int
    host_ip: str
    address: str
    target: int
    bridge: str
    local: int
    local_ipv6: int
    replaced: tuple[str, ...] = ()
    address_ipv6: str = ""


@dataclass(frozen=True)
class Diversion:
    """All doors of one project. `table` is the table's name, which is also what the process is
    known by; `seconds` is the longest that it may last, `linger` how long the process stays for
    open connections once it diverts no new one.
    """

    begun: ClassVar[str] = "diverting"

    table: str
    doors: tuple[Door, ...]
    seconds: float = 1800.0
    linger: float = 1.0

    def to_argument(self) -> str:
        """Return it as one argument of the program."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_argument(cls, argument: str) -> Diversion:
        """Return what `to_argument` wrote; raise `ValueError` where an address is none: it becomes
        part of a firewall rule, and the Compose file has named it.
        """
        document = json.loads(argument)
        doors = tuple(
            Door(**{**door, "replaced": tuple(door["replaced"])}) for door in document["doors"]
        )
        for door in doors:
            for address in filter(None, (door.host_ip, door.address)):
                ipaddress.IPv4Address(address)
            if door.address_ipv6:
                ipaddress.IPv6Address(door.address_ipv6)
        return cls(document["table"], doors, float(document["seconds"]), float(document["linger"]))
