"""What the worker looks at after a deploy, over kills and what is damaged."""

from __future__ import annotations

import os

import pytest
from redis import Redis

from scar.bootstrap import Services
from tests.contract.conftest import RecordedQueue
from tests.contract.test_bake import World, bake_of, deployed, view
from workers.state.bake_state import BakeFile
from workers.watch.baker import Baker


@pytest.fixture
def world(services: Services, queue: RecordedQueue) -> World:
    return World(services, queue)


def test_a_container_that_was_down_before_a_deploy_is_no_finding(world: World) -> None:
    world.release()
    world.look(state="exited")
    world.let_pass(600)
    release = world.release()
    world.look(state="exited")
    world.let_pass(60)
    assert bake_of(world, release).is_well
    world.look(state="running")
    world.let_pass(3)
    world.look(state="exited")
    world.let_pass(3)
    assert [finding.rule for finding in bake_of(world, release).findings] == ["exits"]


def test_unreadable_releases_of_one_project_do_not_stop_the_bakes_of_others(
    world: World,
) -> None:
    damaged = world.state / "projects" / "blog" / "releases"
    damaged.mkdir(parents=True)
    for id in ("01", "02"):
        (damaged / f"{id}.json").write_text("{")
    world.others = ("blog",)
    release = deployed(world)
    world.let_pass(60)
    assert bake_of(world, release).is_well


def test_a_bake_that_a_killed_worker_had_not_published_is_published_by_the_next(
    world: World, redis: Redis
) -> None:
    release = deployed(world)
    world.let_pass(60)
    redis.delete(f"scar:bake:{release}")
    world.restarted()
    world.let_pass(3)
    assert not bake_of(world, release).ended


def test_a_bake_that_ended_without_a_worker_covers_only_the_observed_time(
    world: World,
) -> None:
    release = deployed(world)
    world.let_pass(120)
    looked = world.now
    os.utime(world.state / "projects" / "shop" / "bake.json", (looked, looked))
    world.now += 3600
    world.restarted()
    world.let_pass(3)
    bake = bake_of(world, release)
    assert (bake.ended, bake.until) == (True, int(looked * 1000))


def test_with_bakes_switched_off_no_events_are_stored(world: World) -> None:
    baker = Baker(world.state, world.projects, world, seconds=0)
    baker.looked(view(world.projects()["shop"], "exited"))
    baker.step()
    assert BakeFile(world.state / "projects" / "shop").saved_at() == 0
