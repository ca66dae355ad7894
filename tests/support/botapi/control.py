"""The control interface of the emulator as JSON: what people do and see, and scripted faults."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from .entities import found_in
from .faults import Fault, Faults, Limiter
from .rules import bad
from .state import Chat, Json, Message, Tap, World

_LONGEST_WAIT = 30.0


class Control:
    """The endpoints under `/control/`, each a method that takes and gives JSON."""

    def __init__(self, world: World, faults: Faults) -> None:
        self._world = world
        self._faults = faults
        self.limiter: Limiter | None = None
        self._actions: dict[str, Callable[..., Any]] = {
            "private_chat": self._private_chat,
            "group": self._group,
            "topic": self._topic,
            "delete_topic": self._delete_topic,
            "migrate": self._migrate,
            "block": self._block,
            "remove_bot": self._remove_bot,
            "says": self._says,
            "taps": self._taps,
            "tap": self._tap,
            "messages": self._messages,
            "wait": self._wait,
            "calls": self._calls,
            "pending": lambda: len(self._world.updates),
            "commands": lambda: self._world.commands,
            "menu": lambda scope: self._world.menus.get(tuple(scope), []),
            "file": self._file,
            "fault": self._fault,
            "clear_faults": self._faults.clear,
            "limits": self._limits,
        }

    def do(self, action: str, params: Json) -> Any:
        """Perform one action; raise `ApiError` if that is impossible."""
        if action not in self._actions:
            raise bad(f"no such control: {action}")
        with self._world.changed:
            try:
                return self._actions[action](**params)
            except (TypeError, KeyError) as error:
                raise bad(f"{action}: {error!r}") from error

    def _private_chat(self, user_id: int, name: str) -> Json:
        user = self._world.user(user_id, name)
        chat = Chat(user_id, "private", user["first_name"])
        return self._world.chats.setdefault(user_id, chat).api()

    def _group(
        self,
        title: str,
        forum: bool = False,
        supergroup: bool = False,
        admin: bool = False,
        added_by: int = 1,
    ) -> Json:
        number = 1000 + next(self._world.numbers)
        large = forum or supergroup
        chat = Chat(
            -1_000_000_000_000 - number if large else -number,
            "supergroup" if large else "group",
            title,
            forum=forum,
            admin=admin,
            last_id=1 if forum else 0,  # 1 is the General topic's
        )
        self._world.chats[chat.id] = chat
        self._membership(chat, added_by, "left", "administrator" if admin else "member")
        return chat.api()

    def _membership(self, chat: Chat, by: int, old: str, new: str) -> None:
        """Tells the bot that it was added, removed or blocked."""
        self._world.tell(
            "my_chat_member",
            {
                "chat": chat.api(),
                "from": self._world.user(by),
                "date": int(self._world.now()),
                "old_chat_member": self._member(old),
                "new_chat_member": self._member(new),
            },
        )

    def _member(self, status: str) -> Json:
        member = {"user": self._world.bot, "status": status}
        if status == "kicked":
            return {**member, "until_date": 0}
        if status != "administrator":
            return member
        rights = (
            "can_be_edited is_anonymous can_manage_chat can_delete_messages can_manage_video_chats "
            "can_restrict_members can_promote_members can_change_info can_invite_users "
            "can_post_stories can_edit_stories can_delete_stories"
        )
        return {**member, **dict.fromkeys(rights.split(), False)}

    def _topic(self, chat: int, name: str, user: int = 1) -> int:
        forum = self._world.chat(chat)
        if not forum.forum:
            raise bad("the chat is not a forum")
        made = {"forum_topic_created": {"name": name, "icon_color": 7322096}}
        message = self._world.post(forum, self._world.user(user), extra=made)
        message.thread = message.id
        forum.topics[message.id] = name
        return message.id

    def _delete_topic(self, chat: int, thread: int) -> None:
        del self._world.chat(chat).topics[thread]

    def _migrate(self, chat: int) -> Json:
        old = self._world.chat(chat)
        new = Chat(-1_000_000_000_000 + old.id, "supergroup", old.title, admin=old.admin)
        self._world.chats[new.id] = new
        old.migrated_to = new.id
        for place, extra in (
            (old, {"migrate_to_chat_id": new.id}),
            (new, {"migrate_from_chat_id": old.id}),
        ):
            message = self._world.post(place, self._world.user(1), extra=extra)
            self._world.tell("message", self._world.api(message))
        return new.api()

    def _block(self, chat: int, blocked: bool = True) -> None:
        private = self._world.chat(chat)
        private.blocked = blocked
        states = ("member", "kicked") if blocked else ("kicked", "member")
        self._membership(private, chat, *states)

    def _remove_bot(self, chat: int, user: int = 1) -> None:
        group = self._world.chat(chat)
        group.member = False
        self._membership(group, user, "member", "kicked")

    def _says(
        self,
        user: int,
        chat: int,
        text: str,
        thread: int | None = None,
        date: float | None = None,
        edited: bool = False,
        forwarded: bool = False,
        reply_to: int | None = None,
        extra: Json | None = None,
    ) -> Json:
        place = self._world.chat(chat)
        if thread is not None and thread not in place.topics:
            raise bad("there is no such topic")
        if edited:
            message = self._last_of(place, user, thread)
            self._world.change(message, text, found_in(text), None)
        else:
            rest = {**(self._forwarded() if forwarded else {}), **(extra or {})}
            message = self._world.post(
                place,
                self._world.user(user),
                text,
                found_in(text),
                thread=thread,
                date=date,
                reply_to=reply_to,
                extra=rest,
            )
        if place.member and not place.blocked and self._heard(message):
            kind = "edited_message" if edited else "message"
            self._world.tell(kind, self._world.api(message))
        return self._seen(message)

    def _forwarded(self) -> Json:
        origin = {"type": "hidden_user", "sender_user_name": "Someone", "date": 1_700_000_000}
        return {"forward_origin": origin}

    def _last_of(self, chat: Chat, user: int, thread: int | None) -> Message:
        for message in reversed(chat.messages.values()):
            if message.sender["id"] == user and message.thread == thread and not message.deleted:
                return message
        raise bad("this person has said nothing here that could be edited")

    def _heard(self, message: Message) -> bool:
        """Whether the bot is told: in a group with privacy mode on, only of what is meant for it.

        Source: core.telegram.org/bots/features#privacy-mode.
        """
        chat = message.chat
        if chat.kind == "private" or chat.admin or not self._world.privacy:
            return True
        name = f"@{self._world.bot['username']}"
        text = message.now.text
        replied = chat.messages.get(message.reply_to or 0)
        if name in text or (replied is not None and replied.sender is self._world.bot):
            return True
        entities = message.now.entities
        command = bool(entities) and entities[0]["type"] == "bot_command"
        return command and entities[0]["offset"] == 0 and "@" not in text.split()[0]

    def _taps(self, user: int, chat: int, message: int, button: str) -> Json:
        place = self._world.chat(chat)
        shown = place.messages.get(message)
        if shown is None or shown.deleted:
            raise bad("there is no such message to tap on")
        rows = (shown.now.markup or {"inline_keyboard": []})["inline_keyboard"]
        buttons = [one for row in rows for one in row if "callback_data" in one]
        matching = [one for one in buttons if button in (one["text"], one["callback_data"])]
        if not matching:
            raise bad(f"no button {button!r}; there are {[one['text'] for one in buttons]}")
        return self._tapped(user, shown, matching[0]["callback_data"])

    def _tapped(self, user: int, message: Message, data: str) -> Json:
        number = f"{4_000_000_000 + next(self._world.numbers)}"
        tap = Tap(number, message, data, self._world.clock())
        self._world.taps[tap.id] = tap
        query = {
            "id": tap.id,
            "from": self._world.user(user),
            "message": self._world.api(message),
            "chat_instance": f"{message.chat.id}",
            "data": data,
        }
        self._world.tell("callback_query", query)
        return self._tap(tap.id)

    def _tap(self, id: str) -> Json:
        tap = self._world.taps[id]
        return {
            "id": tap.id,
            "data": tap.data,
            "at": tap.at,
            "answered_at": tap.answered_at,
            "answer": tap.answer,
        }

    def _messages(self, chat: int) -> Json:
        messages = self._world.chat(chat).messages.values()
        return {
            "version": self._world.version,
            "messages": [self._seen(message) for message in messages],
        }

    def _seen(self, message: Message) -> Json:
        file = self._world.files[message.file] if message.file else None
        return {
            "id": message.id,
            "chat": message.chat.id,
            "sender": message.sender["id"],
            "by_bot": message.sender is self._world.bot,
            "thread": message.thread,
            "reply_to": message.reply_to,
            "file": file and {"id": file.id, "name": file.name, "size": len(file.content)},
            "silent": message.silent,
            "deleted": message.deleted,
            "reactions": [one["emoji"] for one in message.reactions],
            "extra": message.extra,
            "versions": [
                {
                    "at": version.at,
                    "date": version.date,
                    "text": version.text,
                    "entities": version.entities,
                    "markup": version.markup,
                }
                for version in message.versions
            ],
        }

    def _wait(self, version: int, seconds: float) -> int:
        """Answers with the world's version as soon as it is another one."""
        deadline = time.monotonic() + min(seconds, _LONGEST_WAIT)
        while self._world.version == version and (left := deadline - time.monotonic()) > 0:
            self._world.changed.wait(left)
        return self._world.version

    def _calls(self, method: str | None = None, chat: int | None = None) -> list[Json]:
        return [
            dict(call)
            for call in self._world.calls
            if method in (None, call["method"]) and chat in (None, call["chat"])
        ]

    def _file(self, id: str) -> str:
        return base64.b64encode(self._world.files[id].content).decode()

    def _fault(self, **fault: Any) -> None:
        self._faults.add(Fault(**fault))

    def _limits(self, on: bool = True, burst: int = 3, group_per_minute: int = 20) -> None:
        limiter = Limiter(self._world.clock, burst=burst, group_per_minute=group_per_minute)
        self.limiter = limiter if on else None
