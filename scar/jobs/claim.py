"""A job in the hands of a worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class SignedRequest:
    """What a worker believes of a job once it has checked the signatures: the request (JSON) with
    its signature, and the sealed confirmation (empty where there is none).
    """

    request: str
    signature: str
    confirmation: str


@dataclass(frozen=True)
class Claim:
    """The lease of one worker on a job. `purpose` is what it was claimed for.

    `fence` is the fencing number that every write of the worker carries. `cancellation` is sealed,
    and empty where nobody has cancelled.
    """

    id: str
    purpose: Literal["run", "plan", "cancelled"]
    signed: SignedRequest
    fence: int
    attempt: int
    cancellation: str
