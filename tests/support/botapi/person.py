"""The people who talk to a bot: they write, tap and see messages. It works over HTTP from any
process.
"""

from __future__ import annotations

import base64
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]


@dataclass(frozen=True)
class Version:
    """A message as it was from `at` (monotonic) and `date` (Unix seconds) on."""

    at: float
    date: int
    text: str
    entities: list[Json]
    markup: Json | None


@dataclass(frozen=True)
class Message:
    """A message as people see it; `text` is the caption where there is a file."""

    id: int
    chat: int
    sender: int
    by_bot: bool
    thread: int | None
    reply_to: int | None
    file: Json | None
    silent: bool
    deleted: bool
    reactions: list[str]
    extra: Json
    versions: list[Version]

    @property
    def text(self) -> str:
        """The present text."""
        return self.versions[-1].text

    @property
    def entities(self) -> list[Json]:
        """The present entities of the text."""
        return self.versions[-1].entities

    @property
    def markup(self) -> Json | None:
        """The present keyboard."""
        return self.versions[-1].markup

    @property
    def buttons(self) -> list[str]:
        """The labels of the present buttons."""
        rows = self.markup["inline_keyboard"] if self.markup else []
        return [button["text"] for row in rows for button in row]

    @property
    def edits(self) -> int:
        """The number of edits."""
        return len(self.versions) - 1

    def marked(self, kind: str) -> list[str]:
        """The parts of the text that are of this kind of entity."""
        coded = self.text.encode("utf-16-le")
        return [
            coded[2 * one["offset"] : 2 * (one["offset"] + one["length"])].decode("utf-16-le")
            for one in self.entities
            if one["type"] == kind
        ]


