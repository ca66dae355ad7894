"""`/clone`: clones a Git repository into the folder of workspaces, and suggests an entry for the
projects file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from marshmallow import fields, validate

from scar.commands.arguments import NoArguments, pattern
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import failure, waiting
from scar.document import Button, Code, Document, Line
from scar.git_url import GitUrl
from scar.jobs.record import Job, JobState
from scar.jobs.results.clone import CloneResult
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile
from scar.projects.schema import NAME_PATTERN, NAME_WORDS, is_name


class CloneArguments(NoArguments):
    """The address of a repository, and the name of the folder that is made."""

    url = fields.String(required=True, validate=validate.Length(1, 199))
    name = fields.String(allow_none=True, validate=pattern(NAME_PATTERN, NAME_WORDS))


class CloneCommand(JobCommand):
    """Clones into a new folder; the result has a button that makes the folder a project."""

    word = "clone"
    kind = "clone"
    usage = "URL [name]"
    summary = "clone a repository into the workspace folder"
    noun = "a clone"
    examples = ("https://github.com/acme/shop", "https://github.com/acme/shop store")
    for_project = False
    schema = CloneArguments
    rank = 40

    def locks(self, project: Project | None, args: JsonObject) -> tuple[str, ...]:  # noqa: ARG002
        """Return the resource of the folder that the clone creates."""
        return (f"clone:{args['name']}",)

    def parse(
        self,
        words: Sequence[str],
        projects: ProjectsFile,  # noqa: ARG002
        default: Callable[[], Project],  # noqa: ARG002
    ) -> Invocation:
        """Parse the repository's address and the folder's name, in either order."""
        if len(words) not in (1, 2):
            raise self.misuse("/clone takes an address, and a name if you like")
        url = next((word for word in words if ":" in word), words[0])
        others = [word for word in words if word != url]
        return Invocation(None, self._checked(url, *others))

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return `url` and `name`, which is by default the repository's."""
        values = super().arguments(raw)
        name = values.get("name")
        return self._checked(values["url"], *([] if name is None else [name]))

    def _checked(self, url: str, *names: str) -> JsonObject:
        repository = GitUrl.parse(url)
        name = names[0] if names else repository.folder_name
        if not is_name(name):
            raise self.misuse(
                "A project's name is [a-z0-9][a-z0-9._-]*, at most 64 long and not digits alone; "
                "give one behind the address"
            )
        return {"url": repository.url, "name": name}

    def view(self, job: Job) -> Document:
        """Return Git's progress, and at the end the suggested entry with a button that adds it."""
        if job.state is JobState.SUCCEEDED:
            return _cloned(job.read_result(CloneResult))
        if job.state.ended:
            word = "cancelled" if job.state is JobState.CANCELLED else "failed"
            return failure(job, f"Clone {word}")
        step = job.step("cloning")
        if step is None:
            return waiting(job) or Document.of("⬇️ Cloning...")
        lines = [f"⬇️ Cloning {step.title.removeprefix('Cloning ')}..."]
        if step.progress and step.progress.total:
            share = 100 * step.progress.done // step.progress.total
            lines.append(f"{step.detail or 'Receiving'}: {share}%")
        return Document.of("\n".join(lines))


def _cloned(result: CloneResult) -> Document:
    at = f" ({result.branch} at {result.commit[:7]})" if result.commit else ""
    lines = [f"✅ Cloned {result.repository}", f"📁 Workspace: {result.folder}{at}"]
    lines += [f"⚠️ {notice}" for notice in result.notices]
    name = result.name
    if result.entry is None:
        lines.append(f"💡 The projects file has '{name}' already.")
        deploy = Button("🚀 Deploy", "deploy", command=f"/docker_deploy {name}")
        return Document((Line("\n".join(lines)),), (deploy,))
    lines.append(f"To make it a project (/project_add {name}), its entry of the projects file:")
    code = Code(json.dumps({name: result.entry.to_json()}, indent=2))
    add = Button("➕ Add to projects", "add", command=f"/project_add {name}")
    return Document((Line("\n".join(lines)), code), (add,))


COMMAND = CloneCommand()
