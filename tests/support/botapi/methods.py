"""The Bot API's methods: what a bot can do."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from . import rules
from .entities import Entity, read_html, read_plain, units
from .rules import ApiError, Params, bad
from .state import Chat, File, Json, Message, World

_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
_CONFLICT = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)


class Methods:
    """The methods of one bot, by their names in the Bot API."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._poll = 0
        self._closed = False
        self._methods: dict[str, Callable[[Params], Any]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "deleteWebhook": self._delete_webhook,
            "setMyCommands": self._set_my_commands,
            "deleteMyCommands": self._delete_my_commands,
            "getMyCommands": lambda _: self._world.commands,
            "sendMessage": self._send_message,
            "sendDocument": partial(self._send_file, "document"),
            "sendPhoto": partial(self._send_file, "photo"),
            "editMessageText": self._edit_message_text,
            "editMessageReplyMarkup": self._edit_message_reply_markup,
            "deleteMessage": self._delete_message,
            "sendChatAction": self._send_chat_action,
            "answerCallbackQuery": self._answer_callback_query,
            "getChat": self._get_chat,
            "leaveChat": self._leave_chat,
            "getFile": self._get_file,
            "setMessageReaction": self._set_message_reaction,
        }

    def close(self) -> None:
        """Ends every long poll."""
        with self._world.changed:
            self._closed = True
            self._world.touch()

    def call(self, method: str, params: Params) -> Any:
        """The result of a method; `ApiError` where it is refused."""
        with self._world.changed:
            return self._methods[method](rules.checked(method, params))

    def _get_me(self, _: Params) -> Json:
        return {
            **self._world.bot,
            "can_join_groups": True,
            "can_read_all_group_messages": not self._world.privacy,
            "supports_inline_queries": False,
        }

    def _get_updates(self, params: Params) -> list[Json]:
        """Waits for updates. As at Telegram it is the older of two polls that gets the 409."""
        world = self._world
        if "allowed_updates" in params:
            unknown = [name for name in params["allowed_updates"] if name not in rules.UPDATES]
            if unknown:
                raise bad(f"unknown update type {unknown[0]}")
            world.allowed = params["allowed_updates"]
        self._poll += 1
        mine = self._poll
        world.touch()
        self._confirm(params.get("offset", 0))
        deadline = time.monotonic() + min(params.get("timeout", 0), 50)
        while not world.updates and not self._closed:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            world.changed.wait(left)
            if mine != self._poll:
                raise ApiError(409, _CONFLICT)
        return world.updates[: params.get("limit", 100)]

    def _confirm(self, offset: int) -> None:
        updates = self._world.updates
        if offset < 0:
            del updates[:offset]
        elif offset:
            updates[:] = [update for update in updates if update["update_id"] >= offset]

    def _delete_webhook(self, params: Params) -> bool:
        if params.get("drop_pending_updates"):
            self._world.updates.clear()
        return True

    def _set_my_commands(self, params: Params) -> bool:
        self._menu(params, rules.command_list(params["commands"]))
        return True

    def _delete_my_commands(self, params: Params) -> bool:
        self._menu(params, [])
        return True

    def _menu(self, params: Params, commands: list[Json]) -> None:
        """Sets the menu of everybody, or of a chat or one of its people, which has to be there."""
        scope = rules.command_scope(params.get("scope"))
        if len(scope) == 1:
            self._world.commands = commands
            return
        chat = self._world.open_to_bot(int(scope[1]))
        if scope[0] == "chat_member" and chat.kind == "private":
            raise bad("chat member scope is for groups")
        self._world.menus[scope] = commands
        self._world.touch()

    def _send_message(self, params: Params) -> Json:
        chat, place = self._destination(params)
        text, entities = _text(params)
        markup = params.get("reply_markup")
        message = self._world.post(chat, self._world.bot, text, entities, markup, **place)
        return self._world.api(message)

    def _send_file(self, kind: str, params: Params) -> Json:
        chat, place = self._destination(params)
        caption, entities = _parsed(params, "caption", "caption_entities")
        if units(caption) > rules.LONGEST_CAPTION:
            raise bad("message caption is too long")
        file = self._file(params[kind])
        markup = params.get("reply_markup")
        message = self._world.post(
            chat, self._world.bot, caption, entities, markup, file=file.id, **place
        )
        return self._world.api(message)

    def _file(self, document: Any) -> File:
        if isinstance(document, str):
            if document not in self._world.files:
                raise bad("wrong remote file identifier specified: Wrong character in the string")
            return self._world.files[document]
        name, content = document
        if not content:
            raise bad("file must be non-empty")
        if len(content) > rules.LARGEST_FILE:
            raise ApiError(413, "Request Entity Too Large")
        file = File(f"BQACAgI{next(self._world.numbers):08d}", name, content)
        self._world.files[file.id] = file
        return file

    def _destination(self, params: Params) -> tuple[Chat, Json]:
        chat = self._world.open_to_bot(params["chat_id"])
        thread = params.get("message_thread_id")
        if thread is not None and thread not in chat.topics:
            raise bad("message thread not found")
        reply = params.get("reply_parameters") or {}
        replied = self._seen(chat, reply.get("message_id")) if reply else None
        if reply and replied is None and not reply.get("allow_sending_without_reply"):
            raise bad("message to be replied not found")
        if replied is not None and thread is None and chat.forum:
            thread = replied.thread
        silent = params.get("disable_notification", False)
        return chat, {
            "thread": thread,
            "reply_to": replied.id if replied else None,
            "silent": silent,
        }

    def _seen(self, chat: Chat, message_id: Any) -> Message | None:
        message = chat.messages.get(message_id) if isinstance(message_id, int) else None
        return None if message is None or message.deleted else message

    def _editable(self, params: Params) -> Message:
        chat = self._world.open_to_bot(params["chat_id"])
        message = self._seen(chat, params["message_id"])
        if message is None:
            raise bad("message to edit not found")
        if message.sender is not self._world.bot:
            raise bad("message can't be edited")
        return message

    def _edit_message_text(self, params: Params) -> Json:
        message = self._editable(params)
        if message.file:
            raise bad("there is no text in the message to edit")
        text, entities = _text(params)
        return self._edited(message, text, entities, params.get("reply_markup"))

    def _edit_message_reply_markup(self, params: Params) -> Json:
        message = self._editable(params)
        now = message.now
        return self._edited(message, now.text, now.entities, params.get("reply_markup"))

    def _edited(
        self, message: Message, text: str, entities: list[Entity], markup: Params | None
    ) -> Json:
        now = message.now
        if (text, entities, markup) == (now.text, now.entities, now.markup):
            raise bad(_NOT_MODIFIED)
        self._world.change(message, text, entities, markup)
        return self._world.api(message)

    def _delete_message(self, params: Params) -> bool:
        chat = self._world.open_to_bot(params["chat_id"])
        message = self._seen(chat, params["message_id"])
        if message is None:
            raise bad("message to delete not found")
        theirs = message.sender is not self._world.bot
        if theirs and chat.kind != "private" and not chat.admin:
            raise bad("message can't be deleted")
        message.deleted = True
        self._world.touch()
        return True

    def _send_chat_action(self, params: Params) -> bool:
        self._destination(params)
        if params["action"] not in rules.ACTIONS:
            raise bad("wrong parameter action in request")
        return True

    def _answer_callback_query(self, params: Params) -> bool:
        tap = self._world.taps.get(params["callback_query_id"])
        if tap is None or tap.answered_at is not None:
            raise bad(
                "query is too old and response timeout expired or query ID is invalid",
            )
        if units(params.get("text", "")) > 200:
            raise bad("MESSAGE_TOO_LONG")
        tap.answered_at = self._world.clock()
        tap.answer = {"text": params.get("text"), "show_alert": params.get("show_alert", False)}
        self._world.touch()
        return True

    def _get_chat(self, params: Params) -> Json:
        return {
            **self._world.open_to_bot(params["chat_id"]).api(),
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": dict.fromkeys(
                (
                    "unlimited_gifts",
                    "limited_gifts",
                    "unique_gifts",
                    "premium_subscription",
                    "gifts_from_channels",
                ),
                False,
            ),
        }

    def _leave_chat(self, params: Params) -> bool:
        chat = self._world.open_to_bot(params["chat_id"])
        if chat.kind == "private":
            raise bad("chat member status can't be changed in private chats")
        chat.member = False
        self._world.touch()
        return True

    def _get_file(self, params: Params) -> Json:
        file = self._world.files.get(params["file_id"])
        if file is None:
            raise bad("invalid file_id")
        return {
            "file_id": file.id,
            "file_unique_id": f"u{file.id}",
            "file_size": len(file.content),
            "file_path": f"documents/{file.id}",
        }

    def _set_message_reaction(self, params: Params) -> bool:
        chat = self._world.open_to_bot(params["chat_id"])
        message = self._seen(chat, params["message_id"])
        if message is None:
            raise bad("message to react not found")
        message.reactions = rules.reaction_list(params.get("reaction", []))
        self._world.touch()
        return True


def _text(params: Params) -> tuple[str, list[Entity]]:
    text, entities = _parsed(params, "text", "entities")
    if not text:
        raise bad("message text is empty")
    if units(text) > rules.LONGEST_TEXT:
        raise bad("message is too long")
    return text, entities


def _parsed(params: Params, body: str, given: str) -> tuple[str, list[Entity]]:
    if params.get(given):
        raise bad(f'field "{given}" is not served here: use parse_mode HTML')
    mode = params.get("parse_mode", "")
    if mode not in ("", "HTML"):
        raise bad(f"unsupported parse_mode {mode!r}: only HTML is served here")
    return (read_html if mode else read_plain)(params.get(body, ""))