class Telegram:
    """The people's side of a server at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.Client(
            base_url=f"{url}/control/", trust_env=False, verify=False, timeout=60
        )

    def close(self) -> None:
        """Closes the connections to the server."""
        self._client.close()

    def control(self, action: str, **params: Any) -> Any:
        """Perform an action of `/control/`; raise `ValueError` with the reason if that is
        impossible.
        """
        answer = self._client.post(action, json=params).json()
        if not answer["ok"]:
            raise ValueError(answer["description"])
        return answer["result"]

    def private_chat(self, user_id: int, name: str) -> Chat:
        """The private chat of a person with the bot; `chat.person` is that person."""
        chat = self.control("private_chat", user_id=user_id, name=name)
        return Chat(self, chat["id"], Person(self, user_id))

    def group(self, title: str, **options: Any) -> Chat:
        """A new group with the bot in it.

        Options: `forum`, `supergroup`, `admin` (the bot is one), `added_by` (a user id).
        """
        return Chat(self, self.control("group", title=title, **options)["id"])

    def person(self, user_id: int) -> Person:
        """A person; named by `private_chat` or else by number."""
        return Person(self, user_id)

    def calls(self, method: str | None = None, chat: Chat | None = None) -> list[Json]:
        """What the bot called, in order.

        Each has `at` and `ended_at` (monotonic), `method`, `params`, `chat`, `ok`, `status`, and
        `result` or `description`; `dropped` where the connection was closed.
        """
        calls: list[Json] = self.control("calls", method=method, chat=chat.id if chat else None)
        return calls

    def fault(self, kind: str, *, chat: Chat | None = None, **options: Any) -> None:
        """Script a fault for the next calls; see `faults.Fault` for kinds and options."""
        self.control("fault", kind=kind, chat=chat.id if chat else None, **options)

    def clear_faults(self) -> None:
        """Delete the scripted faults that have not happened yet."""
        self.control("clear_faults")

    def limits(self, on: bool = True, **options: int) -> None:
        """Turns Telegram's limits per chat on or off; options `burst`, `group_per_minute`."""
        self.control("limits", on=on, **options)

    def pending(self) -> int:
        """How many updates the bot has not confirmed."""
        return int(self.control("pending"))

    def commands(self) -> list[Json]:
        """The commands the bot has set."""
        commands: list[Json] = self.control("commands")
        return commands

    def menu(self, *scope: str) -> list[str]:
        """The words of a menu the bot has set: of a `chat` ID, or a `chat_member` CHAT USER."""
        return [command["command"] for command in self.control("menu", scope=scope)]

    def wait_for(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Waits until the condition holds, looking after each change; `TimeoutError` if never."""
        deadline = time.monotonic() + timeout
        version = self.control("wait", version=-1, seconds=0)
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"not within {timeout} s")
            version = self.control("wait", version=version, seconds=min(left, 5.0))


class Chat:
    """A chat, as the people in it see it."""

    def __init__(self, telegram: Telegram, chat_id: int, person: Person | None = None) -> None:
        self._telegram = telegram
        self.id = chat_id
        self._person = person

    @property
    def person(self) -> Person:
        """The person of this private chat."""
        assert self._person is not None, "a group has no one person"
        return self._person

    @property
    def messages(self) -> list[Message]:
        """All messages in order, deleted ones too (`deleted`)."""
        return self._look()[1]

    @property
    def from_bot(self) -> list[Message]:
        """The bot's messages that are there."""
        return [one for one in self.messages if one.by_bot and not one.deleted]

    @property
    def sounds(self) -> list[Message]:
        """The bot's messages that made a sound."""
        return [one for one in self.from_bot if not one.silent]

    def _look(self) -> tuple[int, list[Message]]:
        seen = self._telegram.control("messages", chat=self.id)
        return seen["version"], [_message(one) for one in seen["messages"]]

    def wait_for(self, predicate: Callable[[Message], bool], timeout: float = 10.0) -> Message:
        """The first message of the bot for which the predicate holds; `TimeoutError` if none."""
        deadline = time.monotonic() + timeout
        while True:
            version, messages = self._look()
            bots = [one for one in messages if one.by_bot and not one.deleted]
            for message in bots:
                if predicate(message):
                    return message
            left = deadline - time.monotonic()
            if left <= 0:
                seen = "\n---\n".join(one.text for one in bots)
                raise TimeoutError(f"no such message within {timeout} s; the bot said:\n{seen}")
            self._telegram.control("wait", version=version, seconds=min(left, 5.0))

    def wait_for_text(self, text: str, timeout: float = 10.0) -> Message:
        """The first message of the bot that contains a text."""
        return self.wait_for(lambda message: text in message.text, timeout)

    def content(self, message: Message) -> bytes:
        """The bytes of a message's file."""
        assert message.file is not None, "the message has no file"
        return base64.b64decode(self._telegram.control("file", id=message.file["id"]))

    def topic(self, name: str) -> int:
        """A new topic of a forum: its thread id."""
        return int(self._telegram.control("topic", chat=self.id, name=name))

    def delete_topic(self, thread: int) -> None:
        """Takes a topic away."""
        self._telegram.control("delete_topic", chat=self.id, thread=thread)

    def least_spacing(self) -> float:
        """The shortest time in seconds between two sends or edits of the bot in this chat."""
        times = sorted(
            version.at
            for message in self.messages
            if message.by_bot
            for version in message.versions
        )
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        return min(gaps, default=float("inf"))

    def block(self, blocked: bool = True) -> None:
        """The person of a private chat blocks the bot, or lets it in again."""
        self._telegram.control("block", chat=self.id, blocked=blocked)

    def remove_bot(self) -> None:
        """Remove the bot from the group."""
        self._telegram.control("remove_bot", chat=self.id)

    def migrate(self) -> Chat:
        """Makes a group a supergroup, with another id."""
        return Chat(self._telegram, self._telegram.control("migrate", chat=self.id)["id"])


@dataclass(frozen=True)
class Tap:
    """A tapped button."""

    telegram: Telegram
    id: str

    @property
    def state(self) -> Json:
        """`at` and `answered_at` (monotonic, None until answered), `data`, `answer`."""
        state: Json = self.telegram.control("tap", id=self.id)
        return state

    def wait(self, timeout: float = 10.0) -> Json:
        """The state once the bot has answered."""
        self.telegram.wait_for(lambda: self.state["answered_at"] is not None, timeout)
        return self.state


class Person:
    """A person who writes messages and taps buttons."""

    def __init__(self, telegram: Telegram, user_id: int) -> None:
        self._telegram = telegram
        self.id = user_id

    def says(
        self,
        text: str,
        chat: Chat,
        thread: int | None = None,
        *,
        date: float | None = None,
        edited: bool = False,
        forwarded: bool = False,
        reply_to: Message | None = None,
        extra: Json | None = None,
    ) -> Message:
        """Sends a message; `edited` changes this person's last one in that place instead.

        `date` is Unix seconds. `extra` goes into the Bot API's Message as it is (`sender_chat`,
        `via_bot`, ...).
        """
        said = self._telegram.control(
            "says",
            user=self.id,
            chat=chat.id,
            text=text,
            thread=thread,
            date=date,
            edited=edited,
            forwarded=forwarded,
            reply_to=reply_to.id if reply_to else None,
            extra=extra,
        )
        return _message(said)

    def taps(self, message: Message, button: str) -> Tap:
        """Taps a button by its label or callback data; `ValueError` where there is none such."""
        tap = self._telegram.control(
            "taps", user=self.id, chat=message.chat, message=message.id, button=button
        )
        return Tap(self._telegram, tap["id"])


def _message(seen: Json) -> Message:
    versions = [Version(**version) for version in seen.pop("versions")]
    return Message(**seen, versions=versions)
