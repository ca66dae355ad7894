"""The request format of the Bot API: the fields of each method and of the objects in them, and its
errors. Unlike Telegram, it refuses unknown fields instead of ignoring them.
"""

from __future__ import annotations

import json
import re
from typing import Any

Params = dict[str, Any]

LONGEST_TEXT = 4096
LONGEST_CAPTION = 1024
LARGEST_FILE = 50 * 1024 * 1024

_SEND = {
    "chat_id": "chat",
    "message_thread_id": "int",
    "parse_mode": "str",
    "disable_notification": "bool",
    "protect_content": "bool",
    "reply_parameters": "object",
    "reply_markup": "object",
    "allow_paid_broadcast": "bool",
    "message_effect_id": "str",
}
METHODS: dict[str, dict[str, str]] = {
    "getMe": {},
    "getUpdates": {
        "offset": "int",
        "limit": "int",
        "timeout": "int",
        "allowed_updates": "array",
    },
    "deleteWebhook": {"drop_pending_updates": "bool"},
    "setMyCommands": {"commands": "array", "scope": "object", "language_code": "str"},
    "deleteMyCommands": {"scope": "object", "language_code": "str"},
    "getMyCommands": {"scope": "object", "language_code": "str"},
    "sendMessage": {**_SEND, "text": "str", "entities": "array", "link_preview_options": "object"},
    "sendDocument": {
        **_SEND,
        "document": "file",
        "caption": "str",
        "caption_entities": "array",
        "disable_content_type_detection": "bool",
    },
    "sendPhoto": {
        **_SEND,
        "photo": "file",
        "caption": "str",
        "caption_entities": "array",
        "show_caption_above_media": "bool",
        "has_spoiler": "bool",
    },
    "editMessageText": {
        "chat_id": "chat",
        "message_id": "int",
        "text": "str",
        "parse_mode": "str",
        "entities": "array",
        "link_preview_options": "object",
        "reply_markup": "object",
    },
    "editMessageReplyMarkup": {"chat_id": "chat", "message_id": "int", "reply_markup": "object"},
    "deleteMessage": {"chat_id": "chat", "message_id": "int"},
    "sendChatAction": {"chat_id": "chat", "message_thread_id": "int", "action": "str"},
    "answerCallbackQuery": {
        "callback_query_id": "str",
        "text": "str",
        "show_alert": "bool",
        "url": "str",
        "cache_time": "int",
    },
    "getChat": {"chat_id": "chat"},
    "leaveChat": {"chat_id": "chat"},
    "getFile": {"file_id": "str"},
    "setMessageReaction": {
        "chat_id": "chat",
        "message_id": "int",
        "reaction": "array",
        "is_big": "bool",
    },
}
REQUIRED = {
    "sendMessage": ("chat_id",),
    "sendDocument": ("chat_id", "document"),
    "sendPhoto": ("chat_id", "photo"),
    "editMessageText": ("chat_id", "message_id"),
    "editMessageReplyMarkup": ("chat_id", "message_id"),
    "deleteMessage": ("chat_id", "message_id"),
    "sendChatAction": ("chat_id", "action"),
    "answerCallbackQuery": ("callback_query_id",),
    "getChat": ("chat_id",),
    "leaveChat": ("chat_id",),
    "getFile": ("file_id",),
    "setMessageReaction": ("chat_id", "message_id"),
    "setMyCommands": ("commands",),
}
ACTIONS = ("typing", "upload_document", "upload_photo", "upload_video", "choose_sticker")
REACTIONS = ("👍", "👎", "❤", "🔥", "👏", "😁", "🤔", "🎉", "🙏", "👌", "💯", "🏆", "👀", "🫡")
UPDATES = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "inline_query",
    "callback_query",
    "my_chat_member",
    "chat_member",
    "message_reaction",
    "message_reaction_count",
)
_LINK_PREVIEW = (
    "is_disabled",
    "url",
    "prefer_small_media",
    "prefer_large_media",
    "show_above_text",
)
_REPLY = ("message_id", "chat_id", "allow_sending_without_reply")
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")


class ApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def bad(what: str) -> ApiError:
    """A 400."""
    return ApiError(400, f"Bad Request: {what}")


def checked(method: str, raw: Params) -> Params:
    """The parameters of a call in their types; `ApiError` where they are not the method's."""
    fields = METHODS[method]
    for name in raw:
        if name not in fields:
            raise bad(f'unknown field "{name}" of {method}')
    params = {name: _typed(name, fields[name], value) for name, value in raw.items()}
    for name in REQUIRED.get(method, ()):
        if params.get(name) in (None, ""):
            raise bad(_EMPTY.get(name, f'parameter "{name}" is required'))
    if "reply_markup" in params:
        params["reply_markup"] = keyboard(params["reply_markup"])
    _known(params.get("link_preview_options"), _LINK_PREVIEW, "link_preview_options")
    _known(params.get("reply_parameters"), _REPLY, "reply_parameters")
    return params


