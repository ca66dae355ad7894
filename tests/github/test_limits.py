"""GitHub's limits and what it loses: the last state still arrives."""

from __future__ import annotations

from typing import Any

import pytest

from scar.jobs.record import JobState
from tests.github.test_comments import ask
from tests.support.acting_worker import ActingWorker, status_of
from tests.support.github_scene import GitHubScene
from tests.support.github_server import REPOSITORY, Fault, GitHubServer


@pytest.mark.parametrize(
    ("fault", "wait"),
    [
        ({"status": 429, "headers": {"retry-after": "2"}}, 2.0),
        (
            {
                "status": 403,
                "headers": {"retry-after": "2"},
                "body": {"message": "You have exceeded a secondary rate limit"},
            },
            2.0,
        ),
        ({"status": 500}, 4.9),
    ],
    ids=["429", "secondary", "500"],
)
def test_github_is_not_called_before_the_wait_it_demanded_is_over(
    github: GitHubServer, worker: ActingWorker, issue: int, fault: dict[str, Any], wait: float
) -> None:
    github.faults.append(Fault("POST", rf"/issues/{issue}/comments$", **fault))
    github.says("octocat", issue, "/docker_status")
    job = worker.next_job("status", "octocat")
    worker.finish(job.id, status_of("shop"))
    github.wait_for(issue, "Production Status")
    first, second = github.writes(issue)
    assert (first.status, second.status) == (fault["status"], 201)
    assert second.at - first.at >= wait - 0.05


def test_a_deleted_comment_is_written_again(
    github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    job, question = ask(github, worker, issue)
    github.says("octocat", issue, "yes")
    worker.until(job.id, JobState.QUEUED)
    path = f"/repos/{REPOSITORY}/issues/comments/{question['id']}"
    github.ask("octocat", "DELETE", path)
    worker.finish(job.id, {"downtime_seconds": None})
    assert github.wait_for(issue, "Production is live")["id"] != question["id"]


def test_an_issue_that_cannot_be_written_to_does_not_disturb_others(
    scene: GitHubScene, github: GitHubServer, worker: ActingWorker, issue: int
) -> None:
    refusal = {"message": "Resource not accessible by integration"}
    github.faults.append(Fault("POST", rf"/issues/{issue}/comments$", 403, body=refusal, times=99))
    github.says("octocat", issue, "/docker_status")
    job = worker.next_job("status", "octocat")
    worker.finish(job.id, status_of("shop"))
    scene.heard_all()
    other = github.issue()
    github.says("octocat", other, "/help")
    github.wait_for(other, "What you may do here")
    assert [call.status for call in github.writes(issue)] == [403]
