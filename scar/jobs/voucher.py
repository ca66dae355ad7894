"""Vouchers: a front-end signs each of its API requests for one person. The API stores the voucher
with the job, so that somebody who controls only the API cannot act in the name of a front-end's
people. A voucher is for one request: its method, path and body.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from scar.access import Actor
from scar.jobs.grant import grants, is_grant
from scar.jobs.job_id import new_job_id
from scar.jobs.signing import Signatures, sealed_content
from scar.json_object import JsonObject

PREFIX = "service:"
_SECONDS = 300
_SKEW_MS = 60_000
"""How far the clocks of two hosts may be apart."""


@dataclass(frozen=True)
class Voucher:
    """The token of one API request, and the request's body as it was sent."""

    token: str
    body: Any = None

    def to_json(self) -> JsonObject:
        """Return the voucher as a signed job request contains it."""
        return {"token": self.token, "body": self.body}


@dataclass(frozen=True)
class VouchedRequest:
    """A request to the API that a front-end has signed in the name of `actor`. `expires` is
    milliseconds since the epoch.
    """

    actor: Actor
    method: str
    path: str
    digest: str
    expires: int

    def is_for(self, method: str, path: str, body: Any) -> bool:
        """Return whether the voucher is for this request. `body` is the parsed JSON, or None."""
        return (self.method, self.path, self.digest) == (method, path, _digest(body))


def issue(
    signatures: Signatures, actor: Actor, method: str, path: str, body: Any, now: float
) -> str:
    """Return a bearer token for one request to the API, good for five minutes."""
    content = {
        "actor": actor.to_json(),
        "method": method,
        "path": path,
        "digest": _digest(body),
        "expires": int((now + _SECONDS) * 1000),
    }
    return PREFIX + signatures.seal("service", content)


def read(signatures: Signatures, token: str) -> VouchedRequest | None:
    """Return the request for which a token vouches; None unless a front-end has signed it for its
    own people. The actor `service:<part>` is the front-end itself, which may read jobs.
    """
    opened = signatures.open("service", token.removeprefix(PREFIX))
    if not token.startswith(PREFIX) or opened is None or opened.signer.retired:
        return None
    content = dict(opened.content)
    actor = Actor.from_json(content.pop("actor"))
    itself = (actor.frontend, actor.id) == ("service", opened.signer.part)
    if not itself and not opened.signer.speaks_for(actor.frontend):
        return None
    return VouchedRequest(actor, **content)


def job_id_for(voucher: JsonObject | None, now: float, entropy: bytes | None = None) -> str:
    """Return the id for a new job. With a voucher it is derived from that; otherwise from the time,
    and from `entropy` if given.
    """
    if voucher is not None and "token" in voucher:
        return job_id_of(voucher["token"])
    return new_job_id(now, entropy)


def job_id_of(token: str) -> str:
    """Return the id of the job that a token creates. It is always the same, so that a token that is
    sent repeatedly creates one job. The token must have been read before.
    """
    expires = sealed_content(token.removeprefix(PREFIX))["expires"]
    digest = hashlib.sha256(token.encode()).digest()
    return new_job_id(expires / 1000 - _SECONDS, digest)


def vouches(signatures: Signatures, voucher: JsonObject | None, asked: Asked) -> bool:
    """Return whether a voucher permits the action `asked`."""
    if voucher is None:
        return False
    if is_grant(voucher):
        return grants(signatures, voucher, asked.actor, asked.at)
    vouched = read(signatures, voucher["token"])
    if (
        vouched is None
        or vouched.actor != asked.actor
        or vouched.digest != _digest(voucher["body"])
    ):
        return False
    issued = vouched.expires - _SECONDS * 1000
    if not issued - _SKEW_MS <= asked.at <= vouched.expires + _SKEW_MS:
        return False
    if asked.what == "make" and asked.id != job_id_of(voucher["token"]):
        return False
    return asked.fits(vouched.method, vouched.path, voucher["body"])


@dataclass(frozen=True)
class Asked:
    """An action in the name of `actor`: submit a job (`kind`, `project`, `args`), answer the job
    `id` for the plan that was `shown`, or cancel it. `at` is milliseconds since the epoch.
    """

    what: str
    actor: Actor
    at: int
    id: str = ""
    kind: str = ""
    project: str | None = None
    args: JsonObject | None = None
    changes: bool = False
    shown: str | None = None

    def fits(self, method: str, path: str, body: Any) -> bool:
        """Return whether an API request is for this action."""
        if method == "GET":
            return self.what == "make" and not self.changes and self._is_at(path)
        content = body if isinstance(body, dict) else {}
        if self.what == "make":
            return path == "/jobs" and self._makes(content)
        if path == "/jobs":
            confirmed = content.get("confirm") == "yes" and not self.shown
            return self.what == "confirm" and confirmed and self._makes(content)
        if self.what == "cancel":
            return path == f"/jobs/{self.id}/cancel" or self._answers(path, content, yes=False)
        return self._answers(path, content, yes=True) and content.get("shown") == self.shown

    def _answers(self, path: str, content: JsonObject, *, yes: bool) -> bool:
        answered = str(content.get("answer", "")).strip().lower() == "yes"
        return path == f"/jobs/{self.id}/confirm" and answered == yes

    def _is_at(self, path: str) -> bool:
        """Return whether an API request to this path submits such a job."""
        kind = {"history": "releases", "follow": "logs/follow"}.get(self.kind, self.kind)
        return path == f"/projects/{self.project}/{kind}"

    def _makes(self, content: JsonObject) -> bool:
        """Return whether the body submits this job. Only given values are compared, since the API
        fills in the default project, and the default arguments of jobs that only read.
        """
        given = {k: v for k, v in (content.get("args") or {}).items() if v is not None}
        args = {k: v for k, v in (self.args or {}).items() if v is not None}
        same = given == args or (not self.changes and given.items() <= args.items())
        return (
            same
            and content.get("kind") == self.kind
            and content.get("project", self.project) == self.project
        )


def _digest(body: Any) -> str:
    text = json.dumps(body, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
