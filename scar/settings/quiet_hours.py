"""Quiet hours, in which only critical alerts make a sound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_FORM = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class QuietHours:
    """The time from `start` to `end`, in minutes of the day by this host's clock; it may include
    midnight.
    """

    start: int
    end: int

    @classmethod
    def parse(cls, text: str) -> QuietHours:
        """Parse `22:00-07:00`; raise `ValueError` for any other form."""
        match = _FORM.fullmatch(text.strip())
        if match is None:
            raise ValueError(text)
        numbers = [int(number) for number in match.groups()]
        return cls(numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3])

    def hold(self, now: float) -> bool:
        """Return whether `now`, in seconds since the epoch, is within the quiet hours."""
        moment = datetime.fromtimestamp(now).astimezone()
        minute = moment.hour * 60 + moment.minute
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end
