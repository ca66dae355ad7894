"""`/docker_alerts`: switches alerts on and off in a chat, mutes them, and lists the present
ones.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scar.access import Actor, Role
from scar.alerts.mute import host_named, host_thing
from scar.commands.command import Command
from scar.commands.host_alerts import host_reply, is_of_silent_host
from scar.commands.local_command import CommandContext, LocalCommand
from scar.commands.text_format import counted, local_time, uptime
from scar.document import Document
from scar.errors import ScarError, container_not_found
from scar.projects import Project
from scar.settings.front_end import front_end_settings

if TYPE_CHECKING:
    from scar.alerts.mute import Mute

_DURATION = re.compile(r"([1-9]\d{0,2})([mhd])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_WORDS = ("on", "off", "list", "recovery")
_MOST_LISTED = 20


@dataclass(frozen=True)
class _Wish:
    """The parsed words: one of `_WORDS` or a duration, for a project or one of its containers."""

    word: str
    project: Project
    container: str

    @property
    def thing(self) -> str:
        return f"{self.project.name}/{self.container}" if self.container else self.project.name


class AlertsCommand(LocalCommand):
    """Switches the alerts of a project on or off in this chat, or mutes them for a time.

    `recovery` mutes the present alerts until they have recovered. Without a word it lists the
    alerts, the mutes of this chat, and the projects whose alerts it gets.
    """

    word = "docker_alerts"
    usage = "[project[/container]] [on|off|2h|recovery|list]"
    summary = "alerts to this chat, or silence for a while"
    noun = "a change of the alerts"
    examples = ("shop on", "shop off", "shop 2h", "shop/shop-web-1 recovery", "list")
    role = Role.OPERATOR
    rank = 26

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:
        names = [word for word in words if not _is_wish(word)]
        wishes = [word for word in words if _is_wish(word)]
        if len(names) > 1 or len(wishes) > 1:
            raise self.misuse(f"/{self.word} takes a project and one word")
        if wishes in ([], ["list"]):
            return _list(self, actor, names, context)
        if not context.chat:
            raise self.misuse("Only a chat is told of alerts, or silenced")
        if names and (host := host_named(names[0])):
            document = host_reply(self, actor, host, wishes[0], context)
            context.audit.write(actor, self.word, f"{names[0]}: {wishes[0]}")
            return document
        name, _, container = (names[0] if names else "").partition("/")
        project = context.projects.get(name) if name else context.default()
        context.access.require(actor, self.role, project, what=self.noun)
        if wishes[0] != "on":  # which ends the mute of a container that is no more, too
            require_known_container(container, project, context)
        wish = _Wish(wishes[0], project, container)
        document = self._do(actor, wish, context)
        context.audit.write(actor, self.word, f"{wish.thing}: {wish.word}", project=project.name)
        return document

    def _do(self, actor: Actor, wish: _Wish, context: CommandContext) -> Document:
        if wish.word == "on":
            return self._on(actor, wish, context)
        if wish.word == "off" and not wish.container:
            context.alerts.chats.switch(actor, wish.project, context.chat, on=False)
            return Document.of(
                f"🔕 This chat is no longer told of {wish.thing}.",
                f"/{self.word} {wish.thing} on brings it back.",
            )
        if wish.word == "recovery":
            return self._until_recovery(actor, wish, context)
        seconds = None if wish.word == "off" else _seconds(wish.word)
        mute = context.alerts.mutes.add(
            actor, context.chat, wish.project.name, wish.container, seconds=seconds
        )
        until = f" until {local_time(mute.until)}" if mute.until else ""
        return Document.of(
            f"🔕 {wish.thing} is silent here{until}.",
            f"/{self.word} {wish.thing} on ends that.",
        )

    def _on(self, actor: Actor, wish: _Wish, context: CommandContext) -> Document:
        able = [name for name, known in front_end_settings().items() if known.chat_id]
        if context.chat.partition(":")[0] not in able:
            raise ScarError(
                "invalid_request",
                "No chat of this kind can be told of alerts",
                f"Type it in one of: {', '.join(able)}.",
            )
        desk = context.alerts
        mutes = [
            mute
            for mute in desk.mutes.all()
            if mute.chat == context.chat
            and mute.project == wish.project.name
            and wish.container in ("", mute.container)
        ]
        desk.mutes.remove(mutes)
        if not wish.container:
            desk.chats.switch(actor, wish.project, context.chat, on=True)
        ended = f" {counted(len(mutes), 'mute')} ended." if mutes else ""
        if wish.container and context.chat not in self._told(wish, context):
            return Document.of(
                f"🔔 {wish.thing} is not silent here.{ended}",
                f"/{self.word} {wish.project.name} on: this chat is told of the project's alerts.",
            )
        return Document.of(f"🔔 This chat is told of {wish.thing}.{ended}")

    def _told(self, wish: _Wish, context: CommandContext) -> Sequence[str]:
        from scar.alerts.alert_chats import chats_of  # imports redis

        return chats_of(wish.project, context.alerts.chats.switches(), context.access)

    def _until_recovery(self, actor: Actor, wish: _Wish, context: CommandContext) -> Document:
        alerts = [
            alert
            for alert in context.alerts.book.all()
            if alert.is_open
            and alert.is_of(wish.project)
            and wish.container in ("", alert.container, alert.service)
        ]
        if not alerts:
            return Document.of(f"✅ Nothing is wrong with {wish.thing} now.")
        context.alerts.mutes.add(
            actor,
            context.chat,
            wish.project.name,
            wish.container,
            alerts=[alert.id for alert in alerts],
        )
        return Document.of(
            f"🔕 {wish.thing} is silent here until it has recovered.",
            f"/{self.word} {wish.thing} on ends that.",
        )


def require_known_container(container: str, project: Project, context: CommandContext) -> None:
    """Raise `container_not_found` for what is neither a container nor a service of the project, as
    far as its host or the projects file tells. One that is gone is known by its alert.
    """
    known = context.containers(project) or (() if project.auto_detect else project.containers)
    if not container or not known:
        return
    alerts = [alert for alert in context.alerts.book.all() if alert.is_of(project)]
    names = {*known, *(name for one in alerts for name in (one.container, one.service))}
    if names.isdisjoint((container, f"{project.compose_project}-{container}-1")):
        raise container_not_found(container, list(known))


def _list(
    command: Command, actor: Actor, names: Sequence[str], context: CommandContext
) -> Document:
    """Return the present alerts, the mutes of this chat, and the projects whose alerts it gets."""
    from scar.alerts.alert_chats import chats_of  # imports redis

    named = [context.projects.get(name.partition("/")[0]) for name in names]
    every = named or list(context.projects.projects.values())
    projects = {p.name: p for p in every if context.access.allows(actor, Role.VIEWER, p)}
    if not projects:
        context.access.require(actor, Role.VIEWER, named[0] if named else None)
    hosts = {project.host for project in projects.values()}
    desk, now = context.alerts, int(time.time() * 1000)
    known = desk.book.all()
    alerts = [
        alert
        for alert in known
        if alert.is_open
        and (
            alert.is_of(projects.get(alert.project))
            if alert.project
            else alert.host in hosts and not named
        )
    ]
    lines = [
        f"🔴 {alert.name} {alert.what}, for {uptime((now - alert.opened_at) / 1000)}"
        for alert in alerts[:_MOST_LISTED]
    ]
    silent, things = desk.hosts.silent(hosts), {*projects, *map(host_thing, hosts)}
    for mute in desk.mutes.all():
        holds = mute.holds(now, known) or is_of_silent_host(mute, silent)
        if mute.chat == context.chat and mute.project in things and holds:
            lines.append(_mute_line(mute))
    switches = desk.chats.switches()
    access = context.access
    told = [name for name, p in projects.items() if context.chat in chats_of(p, switches, access)]
    lines.append(f"📣 This chat is told of: {', '.join(told) or 'nothing'}")
    lines += [f"⚠️ Host {host} gives no sign of life: nobody watches it." for host in silent]
    nothing = [] if alerts or silent else ["✅ Nothing is wrong now."]
    return Document.of("🔔 Alerts", *nothing, *lines, f"💡 {command.spelled}")


def _mute_line(mute: Mute) -> str:
    end = "until it recovers" if mute.until_recovery else "for good"
    end = f"until {local_time(mute.until)}" if mute.until else end
    return f"🔕 {mute.thing} is silent here {end} ({mute.name})"


def _is_wish(word: str) -> bool:
    return word in _WORDS or _DURATION.fullmatch(word) is not None


def _seconds(word: str) -> float:
    match = _DURATION.fullmatch(word)
    assert match is not None
    return int(match[1]) * _SECONDS[match[2]]


COMMAND = AlertsCommand()
