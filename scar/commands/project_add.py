"""`/project_add`: adds a cloned folder to the projects file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from marshmallow import fields

from scar.commands.arguments import NoArguments, pattern
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.document import Button, Code, Document, Line, Mood
from scar.jobs.record import Job, JobState
from scar.jobs.results.project_add import ProjectAddPlan, ProjectAddResult
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile
from scar.projects.schema import FOLDER_PATTERN, NAME_PATTERN, NAME_WORDS


class ProjectAddArguments(NoArguments):
    """The name of a folder in the workspace folder, and where its containers are to run from."""

    name = fields.String(required=True, validate=pattern(NAME_PATTERN, NAME_WORDS))
    production = fields.String(
        allow_none=True, validate=pattern(FOLDER_PATTERN, "an absolute path without `..`")
    )


class ProjectAddCommand(JobCommand):
    """Adds an entry to the projects file and leaves the rest of the file unchanged."""

    word = "project_add"
    kind = "project_add"
    usage = "NAME [production]"
    summary = "add a cloned folder to the projects file"
    noun = "a new project"
    examples = ("shop", "shop /srv/production/shop")
    for_project = False
    schema = ProjectAddArguments
    rank = 41

    def locks(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the projects file as the resource that the job locks."""
        return ("projects file",)

    def parse(
        self,
        words: Sequence[str],
        projects: ProjectsFile,  # noqa: ARG002
        default: Callable[[], Project],  # noqa: ARG002
    ) -> Invocation:
        """Parse the project's name and its production folder, in either order."""
        folders = [word for word in words if word.startswith("/")]
        names = [word for word in words if not word.startswith("/")]
        if len(names) != 1 or len(folders) > 1:
            raise self.misuse("/project_add takes a name, and a production folder if you like")
        production = {"production": folders[0]} if folders else {}
        return Invocation(None, self.arguments({"name": names[0], **production}))

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return `name` and, where it is given, `production`."""
        values = super().arguments(raw)
        return {name: value for name, value in values.items() if value is not None}

    def question(self, job: Job) -> Document:
        """Return the question: the new entry, and the path of the projects file."""
        plan = job.read_plan(ProjectAddPlan)
        code = Code(json.dumps({plan.name: plan.entry.to_json()}, indent=2))
        buttons = (Button("➕ Yes, add", "yes", mood=Mood.GOOD), Button("✖️ No", "no"))
        heading = Line(f"➕ Add a project to {plan.file}")
        return Document((heading, code, Line("Type `yes` to confirm")), buttons)

    def view(self, job: Job) -> Document:
        """Return where the entry was added, and what to do next."""
        if job.state is JobState.SUCCEEDED:
            added = job.read_result(ProjectAddResult)
            next_command = f"/docker_deploy {added.name}"
            deploy = Button("🚀 Deploy", "deploy", command=next_command)
            text = f"✅ Added {added.name} to {added.file}\nNext: {next_command}"
            return Document((Line(text),), (deploy,))
        if job.state.ended:
            return failure(job, "The project was not added")
        return waiting(job) or Document.of("➕ Adding...")


COMMAND = ProjectAddCommand()
