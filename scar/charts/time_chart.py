"""Curves over time, one panel below the other, as a dark picture that a phone shows well."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Curve:
    """The values of one thing, one for each step; None where there is none."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class Panel:
    """A part of the picture with an axis of its own. `unit` is percent, bytes or rate."""

    title: str
    unit: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Mark:
    """A moment (seconds since the epoch) in which something happened: deploy, rollback, alert."""

    at: int
    kind: str


@dataclass(frozen=True)
class TimeChart:
    """The content of a picture. The first value of each curve is of `start` (seconds since the
    epoch), the next of `step` seconds later. `zone` names the time zone of the axis, this host's.
    """

    title: str
    zone: str
    start: int
    step: int
    panels: tuple[Panel, ...]
    marks: tuple[Mark, ...] = ()

    @property
    def seconds(self) -> int:
        """The time that the picture shows."""
        return self.step * max((len(c.values) for p in self.panels for c in p.curves), default=0)
