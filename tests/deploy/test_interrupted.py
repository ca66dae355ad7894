"""A deploy in whose middle something dies: production settles, and the job tells the truth."""

from __future__ import annotations

import pytest

from tests.engine.projects import run_docker

from .kill_at import KillAt
from .shop import DOCKERFILE, Shop, eventually


@pytest.mark.parametrize("step", ["building", "restarting", "verifying"])
def test_the_worker_is_killed(shop: Shop, step: str) -> None:
    before = shop.images(), shop.tree()
    shop.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 1\n")
    job = shop.ask("deploy")
    shop.until_step(job, step)
    shop.kill_worker()
    job = shop.end_of(job)
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert job.error.code == "worker_lost"
    assert (shop.images(), shop.tree()) == before
    assert shop.site() == "one"
    assert shop.leftovers() == []
    assert shop.do("deploy").state == "succeeded"
    assert shop.site() == "two"


def test_a_container_that_was_lost_meanwhile_is_up_again(shop: Shop) -> None:
    """Killed once its files are there and before a container is touched; an Engine that dies with
    it leaves its containers dead."""
    before = shop.images(), shop.tree()
    shop.write(page="two")
    starting = 6  # begun, staged, building, built, applying, starting: one call each
    journal = shop.home.folder / "state" / "projects" / "shop" / "journal.jsonl"
    with KillAt(shop.pool(), "pwrite64", starting, journal) as kill:
        job = shop.ask("deploy")
        eventually(lambda: kill.hit, "it was killed")
    run_docker("kill", f"{shop.name}-web-1", f"{shop.name}-side-1")
    job = shop.end_of(job)
    assert job.state == "rolled_back", job.error
    assert "its containers are up" in (job.result or {})["production_state"]
    assert (shop.images(), shop.tree()) == before
    assert shop.site() == "one"
    assert shop.leftovers() == []


@pytest.mark.parametrize("part", ["scar.cli api", "redis"])
def test_api_or_redis_is_killed_and_no_event_is_lost(shop: Shop, part: str) -> None:
    shop.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 2\n")
    job = shop.ask("deploy")
    seen = []
    killed = False
    for event in shop.events(job):
        seen.append(event.id)
        if not killed and event.type == "step" and event.data["name"] == "building":
            shop.home.kill(part)
            killed = True
    assert killed
    assert seen == list(range(1, len(seen) + 1))
    assert shop.api.job(job.id).state == "succeeded"
    assert shop.site() == "two"


def test_the_engine_cannot_be_reached(shop: Shop) -> None:
    eventually(lambda: shop.do("status").state == "succeeded", "a status that works")
    shop.home.down()
    shop.home._settings["DOCKER_HOST"] = "unix:///no/such/docker.sock"
    shop.home.up()
    job = shop.do("status")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "docker_unavailable"
