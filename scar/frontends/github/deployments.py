"""GitHub's own record of a deploy: a Deployment of the commit, and its state.

REST API, "Deployments": a deployment is made once for each job, which its payload names, so that a
process that was killed goes on with the one that is there.
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
    """What is deployed: a commit of a repository, to a project, by a job."""

    repository: str
    commit: str
    project: str
    job_id: str


@dataclass(frozen=True)
class Deployments:
    """Tells GitHub how deploys go on. What GitHub refuses is logged, and disturbs no deploy: its
    token or App may lack `deployments: write`.
    """

    github: GitHub

    async def begin(self, deployed: DeployedCommit) -> None:
        """Say that the deploy runs."""
        await self._tell(deployed, "in_progress", "Deploying")

    async def end(self, deployed: DeployedCommit, job: Job | None, description: str) -> float:
        """Say how the deploy has ended; `error` where nothing was deployed, or nobody knows. Return
        after how many seconds to say it again: 0 where it is said, or cannot be.
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
