"""`/docker_history`: the project's releases, newest first."""

from __future__ import annotations

from scar.commands.job_command import JobCommand
from scar.commands.notices import without_result
from scar.commands.text_format import title, uptime
from scar.document import Document
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
    for release in history.releases:
        lines += ["", *_release_lines(release)]
    if not history.releases:
        lines += ["", "None yet. /docker_deploy makes the first one."]
    return Document.of("\n".join(lines))


def _release_lines(release: ReleaseRow) -> list[str]:
    commit = (release.commit or "no commit")[:12] + (" + changes" if release.dirty else "")
    restored = f", back to {release.restored}" if release.restored else ""
    downtime = f", {release.downtime:.1f}s downtime" if release.downtime is not None else ""
    return [
        f"{release.id} ({commit}{restored})",
        f"{release.at[:19].replace('T', ' ')} UTC by {release.by}, "
        f"took {uptime(release.seconds)}{downtime}",
    ]


COMMAND = HistoryCommand()
