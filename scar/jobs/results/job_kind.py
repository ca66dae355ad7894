"""The base type of plans, and the description of a kind of job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from scar.jobs.results.json_record import JsonRecord


@dataclass(frozen=True)
class JobPlan(JsonRecord):
    """Base of the plans that a write job shows for confirmation."""

    hash: Annotated[str, "Stands for all that matters: a confirmation is bound to it"] = field(
        kw_only=True
    )
    changed: Annotated[bool, "It replaces a plan that was confirmed: the world has changed"] = (
        field(default=False, kw_only=True)
    )


@dataclass(frozen=True)
class JobKind:
    """A kind of job: its name, and the types of its result and plan. `plan` is None for a kind
    that only reads.
    """

    name: str
    result: type[JsonRecord]
    plan: type[JobPlan] | None = None
