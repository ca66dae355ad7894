"""The ways in which a service is replaced: with downtime or without."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from scar.jobs.results.json_record import JsonRecord

STAND_IN = "stand_in"
HELD = "held"
PLAIN = "plain"
NO_DOWNTIME = "none"
"""The announced downtime if every service has a stand-in, and its first word if connections of
others wait.
"""


@dataclass(frozen=True)
class ServiceWay(JsonRecord):
    """How one running service is replaced or restarted."""

    service: str
    way: Annotated[
        str,
        "`stand_in`: another container takes its connections; `held`: new connections wait until "
        "the new container answers; or `plain`",
    ]
    why: Annotated[str, "Why it has no stand-in, or what to mind, in a few words"] = ""
    seconds: Annotated[
        float | None, "How long new connections wait where they are held: expected, then measured"
    ] = None


def all_plain(ways: tuple[ServiceWay, ...], reason: str) -> tuple[ServiceWay, ...]:
    """Return the ways of a deployment whose stand-ins failed for `reason`."""
    return tuple(
        ServiceWay(way.service, PLAIN, reason) if way.way == STAND_IN else way for way in ways
    )


def with_waits(
    ways: tuple[ServiceWay, ...], waits: Mapping[str, tuple[float, str]]
) -> tuple[ServiceWay, ...]:
    """Return the ways with what was measured: by service how long its connections were held, and
    why they were not, or not long enough, empty where they were.
    """

    def measured(way: ServiceWay) -> ServiceWay:
        seconds, why = waits[way.service]
        return ServiceWay(way.service, PLAIN, why) if why else replace(way, seconds=seconds)

    return tuple(measured(way) if way.way == HELD and way.service in waits else way for way in ways)


def estimate_without_downtime(ways: tuple[ServiceWay, ...]) -> str | None:
    """Return the estimate where no connection is refused: every service has a stand-in or is held.
    None where one has neither.
    """
    if not ways or any(way.way == PLAIN for way in ways):
        return None
    wait = longest_wait(ways)
    return NO_DOWNTIME if wait is None else f"{NO_DOWNTIME}, connections wait about {wait:.0f} s"


def longest_wait(ways: tuple[ServiceWay, ...]) -> float | None:
    """Return how long connections wait at most, None where none do."""
    return max((way.seconds or 0.0 for way in ways if way.way == HELD), default=None)
