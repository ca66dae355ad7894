"""Faults of the emulated Bot API: scripted ones, and Telegram's rate limits per chat."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass

from .rules import ApiError, bad

KINDS = ("error", "flood", "drop", "lose", "slow")
_WRITES = ("sendMessage", "sendDocument", "sendPhoto", "editMessageText", "editMessageReplyMarkup")


@dataclass
class Fault:
    """Something that goes wrong for the next `times` calls of `method` (any) to `chat` (any).

    `error` answers `status`; `flood` answers 429 with `retry_after` = `seconds`; `drop` closes the
    connection and does nothing; `lose` does what was asked and closes the connection; `slow` waits
    `seconds` first.
    """

    kind: str
    method: str | None = None
    chat: int | None = None
    times: int = 1
    status: int = 500
    seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise bad(f"no such fault: {self.kind}")

    def hits(self, method: str, chat: int | None) -> bool:
        """Whether this call is one of those meant."""
        if self.times < 1 or self.method not in (None, method):
            return False
        return self.chat is None or self.chat == chat


class Faults:
    """The faults that were asked for, the oldest first."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Scripts a fault."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forgets what has not happened yet."""
        self._waiting.clear()

    def take(self, method: str, chat: int | None) -> Fault | None:
        """The fault of this call, counted as having happened."""
        for fault in self._waiting:
            if fault.hits(method, chat):
                fault.times -= 1
                return fault
        return None


def flooded(seconds: float) -> ApiError:
    """A 429."""
    wait = max(1, math.ceil(seconds))
    return ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)


class Limiter:
    """One message or edit a second per chat with a small burst, 20 a minute in a group."""

    def __init__(
        self, clock: Callable[[], float], *, burst: int = 3, group_per_minute: int = 20
    ) -> None:
        self._clock = clock
        self._burst = burst
        self._group = group_per_minute
        self._sent: dict[int, deque[float]] = defaultdict(deque)
        self._full_at: dict[int, float] = {}

    def check(self, method: str, chat: int | None) -> None:
        """Counts a call; `ApiError` 429 where it is one too many."""
        if chat is None or method not in _WRITES:
            return
        now = self._clock()
        full_at = max(self._full_at.get(chat, now), now)
        if full_at - now > self._burst - 1:
            raise flooded(full_at - now - (self._burst - 1))
        sent = self._sent[chat]
        while sent and now - sent[0] >= 60:
            sent.popleft()
        if chat < 0 and len(sent) >= self._group:
            raise flooded(60 - (now - sent[0]))
        sent.append(now)
        self._full_at[chat] = full_at + 1
