"""Signs and verifies everything on Redis that makes a part of SCAR act, or that a person is shown.

Each part signs with its own key (Ed25519), over the kind of the text and the text, so that a
signature of one kind is not valid for another. A reader verifies a text as one kind, and each kind
may be signed by one side only: front-ends cannot sign what workers report, nor the reverse. A
signature reads `<part>/<key id>/<base64>`.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from scar.errors import ScarError
from scar.jobs.mini_app import MiniAppProofs
from scar.json_object import JsonObject
from scar.keys.key_pair import KeyPair
from scar.keys.key_store import API, WORKER, key_pair, trusted_keys, worker_part
from scar.keys.trusted_keys import TrustedKey, TrustedKeys, is_key_id, is_part
from scar.settings import Settings

WAKEUP = "bell"
"""The kind under which wake-up messages are signed. Workers of every version use this name."""

_BY_WORKERS = frozenset(("plan", "steps", "events", "end", "position", "alert", "bake", "report"))
_BY_ANY = frozenset(("swept", "audit", WAKEUP))
_BY_FRONT_ENDS = frozenset(
    (
        *("request", "confirmation", "cancellation", "lock", "subscription"),
        *("service", "letter", "push", "choice", "grant", "session"),
        *("account", "mute", "alert_chat", "alert_message", "bot"),
    )
)
_ALSO_BY_WORKERS = frozenset(("request", "confirmation"))
"""Kinds that workers may sign too, for a rollback of their own (`proofs.asks_for_itself`)."""

_NOW_ONLY = frozenset((WAKEUP, "service", "letter", "push", "choice", "session"))
"""Kinds for which a retired key is not valid. Texts of the other kinds stay valid, as signed
before.
"""

_ALSO_FROM = {API: ("api", "web"), "github": ("github", "schedule")}
"""The front-ends for whose people a part may sign, if it is not just the front-end of its own name.
"""


@dataclass(frozen=True)
class Signer:
    """The part that has signed something, and when its key was retired, in milliseconds since the
    epoch (None if it was not).
    """

    part: str
    retired_at: int | None = None

    @property
    def retired(self) -> bool:
        """Whether the key was retired."""
        return self.retired_at is not None

    def speaks_for(self, front_end: str) -> bool:
        """Return whether the part may sign for the people of a front-end."""
        return front_end in _ALSO_FROM.get(self.part, (self.part,))

    @property
    def is_worker(self) -> bool:
        """Whether the part is a host's worker."""
        return self.part.startswith(f"{WORKER}:")

    def works_for(self, host: str) -> bool:
        """Return whether the part is the worker of a host."""
        return self.part == worker_part(host)


@dataclass(frozen=True)
class Opened:
    """A sealed text whose signature is valid, and who has signed it."""

    content: JsonObject
    signer: Signer


def tampered(what: str, unknown: str = "") -> ScarError:
    """Return the error for a record on Redis with an invalid signature. `unknown` is the signing
    key if it is not trusted here, for example because the host is new.
    """
    or_else = f", or signed with a key that is not known here ({unknown})" if unknown else ""
    return ScarError(
        "tampered",
        f"This record was tampered with{or_else}: {what}",
        "Somebody else writes to SCAR's Redis, or a key is missing here: see `scar keys` and "
        "`scar audit verify`.",
    )


