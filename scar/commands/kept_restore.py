"""`/docker_kept restore 1`: restores a file that a deploy replaced, from its kept copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from marshmallow import validate

from scar.commands.arguments import NoArguments, WholeNumber
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.commands.text_format import size
from scar.document import Button, Document, Line, Mood
from scar.jobs.record import Job, JobState
from scar.jobs.results.kept_restore import KeptRestorePlan, KeptRestoreResult
from scar.projects import Project, ProjectsFile

_MOST = 1_000_000


class KeptRestoreArguments(NoArguments):
    """The copy's number, as `/docker_kept` shows it."""

    number = WholeNumber(required=True, validate=validate.Range(1, _MOST))


class KeptRestoreCommand(JobCommand):
    """Restores the copy with its content and mode; restarts no container."""

    word = "docker_kept_restore"
    kind = "kept_restore"
    usage = "[project] NUMBER"
    summary = "bring a kept file back"
    schema = KeptRestoreArguments
    rank = 27

    @property
    def spelled(self) -> str:
        """The command as it is usually typed."""
        return f"/docker_kept restore {self.usage}"

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse a project and a number, in either order."""
        numbers = [word for word in words if word.isdecimal()]
        names = [word for word in words if word not in numbers]
        if len(numbers) != 1 or len(names) > 1:
            raise self.misuse("Name the number of a kept file: /docker_kept lists them")
        project = projects.get(names[0]) if names else default()
        return Invocation(project, self.arguments({"number": int(numbers[0])}), self)

    def question(self, job: Job) -> Document:
        """Return the question: which copy is restored, and what happens to the present file."""
        plan = job.read_plan(KeptRestorePlan)
        at = f"{plan.at[:16].replace('T', ' ')} UTC"
        lines = [
            "💾 Bring a kept file back",
            "",
            f"Project: {job.request.project}",
            f"File: {plan.production}/{plan.path}",
            f"Copy: {size(plan.size)}, replaced {at}",
            *_about_present(plan),
            "",
            "Type `yes` to bring it back",
        ]
        buttons = (Button("💾 Yes, bring it back", "yes", mood=Mood.GOOD), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        """Return which file was restored, and what is necessary for containers to see it."""
        if not job.state.ended:
            return waiting(job) or Document.of("💾 Bringing it back...")
        result = job.read_result(KeptRestoreResult)
        if job.state is not JobState.SUCCEEDED:
            document = failure(job, "The file was not brought back")
            state = result.production_state
            return document.with_line(f"↩️ {state}") if state else document
        path = result.path or job.read_plan(KeptRestorePlan).path or "The file"
        if result.nothing:
            return Document.of(f"✅ {path} has that content already. Nothing to bring back.")
        name = job.request.project
        return Document.of(
            f"✅ {path} is back in production",
            f"💡 No container was restarted: /docker_restart {name} lets them read it anew.",
            "💡 The next deploy replaces it again, unless the workspace has the same content.",
        )


def _about_present(plan: KeptRestorePlan) -> list[str]:
    if not plan.replaces:
        return ["There is no such file in production now."]
    if plan.keeps:
        return ["⚠️ What is there now was changed by hand too; a copy of it is kept."]
    return ["What is there now came with a release, which keeps it."]


COMMAND = KeptRestoreCommand()
