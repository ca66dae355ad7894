"""Deliveries in the inbox are stored once, read again until they are dropped, and ignored without a
valid seal.
"""

from __future__ import annotations

import pytest
from redis import Redis

from scar.bootstrap import Services
from scar.jobs.inbox import Inbox
from tests.support.keys import signatures_of


@pytest.fixture
def inbox(services: Services, redis: Redis) -> Inbox:
    return Inbox(redis, "github", signatures_of("api", services.settings.secret_key or ""))


def test_a_delivery_that_arrives_twice_is_put_into_the_inbox_once(inbox: Inbox) -> None:
    assert inbox.put({"n": 1}, ["delivery-1", "comment-1"])
    assert not inbox.put({"n": 1}, ["delivery-2", "comment-1"])
    assert inbox.put({"n": 2}, ["delivery-3", "comment-2"])
    assert [letter for _, letter in inbox.read("0", wait_ms=1)] == [{"n": 1}, {"n": 2}]


def test_a_delivery_that_was_not_handled_is_read_again(inbox: Inbox) -> None:
    inbox.put({"n": 1}, ["one"])
    inbox.put({"n": 2}, ["two"])
    (first, _), _ = inbox.read("0", wait_ms=1)
    inbox.drop(first)
    assert [letter for _, letter in inbox.read("0", wait_ms=1)] == [{"n": 2}]
    assert inbox.read(inbox.read("0", wait_ms=1)[-1][0], wait_ms=1) == []


def test_a_delivery_without_a_valid_signature_is_not_returned(inbox: Inbox, redis: Redis) -> None:
    redis.xadd("scar:github:inbox", {"letter": '{"n": 1}'})
    assert [letter for _, letter in inbox.read("0", wait_ms=1)] == [None]
