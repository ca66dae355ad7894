"""`scar jobs`, `scar job` and `scar cancel`: jobs that are there already."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from scar.cli.api_client import ProjectsOfApi, complete_project, connect
from scar.cli.job_follower import JobFollower
from scar.cli.jobs import examples
from scar.commands import job_commands
from scar.commands.cancel import MOST_READ, job_meant
from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.timestamp import rfc3339
from scar.settings import Settings

if TYPE_CHECKING:
    from scar.client import ApiClient

_MOST_LISTED = 20


@click.command(epilog=examples("jobs", ("", "shop", "shop --json")))
@click.argument("project", required=False, shell_complete=complete_project)
@click.option("--json", "as_json", is_flag=True, help="Print the jobs as JSON.")
def jobs(project: str | None, as_json: bool) -> None:
    """The latest jobs."""
    items = _latest(connect(Settings.load()), project, _MOST_LISTED)
    if as_json:
        click.echo(json.dumps(items, indent=2, ensure_ascii=False))
        return
    for job in map(Job.from_json, items):
        who = job.request.requested_by
        at = rfc3339(job.request.created_at)
        by = f"{who.name} ({who.frontend})"
        click.echo(f"{job.id}  {at}  {job.state.value:<12}  {job.about:<32}  {by}")


@click.command(epilog=examples("job", ("01JZ0000000000000000000000",)))
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
    context.exit(JobFollower(client, command, as_json=as_json, own=False).follow(shown))


@click.command(epilog=examples("cancel", ("", "shop", "01JZ0000000000000000000000")))
@click.argument("job_or_project", required=False, shell_complete=complete_project)
@click.pass_context
def cancel(context: click.Context, job_or_project: str | None) -> None:
    """Stop a job, or the one that works on a project, or the only one that runs."""
    client = connect(Settings.load())
    words = (job_or_project,) if job_or_project else ()
    latest = map(Job.from_json, _latest(client, None, MOST_READ))
    id = job_meant(words, [job for job in latest if not job.state.ended], ProjectsOfApi(client))
    job = Job.from_json(client.request("POST", f"/jobs/{id}/cancel"))
    for event in client.events(id, job.last_event) if not job.state.ended else ():
        job = job.after(event)
    click.echo(f"{job.about}: {job.state.value}")
    context.exit(0 if job.state is JobState.CANCELLED else 1)


def _latest(client: ApiClient, project: str | None, limit: int) -> list[dict[str, Any]]:
    query: dict[str, Any] = {"limit": limit}
    if project:
        query["project"] = project
    items: list[dict[str, Any]] = client.request("GET", "/jobs", params=query)["items"]
    return items


COMMANDS = (jobs, job, cancel)
