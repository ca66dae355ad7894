"""A worker's runner, and what wakes it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.jobs.signing import WAKEUP
from workers.runner import Runner


@pytest.fixture
def runner(services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """What a process of the worker runs jobs with."""
    monkeypatch.setattr("workers.runner.connect", lambda *_: redis)
    return Runner.of(services.settings)


@pytest.fixture
def wake(services: Services, runner: Runner) -> Callable[[str], None]:
    """`wake(id)`: what a wake-up on the host's queue does."""
    return lambda id: runner.run(id, services.signatures.sign(WAKEUP, f"default/{id}"))
