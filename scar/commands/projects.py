"""`/projects`: what the projects file locks."""

from __future__ import annotations

from collections.abc import Sequence

from scar.access import Actor
from scar.commands.command import LocalCommand, Surroundings
from scar.document import Document


class Projects(LocalCommand):
    """Each project with its folders, and what is wrong with the file if anything."""

    word = "projects"
    summary = "the projects and their folders"
    rank = 30

    def reply(self, actor: Actor, words: Sequence[str], around: Surroundings) -> Document:  # noqa: ARG002
        """One paragraph a project; the default one is marked."""
        allowed = [
            project
            for project in around.projects.projects.values()
            if around.access.allows(actor, self.role, project)
        ]
        if not allowed:
            around.access.require(actor, self.role, None)
        default = around.default() if allowed else None
        lines = ["📚 Projects"]
        for project in allowed:
            mark = " (default)" if default and project.name == default.name else ""
            lines += [
                "",
                f"{project.name}{mark}",
                f"💡 Production: {project.production}",
                f"📁 Workspace: {project.workspace}",
                f"🖥️ Host: {project.host}",
            ]
        problem = around.projects.problem
        if problem:
            lines += ["", f"⚠️ {problem.message}", f"💡 {problem.hint}"]
        elif not allowed:
            lines += ["", "None yet. `scar init` writes a first projects file."]
        return Document.of("\n".join(lines))


COMMAND = Projects()
