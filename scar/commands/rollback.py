"""`/docker_rollback`: bring an earlier release back into production, without a build."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from marshmallow import fields

from scar.commands.arguments import NoArguments, pattern
from scar.commands.deployment_view import (
    changed_lines,
    plan_lines,
    progress_view,
    result_details,
)
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.release_lines import ago, commit_line, moment, short_id
from scar.document import Button, Document, Line, Mood
from scar.jobs.record import Job
from scar.jobs.results.deploy import DeployPlan, DeployResult
from scar.json_object import JsonObject
from scar.projects import Project, ProjectsFile

_ID_BEGINNING = re.compile(r"[0-9A-Za-z]{1,26}")
_LIKE_AN_ID = re.compile(r"0[0-9A-HJKMNP-TV-Z]{3,25}", re.IGNORECASE)
"""Matches the beginning of an id: in this century ids begin with a zero, and names of projects
rarely do.
"""


class RollbackArguments(NoArguments):
    """The release to roll back to; by default the one before the last."""

    release = fields.String(
        allow_none=True,
        validate=pattern(_ID_BEGINNING.pattern, "the id of a release, or its beginning"),
    )


class RollbackCommand(JobCommand):
    """Restores the files, environment and images of a release; undoes all of it if a step fails."""

    word = "docker_rollback"
    kind = "rollback"
    schema = RollbackArguments
    usage = "[project] [release]"
    summary = "go back to the previous release, or to the one named"
    noun = "a rollback"
    examples = ("", "shop", "shop 01JZ0000000000000000000000")
    rank = 22

    def parse(
        self, words: Sequence[str], projects: ProjectsFile, default: Callable[[], Project]
    ) -> Invocation:
        """Parse a project and a release (or the beginning of its id), in either order."""
        if len(words) > 2:
            raise self.misuse(f"/{self.word} takes a project and a release")
        release = _release_among(words, projects)
        names = [word for word in words if word != release]
        project = projects.get(names[0]) if names else default()
        return Invocation(project, self.arguments({"release": release}) if release else {})

    def arguments(self, raw: JsonObject) -> JsonObject:
        """Return `release`, the id of one or its beginning, where it is given."""
        release = super().arguments(raw).get("release")
        return {} if release is None else {"release": release}

    def question(self, job: Job) -> Document:
        plan = job.read_plan(DeployPlan)
        lines = [
            *changed_lines(plan),
            "⏪ Roll Production Back",
            "",
            f"Project: {job.request.project}",
            *_release_lines(plan),
            f"Target: {plan.production}",
            "",
            *plan_lines(plan),
            "",
            "Type `yes` to roll back",
        ]
        buttons = (Button("⏪ Yes, roll back", "yes", mood=Mood.DANGER), Button("✖️ No", "no"))
        return Document((Line("\n".join(lines)),), buttons)

    def view(self, job: Job) -> Document:
        return progress_view(job, "⏪ Rolling back...", "Rollback", _result_lines)


def _release_among(words: Sequence[str], projects: ProjectsFile) -> str | None:
    """Return the word that names a release: a word in the form of an id's beginning that is no
    project's name, or of two words the one that is no project's name.
    """
    for word in words:
        if _LIKE_AN_ID.fullmatch(word) and word not in projects.projects:
            return word
    if len(words) == 2:
        return next((word for word in words[::-1] if word not in projects.projects), None)
    return None


def _release_lines(plan: DeployPlan) -> list[str]:
    target = plan.target
    if target is None:
        return [f"Release: {plan.release}"]
    return [
        f"Release: {short_id(target.id)} ({ago(target)})",
        f"  {commit_line(target)}",
        f"  {moment(target)} by {target.by}",
    ]


def _result_lines(result: DeployResult) -> list[str]:
    if result.nothing:
        return ["✅ Nothing to roll back: production is as that release left it."]
    return ["✅ Rollback complete!", "", *result_details(result)]


COMMAND = RollbackCommand()
