"""What was pushed is deployed once, and only what GitHub says was pushed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services, bootstrap
from scar.commands import job_commands
from scar.frontends.github.deliveries import Push
from scar.jobs.record import Job
from workers.runner import Runner

PUSH = Push(
    id="1-0",
    project="shop",
    repository="ada/shop",
    url="https://github.com/ada/shop",
    branch="main",
    commit="c" * 40,
    login="ada",
    pushed_at=1_700_000_000.0,
)
LATER = replace(PUSH, pushed_at=1_700_000_060.0)


@pytest.fixture
def deploy(services: Services) -> Callable[..., Job]:
    """`deploy(push)`: submit its job as the front-end does."""
    github = bootstrap(services.settings, "github")

    def submit(push: Push) -> Job:
        return github.job_service.submit(
            Actor("schedule", "push", "a push"),
            job_commands()["deploy"],
            services.projects.get("shop"),
            {"push": {"repository": push.repository, "branch": "main", "commit": push.commit}},
            confirmed=True,
            idempotency_key=push.digest.hex(),
            entropy=push.digest,
        )

    return submit


@pytest.mark.usefixtures("worker")
def test_a_push_that_is_put_back_is_not_deployed_again(
    deploy: Callable[[Push], Job],
    services: Services,
    redis: Redis,
    runner: Runner,
    wake: Callable[[str], None],
) -> None:
    first = deploy(PUSH)
    assert deploy(PUSH).id == first.id
    wake(first.id)
    assert runner.job_log.begun(first.id)
    redis.flushall()
    again = deploy(PUSH)
    assert again.id != first.id
    wake(again.id)
    refused = services.job_service.get(again.id)
    assert refused.error is not None
    assert f"taken up here before, as job {first.id}" in refused.error.message
    assert not runner.job_log.begun(again.id)
    later = deploy(LATER)
    wake(later.id)
    assert runner.job_log.begun(later.id), "who pushes the same again may have reset the branch"
