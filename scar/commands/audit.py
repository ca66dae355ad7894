"""`/audit`: who asked for what, and with which outcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from scar.access import Actor, Role
from scar.commands.local_command import CommandContext, LocalCommand
from scar.commands.text_format import local_time, local_zone
from scar.document import Document

if TYPE_CHECKING:
    from scar.audit import AuditEntry

_MOST = 20
_MOST_READ = 400
_ITSELF = "scar:scar"
"""The actors that record the end of a job, which are not named since the line shows the end anyway.
"""


class AuditCommand(LocalCommand):
    """The latest jobs and answers of the audit trail, one line each."""

    word = "audit"
    summary = "who did what, and how it ended"
    noun = "the audit trail"
    role = Role.ADMIN
    rank = 33

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        """Return the latest lines. No front-end tells the reader's time zone, so the times are
        those of this host, which the heading names.
        """
        context.access.require(actor, self.role, None, what=self.noun)
        groups = by_job(islice(context.audit.recent(), _MOST_READ))
        lines = [_line(entries) for entries in islice(groups, _MOST)]
        heading = f"🧾 Audit, newest first ({local_zone()})"
        return Document.of(heading, *(lines or ["Nothing yet."]))


def by_job(entries: Iterable[AuditEntry]) -> Iterable[list[AuditEntry]]:
    """Group the entries by job, newest first; an entry without a job is a group of its own."""
    groups: dict[str, list[AuditEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.job or entry.id, []).append(entry)
    return groups.values()


def _line(entries: Sequence[AuditEntry]) -> str:
    """Return a line with who requested what, how it ended, and who else took part."""
    newest, oldest = entries[0], entries[-1]
    about = f"{oldest.action} {oldest.project}".rstrip()
    line = f"{local_time(oldest.at)} {oldest.name} ({oldest.actor}) {about} → {newest.outcome}"
    others = [
        f"{e.outcome} by {e.name} ({e.actor})"
        for e in entries
        if e.actor not in (oldest.actor, _ITSELF)
    ]
    return ", ".join([line, *reversed(others)])


COMMAND = AuditCommand()
