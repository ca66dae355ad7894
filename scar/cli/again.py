"""`scar again`: repeat the request of an earlier job over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scar.cli.api_client import ProjectsOfApi, complete_project, connect
from scar.cli.job_follower import JobFollower, require_answerable
from scar.cli.jobs import examples, submit
from scar.commands import job_commands
from scar.commands.again import COMMAND, no_own_job, repeated
from scar.jobs.job_id import is_job_id
from scar.jobs.record import Job
from scar.settings import Settings

if TYPE_CHECKING:
    from scar.client import ApiClient

_MOST_READ = 200


@click.command(epilog=examples("again", COMMAND.examples))
@click.argument("job_or_project", required=False, shell_complete=complete_project)
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print the job as JSON.")
@click.pass_context
def again(context: click.Context, job_or_project: str | None, yes: bool, as_json: bool) -> None:
    """Ask once more for your last job, or for the one named."""
    client = connect(Settings.load())
    job = _meant(client, job_or_project)
    command, invocation = repeated(job, job_commands(), ProjectsOfApi(client).get)
    if command.asks and not yes:
        require_answerable("again")
    made = submit(client, command, invocation, yes=yes and command.asks)
    context.exit(JobFollower(client, command, as_json=as_json).follow(made))


def _meant(client: ApiClient, word: str | None) -> Job:
    """Return the job with that id; for a project's name or no word, the user's own latest job that
    changed something.
    """
    if word and is_job_id(word):
        return client.job(word.upper())
    query = {"mine": "true", "limit": _MOST_READ, **({"project": word} if word else {})}
    items = client.request("GET", "/jobs", params=query)["items"]
    own = (job for job in map(Job.from_json, items) if job.request.changes)
    if (job := next(own, None)) is None:
        raise no_own_job()
    return job


COMMANDS = (again,)
