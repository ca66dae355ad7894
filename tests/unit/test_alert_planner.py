"""Which messages about alerts a chat gets, and when."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import fakeredis
import pytest
from redis import Redis

from scar.alerts.alert import Alert
from scar.alerts.hosts_away import HostsAway
from scar.alerts.planner import Act, plan, versions
from scar.alerts.told import AlertMessage
from scar.chat.alert_document import alert_document
from scar.settings.quiet_hours import QuietHours

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN = 1_800_000_000_000
CHAT = "telegram:1"
ALERT = Alert(
    id="A1",
    group="G1",
    host="default",
    project="shop",
    container="shop-web-1",
    service="web",
    rule="exited",
    severity="critical",
    what="has exited",
    why="It failed with exit code 1.",
    opened_at=BEGIN,
    changed_at=BEGIN,
)
CLOSED = replace(ALERT, version=2, closed_at=BEGIN + MINUTE)
TOLD = AlertMessage("G1", CHAT, "7", versions([ALERT]), BEGIN)


def _act(
    alerts: Sequence[Alert],
    told: AlertMessage | None,
    *,
    now: int = BEGIN,
    muted: bool = False,
    quiet: bool = False,
) -> Act | None:
    steps = plan(
        CHAT,
        alerts,
        {told.group: told} if told else {},
        now=now,
        is_muted=lambda _alert: muted,
        is_quiet=quiet,
    )
    return next((step.act for step in steps), None)


def test_an_alert_rings_once_and_is_edited_as_it_changes() -> None:
    assert _act([ALERT], None) is Act.RING
    assert _act([ALERT], TOLD) is None
    assert _act([replace(ALERT, version=2)], TOLD) is Act.EDIT


def test_what_gets_worse_makes_one_more_sound_unless_it_is_muted() -> None:
    warning = replace(ALERT, severity="warning")
    worse, told = replace(ALERT, version=2), replace(TOLD, critical=False)
    assert _act([warning], told) is None
    assert _act([replace(warning, version=2)], told) is Act.EDIT
    assert _act([worse], told) is Act.WORSEN
    assert _act([worse], told, quiet=True) is Act.WORSEN
    assert _act([worse], told, muted=True) is Act.EDIT
    assert _act([replace(warning, version=3)], TOLD) is Act.EDIT
    assert _act([replace(worse, closed_at=BEGIN + MINUTE)], told) is Act.RECOVER


def test_recovery_is_told_once_and_only_of_what_was_told() -> None:
    assert _act([CLOSED], None) is None
    assert _act([CLOSED], TOLD) is Act.RECOVER
    assert _act([CLOSED], replace(TOLD, closed=True)) is None
    assert _act([], TOLD) is Act.FORGET


def test_an_alert_whose_sending_is_uncertain_is_sent_again_or_its_recovery_announced() -> None:
    unsure = replace(TOLD, reference="")
    assert _act([ALERT], unsure) is Act.RING
    assert _act([CLOSED], unsure) is Act.RECOVER


def test_alerts_of_one_group_are_one_message() -> None:
    other = replace(ALERT, id="A2", container="shop-db-1", service="db")
    steps = [
        *plan(CHAT, [ALERT, other], {}, now=BEGIN, is_muted=lambda _alert: False, is_quiet=False)
    ]
    assert [(step.act, len(step.alerts)) for step in steps] == [(Act.RING, 2)]
    assert "2 things of host default" in alert_document(steps[0].alerts).text
    told = replace(TOLD, shown=versions([ALERT, other]))
    assert _act([CLOSED, other], told) is Act.EDIT


def test_an_alert_is_repeated_ever_slower_until_somebody_has_seen_it() -> None:
    rings: list[int] = []
    told = TOLD
    for minute in range(0, 3 * 24 * 60, 10):
        now = BEGIN + minute * MINUTE
        if _act([ALERT], told, now=now) is Act.REPEAT:
            rings.append(minute)
            told = replace(told, rings=told.rings + 1)
    assert rings == [30, 120, 360, 360 + 1440, 360 + 2880]
    assert _act([ALERT], replace(TOLD, seen=True), now=BEGIN + 30 * DAY) is None


def test_a_mute_silences_what_is_new_and_what_is_repeated() -> None:
    assert _act([ALERT], None, muted=True) is None
    assert _act([ALERT], TOLD, now=BEGIN + DAY, muted=True) is None
    steps = [*plan(CHAT, [CLOSED], {"G1": TOLD}, now=BEGIN, is_muted=bool, is_quiet=False)]
    assert [(step.act, step.silent) for step in steps] == [(Act.RECOVER, True)]


def test_quiet_hours_let_what_is_critical_through() -> None:
    warning = replace(ALERT, severity="warning")
    assert _act([warning], None, quiet=True) is None
    assert _act([warning], None) is Act.RING
    assert _act([ALERT], None, quiet=True) is Act.RING


@pytest.mark.parametrize(
    ("hours", "minute", "quiet"),
    [("22:00-07:00", 23 * 60, True), ("22:00-07:00", 7 * 60, False), ("1:00-2:30", 149, True)],
)
def test_quiet_hours_go_over_midnight(hours: str, minute: int, quiet: bool) -> None:
    moment = datetime.datetime(2026, 1, 5, minute // 60, minute % 60).astimezone()
    assert QuietHours.parse(hours).hold(moment.timestamp()) is quiet


def test_a_host_without_heartbeat_is_told_once_over_a_restart_and_closed_when_it_is_back() -> None:
    redis = cast("Redis", fakeredis.FakeRedis(decode_responses=True))
    now = BEGIN / 1000

    def beat(until: float) -> None:
        redis.zadd("scar:workers:alpha", {"alpha-1": int(until * 1000)})

    beat(now + 10)
    first = HostsAway(redis, clock_ms=lambda: int(now * 1000))
    for _ in range(8):
        assert first.look(["alpha"], []) == ()
        now += 5
    now += 1
    (away,) = first.look(["alpha"], [])
    assert (away.rule, away.is_open, away.opened_at) == ("host_away", True, BEGIN + 10_000)
    second = HostsAway(redis, clock_ms=lambda: int(now * 1000))
    assert second.look(["alpha"], [away.group])[0].group == away.group
    beat(now + 10)
    (back,) = HostsAway(redis, clock_ms=lambda: int(now * 1000)).look(["alpha"], [away.group])
    assert (back.group, back.is_open) == (away.group, False)
    assert second.look(["alpha"], [away.group])[0].closed_at == BEGIN + 41_000


def test_a_heartbeat_of_before_everything_was_restarted_is_no_host_away() -> None:
    redis = cast("Redis", fakeredis.FakeRedis(decode_responses=True))
    now = BEGIN / 1000
    redis.zadd("scar:workers:alpha", {"alpha-1": BEGIN - DAY})
    hosts = HostsAway(redis, clock_ms=lambda: int(now * 1000))
    for _ in range(6):
        assert hosts.look(["alpha"], []) == ()
        now += 5
    (away,) = hosts.look(["alpha"], [])
    assert away.opened_at == BEGIN - DAY
    now += 300  # Redis was away, and with it every heartbeat
    redis.zadd("scar:workers:beta", {"beta-1": int(now * 1000) - 200_000})
    assert [alert.host for alert in hosts.look(["alpha", "beta"], [])] == ["alpha"]


def test_a_wrong_clock_of_this_machine_makes_no_host_away(monkeypatch: pytest.MonkeyPatch) -> None:
    redis = cast("Redis", fakeredis.FakeRedis(decode_responses=True))
    monkeypatch.setattr(redis, "time", lambda: (BEGIN // 1000 - 3600, 0))
    for host, seconds in (("alive", 5), ("gone", -5)):
        redis.zadd(f"scar:workers:{host}", {"1": BEGIN - 3_600_000 + seconds * 1000})
    assert HostsAway(redis).silent(["alive", "gone"]) == ["gone"]
