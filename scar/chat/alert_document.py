"""Renders alerts as messages: what is wrong, why, after which release it began, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from scar.alerts.alert import CRITICAL, Alert, ReleaseRef
from scar.alerts.mute import host_thing
from scar.commands.release_lines import short_id
from scar.commands.text_format import counted, local_time, uptime
from scar.document import Button, Code, Document, Line, Link
from scar.jobs.links import Links

_LOG_LINES = 50
_MOST_NAMED = 10
_RECENT_MS = 24 * 3_600_000
"""A release older than this when an alert begins is not named as its likely cause."""


def alert_document(alerts: Sequence[Alert]) -> Document:
    """Return the message about a group of alerts, whether some are open or all have recovered."""
    if len(alerts) == 1:
        return _of_one(alerts[0])
    are_open = [alert for alert in alerts if alert.is_open]
    if are_open:
        heading = f"{_sign(are_open)} {counted(len(are_open), 'thing')} of host {alerts[0].host}"
        heading += " went wrong at once"
    else:
        heading = f"✅ All {len(alerts)} of host {alerts[0].host} have recovered"
    lines = [_line_of(alert) for alert in alerts[:_MOST_NAMED]]
    if len(alerts) > _MOST_NAMED:
        lines.append(f"… and {len(alerts) - _MOST_NAMED} more")
    return Document((Line(heading), *map(Line, lines)), _buttons_of_many(are_open))


def alert_links(alerts: Sequence[Alert], links: Links) -> tuple[Link, ...]:
    """Return the links to the project, and to the deploy since which it is so."""
    projects = {alert.project for alert in alerts if alert.project}
    if len(projects) != 1:
        return ()
    release = alerts[0].release if len(alerts) == 1 else None
    of_deploy = links.of_job(release.id, "Its deploy") if release else ()
    return (*of_deploy, *links.of_project(projects.pop()))


def recovery_document(alerts: Sequence[Alert]) -> Document:
    """Return the short reply that announces the recovery."""
    longest = max(alerts, key=seconds_of)
    what = alerts[0].name if len(alerts) == 1 else f"All {len(alerts)} of host {alerts[0].host}"
    verb = "has" if len(alerts) == 1 else "have"
    return Document.of(f"✅ {what} {verb} recovered after {uptime(seconds_of(longest))}")


def worse_document(alerts: Sequence[Alert]) -> Document:
    """Return the reply that says that something critical has come of a warning."""
    critical = [alert for alert in alerts if alert.is_open and alert.severity == CRITICAL]
    more = f", and {len(critical) - 1} more" if len(critical) > 1 else ""
    return Document.of(f"🔴 Now critical: {critical[0].name} {critical[0].what}{more}")


def repeat_document(alerts: Sequence[Alert], now: int) -> Document:
    """Return the reply that repeats an alert that has not recovered. `now` is in milliseconds."""
    are_open = [alert for alert in alerts if alert.is_open]
    first = min(are_open, key=lambda alert: alert.opened_at)
    more = f", and {len(are_open) - 1} more" if len(are_open) > 1 else ""
    since = uptime((now - first.opened_at) / 1000)
    return Document.of(f"⏰ For {since}: {first.name} {first.what}{more}")


def seconds_of(alert: Alert) -> float:
    """Return how long an alert was open."""
    return ((alert.closed_at or alert.changed_at) - alert.opened_at) / 1000


def _of_one(alert: Alert) -> Document:
    if not alert.is_open:
        return Document.of(
            f"✅ {alert.name} has recovered after {uptime(seconds_of(alert))}",
            f"Before, from {local_time(alert.opened_at)}: {alert.what}. {alert.why}",
        )
    blocks: list[Line | Code] = [Line(f"{_sign([alert])} {alert.name} {alert.what}")]
    blocks.append(Line(f"💡 {alert.why}"))
    blocks += [Line(line) for line in (_since_release(alert),) if line]
    if alert.lines:
        blocks.append(Code("\n".join(alert.lines)))
    return Document(tuple(blocks), _buttons_of_one(alert))


def _since_release(alert: Alert) -> str:
    """Return the line that says after which release the alert began, and how long after."""
    began = local_time(alert.opened_at)
    release = alert.release
    if release is None:
        return f"🕐 Since {began}"
    after = alert.opened_at - release.at
    if 0 <= after <= _RECENT_MS:
        return f"📦 First seen {uptime(after / 1000)} after release {_release(release)}"
    return f"🕐 Since {began}; the release is {_release(release)}"


def _release(release: ReleaseRef) -> str:
    commit = f", {release.commit[:7]}" if release.commit else ""
    return f"{short_id(release.id)} ({release.by}, {local_time(release.at)}{commit})"


def _line_of(alert: Alert) -> str:
    if not alert.is_open:
        return f"✅ {alert.name}: recovered after {uptime(seconds_of(alert))}"
    return f"{_sign([alert])} {alert.name} {alert.what}. {alert.why}"


def _sign(alerts: Sequence[Alert]) -> str:
    return "🔴" if any(alert.severity == CRITICAL for alert in alerts) else "🟠"


def _buttons_of_one(alert: Alert) -> tuple[Button, ...]:
    if not alert.container:
        until = f"/docker_alerts {host_thing(alert.host)} recovery"
        return (
            Button("📋 Alerts", "list", "/docker_alerts list"),
            Button("🔕 Until it recovers", "until", until),
        )
    project, earlier = alert.project, alert.rollback_to
    buttons = [
        Button("📜 Logs", "logs", f"/docker_logs {alert.thing} {_LOG_LINES}"),
        Button("🔄 Restart", "restart", f"/docker_restart {project}"),
    ]
    if earlier is not None:
        label = f"⏪ Roll back to {local_time(earlier.at)}"
        command = f"/docker_rollback {project} {short_id(earlier.id)}"
        buttons.append(Button(label, "back", command))
    return (*buttons, *_mute_buttons(alert.thing))


def _buttons_of_many(alerts: Sequence[Alert]) -> tuple[Button, ...]:
    projects = sorted({alert.project for alert in alerts if alert.project})
    if len(projects) == 1:
        logs = Button("📊 Status", "status", f"/docker_status {projects[0]}")
        return (logs, *_mute_buttons(projects[0]))
    return (Button("📋 Alerts", "list", "/docker_alerts list"),)


def _mute_buttons(thing: str) -> tuple[Button, ...]:
    return (
        Button("🔕 Mute 2 h", "mute", f"/docker_alerts {thing} 2h"),
        Button("🔕 Until it recovers", "until", f"/docker_alerts {thing} recovery"),
    )
