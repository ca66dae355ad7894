"""What a person is to choose between before there is a job: kept until they have chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis

from scar.access import Actor
from scar.chat.front_end import IncomingMessage, Place
from scar.document import Button, Document
from scar.jobs.job_id import new_job_id
from scar.jobs.signing import Signatures
from scar.redis_client import redis_errors

_SECONDS = 600


class Menus:
    """Questions of "which one?" on Redis, each answered once, within ten minutes, by whom it was
    put to, in the same place."""

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures

    def offer(self, actor: Actor, place: Place, texts: Sequence[str]) -> str:
        """Keeps what each answer (`c0`, `c1`, ...) stands for; the tag of the message that asks."""
        token = new_job_id()
        content = {
            "token": token,
            "actor": actor.key,
            "place": [place.chat, place.thread],
            "texts": list(texts),
        }
        # Sealed: a text that was put in by others would be done in the name of whoever taps it.
        sealed = self._signatures.seal("choice", content)
        with redis_errors():
            self._redis.set(_key(token), sealed, ex=_SECONDS)
        return f"{token}:"

    def take(self, incoming: IncomingMessage) -> str | None:
        """What a tapped answer stands for; None where it is no answer to an open question."""
        token, _ = incoming.button or ("", "")
        with redis_errors():
            text: Any = self._redis.get(_key(token))
            found = self._signatures.unseal("choice", text)
            if found is None or found["token"] != token or not _put_to(found, incoming):
                return None
            if not self._redis.delete(_key(token)):
                return None  # tapped twice
        number = int(incoming.text[1:]) if incoming.text[1:].isdecimal() else len(found["texts"])
        return str(found["texts"][number]) if number < len(found["texts"]) else None


def choice(heading: str, choices: Mapping[str, str]) -> Document:
    """The message that asks; each choice is a button, or the text that makes it."""
    buttons = tuple(
        Button(label, f"c{number}", command=text)
        for number, (label, text) in enumerate(choices.items())
    )
    return Document((*Document.of(heading).blocks,), buttons)


def _put_to(found: Mapping[str, Any], incoming: IncomingMessage) -> bool:
    place = [incoming.place.chat, incoming.place.thread]
    return bool(found["actor"] == incoming.actor.key and found["place"] == place)


def _key(token: str) -> str:
    return f"scar:choice:{token}"
