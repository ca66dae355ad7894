"""A worker's claim on a job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SignedRequest:
    """The parts of a job that a worker trusts after checking their signatures: the request
    (JSON) with its signature, and the sealed confirmation (empty if there is none).
    """

    request: str
    signature: str
    confirmation: str


@dataclass(frozen=True)
class Claim:
    """One worker's lease on a job. `purpose` says whether the worker is to run the job or to plan
    it.

    `fence` is the fencing token that accompanies every write of the worker. `cancellation` is
    sealed, and empty if nobody has cancelled the job.
    """

    id: str
    purpose: Literal["run", "plan", "cancelled"]
    signed: SignedRequest
    fence: int
    attempt: int
    cancellation: str
