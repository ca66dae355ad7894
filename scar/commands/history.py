"""`/docker_history`: the project's releases, newest first."""

from __future__ import annotations

from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.release_lines import ago, button_label, commit_line, moment, short_id
from scar.commands.text_format import title, uptime
from scar.commands.ways_view import forecast_text, score_lines
from scar.document import Button, Document, Line
from scar.jobs.record import Job
from scar.jobs.results.history import HistoryResult, ReleaseRow


class HistoryCommand(JobCommand):
    """Shows each release's commit, author, date and duration, one paragraph each."""

    word = "docker_history"
    kind = "history"
    summary = "the releases, newest first"
    rank = 14

    def view(self, job: Job) -> Document:
        return without_result(job, "📚 Reading releases...", "History failed") or _releases(
            job.read_result(HistoryResult)
        )


def _releases(history: HistoryResult) -> Document:
    lines = [f"📚 {title(history.project)} - Releases"]
    lines += score_lines(history.releases)
    for release in history.releases:
        lines += ["", *_release_lines(release)]
    if not history.releases:
        lines += ["", "None yet. /docker_deploy makes the first one."]
    buttons = tuple(
        Button(button_label(release), f"back{release.ago}", _command(history.project, release))
        for release in history.releases[1:]
    )
    return Document((Line("\n".join(lines)),), buttons)


def _release_lines(release: ReleaseRow) -> list[str]:
    restored = [f"Back to {short_id(release.restored)}"] if release.restored else []
    downtime = (
        f", {release.downtime:.1f}s downtime{forecast_text(release)}"
        if release.downtime is not None
        else ""
    )
    return [
        f"{short_id(release.id)} ({ago(release)})",
        commit_line(release),
        *restored,
        f"{moment(release)} by {release.by}, took {uptime(release.seconds)}{downtime}",
    ]


def _command(project: str, release: ReleaseRow) -> str:
    return f"/docker_rollback {project} {short_id(release.id)}"


COMMAND = HistoryCommand()
