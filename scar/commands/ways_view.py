"""Renders how each service is replaced, for the question and for the result."""

from __future__ import annotations

from collections.abc import Iterable

from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.ways import NO_DOWNTIME, PLAIN, ServiceWay

_OFFER = 'add "zero_downtime": true to the project in the projects file'


def way_lines(ways: Iterable[ServiceWay], downtime: str | None) -> list[str]:
    """Return one line for each service: how it is replaced, and why. `downtime` is the estimate."""
    about = downtime if downtime and downtime != NO_DOWNTIME else "some"
    return [
        f"{way.service}: {about} of downtime ({way.why})"
        if way.way == PLAIN
        else f"{way.service}: no downtime (stand-in{'; ' if way.why else ''}{way.why})"
        for way in ways
    ]


def offer_lines(services: tuple[str, ...]) -> list[str]:
    """Return the line that suggests `zero_downtime`; nothing if no service could have a
    stand-in.
    """
    return [f"💡 Possible without downtime: {', '.join(services)}; {_OFFER}"] if services else []


def forecast_text(release: ReleaseRow) -> str:
    """Return the downtime that the question had announced, in brackets; an empty text if it
    announced none.
    """
    return f" (said: {release.forecast})" if release.forecast else ""


def score_lines(releases: Iterable[ReleaseRow]) -> list[str]:
    """Return the line that says how many releases had at most the announced downtime; nothing if
    that is unknown.
    """
    known = [release.as_said for release in releases if release.as_said is not None]
    return [f"🎯 Downtime as said: {sum(known)} of {len(known)}"] if known else []
