"""`/docker_kept`: what was changed by hand in production, was replaced, and can be had back."""

from __future__ import annotations

from scar.access import Role
from scar.commands.command import JobCommand, failure, waiting
from scar.commands.words import counted, size, title
from scar.document import Code, Document, Line
from scar.jobs.record import Job

_MOST = 20


class Kept(JobCommand):
    """Where each content is kept, as the command that brings it back."""

    word = "docker_kept"
    kind = "kept"
    summary = "files changed by hand that were replaced, and how to have them back"
    role = Role.OPERATOR
    rank = 26

    def view(self, job: Job) -> Document:
        """One paragraph a file, the latest first."""
        if job.result is None:
            if job.state.ended:
                return failure(job, "Listing failed")
            return waiting(job) or Document.of("💾 Looking...")
        files = job.result["files"]
        heading = f"💾 {title(job.result['project'])} - Kept from production"
        if not files:
            return Document.of(heading, "", "Nothing: no deploy has replaced a file made by hand.")
        blocks: list[Line | Code] = [Line(heading), Line(f"{counted(len(files), 'file')}:")]
        for row in files[:_MOST]:
            at = f"{row['at'][:16].replace('T', ' ')} UTC"
            blocks.append(Line(f"{row['path']} ({size(row['size'])}, replaced {at})"))
            blocks.append(Code(row["command"]))
        if len(files) > _MOST:
            blocks.append(Line(f"… and {len(files) - _MOST} more."))
        blocks.append(Line("💡 Each command brings one back, on the project's host."))
        return Document(tuple(blocks))


COMMAND = Kept()
