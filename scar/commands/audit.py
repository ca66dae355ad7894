"""`/audit`: who asked for what, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from scar.access import Actor, Role
from scar.commands.command import LocalCommand, Surroundings
from scar.document import Document
from scar.jobs.timestamp import rfc3339

_MOST = 20


class AuditCommand(LocalCommand):
    """The latest lines of the trail."""

    word = "audit"
    summary = "who did what, and how it ended"
    role = Role.ADMIN
    rank = 33

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:  # noqa: ARG002
        """One line an entry, newest first."""
        around.access.require(actor, self.role, None)
        lines = [
            f"{rfc3339(e.at)} {e.actor} ({e.name}) {e.action} {e.project} {e.job} → {e.outcome}"
            for e in islice(around.audit.recent(batch=_MOST), _MOST)
        ]
        return Document.of("🧾 Audit, newest first", *(lines or ["Nothing yet."]))


COMMAND = AuditCommand()
