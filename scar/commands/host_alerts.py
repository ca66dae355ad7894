"""`/docker_alerts host:NAME recovery` and `on`: silence for what is wrong with a host itself."""

from __future__ import annotations

from scar.access import Actor, Role
from scar.alerts.mute import Mute, host_named, host_thing
from scar.commands.command import Command
from scar.commands.local_command import CommandContext
from scar.document import Document
from scar.errors import ScarError


def host_reply(
    command: Command, actor: Actor, host: str, word: str, context: CommandContext
) -> Document:
    """Silence the open alerts of a host in this chat until they have recovered, or end that. It
    needs the command's role on one of the host's projects.
    """
    _require_role(command, actor, host, context)
    thing, mutes = host_thing(host), context.alerts.mutes
    if word == "on":
        mutes.remove(m for m in mutes.all() if (m.chat, m.project) == (context.chat, thing))
        return Document.of(f"🔔 Host {host} is not silent here.")
    if word != "recovery":
        raise command.misuse("A host is silenced until it recovers: `recovery`, or `on` to end it")
    known = context.alerts.book.all()
    alerts = [a.id for a in known if a.is_open and not a.project and a.host == host]
    if context.alerts.hosts.silent([host]):
        alerts.append(thing)
    if not alerts:
        return Document.of(f"✅ Nothing is wrong with host {host} itself now.")
    mutes.add(actor, context.chat, thing, alerts=alerts)
    return Document.of(
        f"🔕 Host {host} is silent here until it has recovered.",
        f"/{command.word} {thing} on ends that.",
    )


def is_of_silent_host(mute: Mute, silent: list[str]) -> bool:
    """Return whether a mute is of a host that is still away."""
    host = host_named(mute.project)
    return host in silent and mute.project in mute.alerts


def _require_role(command: Command, actor: Actor, host: str, context: CommandContext) -> None:
    projects = [p for p in context.projects.projects.values() if p.host == host]
    if any(context.access.allows(actor, command.role, project) for project in projects):
        return
    context.access.require(actor, Role.VIEWER, None, what=command.noun)
    if projects:
        context.access.require(actor, command.role, projects[0], what=command.noun)
    hosts = sorted({project.host for project in context.projects.projects.values()})
    raise ScarError(
        "invalid_request",
        f"No project is on a host '{host[:64]}'",
        f"The hosts are: {', '.join(hosts) or '(none)'}.",
    )
