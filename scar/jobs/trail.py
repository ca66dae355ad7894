"""The audit trail's chain on Redis: each line is signed, and names the hash of the line before.

A line that is edited, removed or moved breaks the chain, and nobody can repair it without a key
(Schneier and Kelsey, "Secure Audit Logs to Support Computer Forensics", 1999). The trail's end,
`<number> <SHA-256 of the last line>`, is compared and set in the script that appends; if another
writer was faster, the line is signed again.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from redis import Redis

from scar.access import Actor
from scar.atomic_file import replace_file
from scar.errors import ScarError
from scar.jobs.scripts import scripts
from scar.jobs.signing import Signatures
from scar.json_object import JsonObject
from scar.redis_client import redis_errors

STREAM = "scar:audit"
TIP = "scar:audit:tip"
MOST_LINES = 100_000
_TRIES = 200
_FOLLOWED = 1000
_ID = re.compile(r"\d+-\d+")
_TIP = re.compile(r"(\d{1,15}) [0-9a-f]{64}")


@dataclass(frozen=True)
class TrailEntry:
    """The content of a line: who did what, to which project, as which job, and the outcome."""

    actor: str
    name: str
    action: str
    project: str = ""
    job: str = ""
    outcome: str = ""

    @classmethod
    def of(
        cls, actor: Actor, action: str, outcome: str, *, project: str | None = None, job: str = ""
    ) -> TrailEntry:
        """Return the entry of an actor; `outcome` is `accepted`, `refused: <code>`, ..."""
        name, shown = actor.name[:200], (project or "")[:64]
        return cls(actor.key[:200], name, action[:200], shown, job, outcome[:200])


Line = tuple[str, str, str]
"""The trail's end as the writer knows it, the sealed line, and the trail's end after it."""


class Trail:
    """Appends lines to the chain. `clock` gives seconds since the epoch."""

    def __init__(
        self, redis: Redis, signatures: Signatures, clock: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._signatures = signatures
        self._clock = clock
        self._tip = ""
        self._append = scripts(redis, "append")["append"]

    def append(self, entry: TrailEntry) -> None:
        """Append a line."""

        def run(line: Line) -> Sequence[Any]:
            with redis_errors():
                return cast("Sequence[Any]", self._append(args=list(line)))

        self.append_with(entry, run)

    def append_with(self, entry: TrailEntry, run: Callable[[Line], Sequence[Any]]) -> Sequence[Any]:
        """Run a script that appends the line in the same step as the change that it records, and
        return its reply. If another writer was faster, the script replies `tip` and is run again.
        """
        for _ in range(_TRIES):
            reply = run(self._line(entry))
            if reply[0] != "tip":
                return reply
            self._tip = str(reply[1])
        raise ScarError(
            "conflict", "The audit trail changes too fast to be written", "Try again in a moment."
        )

    def seal(self, entry: TrailEntry) -> str:
        """Return the sealed line of an entry outside of the chain, such as a refusal."""
        return self._signatures.seal("audit", {"at": int(self._clock() * 1000), **asdict(entry)})

    def _line(self, entry: TrailEntry) -> Line:
        tip = self._tip
        number = trail_length(tip) + 1
        content = {"n": number, "prev": tip, "at": int(self._clock() * 1000), **asdict(entry)}
        sealed = self._signatures.seal("audit", content)
        return tip, sealed, tip_after(number, sealed)


class AnchorFile:
    """The last end of the trail that this host has seen, with the id of its line. It is in the
    state folder, where an attacker on Redis cannot change it.
    """

    def __init__(self, state: Path, signatures: Signatures) -> None:
        self._path = state / "audit-tip"
        self._signatures = signatures

    def read(self) -> str:
        """Return the last end that was seen; an empty text if there is none."""
        return self._read()[0]

    def follow(self, redis: Redis) -> None:
        """Advance to the newest line that is chained to the last one seen. If that line is no
        longer in the trail, nothing changes, and `broken_at` reports it.
        """
        tip, id = self._read()
        with redis_errors():
            entries = cast("list[Any]", redis.xrange(STREAM, id or "-", "+", _FOLLOWED))
        seen = tip
        for entry_id, fields in entries:
            sealed = fields.get("line", "")
            content = _content(self._signatures, sealed)
            if content is None and not tip:
                continue  # an earlier version signed nothing
            after = "" if content is None else tip_after(content["n"], sealed)
            if after != seen:
                if content is None or content["prev"] != seen:
                    break
                seen, id = after, entry_id
        if seen != tip:
            replace_file(self._path, f"{seen} {id}".encode(), mode=0o600)

    def _read(self) -> tuple[str, str]:
        try:
            tip, _, id = self._path.read_text(encoding="ascii").strip().rpartition(" ")
        except (FileNotFoundError, ValueError):
            return "", ""
        return (tip, id) if _TIP.fullmatch(tip) and _ID.fullmatch(id) else ("", "")


def trail_length(tip: str) -> int:
    """Return how many lines were ever written, according to the trail's end."""
    match = _TIP.fullmatch(tip)
    return int(match[1]) if match else 0


def tip_after(number: int, sealed: str) -> str:
    """Return the trail's end after the line with this number."""
    return f"{number} {hashlib.sha256(sealed.encode()).hexdigest()}"


def broken_at(
    lines: Iterator[tuple[str, str]], tip: str, signatures: Signatures, anchor: str = ""
) -> str | None:
    """Return what is wrong with a trail; None if it is intact.

    `lines` are the ids and sealed lines, oldest first; `tip` is the trail's end on Redis, after
    which it may have grown; `anchor` an end that this host has seen. The trail must contain both,
    the anchor unless it was trimmed.
    """
    last, first, ended, anchored = "", 0, not tip, not anchor
    for id, sealed in lines:
        content = _content(signatures, sealed)
        if not sealed and not first:
            continue  # an earlier version signed nothing; the chain begins with number 1
        if content is None:
            unknown = signatures.unknown_key(sealed)
            hint = f", or its key is not known here ({unknown}): see `scar keys`" if unknown else ""
            return f"line {id} is not signed by a part of SCAR: it was edited or added{hint}"
        if first and content["prev"] != last:
            return f"lines before {id} were removed, moved or added"
        first = first or content["n"]
        last = tip_after(content["n"], sealed)
        ended, anchored = ended or last == tip, anchored or last == anchor
    if not ended:
        return "its last lines were removed"
    newest = trail_length(last)
    if first > 1 and newest - first + 1 < MOST_LINES:
        return f"lines before number {first} were removed"
    if not anchored and trail_length(anchor) >= first:
        return f"line {trail_length(anchor)}, which this host has seen, is not there any more"
    return None


def _content(signatures: Signatures, sealed: str) -> JsonObject | None:
    """Return the content of a signed line of the chain; None without a valid signature, and for
    signed lines outside of the chain such as refusals, which an attacker could insert.
    """
    opened = signatures.open("audit", sealed)
    content = opened.content if opened else {}
    is_chained = type(content.get("n")) is int and isinstance(content.get("prev"), str)
    return content if is_chained else None
