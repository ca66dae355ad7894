"""`/docker_kept`: files of production that somebody had changed by hand, and of which a deploy
kept a copy when it replaced them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scar.commands.job_command import Invocation, JobCommand
from scar.commands.kept_restore import COMMAND as RESTORE
from scar.commands.notices import without_result
from scar.commands.text_format import counted, size, title
from scar.document import Button, Document
from scar.jobs.record import Job
from scar.jobs.results.kept import KeptFile, KeptFiles
from scar.projects import Project, ProjectsFile

_MOST = 20
_MOST_BUTTONS = 5
_LONGEST_LABEL = 30


class KeptCommand(JobCommand):
    """Lists the files, newest first, each with the number that restores it."""

    word = "docker_kept"
    kind = "kept"
    summary = "files changed by hand that were replaced, to bring back"
    rank = 26

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse a project's name; words that begin with `restore` become the command that restores
        a file.
        """
        if "restore" in words:
            rest = [word for word in words if word != "restore"]
            return RESTORE.parse(rest, projects, default)
        return super().parse(words, projects, default)

    def view(self, job: Job) -> Document:
        return without_result(job, "💾 Looking...", "Listing failed") or _kept(
            job.read_result(KeptFiles)
        )


def _kept(result: KeptFiles) -> Document:
    files = result.files
    heading = f"💾 {title(result.project)} - Kept from production"
    if not files:
        return Document.of(heading, "", "Nothing: no deploy has replaced a file made by hand.")
    lines = [heading, "", f"{counted(len(files), 'file')}:", *map(_file_line, files[:_MOST])]
    if len(files) > _MOST:
        lines.append(f"… and {len(files) - _MOST} more.")
    number = files[0].number
    lines += ["", f"💡 /docker_kept restore {result.project} {number} brings number {number} back."]
    buttons = tuple(
        Button(_label(file), f"restore{file.number}", _command(result.project, file))
        for file in files[:_MOST_BUTTONS]
    )
    return Document((*Document.of("\n".join(lines)).blocks,), buttons)


def _file_line(file: KeptFile) -> str:
    at = f"{file.at[:16].replace('T', ' ')} UTC"
    return f"{file.number}. {file.path} ({size(file.size)}, replaced {at})"


def _label(file: KeptFile) -> str:
    path = file.path if len(file.path) <= _LONGEST_LABEL else f"…{file.path[-_LONGEST_LABEL:]}"
    return f"💾 {file.number}. {path}"


def _command(project: str, file: KeptFile) -> str:
    return f"/docker_kept restore {project} {file.number}"


COMMAND = KeptCommand()
