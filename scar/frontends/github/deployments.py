"""GitHub's own record of a deploy: a Deployment of the commit, and its state.

REST API, "Deployments": one deployment is created for each job, whose id is in its payload, so that
a restarted process finds and continues it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog

from scar.frontends.github.client import GitHub, Refused, as_github_answers
from scar.jobs.record import Job, JobState
from scar.json_object import JsonObject

_LONGEST_DESCRIPTION = 140
_STATE = {
    JobState.SUCCEEDED: "success",
    JobState.FAILED: "failure",
    JobState.ROLLED_BACK: "failure",
}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DeployedCommit:
    """A commit of a repository that a job deploys to a project."""

    repository: str
    commit: str
    project: str
    job_id: str


@dataclass(frozen=True)
class Deployments:
    """Reports the progress of deploys to GitHub. A refusal by GitHub is only logged, since the
    token or App may lack `deployments: write`.
    """

    github: GitHub

    async def begin(self, deployed: DeployedCommit) -> None:
        """Report that the deploy is running."""
        await self._tell(deployed, "in_progress", "Deploying")

    async def end(self, deployed: DeployedCommit, job: Job | None, description: str) -> float:
        """Report how the deploy has ended: `error` if nothing was deployed or the outcome is
        unknown. Return after how many seconds to retry; 0 if it was reported or cannot be.
        """
        state = _STATE.get(job.state, "error") if job else "error"
        return await self._tell(deployed, state, description)

    async def _tell(self, deployed: DeployedCommit, state: str, description: str) -> float:
        try:
            id = await self._known(deployed) or await self._make(deployed)
            content = {"state": state, "description": description[:_LONGEST_DESCRIPTION]}
            await self._ask("POST", deployed, f"/{id}/statuses", content)
        except Refused as error:
            _log.warning("deployment not told", commit=deployed.commit, reason=str(error))
            return error.retry_after or 0.0
        return 0.0

    async def _known(self, deployed: DeployedCommit) -> str | None:
        """Return the id of the deployment that was made for the job; None where there is none."""
        environment = quote(deployed.project, safe="")
        query = f"?sha={deployed.commit}&environment={environment}&per_page=100"
        made = await self._ask("GET", deployed, query)
        with as_github_answers():
            own = (one["id"] for one in made if _job_of(one.get("payload")) == deployed.job_id)
            id = next(own, None)
        return None if id is None else str(id)

    async def _make(self, deployed: DeployedCommit) -> str:
        content = {
            "ref": deployed.commit,
            "environment": deployed.project,
            "auto_merge": False,
            "required_contexts": [],
            "payload": {"job": deployed.job_id},
        }
        made = await self._ask("POST", deployed, "", content)
        with as_github_answers():
            return str(made["id"])

    async def _ask(
        self, method: str, deployed: DeployedCommit, path: str, content: JsonObject | None = None
    ) -> Any:
        repository = deployed.repository
        whole = f"/repos/{repository}/deployments{path}"
        return await self.github.ask(method, repository, whole, content)


def _job_of(payload: Any) -> str | None:
    """Return the job that a deployment was made for; others have payloads of their own."""
    return payload.get("job") if isinstance(payload, dict) else None
