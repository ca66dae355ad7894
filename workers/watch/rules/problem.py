"""The problem that a rule has found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A problem. `what` continues a sentence that begins with the container's name, `why` names the
    evidence; `count` is how often it has happened.
    """

    rule: str
    severity: str
    what: str
    why: str
    count: int = 1
