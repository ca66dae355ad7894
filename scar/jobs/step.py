"""The steps of a job, which show a person its progress."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scar.jobs.timestamp import milliseconds, rfc3339
from scar.json_object import JsonObject


class StepState(StrEnum):
    """The states of a step."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Progress:
    """How much of a step is done. `unit` is what is counted: files, build steps or containers."""

    done: int
    total: int
    unit: str

    def to_json(self) -> JsonObject:
        return {"done": self.done, "total": self.total, "unit": self.unit}


@dataclass(frozen=True)
class Step:
    """A named part of a job. Times are in milliseconds since the epoch."""

    name: str
    title: str
    state: StepState = StepState.PENDING
    started_at: int | None = None
    finished_at: int | None = None
    progress: Progress | None = None
    detail: str | None = None

    def to_json(self) -> JsonObject:
        """Return the step in the format of the API and of the `step` event."""
        return {
            "name": self.name,
            "title": self.title,
            "state": self.state.value,
            "started_at": rfc3339(self.started_at),
            "finished_at": rfc3339(self.finished_at),
            "progress": self.progress.to_json() if self.progress else None,
            "detail": self.detail,
        }

    @classmethod
    def from_json(cls, document: JsonObject) -> Step:
        progress = document.get("progress")
        return cls(
            name=document["name"],
            title=document["title"],
            state=StepState(document["state"]),
            started_at=milliseconds(document.get("started_at")),
            finished_at=milliseconds(document.get("finished_at")),
            progress=Progress(**progress) if progress else None,
            detail=document.get("detail"),
        )
