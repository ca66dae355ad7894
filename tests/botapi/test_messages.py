"""What python-telegram-bot sends and edits is what people see."""

from __future__ import annotations

import asyncio

import pytest
from telegram import (
    Bot,
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    Message,
    ReplyParameters,
)
from telegram.constants import ChatAction, ParseMode
from telegram.error import BadRequest

from tests.support.botapi.server import BotApiServer

from .conftest import with_bot

_KEYBOARD = InlineKeyboardMarkup([[InlineKeyboardButton("Yes", callback_data="yes:1")]])


def test_html_is_delivered_as_text_with_entities(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")

    async def send(bot: Bot) -> Message:
        return await bot.send_message(
            7, " 😀 <b>a &lt; b</b>\n<pre>/x @y</pre> ", ParseMode.HTML, reply_markup=_KEYBOARD
        )

    sent = asyncio.run(with_bot(server, send))
    (seen,) = ann.messages
    assert (seen.text, seen.buttons) == ("😀 a < b\n/x @y", ["Yes"])
    assert (seen.marked("bold"), seen.marked("pre")) == (["a < b"], ["/x @y"])
    assert seen.marked("bot_command") == []
    assert [entity.offset for entity in sent.entities] == [3, 9]


def test_edits_are_recorded_with_their_times_and_an_unchanged_edit_is_refused(
    server: BotApiServer,
) -> None:
    ann = server.private_chat(7, "Ann")

    async def edit(bot: Bot) -> None:
        sent = await bot.send_message(7, "one", reply_markup=_KEYBOARD)
        edited = await bot.edit_message_text("<b>two</b>", 7, sent.message_id, parse_mode="HTML")
        assert isinstance(edited, Message)
        assert edited.edit_date is not None
        with pytest.raises(BadRequest, match="Message is not modified: specified new"):
            await bot.edit_message_text("<b> two </b>", 7, sent.message_id, parse_mode="HTML")
        await bot.edit_message_text("two", 7, sent.message_id)
        await bot.edit_message_reply_markup(7, sent.message_id, reply_markup=_KEYBOARD)

    asyncio.run(with_bot(server, edit))
    (seen,) = ann.messages
    assert [version.text for version in seen.versions] == ["one", "two", "two", "two"]
    assert [version.markup is None for version in seen.versions] == [False, True, True, False]
    assert seen.edits == 3
    assert 0 < ann.least_spacing() < 5


def test_editing_or_deleting_a_missing_or_foreign_message_is_refused(server: BotApiServer) -> None:
    group = server.group("Team")
    said = server.person(7).says("/start", group)

    async def edit(bot: Bot) -> None:
        for number, reason in ((99, "to edit not found"), (said.id, "can't be edited")):
            with pytest.raises(BadRequest, match=reason):
                await bot.edit_message_text("x", group.id, number)
        with pytest.raises(BadRequest, match="can't be deleted"):
            await bot.delete_message(group.id, said.id)
        mine = await bot.send_message(group.id, "x")
        await bot.delete_message(group.id, mine.message_id)
        with pytest.raises(BadRequest, match="to delete not found"):
            await bot.delete_message(group.id, mine.message_id)

    asyncio.run(with_bot(server, edit))
    assert [message.deleted for message in group.messages] == [False, True]
    assert group.from_bot == []


def test_length_is_counted_in_utf_16_units_once_markup_is_read(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")

    async def send(bot: Bot) -> None:
        await bot.send_message(7, "<b>" + "&lt;" * 4096 + "</b>", ParseMode.HTML)
        with pytest.raises(BadRequest, match="is too long"):
            await bot.send_message(7, "😀" * 2049)
        for empty in ("<b> </b>", "\n"):
            with pytest.raises(BadRequest, match="text is empty"):
                await bot.send_message(7, empty, ParseMode.HTML)
        with pytest.raises(BadRequest, match="caption is too long"):
            await bot.send_document(7, b"x", caption="c" * 1025)

    asyncio.run(with_bot(server, send))
    assert [len(message.text) for message in ann.messages] == [4096]


def test_a_document_arrives_byte_by_byte_and_can_be_fetched(server: BotApiServer) -> None:
    ann = server.private_chat(7, "Ann")
    content = bytes(range(256)) * 1000

    async def send(bot: Bot) -> bytes:
        first = await bot.send_message(7, "log follows")
        sent = await bot.send_document(
            7,
            InputFile(content, filename="log ü.txt"),
            caption="<b>log</b>",
            parse_mode="HTML",
            reply_parameters=ReplyParameters(first.message_id),
        )
        assert sent.document is not None
        file = await bot.get_file(sent.document.file_id)
        with pytest.raises(BadRequest, match="no text in the message"):
            await bot.edit_message_text("x", 7, sent.message_id)
        with pytest.raises(BadRequest, match="must be non-empty"):
            await bot.send_document(7, InputFile(b"", filename="empty.txt"))
        return bytes(await file.download_as_bytearray())

    assert asyncio.run(with_bot(server, send)) == content
    seen = ann.messages[-1]
    assert ann.content(seen) == content
    assert seen.file is not None
    assert (seen.file["name"], seen.file["size"]) == ("log ü.txt", len(content))
    assert (seen.text, seen.reply_to) == ("log", 1)


def test_a_reply_to_a_missing_message_fails_unless_sending_without_reply_is_allowed(
    server: BotApiServer,
) -> None:
    ann = server.private_chat(7, "Ann")

    async def reply(bot: Bot) -> None:
        with pytest.raises(BadRequest, match="to be replied not found"):
            await bot.send_message(7, "x", reply_parameters=ReplyParameters(9))
        allowed = ReplyParameters(9, allow_sending_without_reply=True)
        await bot.send_message(7, "y", reply_parameters=allowed)

    asyncio.run(with_bot(server, reply))
    assert [message.text for message in ann.messages] == ["y"]


def test_the_emulator_supports_commands_chat_actions_reactions_and_chat_queries(
    server: BotApiServer,
) -> None:
    ann = server.private_chat(7, "Ann")
    said = ann.person.says("/start", ann)

    async def use(bot: Bot) -> None:
        await bot.set_my_commands([BotCommand("deploy", "Deploys a project")])
        with pytest.raises(BadRequest, match="ot_command_invalid"):
            await bot.set_my_commands([BotCommand("Deploy", "Deploys a project")])
        assert (await bot.get_my_commands())[0].command == "deploy"
        await bot.send_chat_action(7, ChatAction.TYPING)
        await bot.set_message_reaction(7, said.id, "👀")
        assert (await bot.get_chat(7)).first_name == "Ann"
        with pytest.raises(BadRequest, match="Chat not found"):
            await bot.send_message(8, "x")

    asyncio.run(with_bot(server, use))
    assert [command["command"] for command in server.commands()] == ["deploy"]
    assert ann.messages[0].reactions == ["👀"]
