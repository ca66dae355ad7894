"""`scar status`, `logs`, `restart`, `deploy`, ...: submit a job over the API and show its
progress.
"""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import click

from scar.access import Actor
from scar.chat.job_view import view_job
from scar.client import ApiClient
from scar.commands import job_commands
from scar.commands.job_command import Invocation, JobCommand
from scar.document import Document
from scar.errors import ScarError
from scar.frontends.console.screen import Screen
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState
from scar.jobs.signing import Signatures
from scar.jobs.timestamp import rfc3339
from scar.projects import Project, ProjectsFile
from scar.settings import Settings

_MOST_LISTED = 20


def connect(settings: Settings) -> ApiClient:
    """Return an API client that uses `SCAR_API_TOKEN`, or without it tokens signed with
    `SCAR_SECRET_KEY`.
    """
    if settings.api_token is not None:
        token = settings.api_token
        return ApiClient(settings.api_url, lambda: token)
    user = getpass.getuser()
    actor = Actor("console", user, user)
    return ApiClient.for_actor(settings.api_url, Signatures(settings.signing_key()), actor)


def _job_command(command: JobCommand) -> click.Command:
    @click.pass_context
    def run(
        context: click.Context, words: tuple[str, ...], as_json: bool, yes: bool = False
    ) -> None:
        client = connect(Settings.load())
        job = _submit(client, command, words, yes=yes)
        context.exit(_JobFollower(client, command, as_json=as_json).follow(job))

    options: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1, metavar=command.usage),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the job as JSON."),
    ]
    if command.asks:
        options.append(click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."))
    return click.Command(
        command.kind, callback=run, params=options, help=f"{command.summary.capitalize()}."
    )


class _JobFollower:
    """Shows a job until it has ended; if it asks a question, reads the answer from standard
    input.
    """

    def __init__(self, client: ApiClient, command: JobCommand, *, as_json: bool) -> None:
        self._client = client
        self._command = command
        self._as_json = as_json
        self._screen = Screen()

    def follow(self, submitted: Job) -> int:
        """Follow the job to its end; return the exit code 0 if it succeeded, else 1."""
        job = Job(request=submitted.request, state=JobState.QUEUED)
        while not job.state.ended:
            job = self._show_events(job)
            if job.awaits_answer:
                self._answer(job)
        if self._as_json:
            record = self._client.request("GET", f"/jobs/{job.id}")
            click.echo(json.dumps(record, indent=2, ensure_ascii=False))
        return 0 if job.state is JobState.SUCCEEDED else 1

    def _show_events(self, job: Job) -> Job:
        """Show the job's events until it has ended or asks a question."""
        with self._screen:
            for event in self._client.events(job.id, job.last_event):
                job = job.after(event)
                if job.awaits_answer:
                    break
                if not self._as_json:
                    self._show(job)
        return job

    def _show(self, job: Job) -> None:
        document = view_job(self._command, job)
        if document.attachment:  # a terminal has room for the full text
            document = Document.of(document.blocks[0].text, document.attachment.text.rstrip("\n"))
        self._screen.show(job.id, document.with_commands())

    def _answer(self, job: Job) -> None:
        click.echo(view_job(self._command, job).text, err=self._as_json)
        click.echo("› ", nl=False, err=True)
        answer = sys.stdin.readline().strip().lower()
        body = {"answer": "yes" if answer == "yes" else "no", "shown": job.plan_hash}
        try:
            self._client.request("POST", f"/jobs/{job.id}/confirm", json=body)
        except ScarError as error:
            if error.code != "conflict":
                raise
            click.echo(error.message, err=True)  # the following events show what became of the job


def _submit(client: ApiClient, command: JobCommand, words: tuple[str, ...], *, yes: bool) -> Job:
    invocation = _parse(command, words, client)
    body: dict[str, Any] = {"kind": command.kind, "args": dict(invocation.args)}
    if invocation.project and invocation.project.name:
        body["project"] = invocation.project.name
    if yes:
        body["confirm"] = "yes"
    return Job.from_json(client.request("POST", "/jobs", json=body))


class _ProjectsOfApi:
    """Stands in for the projects file on a machine that has none, so that a command can parse its
    words.

    The API validates project names later. Only a command that needs the list of projects requests
    it.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def get(self, name: str) -> Project:
        """Return a placeholder project with this name."""
        return Project(name, Path("/"), Path("/"), name)

    @cached_property
    def projects(self) -> Mapping[str, Project]:
        """The projects that the API's caller may see, by name."""
        items = self._client.request("GET", "/projects")["items"]
        return {item["name"]: Project.from_json(item) for item in items}


def _parse(command: JobCommand, words: tuple[str, ...], client: ApiClient) -> Invocation:
    projects = _ProjectsOfApi(client)
    default: Callable[[], Project] = lambda: projects.get("")  # noqa: E731
    if command.takes_text:
        words = (" ".join(words),) if words else ()
    return command.parse(words, cast("ProjectsFile", projects), default)


@click.command()
@click.argument("project", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the jobs as JSON.")
def jobs(project: str | None, as_json: bool) -> None:
    """The latest jobs."""
    query: dict[str, Any] = {"limit": _MOST_LISTED}
    if project:
        query["project"] = project
    items = connect(Settings.load()).request("GET", "/jobs", params=query)["items"]
    if as_json:
        click.echo(json.dumps(items, indent=2, ensure_ascii=False))
        return
    for job in map(Job.from_json, items):
        who = job.request.requested_by
        at = rfc3339(job.request.created_at)
        by = f"{who.name} ({who.frontend})"
        click.echo(f"{job.id}  {at}  {job.state.value:<12}  {job.about:<32}  {by}")


@click.command()
@click.argument("id")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
@click.pass_context
def job(context: click.Context, id: str, as_json: bool) -> None:
    """Show a job as it goes on, wherever it was asked for; where it asks, answer."""
    client = connect(Settings.load())
    shown = client.job(id.upper())
    command = job_commands().get(shown.request.kind)
    if command is None:
        raise ScarError(
            "not_found", f"This SCAR does not know '{shown.request.kind}'", "Is it of one version?"
        )
    context.exit(_JobFollower(client, command, as_json=as_json).follow(shown))


@click.command()
@click.argument("job_or_project")
@click.pass_context
def cancel(context: click.Context, job_or_project: str) -> None:
    """Stop a job, or the one that works on a project."""
    client = connect(Settings.load())
    id = job_or_project.upper() if is_job_id(job_or_project) else _open_job(client, job_or_project)
    job = Job.from_json(client.request("POST", f"/jobs/{id}/cancel"))
    for event in client.events(id, job.last_event) if not job.state.ended else ():
        job = job.after(event)
    click.echo(f"{job.about}: {job.state.value}")
    context.exit(0 if job.state is JobState.CANCELLED else 1)


def _open_job(client: ApiClient, project: str) -> str:
    """Return the id of the project's latest job that may change something and has not ended."""
    items = client.request("GET", "/jobs", params={"project": project, "limit": 200})["items"]
    for job in map(Job.from_json, items):
        command = job_commands().get(job.request.kind)
        if not job.state.ended and command is not None and command.changes:
            return job.id
    raise ScarError(
        "not_found", f"No job works on '{project}'", "`scar jobs` shows the latest; give its id."
    )


COMMANDS = (*map(_job_command, job_commands().values()), jobs, job, cancel)
