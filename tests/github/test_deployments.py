"""Deployments as GitHub's REST API takes them: one for each job, whatever is refused."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from scar.access import Actor
from scar.frontends.github.client import GitHub
from scar.frontends.github.deployments import DeployedCommit, Deployments
from scar.jobs.record import Job, JobState
from scar.jobs.request import Request
from scar.settings import Settings

COMMIT = "a" * 40
DEPLOYED = DeployedCommit("octo/shop", COMMIT, "shop", "01JZ0000000000000000000000")
STATES = ("error", "failure", "inactive", "in_progress", "queued", "pending", "success")


class DeploymentsApi(httpx.AsyncBaseTransport):
    """The part of the REST API that deployments need; stricter than GitHub, it takes no field that
    is not documented.
    """

    def __init__(self) -> None:
        self.deployments: list[dict[str, Any]] = [
            {"id": 1, "sha": COMMIT, "environment": "shop", "payload": "of somebody else"}
        ]
        self.states: dict[int, list[str]] = {}
        self.status = 201

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        path = request.url.path
        if self.status != 201:
            return httpx.Response(self.status, json={"message": "Resource not accessible"})
        if request.method == "GET" and path == "/repos/octo/shop/deployments":
            wanted = request.url.params
            of = [d for d in self.deployments if d["sha"] == wanted["sha"]]
            return httpx.Response(200, json=of)
        if request.method == "POST" and path == "/repos/octo/shop/deployments":
            return self._made(body)
        match = re.fullmatch(r"/repos/octo/shop/deployments/(\d+)/statuses", path)
        assert match, path
        assert body.keys() <= {"state", "description", "environment", "log_url", "auto_inactive"}
        assert body["state"] in STATES
        assert len(body["description"]) <= 140
        self.states.setdefault(int(match[1]), []).append(body["state"])
        return httpx.Response(201, json={"id": 1})

    def _made(self, body: dict[str, Any]) -> httpx.Response:
        known = {"ref", "task", "auto_merge", "required_contexts", "payload", "environment"}
        assert body.keys() <= known
        # By default GitHub merges the branch, and waits for every check.
        assert (body["auto_merge"], body["required_contexts"]) == (False, [])
        made = {"id": len(self.deployments) + 1, "sha": body["ref"], **body}
        self.deployments.append(made)
        return httpx.Response(201, json=made)


@pytest.fixture
def api() -> DeploymentsApi:
    return DeploymentsApi()


def told(api: DeploymentsApi, *ends: Job | None, begin: bool = True) -> list[float]:
    """Tell of a deploy; return after how many seconds each end is to be told again."""

    async def tell() -> list[float]:
        settings = Settings.load({"SCAR_GITHUB_TOKEN": "a-token-of-nobody"}, dotenv=None)
        github = GitHub(settings, httpx.AsyncClient(transport=api))
        deployments = Deployments(github)
        if begin:
            await deployments.begin(DEPLOYED)
        again = [await deployments.end(DEPLOYED, job, "Deployed, " + "x" * 200) for job in ends]
        await github.close()
        return again

    return asyncio.run(tell())


def ended(state: JobState) -> Job:
    actor = Actor("schedule", "push", "a push")
    return Job(Request("J", "deploy", "shop", "default", {}, actor, True, True, 0, 0), state)


def test_a_job_that_is_reported_twice_has_one_github_deployment(api: DeploymentsApi) -> None:
    told(api, ended(JobState.SUCCEEDED))
    told(api, ended(JobState.SUCCEEDED), begin=False)
    assert [d["payload"] for d in api.deployments[1:]] == [{"job": DEPLOYED.job_id}]
    assert api.states == {2: ["in_progress", "success", "success"]}


@pytest.mark.parametrize(
    ("job", "state"),
    [
        (ended(JobState.ROLLED_BACK), "failure"),
        (ended(JobState.FAILED), "failure"),
        (ended(JobState.CANCELLED), "error"),
        (None, "error"),
    ],
)
def test_a_deploy_that_never_began_is_reported_as_an_error(
    api: DeploymentsApi, job: Job | None, state: str
) -> None:
    told(api, job)
    assert api.states[2][-1] == state


def test_a_refusal_disturbs_no_deploy(api: DeploymentsApi) -> None:
    api.status = 403
    assert told(api, ended(JobState.SUCCEEDED)) == [0]
    assert api.states == {}


def test_an_end_that_github_could_not_accept_is_reported_again(api: DeploymentsApi) -> None:
    told(api)
    api.status = 502
    (again,) = told(api, ended(JobState.SUCCEEDED), begin=False)
    assert again > 0
    api.status = 201
    assert told(api, ended(JobState.SUCCEEDED), begin=False) == [0]
    assert api.states == {2: ["in_progress", "success"]}
