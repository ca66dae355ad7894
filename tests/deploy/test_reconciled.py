"""A Redis that has lost everything is told the truth again."""

from __future__ import annotations

import json

import pytest

from scar.errors import ScarError
from scar.jobs.record import Job
from scar.redis_client import connect
from tests.support.deploy_scene import DOCKERFILE, DeployScene
from tests.support.waiting import eventually

NEVER_WELL = DOCKERFILE.replace('"8000"', '"9000"')


def ended_job(scene: DeployScene, job: Job) -> Job | None:
    try:
        reported = scene.api.job(job.id)
    except ScarError:
        return None
    return reported if reported.state.ended else None


def test_running_and_ended_jobs_are_shown_again_after_redis_lost_its_data(
    scene: DeployScene,
) -> None:
    before = scene.images(), scene.tree()
    scene.write(page="two", Dockerfile="FROM IMAGE\nRUN sleep 20\n")
    job = scene.ask("deploy")
    scene.until_step(job, "building")
    redis = connect(scene.installation.redis_url)
    redis.flushall()
    reported = eventually(lambda: ended_job(scene, job), "the job has ended", 60)
    assert reported is not None
    assert (reported.state, reported.error and reported.error.code) == (
        "rolled_back",
        "worker_lost",
    )
    assert (scene.images(), scene.tree()) == before
    redis.flushall()
    again = eventually(lambda: ended_job(scene, job), "the job is told again", 30)
    assert again is not None
    assert (again.state, again.result) == (reported.state, reported.result)


def test_a_job_whose_outcome_was_lost_is_not_run_a_second_time(scene: DeployScene) -> None:
    scene.write(page="two")
    job = scene.do("deploy")
    marker = scene.installation.folder / "state" / "done" / job.id
    kept = json.loads(marker.read_text())
    marker.write_text(json.dumps({name: kept[name] for name in ("signed", "begun_at")}))
    scene.write(page="three", Dockerfile="FROM IMAGE\nRUN false\n")
    failed = scene.do("deploy")
    assert failed.state == "rolled_back"
    before = scene.images(), scene.tree()
    connect(scene.installation.redis_url).flushall()
    again = eventually(lambda: ended_job(scene, job), "the job is told again", 30)
    assert again is not None
    assert again.state == "succeeded"
    assert again.result is not None
    assert again.result["release"] == job.id
    assert (scene.images(), scene.tree()) == before


def test_a_deploy_that_is_said_to_have_ended_is_brought_to_its_end(scene: DeployScene) -> None:
    """Somebody who can write to Redis fences the worker off and calls the job done."""
    before = scene.images(), scene.tree()
    scene.write(page="two", Dockerfile=NEVER_WELL)
    job = scene.ask("deploy")
    scene.until_step(job, "verifying")
    redis = connect(scene.installation.redis_url)
    redis.hset(f"scar:job:{job.id}", mapping={"state": "succeeded", "fence": "99"})
    with pytest.raises(ScarError, match="tampered with"):
        scene.api.job(job.id)
    ended = eventually(lambda: ended_job(scene, job), "the job has ended", 60)
    assert ended is not None
    assert ended.state == "rolled_back"
    assert (scene.images(), scene.tree(), scene.site()) == (*before, "one")
