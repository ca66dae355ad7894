"""Alerts from the worker's record to the chat: told, repeated, muted, recovered; on Redis."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from scar.access import Actor
from scar.alerts.alert import Alert, ReleaseRef
from scar.alerts.alert_book import AlertBook
from scar.alerts.mute_book import MOST_OF_ONE
from scar.bootstrap import Services
from scar.chat.alert_document import alert_document
from scar.chat.conversation import Conversation
from scar.client import ApiClient
from scar.commands.alerts import COMMAND
from scar.errors import ScarError
from scar.jobs.host_reports import HostReports
from scar.jobs.signing import Signatures
from scar.keys.key_store import worker_part
from tests.support.letterbox import LetterBox, Writer
from tests.support.waiting import PATIENCE, eventually
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.logs import ContainerLogs
from workers.watch.alert_details import AlertDetails
from workers.watch.alert_keeper import HOST, AlertKeeper, Subject
from workers.watch.alert_publisher import AlertPublisher
from workers.watch.rules.problem import Problem

CHAT = "telegram:box"


def alert_of(id: str = "01JZ0000000000000000000000", **changes: object) -> Alert:
    now = int(time.time() * 1000)
    alert = Alert(
        id=id,
        group=id,
        host="default",
        project="shop",
        container="shop-web-1",
        service="web",
        rule="restart_loop",
        severity="critical",
        what="is restarting in a loop",
        why="It has ended 3 times within 9 s.",
        opened_at=now,
        changed_at=now,
        lines=("cannot reach the database",),
        release=ReleaseRef("01JY9ZZZZZZZZZZZZZZZZZZZZZ", now - 180_000, "alice", "abcdef1234"),
        rollback_to=ReleaseRef("01JY8ZZZZZZZZZZZZZZZZZZZZZ", now - 360_000, "bob"),
    )
    return replace(alert, **changes)  # type: ignore[arg-type]


def worker_book(services: Services, host: str = "default") -> AlertBook:
    """Return the book as the worker of a host writes it."""
    return AlertBook(services.redis, Signatures.of(services.settings, worker_part(host)))


@contextlib.asynccontextmanager
async def at_the_box(services: Services, box: LetterBox) -> AsyncIterator[Writer]:
    conversation = Conversation(box, services, ApiClient("http://127.0.0.1:1", lambda *_: ""))
    following = asyncio.create_task(conversation.follow_alerts())
    try:
        yield Writer(conversation, Actor("telegram", "1", "Olga"))
    finally:
        following.cancel()
        await conversation.close()


async def sheet_with(box: LetterBox, words: str) -> str:
    async with asyncio.timeout(PATIENCE):
        while True:
            for reference, versions in box.sheets.items():
                if words in versions[-1].text:
                    return reference
            await asyncio.sleep(0.01)


def test_an_alert_is_sent_edited_muted_and_closed(services: Services) -> None:
    async def test() -> None:
        book, box, alert = worker_book(services), LetterBox("telegram"), alert_of()
        async with at_the_box(services, box) as writer:
            await writer.says("/docker_alerts shop on")
            await sheet_with(box, "This chat is told of shop")
            book.put(alert)
            told = await sheet_with(box, "is restarting in a loop")
            document = box.sheets[told][-1]
            assert "First seen 3m after release 01JY9ZZZZZ (alice" in document.text
            assert "cannot reach the database" in document.text
            commands = [button.command for button in document.buttons]
            assert commands == [
                "/docker_logs shop/shop-web-1 50",
                "/docker_restart shop",
                "/docker_rollback shop 01JY8ZZZZZ",
                "/docker_alerts shop/shop-web-1 2h",
                "/docker_alerts shop/shop-web-1 recovery",
            ]
            book.put(replace(alert, version=2, count=4, why="It has ended 4 times within 20 s."))
            assert await sheet_with(box, "4 times") == told
            await writer.taps("until", box.tags[told])
            await sheet_with(box, "silent here until it has recovered")
            await writer.says("/docker_alerts list")
            await sheet_with(box, "shop/shop-web-1 is silent here until it recovers (Olga)")
            now = int(time.time() * 1000)
            book.put(replace(alert, version=3, closed_at=now + 60_000))
            assert await sheet_with(box, "web has recovered after 1m") == told
            await writer.conversation.settle()
        assert len(box.notices) == 1

    asyncio.run(test())


def test_a_restarted_front_end_sends_no_alert_twice_and_announces_the_recovery(
    services: Services,
) -> None:
    async def test() -> None:
        book, alert = worker_book(services), alert_of()
        box = LetterBox("telegram")
        async with at_the_box(services, box) as writer:
            await writer.says("/docker_alerts shop on")
            book.put(alert)
            told = await sheet_with(box, "is restarting in a loop")
            await writer.conversation.settle()
        book.put(replace(alert, version=2, closed_at=alert.opened_at + 90_000))
        async with at_the_box(services, box) as writer:
            async with asyncio.timeout(PATIENCE):
                while len(box.notices) < 2:
                    await asyncio.sleep(0.01)
            await writer.conversation.settle()
        assert "Before, from" in box.sheets[told][-1].text
        assert box.notices[1] == ("✅ shop/web has recovered after 1m", told)
        assert len(box.notices) == 2

    asyncio.run(test())


def test_a_warning_that_becomes_critical_makes_one_more_sound(services: Services) -> None:
    async def test() -> None:
        book, box = worker_book(services), LetterBox("telegram")
        warning = alert_of(severity="warning", what="has a disk that is almost full")
        async with at_the_box(services, box) as writer:
            await writer.says("/docker_alerts shop on")
            book.put(warning)
            told = await sheet_with(box, "🟠 shop/web has a disk that is almost full")
            for version, severity in ((2, "critical"), (3, "warning"), (4, "critical")):
                book.put(replace(warning, version=version, severity=severity, why=f"{version}"))
                assert await sheet_with(box, f"💡 {version}") == told
            await writer.conversation.settle()
            book.put(replace(warning, version=5, closed_at=warning.opened_at + 60_000))
            assert await sheet_with(box, "web has recovered after 1m") == told
            await writer.conversation.settle()
        assert [text.partition("\n")[0] for text, _ in box.notices] == [
            "🟠 shop/web has a disk that is almost full",
            "🔴 Now critical: shop/web has a disk that is almost full",
            "✅ shop/web has recovered after 1m",
        ]
        assert [reply_to for _, reply_to in box.notices] == [None, told, told]

    asyncio.run(test())


def test_only_the_worker_of_a_host_speaks_for_it(services: Services) -> None:
    worker_book(services).put(alert_of())
    assert services.alerts.book.all()
    worker_book(services, "other").put(alert_of(what="is on fire"))
    assert services.alerts.book.all() == []
    with pytest.raises(LookupError):
        services.alerts.book.put(alert_of())
    services.redis.hset("scar:alerts:mutes", "m", "telegram/x/y {}")
    services.redis.hset("scar:alerts:chats", "shop telegram:2", "{}")
    assert services.alerts.mutes.all() == []
    assert services.alerts.chats.switches() == {}


def test_what_was_refused_is_remembered_as_long_as_it_is_there(services: Services) -> None:
    book = worker_book(services)
    for number in range(20):
        services.redis.hset("scar:alerts", f"planted{number}", "telegram/x/y {}")
        assert book.all() == []
        services.redis.hdel("scar:alerts", f"planted{number}")
    assert len(book._refused) <= 1


def test_a_mute_replaces_that_of_the_same_thing_and_one_person_has_fifty(
    services: Services, operator: Actor
) -> None:
    mutes = services.alerts.mutes
    for seconds in (60.0, 3600.0):
        mutes.add(operator, CHAT, "shop", seconds=seconds)
    (only,) = mutes.all()
    assert only.covers(alert_of())
    assert not only.covers(alert_of(project="blog"))
    assert not only.holds(only.since + 3_600_001, [])
    for number in range(MOST_OF_ONE - 1):
        mutes.add(operator, CHAT, "shop", f"web-{number}", seconds=60)
    with pytest.raises(ScarError, match="50 of your own"):
        mutes.add(operator, CHAT, "shop", "one-more", seconds=60)
    with pytest.raises(ScarError, match="too long"):
        mutes.add(operator, CHAT, "shop", "x" * 101)


def test_what_is_switched_off_in_a_chat_overrides_the_projects_file(
    services: Services, operator: Actor
) -> None:
    from scar.alerts.alert_chats import chats_of

    chats = services.alerts.chats
    project = replace(services.projects.get("shop"), alerts=("telegram:1", "telegram:2"))
    chats.switch(operator, project, "telegram:1", on=False)
    chats.switch(operator, project, CHAT, on=True)
    assert chats_of(project, chats.switches(), services.access) == ("telegram:2", CHAT)
    chats.switch(operator, project, "telegram:1", on=True)
    chats.switch(operator, project, CHAT, on=False)
    assert chats_of(project, chats.switches(), services.access) == ("telegram:1", "telegram:2")


def test_the_api_lists_what_is_wrong(services: Services, api_url: str) -> None:
    worker_book(services).put(alert_of())
    closed = alert_of("01JZ1111111111111111111111", closed_at=int(time.time() * 1000))
    worker_book(services).put(closed)

    def listed(**query: str) -> Any:
        token = {"Authorization": "Bearer a-secret-of-tests-1"}
        url = f"{api_url}/api/v1/alerts"
        return httpx.get(url, params=query, headers=token, verify=False).json()["items"]

    (alert,) = listed(open="true")
    assert (alert["rule"], alert["count"], alert["closed_at"]) == ("restart_loop", 1, None)
    assert alert["release"]["by"] == "alice"
    both = listed()
    assert [item["id"] for item in both] == [closed.id, alert_of().id]
    assert listed(project="blog") == []


def test_an_alert_that_redis_did_not_take_is_written_later(
    services: Services, tmp_path: Path
) -> None:
    engine = Engine("unix:///nowhere/docker.sock")
    containers = Containers(engine)
    details = AlertDetails(tmp_path, containers, ContainerLogs(engine, containers))
    publisher = AlertPublisher("default", worker_book(services), details)
    keeper = AlertKeeper("default", publisher, look_seconds=0.1)
    full = Problem("disk", "warning", "has a disk that is full in 9 h", "1 GiB is free")
    keeper.settle("disk", {HOST: full})
    publisher.start()
    (alert,) = eventually(services.alerts.book.all)
    assert (alert.rule, alert.name) == ("disk", "Host default")
    keeper.settle("disk", {HOST: replace(full, what="has a disk that is full in 8 h")})
    eventually(lambda: services.alerts.book.all()[0].version == 2)
    services.redis.set("scar:alerts", "no hash", keepttl=False)
    web = Subject("shop", "shop-web-1", "web")
    keeper.settle("certificate", {web: replace(full, rule="certificate")})
    keeper.settle("disk", {})
    services.redis.delete("scar:alerts")
    rules = {"certificate": True, "disk": False}
    eventually(lambda: {a.rule: a.is_open for a in services.alerts.book.all()} == rules)
    restarted = AlertKeeper("default", publisher, look_seconds=0.1)
    restarted.settle("certificate", {})
    eventually(lambda: not any(alert.is_open for alert in services.alerts.book.all()))
    publisher.stop()


def test_the_end_of_an_alert_says_no_secret_that_its_beginning_has_masked(
    services: Services, tmp_path: Path
) -> None:
    engine = Engine("unix:///nowhere/docker.sock")
    containers = Containers(engine)
    logs = ContainerLogs(engine, containers)
    details = AlertDetails(tmp_path, containers, logs, ("hunter2hunter2",))
    publisher = AlertPublisher("default", worker_book(services), details)
    shop, now = services.projects.get("shop"), int(time.time() * 1000)

    def end(alert: Alert) -> None:
        publisher.publish(replace(alert, closed_at=now), None)

    written, unwritten = (alert_of(id, why="no hunter2hunter2") for id in ("A", "B"))
    publisher.publish(unwritten, shop, "c" * 64)
    end(unwritten)
    publisher.publish(written, shop, "c" * 64)
    publisher.start()
    eventually(lambda: len(services.alerts.book.all()) == 2)
    end(written)
    eventually(lambda: not any(alert.is_open for alert in services.alerts.book.all()))
    publisher.stop()
    assert [alert.why for alert in services.alerts.book.all()] == ["no ***"] * 2


def test_the_alert_list_says_nothing_is_wrong_only_for_hosts_with_a_live_worker(
    services: Services, operator: Actor
) -> None:
    def listed() -> str:
        return COMMAND.reply(operator, ["list"], services.command_context).text

    assert "Host default gives no sign of life" in listed()
    assert "Nothing is wrong" not in listed()
    now = int(time.time() * 1000)
    services.redis.zadd("scar:workers:default", {"default-1": now + 10 * 60_000})
    assert "Nothing is wrong now" in listed()
    assert "no sign of life" not in listed()


def test_what_is_no_container_of_the_project_is_not_silenced(
    services: Services, operator: Actor
) -> None:
    context = replace(services.command_context, chat=CHAT)
    signatures = Signatures.of(services.settings, worker_part("default"))
    reports = HostReports(services.redis, signatures)
    reports.publish("default", {}, {"shop": ["shop-web-1", "web"]})
    for word in ("2h", "off", "recovery"):
        with pytest.raises(ScarError, match="Container 'nosuch' not found") as refused:
            COMMAND.reply(operator, ["shop/nosuch", word], context)
        assert "shop-web-1, web" in refused.value.hint
    assert services.alerts.mutes.all() == []
    assert "is silent here" in COMMAND.reply(operator, ["shop/web", "2h"], context).text


def test_what_is_wrong_with_a_host_is_silent_until_it_recovers(
    services: Services, operator: Actor
) -> None:
    context = replace(services.command_context, chat=CHAT)

    def says(*words: str) -> str:
        return COMMAND.reply(operator, words, context).text

    now = int(time.time() * 1000)
    services.redis.zadd("scar:workers:default", {"default-1": now + 10 * 60_000})
    assert "Nothing is wrong with host default" in says("host:default", "recovery")
    full = alert_of("FULL", project="", container="", service="", rule="disk")
    worker_book(services).put(full)
    services.redis.delete("scar:workers:default")
    until = [b.command for b in alert_document([full]).buttons if b.answer == "until"]
    assert until == ["/docker_alerts host:default recovery"]
    assert "Host default is silent here" in says("host:default", "recovery")
    (mute,) = services.alerts.mutes.all()
    away = replace(full, id="away-1-default", rule="host_away", opened_at=mute.since - 1)
    assert mute.covers(full)
    assert mute.covers(away)
    assert not mute.covers(replace(away, opened_at=mute.since + 1)), "it went away again"
    assert not mute.covers(replace(full, id="OTHER"))
    assert "🔕 host:default is silent here until it recovers" in says("list")
    assert "is not silent" in says("host:default", "on")
    assert services.alerts.mutes.all() == []
    with pytest.raises(ScarError, match="No project is on a host 'other'"):
        says("host:other", "recovery")


def test_a_chat_that_is_told_of_nothing_is_not_said_to_be_told_of_a_container(
    services: Services, operator: Actor
) -> None:
    context = replace(services.command_context, chat=CHAT)
    services.alerts.mutes.add(operator, CHAT, "shop", "web", seconds=60)
    text = COMMAND.reply(operator, ["shop/web", "on"], context).text
    assert "is not silent here. 1 mute ended." in text
    COMMAND.reply(operator, ["shop", "on"], context)
    assert "told of shop/web" in COMMAND.reply(operator, ["shop/web", "on"], context).text
    with pytest.raises(ScarError, match="No chat of this kind") as refused:
        COMMAND.reply(operator, ["shop", "on"], replace(context, chat="console:ada"))
    assert "telegram" in refused.value.hint
