"""`/docker_history`: the releases, newest first."""

from __future__ import annotations

from scar.commands.command import JobCommand, failure, waiting
from scar.commands.words import title, uptime
from scar.document import Document
from scar.jobs.record import Job


class History(JobCommand):
    """Commit, who, when and how long of each release."""

    word = "docker_history"
    kind = "history"
    summary = "the releases, newest first"
    rank = 14

    def view(self, job: Job) -> Document:
        """One paragraph a release."""
        if job.result is None:
            if job.state.ended:
                return failure(job, "History failed")
            return waiting(job) or Document.of("📚 Reading releases...")
        lines = [f"📚 {title(job.result['project'])} - Releases"]
        for row in job.result["releases"]:
            commit = (row["commit"] or "no commit")[:12] + (" + changes" if row["dirty"] else "")
            away = f", {row['downtime']:.1f}s downtime" if row["downtime"] is not None else ""
            back = f", back to {row['restored']}" if row.get("restored") else ""
            lines += [
                "",
                f"{row['id']} ({commit}{back})",
                f"{row['at'][:19].replace('T', ' ')} UTC by {row['by']}, "
                f"took {uptime(row['seconds'])}{away}",
            ]
        if not job.result["releases"]:
            lines += ["", "None yet. /docker_deploy makes the first one."]
        return Document.of("\n".join(lines))


COMMAND = History()
