"""Renders how each service is replaced, for the question and for the result."""

from __future__ import annotations

from collections.abc import Iterable

from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.json_record import Absent
from scar.jobs.results.ways import HELD, NO_DOWNTIME, STAND_IN, ServiceWay

_OFFER = 'add "zero_downtime": true to the project in the projects file'


def way_lines(ways: Iterable[ServiceWay], downtime: str | None) -> list[str]:
    """Return one line for each service: how it will be, and why. `downtime` is the estimate."""
    about = downtime if downtime and not downtime.startswith(NO_DOWNTIME) else "some"
    return [f"{way.service}: {_how(way, about)}" for way in ways]


def _how(way: ServiceWay, about: str) -> str:
    if way.way == STAND_IN:
        return f"no downtime (stand-in{'; ' if way.why else ''}{way.why})"
    if way.way == HELD:
        return f"new connections wait about {way.seconds or 0:.0f} s ({way.why})"
    return f"{about} of downtime ({way.why})"


def wait_lines(ways: tuple[ServiceWay, ...] | Absent) -> list[str]:
    """Return one line for each service whose connections were held: how long, as measured."""
    return [
        f"⏳ {way.service}: new connections waited {way.seconds or 0:.1f}s"
        for way in ways or ()
        if way.way == HELD
    ]


def offer_lines(services: tuple[str, ...]) -> list[str]:
    """Return the line that suggests `zero_downtime`; nothing if no service could have a
    stand-in.
    """
    return [f"💡 Possible without downtime: {', '.join(services)}; {_OFFER}"] if services else []


def forecast_text(release: ReleaseRow) -> str:
    """Return how long connections waited, and what was said before, in brackets; empty where there
    was neither.
    """
    waited = "" if release.waited is None else f", connections waited {release.waited:.1f}s"
    return waited + (f" (said: {release.forecast})" if release.forecast else "")


def score_lines(releases: Iterable[ReleaseRow]) -> list[str]:
    """Return the line that says how many releases had at most the announced downtime; nothing if
    that is unknown.
    """
    known = [release.as_said for release in releases if release.as_said is not None]
    return [f"🎯 Downtime as said: {sum(known)} of {len(known)}"] if known else []
