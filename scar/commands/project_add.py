"""`/project_add`: adds a cloned folder to the projects file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from scar.access import Role
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.document import Button, Code, Document, Line
from scar.jobs.record import Job, JobState
from scar.jobs.results.project_add import ProjectAddPlan, ProjectAddResult
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile
from scar.projects.schema import is_name


class ProjectAddCommand(JobCommand):
    """Adds an entry to the projects file and leaves the rest of the file unchanged."""

    word = "project_add"
    kind = "project_add"
    usage = "NAME [production]"
    summary = "add a cloned folder to the projects file"
    role = Role.ADMIN
    asks = True
    changes = True
    for_project = False
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
        return Invocation(None, self._checked(names[0], *folders))

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return the checked arguments `name` and, if given, `production`."""
        self.require_only(raw, "name", "production")
        name, production = raw.get("name"), raw.get("production")
        if not isinstance(name, str) or not isinstance(production, str | None):
            raise self.misuse("'name' has to be a text, and 'production' too if it is there")
        return self._checked(name, *([] if production is None else [production]))

    def _checked(self, name: str, *folders: str) -> JsonObject:
        if not is_name(name):
            raise self.misuse("A project's name is [a-z0-9][a-z0-9._-]*, at most 64 long")
        return {"name": name, **({"production": folders[0]} if folders else {})}

    def question(self, job: Job) -> Document:
        """Return the question: the new entry, and the path of the projects file."""
        plan = job.read_plan(ProjectAddPlan)
        code = Code(json.dumps({plan.name: plan.entry.to_json()}, indent=2))
        buttons = (Button("➕ Yes, add", "yes"), Button("✖️ No", "no"))
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
