"""What is pushed is deployed: the newest, once, and GitHub is told how it went."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import httpx
import pytest

from scar.errors import ScarError
from scar.jobs.record import Job, JobState
from scar.jobs.subscriptions import Subscription
from scar.project_origins import ProjectOrigins
from tests.support.acting_worker import ActingWorker
from tests.support.github_scene import GitHubScene
from tests.support.github_server import REPOSITORY, SECRET, GitHubServer
from tests.support.waiting import eventually

HOST = "github.example"


class Branch:
    """PushDeploys, told as GitHub tells them."""

    def __init__(self, scene: GitHubScene) -> None:
        self._scene = scene
        self._count = 0
        self._newest = 0

    def push(self, ref: str = "refs/heads/main", repository: str = REPOSITORY, at: int = 0) -> str:
        """The commit that was pushed; GitHub's delivery is taken in."""
        self._count += 1
        commit = hashlib.sha1(f"{id(self)} {self._count}".encode()).hexdigest()
        place = repository, ref.removeprefix("refs/heads/")
        if at >= self._newest:
            self._scene.github.heads[place], self._newest = commit, at
        self.deliver(ref, commit, repository, at)
        return commit

    def deliver(self, ref: str, commit: str, repository: str = REPOSITORY, at: int = 0) -> None:
        delivery = {
            "ref": ref,
            "after": commit,
            "repository": {
                "full_name": repository,
                "html_url": f"https://{HOST}/{repository}",
                "pushed_at": at,
            },
            "sender": {"login": "octocat"},
        }
        body = json.dumps(delivery).encode()
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json",
            "x-github-event": "push",
            "x-github-delivery": hashlib.md5(body).hexdigest(),
            "x-hub-signature-256": f"sha256={signature}",
        }
        answer = httpx.post(self._scene.hook, content=body, headers=headers, verify=False)
        assert answer.status_code == 202


@pytest.fixture
def branch(scene: GitHubScene) -> Iterator[Branch]:
    ProjectOrigins(scene.services.redis).report({"shop": f"{HOST}/{REPOSITORY}"})
    yield Branch(scene)
    for job in scene.worker.jobs_of("push"):
        scene.services.redis.hdel("scar:github:deploys", job.id)
    scene.services.redis.delete("scar:github:pushes", "scar:locks")


def said_of(github: GitHubServer, commit: str) -> list[str]:
    return [state for of, _, state, _ in github.statuses if of == commit]


def deploys(worker: ActingWorker) -> list[Job]:
    return worker.jobs_of("push")


def test_a_push_is_deployed_and_its_commit_gets_the_status(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, branch: Branch
) -> None:
    commit = branch.push()
    job = worker.next_job("deploy", "push")
    assert job.request.args["push"] == {
        "repository": f"{HOST}/{REPOSITORY}",
        "branch": "main",
        "commit": commit,
    }
    assert job.state is JobState.QUEUED
    branch.deliver("refs/heads/main", commit)  # a replay
    subscriptions = eventually(
        lambda: scene.services.subscriptions.of("telegram"), "the chat that alerts name shows it"
    )
    assert subscriptions == [Subscription("telegram", job.id, '["-100", "7"]')]
    worker.finish(job.id, {"downtime_seconds": 2.0})
    eventually(lambda: said_of(github, commit)[-1:] == ["success"], "the commit is green")
    assert set(said_of(github, commit)[:-1]) == {"pending"}
    assert github.statuses[-1][3] == "Deployed, 2.0 s of downtime"
    assert [one.id for one in deploys(worker)].count(job.id) == 1


def test_pushes_during_a_deploy_lead_to_one_more_deploy_of_the_newest(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, branch: Branch
) -> None:
    first = branch.push()
    job = worker.next_job("deploy", "push")
    assert job.request.args["push"]["commit"] == first
    before = len(deploys(worker))
    overtaken, newest = branch.push(), branch.push()
    scene.heard_all()
    eventually(lambda: "error" in said_of(github, overtaken), "the one between is told")
    assert len(deploys(worker)) == before
    worker.fail(job.id, ScarError("build_failed", "It does not build", "Look at it."))
    again = worker.next_job("deploy", "push")
    assert again.request.args["push"]["commit"] == newest
    eventually(lambda: said_of(github, first)[-1:] == ["failure"], "the commit is red")
    worker.finish(again.id, {"downtime_seconds": None})
    eventually(lambda: said_of(github, newest)[-1:] == ["success"], "the newest is green")
    assert len(deploys(worker)) == before + 1


def test_a_push_that_is_delivered_late_does_not_replace_a_newer_one(
    github: GitHubServer, worker: ActingWorker, branch: Branch
) -> None:
    branch.push(at=100)
    job = worker.next_job("deploy", "push")
    newest, late = branch.push(at=300), branch.push(at=200)
    eventually(lambda: said_of(github, late) == ["error"], "the late one is told")
    worker.finish(job.id, {"downtime_seconds": None})
    again = worker.next_job("deploy", "push")
    assert again.request.args["push"]["commit"] == newest
    worker.finish(again.id, {"downtime_seconds": None})
    eventually(lambda: said_of(github, newest)[-1:] == ["success"], "the newest is green")


def test_a_push_to_another_repository_replaces_no_waiting_push(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, branch: Branch
) -> None:
    branch.push()
    job = worker.next_job("deploy", "push")
    ours = branch.push()
    # As before the worker reported an origin for it.
    ProjectOrigins(scene.services.redis).report({"shop": None})
    branch.push(repository="octocat/another")
    scene.heard_all()
    assert said_of(github, ours) == ["pending"]
    worker.finish(job.id, {"downtime_seconds": None})
    again = worker.next_job("deploy", "push")
    assert again.request.args["push"]["commit"] == ours
    worker.finish(again.id, {"downtime_seconds": None})
    other = worker.next_job("deploy", "push")
    worker.fail(other.id, ScarError("conflict", "Not of this repository", ""))


def test_pushes_to_other_branches_and_repositories_are_not_deployed(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, branch: Branch
) -> None:
    before = len(deploys(worker))
    commits = {
        *("0" * 40, "main"),
        branch.push("refs/heads/other"),
        branch.push("refs/tags/main"),
        branch.push("refs/heads/refs/heads/main"),
        branch.push(repository="octocat/another"),
    }
    branch.deliver("refs/heads/main", "0" * 40)
    branch.deliver("refs/heads/main", "main")
    scene.heard_all()
    redis = scene.services.redis
    eventually(lambda: not redis.hlen("scar:github:pushes"), "no push waits")
    assert len(deploys(worker)) == before
    assert commits.isdisjoint(commit for commit, _, _, _ in github.statuses)


def test_a_push_to_a_project_that_a_person_locked_is_refused(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, branch: Branch
) -> None:
    before = len(deploys(worker))
    issue = github.issue()
    github.says("octocat", issue, "/docker_lock shop counting stock")
    github.wait_for(issue, "counting stock")
    commit = branch.push()
    eventually(lambda: said_of(github, commit)[-1:] == ["error"], "the commit says so")
    assert "counting stock" in github.statuses[-1][3] or "octocat" in github.statuses[-1][3]
    assert len(deploys(worker)) == before
    redis = scene.services.redis
    eventually(lambda: not redis.hlen("scar:github:pushes"), "no push waits")
    github.says("octocat", issue, "/docker_unlock shop")
    eventually(lambda: not scene.services.command_context.locks.of("shop"), "it is let go")