class Signatures:
    """Signs as one part, and verifies the signatures of all parts.

    The kinds: `request` (a job as it was submitted), `confirmation`, `cancellation`, `lock` and
    `subscription` (by the front-end or the API where a person asked), `service` (a front-end's
    access to the API), `letter` (of an inbox), `push` (that waits for its deploy), `choice` (of a
    menu), `grant` (the page may ask for a person) and `session` (of the page), `mute`, `alert_chat`
    and `alert_message` (who is told of alerts, and was), `bot` (the name of the Telegram bot);
    `plan`, `steps`, `events` and `end` (by a worker: what becomes of a job), `alert`, `bake` and
    `report` (by a worker: what goes wrong on its host);
    `swept` (the end of a job that nobody does), `audit` (a line of the trail) and `WAKEUP` (a job's
    id on a host's queue), by any part. A worker signs a `request` and a `confirmation` as well, but
    only of rollbacks on its own host, in its own name.
    """

    def __init__(
        self, own: KeyPair, trusted: TrustedKeys, mini_app: MiniAppProofs | None = None
    ) -> None:
        self._own = own
        self._trusted = trusted
        self.mini_app = mini_app

    @classmethod
    def of(cls, settings: Settings, part: str) -> Signatures:
        """Return the signatures of a part of this installation."""
        return cls(key_pair(settings, part), trusted_keys(settings), MiniAppProofs.of(settings))

    @classmethod
    def for_reading(cls, settings: Settings) -> Signatures:
        """Return signatures that can only verify, for a command that needs no key of its own."""
        return cls(KeyPair.generate("reader"), trusted_keys(settings))

    @property
    def part(self) -> str:
        """The part that signs."""
        return self._own.public.part

    def known_keys(self) -> JsonObject:
        """Return the ids of the key that this part signs with, and of those that it accepts.

        A heartbeat contains them, so that `scar doctor` finds parts that do not trust each other.
        """
        accepted = [key.public.id for key in self._trusted.all() if not key.retired]
        return {"own": self._own.public.id, "accepted": accepted}

    def secret(self, purpose: str) -> bytes:
        """Return a secret that only this part can derive, for values that no other part
        verifies.
        """
        return self._own.secret(purpose)

    def sign(self, kind: str, text: str) -> str:
        """Return this part's signature of `text` as a `kind`. Raises `LookupError` for a kind that
        the part may not sign.
        """
        if not _may_sign(kind, self.part):
            raise LookupError(f"'{kind}' is not signed by {self.part}")
        public = self._own.public
        signature = base64.urlsafe_b64encode(self._own.sign(_message(kind, text))).decode()
        return f"{public.part}/{public.id}/{signature}"

    def signer(self, kind: str, text: str, signature: str) -> Signer | None:
        """Return the signer of `text` as a `kind`; None if the signature is invalid or the signer
        may not sign that kind.
        """
        part, id, encoded = (*signature.split("/", 2), "", "")[:3]
        key = self._trusted.get(part, id)
        if key is None or not _may_sign(kind, part) or not _verifies(key, kind, text, encoded):
            return None
        if key.retired and kind in _NOW_ONLY:
            return None
        return Signer(part, key.retired_at)

    def knows(self, part: str) -> bool:
        """Return whether a key of a part is accepted here."""
        return self._trusted.has(part)

    def unknown_key(self, sealed: str) -> str:
        """Return the part and id of the key in a signature or sealed text if it is not trusted
        here; otherwise an empty text.
        """
        part, id, _ = (*sealed.partition(" ")[0].split("/", 2), "", "")[:3]
        named = is_part(part) and is_key_id(id)
        return f"{part} {id}" if named and self._trusted.get(part, id) is None else ""

    def seal(self, kind: str, content: JsonObject) -> str:
        """Return the content as JSON, prefixed with its signature, as `open` expects it."""
        text = json.dumps(content, separators=(",", ":"), sort_keys=True)
        return f"{self.sign(kind, text)} {text}"

    def open(self, kind: str, sealed: str | None) -> Opened | None:
        """Return the content and the signer of a sealed text; None if the signature is invalid or
        the signer may not sign that kind.
        """
        signature, space, text = (sealed or "").partition(" ")
        signer = self.signer(kind, text, signature) if space else None
        if signer is None:
            return None
        try:
            content = json.loads(text)
        except (RecursionError, ValueError):
            return None
        return Opened(content, signer) if isinstance(content, dict) else None


def sealed_content(sealed: str) -> JsonObject:
    """Return the content of a sealed text without verifying it, for texts that were verified when
    they were stored.
    """
    content = json.loads(sealed.partition(" ")[2])
    return content if isinstance(content, dict) else {}


def _require_known(kind: str) -> None:
    if kind not in _BY_WORKERS | _BY_FRONT_ENDS | _BY_ANY:
        raise LookupError(f"nothing is signed as '{kind}'")


def _may_sign(kind: str, part: str) -> bool:
    _require_known(kind)
    is_worker = Signer(part).is_worker
    if kind in _BY_ANY or (is_worker and kind in _ALSO_BY_WORKERS):
        return True
    return (kind in _BY_WORKERS) == is_worker


def _message(kind: str, text: str) -> bytes:
    return f"scar.{kind}\n{text}".encode()


def _verifies(key: TrustedKey, kind: str, text: str, encoded: str) -> bool:
    try:
        signature = base64.urlsafe_b64decode(encoded)
    except (binascii.Error, ValueError):
        return False
    return key.public.verifies(signature, _message(kind, text))
