"""Limits how many messages one person, or one stranger, may write to SCAR in a chat."""

from __future__ import annotations

import math
from collections.abc import Callable

from scar.access.rate_limit import Excess, Rate, RateLimit
from scar.chat.front_end import IncomingMessage
from scar.errors import ScarError

OF_PERSON = Rate(per_minute=30, burst=30)
OF_STRANGER = Rate(per_minute=5, burst=5)


class Admission:
    """Counts the messages of each person and stranger; both have limits of their own. `clock` gives
    seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._of_person = RateLimit(OF_PERSON, clock=clock)
        self._of_stranger = RateLimit(OF_STRANGER, clock=clock)

    def excess(self, incoming: IncomingMessage, *, is_known: bool) -> Excess | None:
        """Count a message for SCAR; return None if it is within the limit."""
        limit = self._of_person if is_known else self._of_stranger
        return limit.take(incoming.actor.key)


def too_fast(excess: Excess) -> ScarError:
    """Return the error for a message above the limit."""
    return ScarError(
        "too_many_requests",
        "That is too much at once: this message was not read, nor are those that follow it now",
        f"Write again in {math.ceil(excess.seconds)} s, and then more slowly.",
    )
