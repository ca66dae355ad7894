"""`scar status`, `logs`, `restart`, `deploy`, ...: one job over the API, with live progress."""

from __future__ import annotations

import getpass
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import click

from scar.access import Actor
from scar.client import ApiClient, service_token
from scar.commands import job_commands
from scar.commands.job_command import Invocation, JobCommand
from scar.commands.notices import refusal
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
    """The API, with `SCAR_API_TOKEN`, else with a token that the secret key makes."""
    if settings.api_token is not None:
        token = settings.api_token
        return ApiClient(settings.api_url, lambda: token)
    signatures = Signatures(settings.signing_key())
    user = getpass.getuser()
    actor = Actor("console", user, user)
    return ApiClient(settings.api_url, lambda: service_token(signatures, actor, time.time()))


def _job_command(command: JobCommand) -> click.Command:
    @click.pass_context
    def run(
        context: click.Context, words: tuple[str, ...], as_json: bool, yes: bool = False
    ) -> None:
        client = connect(Settings.load())
        context.exit(_Errand(client, command, as_json=as_json).run(words, yes=yes))

    options: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1, metavar=command.usage),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the job as JSON."),
    ]
    if command.asks:
        options.append(click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."))
    return click.Command(
        command.kind, callback=run, params=options, help=f"{command.summary.capitalize()}."
    )


class _Errand:
    """One job, from asking for it to its end."""

    def __init__(self, client: ApiClient, command: JobCommand, *, as_json: bool) -> None:
        self._client = client
        self._command = command
        self._as_json = as_json
        self._screen = Screen()

    def run(self, words: tuple[str, ...], *, yes: bool) -> int:
        """The exit code: 0 where it succeeded, 1 where it did not."""
        return self.follow(self._ask(words, yes=yes))

    def follow(self, begun: Job) -> int:
        """The same for a job that was asked for before."""
        job = Job(request=begun.request, state=JobState.QUEUED)
        while not job.state.ended:
            job = self._watch(job)
            if _asks(job):
                self._answer(job)
        if self._as_json:
            found = self._client.request("GET", f"/jobs/{job.id}")
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return 0 if job.state is JobState.SUCCEEDED else 1

    def _ask(self, words: tuple[str, ...], *, yes: bool) -> Job:
        invocation = _parsed(self._command, words, self._client)
        body: dict[str, Any] = {"kind": self._command.kind, "args": dict(invocation.args)}
        if invocation.project and invocation.project.name:
            body["project"] = invocation.project.name
        if yes:
            body["confirm"] = "yes"
        return Job.from_json(self._client.request("POST", "/jobs", json=body))

    def _watch(self, job: Job) -> Job:
        """Shows the job until it has ended or asks."""
        with self._screen:
            for event in self._client.events(job.id, job.last_event):
                job = job.after(event)
                if _asks(job):
                    break
                if not self._as_json:
                    self._show(job)
        return job

    def _show(self, job: Job) -> None:
        if job.state is JobState.AWAITING_CONFIRMATION:
            document = Document.of("🔍 Looking at what would change...")
            if job.error:
                document = Document.of(f"⏳ {job.error.message}", f"💡 {job.error.hint}")
        elif job.error and not job.steps and job.state in (JobState.CANCELLED, JobState.EXPIRED):
            document = refusal(job.error)
        else:
            document = self._command.view(job)
        if document.attachment:  # a terminal holds all of it
            document = Document.of(document.blocks[0].text, document.attachment.text.rstrip("\n"))
        self._screen.show(job.id, document.with_commands())

    def _answer(self, job: Job) -> None:
        question = self._command.question(job)
        click.echo(question.text, err=self._as_json)
        click.echo("› ", nl=False, err=True)
        answer = sys.stdin.readline().strip().lower()
        body = {
            "answer": "yes" if answer == "yes" else "no",
            "shown": str((job.plan or {})["hash"]),
        }
        try:
            self._client.request("POST", f"/jobs/{job.id}/confirm", json=body)
        except ScarError as error:
            if error.code != "conflict":
                raise
            click.echo(error.message, err=True)  # what became of the question is shown next


def _asks(job: Job) -> bool:
    return job.state is JobState.AWAITING_CONFIRMATION and job.plan is not None


class _ProjectsOfApi:
    """Takes every project's name as it is: the API knows which there are, and is asked where that
    has to be known before."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def get(self, name: str) -> Project:
        """A project of which only the name is known."""
        return Project(name, Path("/"), Path("/"), name)

    @cached_property
    def projects(self) -> Mapping[str, Project]:
        """Those that whoever asks may see."""
        found = self._client.request("GET", "/projects")["items"]
        return {item["name"]: Project.from_json(item) for item in found}


def _parsed(command: JobCommand, words: tuple[str, ...], client: ApiClient) -> Invocation:
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
    found = connect(Settings.load()).request("GET", "/jobs", params=query)["items"]
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for job in map(Job.from_json, found):
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
    found = client.job(id.upper())
    command = job_commands().get(found.request.kind)
    if command is None:
        raise ScarError(
            "not_found", f"This SCAR does not know '{found.request.kind}'", "Is it of one version?"
        )
    context.exit(_Errand(client, command, as_json=as_json).follow(found))


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
    items = client.request("GET", "/jobs", params={"project": project, "limit": 200})["items"]
    for job in map(Job.from_json, items):
        command = job_commands().get(job.request.kind)
        if not job.state.ended and command is not None and command.changes:
            return job.id
    raise ScarError(
        "not_found", f"No job works on '{project}'", "`scar jobs` shows the latest; give its id."
    )


COMMANDS = (*map(_job_command, job_commands().values()), jobs, job, cancel)
