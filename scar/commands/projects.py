"""`/projects`: the projects in the projects file."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.local_command import CommandContext, LocalCommand
from scar.document import Document


class ProjectsCommand(LocalCommand):
    """Lists each project with its folders, marks the default project, and shows the file's error
    if it has one.
    """

    word = "projects"
    summary = "the projects and their folders"
    rank = 30

    def reply(self, actor: Actor, words: Sequence[str], context: CommandContext) -> Document:  # noqa: ARG002
        allowed = [
            project
            for project in context.projects.projects.values()
            if context.access.allows(actor, self.role, project)
        ]
        if not allowed:
            context.access.require(actor, self.role, None)
        default = context.default() if allowed else None
        lines = ["📚 Projects"]
        problems = context.problems()
        for project in allowed:
            mark = " (default)" if default and project.name == default.name else ""
            lines += [
                "",
                f"{project.name}{mark}",
                f"💡 Production: {project.production}",
                f"📁 Workspace: {project.workspace}",
                f"🖥️ Host: {project.host}",
            ]
            if wrong := problems.get(project.name):
                lines += [f"⚠️ {wrong.message}", f"💡 {wrong.hint}"]
        problem = context.projects.problem
        if problem:
            lines += ["", f"⚠️ {problem.message}", f"💡 {problem.hint}"]
        elif not allowed:
            lines += ["", "None yet. `scar init` writes a first projects file."]
        return Document.of("\n".join(lines))


COMMAND = ProjectsCommand()
