"""What is held, as the worker passes it to the program."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from typing import ClassVar

LONGEST_SECONDS = 8.0
HELD = "held"
GAVE_UP = "gave up"
"""How a hold ends, in the last line that the program prints; the seconds follow."""


@dataclass(frozen=True, order=True)
class HeldPort:
    """One published TCP port; `host_ip` is empty where it is open on every address."""

    port: int
    host_ip: str = ""


@dataclass(frozen=True)
class Hold:
    """The ports of one service. `table` is the table's name, which is also what the process is
    known by; `seconds` is the longest that a connection is held.
    """

    begun: ClassVar[str] = "holding"

    table: str
    held: tuple[HeldPort, ...]
    seconds: float = LONGEST_SECONDS

    def to_argument(self) -> str:
        """Return it as one argument of the program."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @staticmethod
    def is_meant_by(argument: str) -> bool:
        """Return whether an argument is of a hold, not of a diversion."""
        return "held" in json.loads(argument)

    @classmethod
    def from_argument(cls, argument: str) -> Hold:
        """Return what `to_argument` wrote; raise `ValueError` where an address is none."""
        document = json.loads(argument)
        ports = tuple(HeldPort(**port) for port in document["held"])
        for address in filter(None, (port.host_ip for port in ports)):
            ipaddress.IPv4Address(address)
        return cls(document["table"], ports, float(document["seconds"]))
