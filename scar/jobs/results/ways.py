"""The ways in which a service is replaced: with downtime or without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.json_record import JsonRecord

STAND_IN = "stand_in"
PLAIN = "plain"
NO_DOWNTIME = "none"
"""The announced downtime if every service has a stand-in."""


@dataclass(frozen=True)
class ServiceWay(JsonRecord):
    """How one running service is replaced or restarted."""

    service: str
    way: Annotated[str, "`stand_in`: another container takes its connections; or `plain`"]
    why: Annotated[str, "Why the way is plain, or what to mind, in a few words"] = ""


def all_plain(ways: tuple[ServiceWay, ...], reason: str) -> tuple[ServiceWay, ...]:
    """Return the ways of a deployment whose stand-ins failed for `reason`."""
    return tuple(
        ServiceWay(way.service, PLAIN, reason) if way.way == STAND_IN else way for way in ways
    )


def without_downtime(ways: tuple[ServiceWay, ...]) -> bool:
    """Return whether every service has a stand-in."""
    return bool(ways) and all(way.way == STAND_IN for way in ways)
