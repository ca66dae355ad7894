"""Pure functions that decide whether a container behaves worse after a deploy than before. Events
are compared as a Poisson process: one more crash does not make a container worse that crashed once
an hour before, but it does if it never crashed. Such a finding is reported, but may be chance; only
findings that are `sure` are undone without a person. The limits are chosen so that healthy deploys
under load have no sure finding; tests/unit/test_bake_rules.py simulates hundreds of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SETTLING_SECONDS = 60
"""Seconds after a release in which memory and log lines are ignored, because programs start and
warm up.
"""

_LEAST_CHANCE, _SURE_CHANCE = 0.002, 0.0005
_LEAST_EXPECTED = 1e-4
_LEAST_WATCHED = 600.0
_WORSE_ERRORS, _LEAST_RATE, _LEAST_ERRORS, _LEAST_MINUTES = 6, 0.1, 10, 3
_LEAST_SAMPLES = 30
_MORE_MEMORY, _MORE_BYTES, _GROWTH, _STEADINESS = 1.3, 16 << 20, 1.05, 0.6


@dataclass(frozen=True)
class Behaviour:
    """How a container behaved for so many `seconds`: how often it ended unasked, how often its
    health check began to fail, the log lines of each whole minute that look like errors, and its
    memory in bytes, every ten seconds or every minute. `down` says that it should run and does not.
    """

    seconds: float
    deaths: int = 0
    flaps: int = 0
    errors: tuple[int, ...] = ()
    memory: tuple[int, ...] = ()
    down: bool = False


@dataclass(frozen=True)
class Worsening:
    """A finding: the `rule` and, in words, what was observed. `sure` says that the probability of
    chance is below 1 in 2000, even allowing for how little is known about the time before.
    """

    rule: str
    what: str
    sure: bool = True


def worsenings(before: Behaviour, after: Behaviour) -> list[Worsening]:
    """Return the findings that compare `after` with `before`."""
    rules = (_ends(before, after), _flaps(before, after), _errors(before, after))
    return [worsening for worsening in (*rules, _memory(before, after)) if worsening]


def _ends(before: Behaviour, after: Behaviour) -> Worsening | None:
    if after.down and not before.down:
        return Worsening("exits", f"does not run{_than(before.deaths)}")
    compared = _Counts(before.deaths, before.seconds, after.deaths, after.seconds)
    if not compared.are_more:
        return None
    what = f"has ended {_times(after.deaths)} by itself{_than(before.deaths)}"
    return Worsening("exits", what, compared.are_surely_more)


def _flaps(before: Behaviour, after: Behaviour) -> Worsening | None:
    compared = _Counts(before.flaps, before.seconds, after.flaps, after.seconds)
    if not compared.are_more:
        return None
    what = f"became unhealthy {_times(after.flaps)}{_than(before.flaps)}"
    return Worsening("health", what, compared.are_surely_more)


@dataclass(frozen=True)
class _Counts:
    """The numbers of events before and after, and the lengths of both times in seconds."""

    before: int
    seconds_before: float
    after: int
    seconds: float

    @property
    def are_more(self) -> bool:
        """Whether the later events are too many for the rate before."""
        expected = max(self._expected(self.before), _LEAST_EXPECTED)
        return self._chance(expected) < _LEAST_CHANCE

    @property
    def are_surely_more(self) -> bool:
        """Whether the later events are too many even if the true rate before was higher than the
        observed one (Jeffreys' prior).
        """
        return self._chance(self._expected(self.before + 0.5)) < _SURE_CHANCE

    def _expected(self, before: float) -> float:
        return before / max(self.seconds_before, _LEAST_WATCHED) * self.seconds

    def _chance(self, expected: float) -> float:
        """Return the probability that a Poisson process with `expected` events has at least as many
        as observed.
        """
        terms = (expected**n / math.factorial(n) for n in range(self.after))
        return 1 - math.exp(-expected) * sum(terms)


def _errors(before: Behaviour, after: Behaviour) -> Worsening | None:
    """Compare the rates of error lines, once some minutes before and after are known. A burst
    within one minute, such as a single traceback, is no finding.
    """
    if len(before.errors) < _LEAST_MINUTES or len(after.errors) < _LEAST_MINUTES:
        return None
    rate = (sum(before.errors) + 1) / len(before.errors)  # zero may have been chance
    limit = _WORSE_ERRORS * max(rate, _LEAST_RATE)
    total = sum(after.errors)
    bad = sum(count > limit for count in after.errors)
    if total < _LEAST_ERRORS or bad < _LEAST_MINUTES or total / len(after.errors) < limit:
        return None
    now = total / len(after.errors)
    return Worsening("errors", f"logs {now:.1f} error lines a minute, {rate:.1f} before")


def _memory(before: Behaviour, after: Behaviour) -> Worsening | None:
    """Find memory that keeps growing, unlike memory that warms up: it is above the level before the
    deploy, and grows from each third of the time to the next, at the end almost as fast as at the
    beginning.
    """
    if not before.memory or len(after.memory) < _LEAST_SAMPLES:
        return None
    third = len(after.memory) // 3
    parts = [after.memory[-third * (n + 1) : len(after.memory) - third * n] for n in (2, 1, 0)]
    means = [sum(part) / third for part in parts]
    known = max(before.memory)
    if means[2] < known * _MORE_MEMORY + _MORE_BYTES:
        return None
    if any(later < earlier * _GROWTH for earlier, later in pairwise(means)):
        return None
    if means[2] - means[1] < (means[1] - means[0]) * _STEADINESS:
        return None
    mib = 1 << 20
    return Worsening(
        "memory", f"takes more and more memory: {means[2] / mib:.0f} MiB, {known / mib:.0f} before"
    )


def whole_minutes(minutes: Sequence[tuple[int, int]], start: float, end: float) -> tuple[int, ...]:
    """Return the counts of the minutes (seconds since the epoch, count) that lie within a time."""
    return tuple(count for at, count in minutes if start <= at and at + 60 <= end)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _than(before: int) -> str:
    return f", {_times(before)} in all the time before" if before else ", never before"
