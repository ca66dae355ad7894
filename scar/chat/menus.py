"""Menus: choices that a person makes before a job is created, stored on Redis until answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from redis import Redis

from scar.access import Actor
from scar.chat.front_end import IncomingMessage, Place
from scar.document import Button, Document
from scar.jobs.job_id import new_job_id
from scar.jobs.signing import Signatures
from scar.json_object import JsonObject
from scar.redis_client import redis_errors

MOST_CHOICES = 90
"""Choices of one menu: a message of Telegram's has at most 100 buttons."""

_SECONDS = 600


class Menus:
    """Open menus on Redis. A menu is answered once, within ten minutes, by the person to whom it
    was shown, in the same place.
    """

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures

    def offer(self, actor: Actor, place: Place, texts: Sequence[str]) -> str:
        """Store the command text behind each answer (`c0`, `c1`, ...); return the tag for the
        menu's message.
        """
        token = new_job_id()
        content = {
            "token": token,
            "actor": actor.key,
            "place": [place.chat, place.thread],
            "texts": list(texts),
        }
        # Signed, because the text is run as a command in the name of the person who taps the
        # button.
        sealed = self._signatures.seal("choice", content)
        with redis_errors():
            self._redis.set(_key(token), sealed, ex=_SECONDS)
        return f"{token}:"

    def take(self, incoming: IncomingMessage) -> str | None:
        """Return the command text behind a tapped answer; None if the tap belongs to no open
        menu.
        """
        token = (incoming.tag or "").partition(":")[0]
        with redis_errors():
            sealed: Any = self._redis.get(_key(token))
            opened = self._signatures.open("choice", sealed)
            if opened is None or opened.signer.part != self._signatures.part:
                return None
            menu = opened.content
            if menu["token"] != token or not _is_for(menu, incoming):
                return None
            if not self._redis.delete(_key(token)):
                return None  # the button was tapped twice
        texts, number = menu["texts"], incoming.text[1:]
        if not number.isdecimal() or int(number) >= len(texts):
            return None
        return str(texts[int(number)])


def menu_document(heading: str, choices: Mapping[str, str]) -> Document:
    """Return the message of a menu, with one button for each choice (label to command text)."""
    buttons = tuple(
        Button(label, f"c{number}", command=text)
        for number, (label, text) in enumerate(choices.items())
    )
    document = Document((*Document.of(heading).blocks,), buttons[:MOST_CHOICES])
    more = len(buttons) - MOST_CHOICES
    return document.with_line(f"… and {more} more, which you can name.") if more > 0 else document


def numbered(document: Document) -> Document:
    """Return the document with its buttons numbered as the answers of a menu of their commands."""
    buttons = (replace(b, answer=f"c{number}") for number, b in enumerate(document.buttons))
    return replace(document, buttons=tuple(buttons))


def _is_for(menu: JsonObject, incoming: IncomingMessage) -> bool:
    place = [incoming.place.chat, incoming.place.thread]
    return bool(menu["actor"] == incoming.actor.key and menu["place"] == place)


def _key(token: str) -> str:
    return f"scar:choice:{token}"
