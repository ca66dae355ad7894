"""Of two processes of a front-end one works; what none shows is forgotten after a day."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.errors import ScarError
from scar.frontends.lease import Lease
from scar.jobs.job_id import new_job_id
from scar.jobs.record import Job
from scar.jobs.subscriptions import Subscription


def test_a_second_process_waits_until_the_first_ends(redis: Redis) -> None:
    first, second = Lease(redis, "github", seconds=0.01), Lease(redis, "github", seconds=0.01)
    assert first.take()
    assert first.take(), "it is renewed"
    assert not second.take()
    assert 0 < redis.pttl("scar:lease:github") <= 5000
    second.release()
    assert not second.take(), "nobody gives up what another has"

    async def test() -> None:
        waiting = asyncio.create_task(second.wait())
        await asyncio.sleep(0.05)
        assert not waiting.done()
        first.release()
        await asyncio.wait_for(waiting, 10)

    asyncio.run(test())
    assert not first.take()


def test_a_process_that_lost_its_lease_ends(redis: Redis) -> None:
    first, second = Lease(redis, "github", seconds=0.01), Lease(redis, "github", seconds=0.01)
    assert first.take()
    redis.delete("scar:lease:github")
    assert second.take()
    with pytest.raises(ScarError, match="has taken over"):
        asyncio.run(asyncio.wait_for(first.keep(), 10))


def test_subscriptions_of_a_front_end_that_does_not_run_are_deleted_after_a_day(
    services: Services, ask: Callable[..., Job]
) -> None:
    yesterday = [new_job_id(time.time() - 25 * 3600) for _ in range(2)]
    ended, still_open = yesterday
    new = ask("status").id
    services.redis.zadd("scar:open", {still_open: 1})
    for id in (ended, still_open, new):
        services.subscriptions.put(Subscription("telegram", id, '["-100", "7"]'))
    services.ledger.forget_old()
    left = {subscription.job_id for subscription in services.subscriptions.of("telegram")}
    assert left == {still_open, new}


def test_a_lease_without_an_expiry_is_taken_over(redis: Redis) -> None:
    for seconds in (None, 3600):
        redis.set("scar:lease:github", "planted", ex=seconds)
        assert Lease(redis, "github").take()
        assert 0 < redis.pttl("scar:lease:github") <= 5000
