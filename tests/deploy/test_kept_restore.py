"""A file that was changed by hand and replaced is brought back by a job, not by a shell command."""

from __future__ import annotations

import pytest

from scar.chat.job_view import view_job
from scar.commands import job_commands
from scar.jobs.record import Job
from tests.support.deploy_scene import DeployScene


def shown(job: Job) -> str:
    return view_job(job_commands()[job.request.kind], job).text


@pytest.fixture
def replaced(siteless: DeployScene) -> DeployScene:
    """A scene whose page was changed by hand, and whose last deploy replaced it."""
    (siteless.production / "page").write_text("by hand\n")
    siteless.write(page="two")
    assert siteless.do("deploy").state == "succeeded"
    return siteless


def test_a_kept_file_is_offered_and_comes_back_after_a_yes(replaced: DeployScene) -> None:
    scene = replaced
    kept = view_job(job_commands()["kept"], scene.do("kept"))
    assert "1. page (8 B, replaced " in kept.text
    assert [button.command for button in kept.buttons] == ["/docker_kept restore shop 1"]
    unknown = scene.do("kept_restore", number=7)
    assert unknown.error is not None
    assert unknown.error.code == "not_found"
    job = scene.ask("kept_restore", confirm=False, number=1)
    scene.planned(job)
    assert f"File: {scene.production}/page" in shown(scene.api.job(job.id))
    assert (scene.production / "page").read_text() == "two"
    scene.answer(job, "yes")
    done = scene.end_of(job)
    assert done.state == "succeeded", done.error
    assert (scene.production / "page").read_text() == "by hand\n"
    assert "✅ page is back in production" in shown(done)
    assert scene.leftovers() == []


def test_what_a_kept_file_replaces_is_kept_too(replaced: DeployScene) -> None:
    scene = replaced
    (scene.production / "page").write_text("by another hand\n")
    job = scene.ask("kept_restore", confirm=False, number=1)
    assert scene.planned(job)["keeps"] is True
    scene.answer(job, "yes")
    assert scene.end_of(job).state == "succeeded"
    assert scene.do("kept_restore", number=2).state == "succeeded"
    assert (scene.production / "page").read_text() == "by another hand\n"
    again = scene.do("kept_restore", number=2)
    assert again.state == "succeeded"
    assert "has that content already" in shown(again)


def test_a_file_that_changes_after_the_question_is_asked_about_again(
    replaced: DeployScene,
) -> None:
    scene = replaced
    job = scene.ask("kept_restore", confirm=False, number=1)
    first = scene.planned(job)
    (scene.production / "page").write_text("just now\n")
    scene.answer(job, "yes")
    assert scene.planned(job, other_than=first["hash"])["changed"] is True
    assert (scene.production / "page").read_text() == "just now\n"
    scene.answer(job, "no")
