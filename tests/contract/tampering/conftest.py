"""A worker's runner, a function that wakes it, and the reconciler of its host."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.jobs.queue import JobQueue
from scar.jobs.signing import WAKEUP, Signatures
from tests.contract.conftest import RecordedQueue
from workers.reconciler import Reconciler
from workers.runner import Runner
from workers.runtime.roles import Roles


@pytest.fixture
def runner(services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """The runner of a worker process."""
    monkeypatch.setattr("workers.runner.connect", lambda *_: redis)
    return Runner.of(services.settings)


@pytest.fixture
def wake(services: Services, runner: Runner) -> Callable[[str], None]:
    """`wake(id)`: what a wake-up on the host's queue does."""
    return lambda id: runner.run(id, services.signatures.sign(WAKEUP, f"default/{id}"))


@pytest.fixture
def roles(services: Services) -> Roles:
    """The roles according to the worker."""
    return Roles(services.access, services.projects)


@pytest.fixture
def now() -> list[float]:
    """The seconds of the reconciler's clock, to be set."""
    return [0.0]


@pytest.fixture
def reconciler(
    services: Services, redis: Redis, queue: RecordedQueue, roles: Roles, now: list[float]
) -> Reconciler:
    signatures = Signatures.of(services.settings, "worker:default")
    state = services.settings.state_dir
    jobs = cast("JobQueue", queue)
    return Reconciler(redis, signatures, jobs, state, roles.may_lock, lambda: now[0])
