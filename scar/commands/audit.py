"""`/audit`: who asked for what, and with which outcome."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from scar.access import Actor, Role
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document
from scar.jobs.timestamp import rfc3339

_MOST = 20


class AuditCommand(LocalCommand):
    """Shows the latest entries of the audit trail."""

    word = "audit"
    summary = "who did what, and how it ended"
    role = Role.ADMIN
    rank = 33

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        context.access.require(actor, self.role, None)
        lines = [
            f"{rfc3339(e.at)} {e.actor} ({e.name}) {e.action} {e.project} {e.job} → {e.outcome}"
            for e in islice(context.audit.recent(batch=_MOST), _MOST)
        ]
        return Document.of("🧾 Audit, newest first", *(lines or ["Nothing yet."]))


COMMAND = AuditCommand()
