"""`scar status`, `logs`, `restart`, `deploy`, ...: submit a job over the API and show its
progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import click

from scar.cli.api_client import ProjectsOfApi, complete_project, connect
from scar.cli.job_follower import JobFollower, require_answerable
from scar.cli.shell_words import shell_words
from scar.commands import job_commands
from scar.commands.job_command import Invocation, JobCommand
from scar.errors import ScarError
from scar.jobs.record import Job
from scar.projects import Project, ProjectsFile
from scar.settings import Settings

if TYPE_CHECKING:
    from scar.client import ApiClient


def job_command(kind: str) -> click.Command:
    """Return the subcommand that submits a job of a kind and shows it until it has ended."""
    command = job_commands()[kind]

    @click.pass_context
    def run(
        context: click.Context, words: tuple[str, ...], as_json: bool, yes: bool = False
    ) -> None:
        client = connect(Settings.load())
        invocation = _parse(command, words, client)
        if command.asks and not yes:
            require_answerable(command.kind)
        job = submit(client, command, invocation, yes=yes)
        does = job_commands()[job.request.kind]
        code = JobFollower(client, does, as_json=as_json).follow(job)
        _tell_problem(client)
        context.exit(code)

    options: list[click.Parameter] = [
        click.Argument(["words"], nargs=-1, metavar=command.usage, shell_complete=complete_project),
        click.Option(["--json", "as_json"], is_flag=True, help="Print the job as JSON."),
    ]
    if command.asks:
        options.append(click.Option(["--yes", "-y"], is_flag=True, help="Do not ask."))
    return click.Command(
        command.kind,
        callback=run,
        params=options,
        help=f"{command.summary[:1].upper()}{command.summary[1:]}.",
        epilog=examples(command.kind, command.examples),
    )


def _tell_problem(client: ApiClient) -> None:
    """Print the error in the projects file on stderr, if the API tells it to this person."""
    with suppress(ScarError):
        problem = client.request("GET", "/projects")["problem"]
        if problem:
            click.echo(shell_words(f"⚠️ {problem['message']}\n💡 {problem['hint']}"), err=True)


def examples(word: str, arguments: Sequence[str]) -> str:
    """Return the examples for a subcommand's `--help`, one on each line."""
    lines = [f"  scar {word} {words}".rstrip() for words in arguments]
    return "\n".join(["\b", "Examples:", *lines])


def submit(client: ApiClient, command: JobCommand, invocation: Invocation, *, yes: bool) -> Job:
    """Submit the job to the API; with `yes`, it needs no confirmation."""
    kind = (invocation.command or command).kind
    body: dict[str, Any] = {"kind": kind, "args": dict(invocation.args)}
    if invocation.project and invocation.project.name:
        body["project"] = invocation.project.name
    if yes:
        body["confirm"] = "yes"
    return Job.from_json(client.request("POST", "/jobs", json=body))


def _parse(command: JobCommand, words: tuple[str, ...], client: ApiClient) -> Invocation:
    projects = ProjectsOfApi(client)
    default: Callable[[], Project] = lambda: projects.get("")  # noqa: E731
    if command.takes_text:
        words = (" ".join(words),) if words else ()
    return command.parse(words, cast("ProjectsFile", projects), default)
