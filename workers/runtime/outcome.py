"""The outcome of a changing job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from scar.errors import ScarError
from scar.jobs.record import JobState
from scar.jobs.results.json_record import JsonRecord

ResultT = TypeVar("ResultT", bound=JsonRecord)
_ResultT_co = TypeVar("_ResultT_co", bound=JsonRecord, covariant=True)


@dataclass(frozen=True)
class Outcome(Generic[_ResultT_co]):
    """The final state of a job, with its result and error. A failed job may have a result too:
    what it did before it failed.
    """

    state: JobState
    result: _ResultT_co | None = None
    error: ScarError | None = None
