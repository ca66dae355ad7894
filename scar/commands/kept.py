"""`/docker_kept`: files of production that somebody had changed by hand, and of which a deploy
kept a copy when it replaced them.
"""

from __future__ import annotations

from scar.access import Role
from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import counted, size, title
from scar.document import Code, Document, Line
from scar.jobs.record import Job
from scar.jobs.results.kept import KeptFile, KeptFiles

_MOST = 20


class KeptCommand(JobCommand):
    """Lists the copies, newest first, each with the shell command that restores it."""

    word = "docker_kept"
    kind = "kept"
    summary = "files changed by hand that were replaced, and how to have them back"
    role = Role.OPERATOR
    rank = 26

    def view(self, job: Job) -> Document:
        return without_result(job, "💾 Looking...", "Listing failed") or _kept(
            job.read_result(KeptFiles)
        )


def _kept(result: KeptFiles) -> Document:
    files = result.files
    heading = f"💾 {title(result.project)} - Kept from production"
    if not files:
        return Document.of(heading, "", "Nothing: no deploy has replaced a file made by hand.")
    blocks: list[Line | Code] = [Line(heading), Line(f"{counted(len(files), 'file')}:")]
    for file in files[:_MOST]:
        blocks += [Line(_file_line(file)), Code(file.command)]
    if len(files) > _MOST:
        blocks.append(Line(f"… and {len(files) - _MOST} more."))
    blocks.append(Line("💡 Each command brings one back, on the project's host."))
    return Document(tuple(blocks))


def _file_line(file: KeptFile) -> str:
    at = f"{file.at[:16].replace('T', ' ')} UTC"
    return f"{file.path} ({size(file.size)}, replaced {at})"


COMMAND = KeptCommand()
