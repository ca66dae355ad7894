"""Groups, topics, privacy, people who block the bot, and groups that move."""

from __future__ import annotations

import asyncio

import pytest
from telegram import Bot, Update
from telegram.error import BadRequest, ChatMigrated, Forbidden

from tests.support.botapi.person import Chat
from tests.support.botapi.server import BotApiServer

from .conftest import with_bot


async def _updates(bot: Bot) -> list[Update]:
    return list(await bot.get_updates(timeout=0))


def _heard(server: BotApiServer) -> list[str | None]:
    updates = asyncio.run(with_bot(server, _updates))
    return [update.message.text for update in updates if update.message]


def test_messages_can_only_be_sent_to_topics_that_exist(server: BotApiServer) -> None:
    forum = server.group("Ops", forum=True)
    deploys = forum.topic("Deploys")
    ann = server.person(7)
    ann.says("/start", forum, deploys)
    ann.says("/general", forum)

    async def use(bot: Bot) -> None:
        topic, general = [u.message for u in await _updates(bot) if u.message]
        assert (topic.message_thread_id, topic.is_topic_message) == (deploys, True)
        assert topic.reply_to_message is not None
        assert topic.reply_to_message.forum_topic_created is not None
        assert (general.message_thread_id, general.is_topic_message) == (None, None)
        await bot.send_message(forum.id, "here", message_thread_id=deploys)
        await topic.reply_text("quoted", do_quote=True)
        for missing in (1, deploys + 50):
            with pytest.raises(BadRequest, match="hread not found"):
                await bot.send_message(forum.id, "x", message_thread_id=missing)

    asyncio.run(with_bot(server, use))
    assert [(one.text, one.thread) for one in forum.from_bot] == [
        ("here", deploys),
        ("quoted", deploys),
    ]
    forum.delete_topic(deploys)

    async def late(bot: Bot) -> None:
        with pytest.raises(BadRequest, match="hread not found"):
            await bot.send_message(forum.id, "x", message_thread_id=deploys)

    asyncio.run(with_bot(server, late))


def test_a_reply_in_a_supergroup_has_a_thread_that_is_no_topic(server: BotApiServer) -> None:
    group = server.group("Team", supergroup=True)
    ann = server.person(7)
    first = ann.says("/one", group)
    ann.says("/two", group, reply_to=first)

    async def use(bot: Bot) -> None:
        message = (await _updates(bot))[-1].message
        assert message is not None
        assert (message.message_thread_id, message.is_topic_message) == (first.id, None)
        with pytest.raises(BadRequest, match="hread not found"):
            await bot.send_message(group.id, "x", message_thread_id=message.message_thread_id)

    asyncio.run(with_bot(server, use))


def test_in_a_group_a_bot_with_privacy_mode_receives_only_messages_for_it(
    server: BotApiServer,
) -> None:
    group = server.group("Team")

    async def ask(bot: Bot) -> None:
        await bot.send_message(group.id, "Sure?")

    asyncio.run(with_bot(server, ask))
    ann = server.person(7)
    for text in ("yes", "/deploy", "/deploy@other_bot", "/deploy@test_scar_bot", "see /deploy"):
        ann.says(text, group)
    ann.says("yes, that", group, reply_to=group.from_bot[0])
    assert _heard(server) == ["/deploy", "/deploy@test_scar_bot", "yes, that"]


def test_a_bot_that_is_admin_or_has_privacy_mode_off_receives_all_messages(
    server: BotApiServer,
) -> None:
    server.person(7).says("yes", server.group("Team", admin=True))
    assert _heard(server) == ["yes"]
    with BotApiServer(privacy=False) as open_server:
        open_server.person(7).says("no", open_server.group("Team"))
        assert _heard(open_server) == ["no"]


def test_forwarded_messages_and_anonymous_senders_are_marked_as_such(server: BotApiServer) -> None:
    group = server.group("Team")
    server.person(7).says("/deploy", group, forwarded=True)
    channel = {"id": -1005, "type": "channel", "title": "News"}
    server.person(1087968824).says("/deploy", group, extra={"sender_chat": channel})
    updates = asyncio.run(with_bot(server, _updates))
    forwarded, disguised = [update.message for update in updates if update.message]
    assert forwarded.forward_origin is not None
    assert disguised.sender_chat is not None


def test_sending_to_a_person_who_blocked_the_bot_is_forbidden(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")
    group = server.group("Team", added_by=7)

    def refused(chat: Chat, reason: str) -> None:
        async def send(bot: Bot) -> None:
            with pytest.raises(Forbidden, match=reason):
                await bot.send_message(chat.id, "x")

        asyncio.run(with_bot(server, send))

    ann.block()
    refused(ann, "bot was blocked by the user")
    group.remove_bot()
    refused(group, "not a member of the group chat")
    ann.block(False)

    async def use(bot: Bot) -> list[str]:
        await bot.send_message(7, "welcome back")
        left = await asyncio.to_thread(server.group, "Strangers", supergroup=True)
        await bot.leave_chat(left.id)
        with pytest.raises(Forbidden):
            await bot.send_message(left.id, "x")
        changes = [update.my_chat_member for update in await _updates(bot)]
        return [change.new_chat_member.status for change in changes if change]

    assert asyncio.run(with_bot(server, use)) == ["member", "kicked", "kicked", "member", "member"]


def test_a_group_that_became_a_supergroup_tells_its_new_id(server: BotApiServer) -> None:
    old = server.group("Team")
    new = old.migrate()

    async def send(bot: Bot) -> None:
        with pytest.raises(ChatMigrated) as moved:
            await bot.send_message(old.id, "x")
        await bot.send_message(moved.value.new_chat_id, "here")

    asyncio.run(with_bot(server, send))
    assert [message.text for message in new.from_bot] == ["here"]
