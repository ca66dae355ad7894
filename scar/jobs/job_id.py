"""The ids of jobs: ULIDs (github.com/ulid/spec), which sort by their time of creation."""

from __future__ import annotations

import os
import re
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
ID_PATTERN = "[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}"
_FORM = re.compile(ID_PATTERN)
_RANDOM_BITS = 80


def new_job_id(now: float | None = None, entropy: bytes | None = None) -> str:
    """Return a new ULID: 48 bits of milliseconds and 80 random bits, in Crockford's base 32.

    `now` is in seconds since the epoch; the random bits are the first of `entropy` where it is
    given.
    """
    stamp = int((time.time() if now is None else now) * 1000)
    random = (os.urandom(_RANDOM_BITS // 8) if entropy is None else entropy)[: _RANDOM_BITS // 8]
    return _encode((stamp << _RANDOM_BITS) | int.from_bytes(random))


def time_of_id(id: str) -> int:
    """Return when the job with this id was created, in milliseconds since the epoch."""
    number = 0
    for letter in id:
        number = number << 5 | _CROCKFORD.index(letter)
    return number >> _RANDOM_BITS


def entropy_of(id: str) -> str:
    """Return the part of an id that does not say when it was made."""
    return id[-_RANDOM_BITS // 5 :].upper()


def is_job_id(text: str) -> bool:
    """Return whether the text has the format of a job's id, which is also that of a release's
    id.
    """
    return _FORM.fullmatch(text) is not None


def oldest_id_at(seconds: float) -> str:
    """Return the smallest id that a job created at `seconds` since the epoch can have."""
    return _encode(int(seconds * 1000) << _RANDOM_BITS)


def _encode(number: int) -> str:
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -5, -5))
