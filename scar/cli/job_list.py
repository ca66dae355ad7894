"""`scar jobs`, `scar job` and `scar cancel`: list, show and cancel existing jobs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from scar.cli.api_client import ProjectsOfApi, complete_project, connect
from scar.cli.job_follower import JobFollower
from scar.cli.jobs import examples
from scar.commands import job_commands
from scar.commands.cancel import job_meant
from scar.commands.job import MOST_READ
from scar.commands.jobs import COMMAND as JOBS
from scar.commands.jobs import JobFilter
from scar.errors import ScarError
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job, JobState
from scar.jobs.timestamp import rfc3339
from scar.settings import Settings

if TYPE_CHECKING:
    from scar.client import ApiClient

_MOST_LISTED = 20


@click.command(epilog=examples("jobs", ("", "shop", "failed", "shop failed --json")))
@click.argument("words", nargs=-1, metavar=JOBS.usage, shell_complete=complete_project)
@click.option("--json", "as_json", is_flag=True, help="Print the jobs as JSON.")
def jobs(words: tuple[str, ...], as_json: bool) -> None:
    """The latest jobs, or those that failed."""
    client = connect(Settings.load())
    wanted = JobFilter.of(words, ProjectsOfApi(client))
    most = MOST_READ if wanted.failed else _MOST_LISTED
    items = _latest(client, wanted.project, most, cursor=wanted.before)
    items = [item for item in items if wanted.takes(Job.from_json(item))][:_MOST_LISTED]
    if as_json:
        click.echo(json.dumps(items, indent=2, ensure_ascii=False))
        return
    if not items:
        click.echo("None yet.", err=True)
    for job in map(Job.from_json, items):
        who = job.request.requested_by
        at = rfc3339(job.request.created_at)
        by = f"{who.name} ({who.frontend})"
        click.echo(f"{job.id}  {at}  {job.state.value:<12}  {job.about:<32}  {by}")


@click.command(epilog=examples("job", ("", "shop", "01JZ0000000000000000000000")))
@click.argument("job_or_project", required=False, shell_complete=complete_project)
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
@click.pass_context
def job(context: click.Context, job_or_project: str | None, as_json: bool) -> None:
    """Show a job as it goes on, and answer where it asks.

    It may have been asked for anywhere. Of a project, or of all, it is the latest that has not
    ended, else the latest.
    """
    client = connect(Settings.load())
    shown = _shown(client, job_or_project)
    command = job_commands().get(shown.request.kind)
    if command is None:
        raise ScarError(
            "not_found", f"This SCAR does not know '{shown.request.kind}'", "Is it of one version?"
        )
    context.exit(JobFollower(client, command, as_json=as_json, own=False).follow(shown))


@click.command(epilog=examples("cancel", ("", "shop", "01JZ0000000000000000000000")))
@click.argument("job_or_project", required=False, shell_complete=complete_project)
@click.pass_context
def cancel(context: click.Context, job_or_project: str | None) -> None:
    """Stop a job.

    It is named by its id or its project, or is the only one that runs.
    """
    client = connect(Settings.load())
    words = (job_or_project,) if job_or_project else ()
    latest = map(Job.from_json, _latest(client, None, MOST_READ))
    id = job_meant(words, [job for job in latest if not job.state.ended], ProjectsOfApi(client))
    job = Job.from_json(client.request("POST", f"/jobs/{id}/cancel"))
    for event in client.events(id, job.last_event) if not job.state.ended else ():
        job = job.after(event)
    click.echo(f"{job.about}: {job.state.value}")
    context.exit(0 if job.state is JobState.CANCELLED else 1)


def _shown(client: ApiClient, word: str | None) -> Job:
    if word and is_job_id(word):
        return client.job(word.upper())
    project = ProjectsOfApi(client).get(word).name if word else None
    latest = [Job.from_json(item) for item in _latest(client, project, MOST_READ)]
    if not latest:
        raise ScarError(
            "job_not_found", "There is no job yet", "`scar jobs` lists the latest ones."
        )
    return next((job for job in latest if not job.state.ended), latest[0])


def _latest(
    client: ApiClient, project: str | None, limit: int, *, cursor: str | None = None
) -> list[dict[str, Any]]:
    query: dict[str, Any] = {"limit": limit, **({"cursor": cursor} if cursor else {})}
    if project:
        query["project"] = project
    items: list[dict[str, Any]] = client.request("GET", "/jobs", params=query)["items"]
    return items


COMMANDS = (jobs, job, cancel)
