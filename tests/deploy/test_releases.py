"""Releases that can be told apart, and named by the beginning of their ids."""

from __future__ import annotations

import pytest

from scar.chat.job_view import view_job
from scar.commands import job_commands
from scar.jobs.record import Job
from tests.support.deploy_scene import DeployScene
from tests.support.git_server import git


def shown(job: Job) -> str:
    return view_job(job_commands()[job.request.kind], job).text


@pytest.fixture
def releases(siteless: DeployScene) -> list[str]:
    """The ids of three releases, the oldest first; two of commits, the newest with changes."""
    git(siteless.workspace, "init", "-q")
    ids = []
    for page in ("two", "three"):
        siteless.write(page=page)
        git(siteless.workspace, "add", ".")
        git(siteless.workspace, "commit", "-qm", f"Make the page say {page}\n\nAs was asked.")
        if page == "three":
            siteless.write(page="four")
        job = siteless.do("deploy")
        assert job.state == "succeeded", job.error
        ids.append(job.id)
    return [(siteless.do("history").result or {})["releases"][2]["id"], *ids]


def test_history_tells_releases_apart_and_offers_each(
    siteless: DeployScene, releases: list[str]
) -> None:
    job = siteless.do("history")
    text = shown(job)
    head = git(siteless.workspace, "rev-parse", "HEAD")
    for line in (
        f"{releases[2][:10]} (now in production)",
        f"{head[:12]} Make the page say three + uncommitted changes",
        f"{releases[1][:10]} (1 release ago)",
        f"{releases[0][:10]} (2 releases ago)",
        "no commit",
    ):
        assert line in text.splitlines()
    buttons = view_job(job_commands()["history"], job).buttons
    assert [button.command for button in buttons] == [
        f"/docker_rollback shop {id[:10]}" for id in releases[1::-1]
    ]


def test_the_beginning_of_an_id_names_a_release_and_a_wrong_one_is_answered_with_the_list(
    siteless: DeployScene, releases: list[str]
) -> None:
    for wrong, what in (("zzz", "Release 'zzz' not found"), ("0", "3 releases begin with '0'")):
        job = siteless.do("rollback", release=wrong)
        assert job.error is not None
        assert (job.error.code, job.error.message) == ("not_found", what)
        assert [line[:10] for line in job.error.lines] == [id[:10] for id in reversed(releases)]
        assert "Make the page say two, by test (api), 1 release ago" in job.error.lines[1]
    job = siteless.ask("rollback", confirm=False, release=releases[0][:10].lower())
    plan = siteless.planned(job)
    assert plan["release"] == releases[0]
    text = shown(siteless.api.job(job.id))
    assert f"Release: {releases[0][:10]} (2 releases ago)" in text
    siteless.answer(job, "yes")
    assert siteless.end_of(job).state == "succeeded"
    assert (siteless.production / "page").read_text() == "one"
