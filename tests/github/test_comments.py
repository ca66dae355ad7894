"""A chat in comments: one comment a job, a `yes` by whom it was asked, and nobody else."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from itertools import pairwise
from typing import Any

import pytest

from scar.chat.front_end import Place
from scar.frontends.github.accounts import Accounts
from scar.jobs.github_delivery import to_letter
from scar.jobs.inbox import Inbox
from scar.jobs.record import Job, JobState
from scar.jobs.subscriptions import Subscription
from tests.support.acting_worker import ActingWorker, status_of
from tests.support.github_scene import GitHubScene
from tests.support.github_server import BOT, REPOSITORY, SECRET, Fault, GitHubServer
from tests.support.keys import signatures_of

EDIT_SECONDS = 3.0
KEY = "a key that only tests know"


def outcome(comment: dict[str, Any]) -> dict[str, Any]:
    """What programs read in a comment."""
    outcomes = re.findall(r"<!-- scar: (.*?) -->", comment["body"])
    assert len(outcomes) == 1
    said: dict[str, Any] = json.loads(outcomes[0])
    return said


def ask(
    github: GitHubServer, worker: ActingWorker, issue: int, said: str = "/docker_restart"
) -> tuple[Job, dict[str, Any]]:
    """A restart whose question is on the table."""
    github.says("octocat", issue, said)
    job = worker.next_job("restart", "octocat")
    worker.plan(job.id)
    return job, github.wait_for(issue, "to confirm")


def nothing_happens(scene: GitHubScene, job: Job) -> None:
    scene.heard_all()
    assert scene.worker.state(job.id) is JobState.AWAITING_CONFIRMATION


def test_one_comment_shows_the_job_from_question_to_result(
    github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    asked = github.says("octocat", issue, "/docker_restart\n\nplease, it hangs")
    job = worker.next_job("restart", "octocat")
    worker.plan(job.id)
    question = github.wait_for(issue, "to confirm")
    assert outcome(question)["state"] == "awaiting_confirmation"
    github.says("octocat", issue, " Yes ")
    worker.until(job.id, JobState.QUEUED)
    worker.finish(job.id, {"downtime_seconds": 1.5})
    end = github.wait_for(issue, "Production is live")
    assert end["id"] == question["id"]
    assert outcome(end) == {
        "job": job.id,
        "kind": "restart",
        "project": "shop",
        "state": "succeeded",
        "error": None,
        "release": None,
        "downtime_seconds": 1.5,
    }
    assert (str(asked), "eyes") in github.reactions
    writes = github.writes(issue)
    assert [call.method for call in writes].count("POST") == 1
    for before, after in pairwise(writes):
        assert after.at - before.at >= EDIT_SECONDS - 0.1
    assert len(github.comments(issue)) == 1


def test_a_yes_of_somebody_else_or_elsewhere_does_not_count(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    github.says("octocat", issue, "/docker_restart")
    github.says("octocat", issue, "yes")
    job = worker.next_job("restart", "octocat")
    scene.heard_all()
    worker.plan(job.id)
    github.wait_for(issue, "to confirm")
    for login in ("hubot", "reader", "stranger", BOT):
        github.says(login, issue, "yes")
    elsewhere = github.issue()
    github.says("octocat", elsewhere, "yes")
    talk = github.says("octocat", issue, "perhaps")
    github.ask("octocat", "PATCH", f"/repos/{REPOSITORY}/issues/comments/{talk}", {"body": "yes"})
    nothing_happens(scene, job)
    assert github.comments(elsewhere) == []
    github.says("octocat", issue, "yes")
    worker.until(job.id, JobState.QUEUED)


def test_a_stranger_is_told_the_login_to_add(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    github.says("stranger", issue, "/docker_deploy shop")
    said = github.wait_for(issue, "github:stranger")
    assert "/srv" not in said["body"]
    assert worker.jobs_of("stranger") == []
    github.says("stranger", issue, "I think it hangs")
    scene.heard_all()
    assert len(github.comments(issue)) == 1


def test_read_permission_on_the_repository_allows_status_but_no_deploy(
    github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    github.says("reader", issue, "/docker_deploy")
    github.wait_for(issue, "permission to write")
    assert worker.jobs_of("reader") == []
    github.says("reader", issue, "/docker_status")
    job = worker.next_job("status", "reader")
    worker.finish(job.id, status_of("shop"))
    github.wait_for(issue, "Production Status")


@pytest.mark.parametrize(
    "said",
    [
        "> /docker_status\n\nwhat does this do?",
        "```\n/docker_status\n```",
        "~~~\n/docker_status\n~~~",
        "<!-- /docker_status -->",
        "please type\n/docker_status",
        "yes",
        "no",
    ],
)
def test_comments_that_are_not_for_scar_are_not_answered(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int, said: str
) -> None:
    jobs = len(worker.jobs_of("octocat"))
    github.says("octocat", issue, said)
    scene.heard_all()
    assert len(worker.jobs_of("octocat")) == jobs
    assert github.comments(issue) == []


def test_scars_own_comments_are_no_commands(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    github.says(BOT, issue, "/docker_status\n<!-- scar -->")
    scene.heard_all()
    assert worker.jobs_of(BOT) == []
    assert len(github.comments(issue)) == 1


def test_a_killed_front_end_continues_its_comment(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    job, question = ask(github, worker, issue)
    other, elsewhere = github.issue(), github.issue()
    scene.noted(job.id)
    scene.kill()
    github.says("octocat", issue, "yes")
    github.says("octocat", other, "/docker_status")
    scene.start()
    github.wait_for(issue, "while I was away")
    assert worker.state(job.id) is JobState.AWAITING_CONFIRMATION
    status = worker.next_job("status", "octocat")
    worker.finish(status.id, status_of("shop"))
    github.wait_for(other, "Production Status")
    assert github.comments(elsewhere) == []
    github.says("octocat", issue, "yes")
    worker.until(job.id, JobState.QUEUED)
    scene.kill()
    worker.finish(job.id, {"downtime_seconds": None})
    scene.start()
    end = github.wait_for(issue, "Production is live")
    assert end["id"] == question["id"]


def test_a_comment_written_just_before_a_kill_is_found_again(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    job, question = ask(github, worker, issue)
    scene.noted(job.id)
    scene.kill()
    place = Place(REPOSITORY, str(issue))
    scene.services.subscriptions.put(Subscription("github", job.id, place.key))
    scene.start()
    scene.noted(job.id)
    github.says("octocat", issue, "yes")
    worker.until(job.id, JobState.QUEUED)
    worker.finish(job.id, {"downtime_seconds": None})
    assert github.wait_for(issue, "Production is live")["id"] == question["id"]
    assert len(github.comments(issue)) == 1


def test_a_comment_of_somebody_else_with_the_same_hidden_mark_is_left_alone(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    job, question = ask(github, worker, issue)
    scene.noted(job.id)
    scene.kill()
    elsewhere = github.issue()
    copied = github.says("stranger", elsewhere, question["body"])
    place = Place(REPOSITORY, str(elsewhere))
    scene.services.subscriptions.put(Subscription("github", job.id, place.key))
    scene.start()
    assert outcome(github.wait_for(elsewhere, "to confirm"))["job"] == job.id
    (theirs,) = github.comments(elsewhere, "stranger")
    assert (theirs["id"], theirs["body"]) == (copied, question["body"])


def test_if_github_does_not_tell_the_permission_nothing_can_be_changed(
    github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    hidden = Fault("GET", "/collaborators/octocat/permission", 403, times=9)
    github.faults.append(hidden)
    jobs = len(worker.jobs_of("octocat"))
    github.says("octocat", issue, "/docker_deploy")
    github.wait_for(issue, "does not tell SCAR what octocat may do")
    assert len(worker.jobs_of("octocat")) == jobs
    github.says("octocat", issue, "/docker_status")
    status = worker.next_job("status", "octocat")
    worker.finish(status.id, status_of("shop"))
    github.wait_for(issue, "Production Status")


def test_a_forged_comment_that_github_does_not_have_is_ignored(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    """Who has the API's key, and even the webhook's secret, makes up no comment."""
    real = github.says("stranger", issue, "hello")
    jobs = len(worker.jobs_of("octocat"))
    inbox = Inbox(scene.services.redis, "github", signatures_of("api", KEY))
    for id, login in ((real, "octocat"), (10**9, "octocat")):
        comment = github.ask("octocat", "GET", f"/repos/{REPOSITORY}/issues/comments/{real}")
        comment |= {"id": id, "body": "/docker_status", "user": {"login": login, "type": "User"}}
        where = {"full_name": REPOSITORY, "html_url": f"https://github.example/{REPOSITORY}"}
        payload = {"action": "created", "comment": comment, "repository": where}
        body = json.dumps({**payload, "issue": {"number": issue}}).encode()
        for secret in ("a guess", SECRET):
            signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            inbox.put(to_letter("issue_comment", body, signature), [f"made up {id} {secret}"])
    scene.heard_all()
    assert len(worker.jobs_of("octocat")) == jobs
    assert github.comments(issue) == []


def test_a_login_of_another_account_is_refused(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    accounts = Accounts(scene.services.redis, scene.services.signatures)
    accounts.forget_others([])
    accounts.require_same("hubot", 10**9)
    github.says("hubot", issue, "/docker_status")
    github.wait_for(issue, "belongs to another account")
    assert worker.jobs_of("hubot") == []
    accounts.forget_others([])
