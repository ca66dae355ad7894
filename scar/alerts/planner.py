"""Decides which messages about alerts a chat gets next. It reads no clock, no Redis and no
platform.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import NamedTuple

from scar.alerts.alert import CRITICAL, Alert
from scar.alerts.told import AlertMessage

_MINUTE_MS = 60_000
_DAY_MS = 86_400_000
_REPEATS_MS = (30 * _MINUTE_MS, 120 * _MINUTE_MS, 360 * _MINUTE_MS)
"""When an alert that nobody acknowledged is repeated, in milliseconds after its first message;
after these, daily.
"""


class Act(Enum):
    """What to do with the message about a group of alerts."""

    RING = "ring"
    EDIT = "edit"
    WORSEN = "worsen"
    RECOVER = "recover"
    REPEAT = "repeat"
    FORGET = "forget"


@dataclass(frozen=True)
class AlertStep:
    """One act for one group of alerts. `told` is the record of its message; None for a new one."""

    act: Act
    chat: str
    alerts: tuple[Alert, ...]
    told: AlertMessage | None
    silent: bool = False


def plan(
    chat: str,
    alerts: Sequence[Alert],
    told: Mapping[str, AlertMessage],
    *,
    now: int,
    is_muted: Callable[[Alert], bool],
    is_quiet: bool,
) -> Iterator[AlertStep]:
    """Yield what to send to a chat now, at most one act for each group of alerts.

    `alerts` are those that concern the chat, `told` the records of its messages by group; `now` is
    in milliseconds. In quiet hours (`is_quiet`) only groups with something critical make a sound.
    """
    groups = {group: tuple(members) for group, members in _grouped(alerts)}
    for group, members in groups.items():
        loud = [alert for alert in members if alert.is_open and not is_muted(alert)]
        sound = _Sound(is_critical(loud), bool(loud) and not is_quiet)
        act = _act(members, told.get(group), sound, now=now)
        if act is not None:
            silent = all(map(is_muted, members))
            yield AlertStep(act, chat, members, told.get(group), silent)
    for group, message in told.items():
        if group not in groups:
            yield AlertStep(Act.FORGET, chat, (), message)


class _Sound(NamedTuple):
    """Whether there is something critical that may make a sound, or something else."""

    critical: bool
    other: bool


def _act(
    members: Sequence[Alert], message: AlertMessage | None, sound: _Sound, *, now: int
) -> Act | None:
    are_open = any(alert.is_open for alert in members)
    is_loud = any(sound)
    if message is None:
        return Act.RING if is_loud else None
    if message.closed:
        return None
    if not are_open:
        return Act.RECOVER
    if not message.reference:
        return Act.RING if is_loud else None
    if sound.critical and not message.critical:
        return Act.WORSEN
    if message.shown != versions(members):
        return Act.EDIT
    is_due = now >= message.first_at + repeat_after(message.rings)
    return Act.REPEAT if is_due and is_loud and not message.seen else None


def is_critical(alerts: Iterable[Alert]) -> bool:
    """Return whether one of the alerts is critical, and has not recovered."""
    return any(alert.is_open and alert.severity == CRITICAL for alert in alerts)


def repeat_after(rings: int) -> int:
    """Return how many milliseconds after the first ring the next one follows."""
    if rings <= len(_REPEATS_MS):
        return _REPEATS_MS[rings - 1]
    return _REPEATS_MS[-1] + (rings - len(_REPEATS_MS)) * _DAY_MS


def versions(alerts: Iterable[Alert]) -> str:
    """Return which versions of the alerts a message shows."""
    return " ".join(sorted(f"{alert.id}:{alert.version}" for alert in alerts))


def _grouped(alerts: Sequence[Alert]) -> Iterator[tuple[str, Iterator[Alert]]]:
    by_group = sorted(alerts, key=lambda alert: (alert.group, alert.id))
    return groupby(by_group, key=lambda alert: alert.group)
