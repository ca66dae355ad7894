"""The events of a job: one entry each of its stream on Redis."""

from __future__ import annotations

from dataclasses import dataclass

from scar.jobs.timestamp import rfc3339
from scar.json_object import JsonObject


@dataclass(frozen=True)
class Event:
    """One line of a job's history. `id` grows by one; `at` is milliseconds since the epoch.

    `type` is `job`, `step`, `progress`, `output` or `result`.
    """

    id: int
    type: str
    at: int
    data: JsonObject

    def to_json(self) -> JsonObject:
        """Return the event as the API shows it."""
        return {"id": self.id, "type": self.type, "at": rfc3339(self.at), "data": dict(self.data)}
