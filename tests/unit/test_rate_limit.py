"""Token buckets, with a clock under the test's hand."""

from __future__ import annotations

import pytest

from scar.access.rate_limit import Rate, RateLimit


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_is_allowed_and_the_next_request_is_refused(clock: Clock) -> None:
    limit = RateLimit(Rate(per_minute=30, burst=3), clock=clock)
    assert [limit.take("ann") for _ in range(3)] == [None] * 3
    excess = limit.take("ann")
    assert excess is not None
    assert excess.seconds == pytest.approx(2)
    assert limit.take("bob") is None, "each has a limit of their own"
    clock.now += 2
    assert limit.take("ann") is None
    assert limit.take("ann")


def test_a_client_above_the_limit_is_answered_once_and_again_after_a_pause(clock: Clock) -> None:
    limit = RateLimit(Rate(per_minute=30, burst=4), clock=clock)

    def told_of(messages: int) -> int:
        excesses = [limit.take("ann") for _ in range(messages)]
        return sum(excess.first for excess in excesses if excess)

    assert told_of(100) == 1
    clock.now += 2
    assert told_of(100) == 0
    clock.now += 60
    assert told_of(100) == 1


def test_a_clock_that_is_set_back_changes_no_limit(clock: Clock) -> None:
    limit = RateLimit(Rate(per_minute=60, burst=1), clock=clock)
    assert limit.take("ann") is None
    clock.now -= 500
    assert limit.take("ann")


def test_only_the_most_recently_used_rate_limit_keys_are_remembered(clock: Clock) -> None:
    limit = RateLimit(Rate(per_minute=1, burst=1), clock=clock, most=2)
    for key in ("ann", "bob", "ann", "cid"):
        limit.take(key)
    assert len(limit) == 2
    assert limit.take("ann"), "ann was used after bob"
    assert limit.take("bob") is None, "bob was forgotten"