_EMPTY = {
    "chat_id": "chat_id is empty",
    "message_id": "message identifier is not specified",
    "document": "there is no document in the request",
}


def _typed(name: str, kind: str, value: Any) -> Any:
    if kind in ("object", "array"):
        return _decoded(name, kind, value)
    if kind == "int" and _is_int(value):
        return int(value)
    if kind == "bool" and str(value).lower() in ("true", "false", "1", "0"):
        return str(value).lower() in ("true", "1")
    if kind == "str" and isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise bad("strings must be encoded in UTF-8")
        return value
    if kind == "chat" and _is_int(value):
        return int(value)
    if kind == "chat":
        raise bad("chat not found")
    if kind == "file":
        return value
    raise bad(f'field "{name}" must be of type {kind}')


def _is_int(value: Any) -> bool:
    return not isinstance(value, bool) and re.fullmatch(r"-?\d{1,19}", str(value)) is not None


def _decoded(name: str, kind: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise bad(f"can't parse {name} JSON object") from error
    if not isinstance(value, dict if kind == "object" else list):
        raise bad(f'field "{name}" must be a JSON {kind}')
    return value


def _known(value: Params | None, fields: Any, where: str) -> None:
    for name in value or {}:
        if name not in fields:
            raise bad(f'unknown field "{name}" of {where}')


def keyboard(markup: Params) -> Params | None:
    """An inline keyboard as it is kept, None for an empty one; other keyboards are refused."""
    _known(markup, ("inline_keyboard",), "reply_markup")
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad("object expected as reply markup")
    rows = [[_button(button) for button in row] for row in rows if row]
    if sum(len(row) for row in rows) > 100:
        raise bad("reply markup is too long")
    return {"inline_keyboard": rows} if rows else None


def _button(button: Any) -> Params:
    if not isinstance(button, dict):
        raise bad("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    known = ("text", "callback_data", "url", "copy_text", "style")
    _known(button, known, "InlineKeyboardButton")
    if not isinstance(button.get("text"), str) or not button["text"].strip():
        raise bad('can\'t parse inline keyboard button: Field "text" must be of type String')
    if sum(name in button for name in ("callback_data", "url", "copy_text")) != 1:
        raise bad("can't parse inline keyboard button: Text buttons are unallowed")
    if button.get("style", "primary") not in ("danger", "success", "primary"):
        raise bad("can't parse inline keyboard button: invalid button style specified")
    _copied(button.get("copy_text", {"text": "-"}))
    data = button.get("callback_data", "-")
    if not isinstance(data, str) or not 1 <= len(data.encode()) <= 64:
        raise bad("BUTTON_DATA_INVALID")
    return button


def _copied(copy: Any) -> None:
    if not isinstance(copy, dict):
        raise bad("can't parse inline keyboard button: CopyTextButton must be an Object")
    _known(copy, ("text",), "CopyTextButton")
    if not isinstance(copy.get("text"), str) or not 1 <= len(copy["text"]) <= 256:
        raise bad("BUTTON_COPY_TEXT_INVALID")


def command_list(commands: list[Any]) -> list[Params]:
    """What setMyCommands takes."""
    if len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not isinstance(command, dict):
            raise bad("expected an Object as BotCommand")
        _known(command, ("command", "description"), "BotCommand")
        if _COMMAND.fullmatch(str(command.get("command", "")).removeprefix("/")) is None:
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(str(command.get("description", ""))) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
    return commands


def reaction_list(reaction: list[Any]) -> list[Params]:
    """What setMessageReaction takes of a bot: one emoji, or none."""
    if len(reaction) > 1:
        raise bad("REACTIONS_TOO_MANY")
    for one in reaction:
        if not isinstance(one, dict) or one.get("type") != "emoji":
            raise bad("can't parse reaction type")
        _known(one, ("type", "emoji"), "ReactionTypeEmoji")
        if one.get("emoji") not in REACTIONS:
            raise bad("REACTION_INVALID")
    return reaction


_SCOPES: dict[str, tuple[str, ...]] = {
    "default": (),
    "all_private_chats": (),
    "all_group_chats": (),
    "all_chat_administrators": (),
    "chat": ("chat_id",),
    "chat_administrators": ("chat_id",),
    "chat_member": ("chat_id", "user_id"),
}


def command_scope(scope: Params | None) -> tuple[str, ...]:
    """The scope of a menu as its key: its type and whose it is."""
    scope = scope or {"type": "default"}
    if scope.get("type") not in _SCOPES:
        raise bad("can't parse BotCommandScope: unsupported type specified")
    fields = _SCOPES[scope["type"]]
    _known(scope, ("type", *fields), "BotCommandScope")
    if not all(_is_int(scope.get(name, "")) for name in fields):
        raise bad("can't parse BotCommandScope: an identifier is missing")
    return (scope["type"], *(str(scope[name]) for name in fields))
