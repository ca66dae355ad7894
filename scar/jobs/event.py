"""The events of a job, each an entry of the job's stream on Redis."""

from __future__ import annotations

from dataclasses import dataclass

from scar.jobs.timestamp import rfc3339
from scar.json_object import JsonObject


@dataclass(frozen=True)
class Event:
    """One event of a job. `id` counts up by one; `at` is in milliseconds since the epoch.

    `type` is `job`, `step`, `progress`, `output` or `result`.
    """

    id: int
    type: str
    at: int
    data: JsonObject

    def to_json(self) -> JsonObject:
        """Return the event in the format of the API."""
        return {"id": self.id, "type": self.type, "at": rfc3339(self.at), "data": dict(self.data)}
