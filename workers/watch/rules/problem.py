"""What a rule says of a container."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that is wrong. `what` is read after the container's name, `why` says what it was
    seen by; `count` is how often it has happened.
    """

    rule: str
    severity: str
    what: str
    why: str
    count: int = 1
