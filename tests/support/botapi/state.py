"""The state of the emulated Telegram: people, chats, messages, updates, and a record of every
call.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .entities import Entity
from .rules import UPDATES, ApiError, Params, bad

Json = dict[str, Any]


@dataclass
class Version:
    """A message as it was from a moment on. `at` is monotonic, `date` Unix seconds."""

    at: float
    date: int
    text: str
    entities: list[Entity]
    markup: Params | None


@dataclass
class Message:
    """A message and all its versions; `text` is the caption where there is a document."""

    chat: Chat
    id: int
    sender: Json
    versions: list[Version]
    thread: int | None = None
    reply_to: int | None = None
    file: str | None = None
    silent: bool = False
    deleted: bool = False
    reactions: list[Json] = field(default_factory=list)
    extra: Json = field(default_factory=dict)

    @property
    def now(self) -> Version:
        """The present version."""
        return self.versions[-1]


@dataclass
class Chat:
    """A chat. Message ids grow by one; a topic's id is that of the message that made it."""

    id: int
    kind: str
    title: str
    forum: bool = False
    admin: bool = False
    member: bool = True
    blocked: bool = False
    migrated_to: int | None = None
    topics: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    last_id: int = 0

    def api(self) -> Json:
        """The Bot API's Chat."""
        if self.kind == "private":
            return {"id": self.id, "type": "private", "first_name": self.title}
        chat = {"id": self.id, "type": self.kind, "title": self.title}
        return {**chat, "is_forum": True} if self.forum else chat


@dataclass
class File:
    """A file somebody sent."""

    id: str
    name: str
    content: bytes

    def api(self) -> Json:
        """The Bot API's Document."""
        return {
            "file_id": self.id,
            "file_unique_id": f"u{self.id}",
            "file_name": self.name,
            "file_size": len(self.content),
        }


@dataclass
class Tap:
    """A tapped button. Times are monotonic; `answer` is what the bot said to it."""

    id: str
    message: Message
    data: str
    at: float
    answered_at: float | None = None
    answer: Json | None = None


class World:
    """The whole state. Hold `changed` while using it, and call `touch` after each change."""

    def __init__(
        self,
        token: str,
        *,
        privacy: bool = True,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.token = token
        self.privacy = privacy
        self.now = now
        self.clock = clock
        self.changed = threading.Condition(threading.RLock())
        self.version = 0
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": "Test bot",
            "username": "test_scar_bot",
        }
        self.users: dict[int, Json] = {}
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, File] = {}
        self.taps: dict[str, Tap] = {}
        self.commands: list[Json] = []
        self.menus: dict[tuple[str, ...], list[Json]] = {}
        self.calls: list[Json] = []
        self.updates: list[Json] = []
        self.allowed: list[str] = []
        self._update_ids = itertools.count(100_000_001)
        self.numbers = itertools.count(1)

    def touch(self) -> None:
        """Wake all threads that wait for a change."""
        self.version += 1
        self.changed.notify_all()

    def user(self, user_id: int, name: str | None = None) -> Json:
        """A person, made at first mention."""
        if user_id not in self.users:
            first = name or f"Person {user_id}"
            self.users[user_id] = {"id": user_id, "is_bot": False, "first_name": first}
        return self.users[user_id]

    def chat(self, chat_id: int) -> Chat:
        """A chat; `ApiError` 400 where there is none."""
        if chat_id not in self.chats:
            raise bad("chat not found")
        return self.chats[chat_id]

    def open_to_bot(self, chat_id: int) -> Chat:
        """A chat the bot may act in; `ApiError` where it may not."""
        chat = self.chat(chat_id)
        if chat.migrated_to is not None:
            raise ApiError(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=chat.migrated_to,
            )
        if chat.blocked:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        if not chat.member:
            raise ApiError(403, f"Forbidden: bot is not a member of the {chat.kind} chat")
        return chat

    def post(
        self,
        chat: Chat,
        sender: Json,
        text: str = "",
        entities: list[Entity] | None = None,
        markup: Params | None = None,
        **rest: Any,
    ) -> Message:
        """Puts a message into a chat. `date` in `rest` is Unix seconds."""
        date = rest.pop("date", None)
        version = Version(
            self.clock(), int(self.now() if date is None else date), text, entities or [], markup
        )
        chat.last_id += 1
        message = Message(chat, chat.last_id, sender, [version], **rest)
        chat.messages[message.id] = message
        self.touch()
        return message

    def change(
        self, message: Message, text: str, entities: list[Entity], markup: Params | None
    ) -> None:
        """Gives a message its next version."""
        message.versions.append(
            Version(self.clock(), int(self.now()), text, entities, markup),
        )
        self.touch()

    def tell(self, kind: str, content: Json) -> None:
        """Queues an update for the bot, unless it asked not to be told of these."""
        default = [name for name in UPDATES if name not in UPDATES[-3:]]
        if kind in (self.allowed or default):
            self.updates.append({"update_id": next(self._update_ids), kind: content})
            self.touch()

    def api(self, message: Message, *, reply: bool = True) -> Json:
        """The Bot API's Message."""
        first, last = message.versions[0], message.now
        shown: Json = {
            "message_id": message.id,
            "date": first.date,
            "chat": message.chat.api(),
            "from": message.sender,
        }
        body = "caption" if message.file else "text"
        if last.text:
            shown[body] = last.text
        if last.entities:
            shown["entities" if body == "text" else "caption_entities"] = last.entities
        if last.markup:
            shown["reply_markup"] = last.markup
        if len(message.versions) > 1:
            shown["edit_date"] = last.date
        if message.file:
            shown["document"] = self.files[message.file].api()
        shown |= self._place(message, reply)
        return {**shown, **message.extra}

    def _place(self, message: Message, reply: bool) -> Json:
        """The thread and the message replied to, as Telegram tells them.

        In a topic every message replies to the one that made it; in a supergroup without topics a
        reply has a thread too, which is no topic and cannot be sent to.
        """
        chat, place = message.chat, Json()
        replied = chat.messages.get(message.reply_to or message.thread or 0)
        if message.thread is not None:
            place = {"message_thread_id": message.thread, "is_topic_message": True}
        elif replied is not None and chat.kind == "supergroup" and not chat.forum:
            place = {"message_thread_id": replied.id}
        if reply and replied is not None and replied is not message:
            place["reply_to_message"] = self.api(replied, reply=False)
        return place
