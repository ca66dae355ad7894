"""Malformed alerts and planted entries on Redis stop no front-end, and a worker cannot report about
projects of another host.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor
from scar.alerts.alert_book import AlertBook
from scar.alerts.alert_chats import chats_of
from scar.alerts.hosts_away import HostsAway
from scar.alerts.told import ToldBook
from scar.api.hosts import hosts_of
from scar.bootstrap import Services
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from scar.jobs.counters import KEY as COUNTERS
from scar.jobs.signing import Signatures
from scar.keys.key_store import worker_part
from tests.contract.test_alerts import CHAT, alert_of, at_the_box, sheet_with
from tests.contract.test_metrics import metrics
from tests.support.letterbox import LetterBox

OLGA = Actor("telegram", "1", "Olga")


def book_of(services: Services, host: str) -> AlertBook:
    return AlertBook(services.redis, Signatures.of(services.settings, worker_part(host)))


@pytest.mark.parametrize(
    "changes",
    [
        {"group": "away-xyz-default"},
        {"group": "away-1-default"},
        {"group": "\ud800"},
        {"group": ""},
        {"opened_at": 10**18},
        {"closed_at": -(10**18)},
        {"release": {"id": "r", "at": 10**30, "by": "x"}},
        {"what": "\ud800"},
        {"what": ["x"]},
        {"lines": 5},
    ],
    ids=repr,
)
def test_a_malformed_alert_that_a_worker_has_signed_is_left_out(
    services: Services, changes: dict[str, Any]
) -> None:
    sound = alert_of()
    far = Signatures.of(services.settings, worker_part("far"))
    spoilt = {**alert_of(id="01JZ0000000000000000000001", host="far").to_json(), **changes}
    book_of(services, "default").put(sound)
    services.redis.hset("scar:alerts", spoilt["id"], far.seal("alert", spoilt))
    assert services.alerts.book.all() == [sound]


def test_a_worker_tells_of_no_project_of_another_host(services: Services) -> None:
    async def told() -> list[str]:
        box = LetterBox("telegram")
        conversation = Conversation(box, services, ApiClient("http://127.0.0.1:1", lambda *_: ""))
        await conversation._alerts.look()  # one look, instead of one a second
        await conversation.settle()
        await conversation.close()
        return [text for text, _ in box.notices]

    project = services.projects.get("shop")
    services.alerts.chats.switch(OLGA, project, CHAT, on=True)
    book_of(services, "far").put(alert_of(host="far", what="is a lie"))
    assert asyncio.run(told()) == []
    book_of(services, "default").put(replace(alert_of(), id="01JZ0000000000000000000009"))
    assert len(asyncio.run(told())) == 1


@pytest.mark.parametrize("score", ["inf", "1e300", "-1e300", "4000000000000"])
def test_a_heartbeat_with_an_impossible_time_does_not_stop_alerts(redis: Redis, score: str) -> None:
    redis.zadd("scar:workers:default", {"w": score})
    away = HostsAway(redis, seconds=0.0)
    groups = ["away-zz-default", "away-", f"away-{'f' * 40}-default"]
    (alert,) = away.look(["default"], groups)
    assert (alert.rule, alert.host) == ("host_away", "default")


def test_planted_entries_on_redis_do_not_break_the_metrics(
    services: Services, redis: Redis
) -> None:
    deep = "[" * 100_000
    fields = ("[]", "{}", deep, '["messages", "\\ud800", "sent"]')
    redis.hset(COUNTERS, mapping=dict.fromkeys(fields, "1"))
    for id, request in enumerate(("no json", "[]", json.dumps({"kind": {}}), deep)):
        redis.zadd("scar:open", {f"{id}": 0})
        redis.hset(f"scar:job:{id}", mapping={"request": request, "state": "queued"})
    assert "scar_redis_up 1.0" in metrics(services)


def test_a_private_chat_gets_alerts_only_while_its_person_has_a_role(services: Services) -> None:
    project, chats = services.projects.get("shop"), services.alerts.chats
    gone = Actor("telegram", "2", "Gone")
    for actor, chat in ((OLGA, OLGA.key), (gone, gone.key), (gone, "telegram:-100")):
        chats.switch(actor, project, chat, on=True)
    told = chats_of(project, chats.switches(), services.access)
    assert set(told) == {OLGA.key, "telegram:-100"}


def test_a_tap_by_a_stranger_does_not_mute_an_alert(services: Services) -> None:
    async def test() -> str | None:
        box = LetterBox("telegram")
        async with at_the_box(services, box) as writer:
            told = await sheet_with(box, "is restarting in a loop")
            await writer.conversation.settle()
            stranger = replace(writer, actor=Actor("telegram", "666", "Eve"))
            return await stranger.taps("until", box.tags[told])

    services.alerts.chats.switch(OLGA, services.projects.get("shop"), CHAT, on=True)
    book_of(services, "default").put(alert_of())
    assert "not known here" in str(asyncio.run(test()))
    (message,) = ToldBook(services.redis, services.signatures, "telegram").all()
    assert not message.seen


def test_a_malformed_heartbeat_does_not_break_the_list_of_hosts(redis: Redis) -> None:
    until = int(time.time() * 1000) + 30_000
    spoilt: list[dict[str, str]] = [
        {"engine": "no json", "pid": "x", "started_at": "9" * 400},
        {"engine": "[]", "pid": "1", "started_at": "1e300"},
        {"engine": '{"version": []}'},
    ]
    for number, record in enumerate(spoilt):
        redis.zadd("scar:workers:default", {f"w{number}": until})
        redis.hset(f"scar:worker:w{number}", mapping=cast("dict[Any, Any]", record))
    (host,) = hosts_of(redis, ["default"])
    assert len(host["workers"]) == len(spoilt)
    assert set(host["engine"]) <= {"version", "error"}
