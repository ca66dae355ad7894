"""The bakes of deploys on Redis: what a worker observes after a deploy, signed by it, for
front-ends to show.

`scar:bake:<job>` is kept for an hour after the bake has ended.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import cast

from redis import Redis

from scar.jobs.record import Job
from scar.jobs.signing import Signatures, tampered
from scar.jobs.timestamp import moment
from scar.json_object import MALFORMED, JsonObject, member
from scar.redis_client import redis_errors

_KEPT_MS = 3_600_000


@dataclass(frozen=True)
class BakeFinding:
    """A finding: the container, the rule, what was observed, and when (milliseconds since the
    epoch). A finding that is `sure` makes the worker undo the deploy if the project has `"bake":
    "undo"`.
    """

    container: str
    rule: str
    what: str
    sure: bool
    at: int

    @classmethod
    def from_json(cls, document: JsonObject) -> BakeFinding:
        """Parse a finding; raises what `MALFORMED` lists."""
        container, rule, what = (
            member(document, name, str) for name in ("container", "rule", "what")
        )
        return cls(container, rule, what, member(document, "sure", bool), moment(document["at"]))


@dataclass(frozen=True)
class Bake:
    """The bake of the release that the job `release` made, after `previous`; `undo` names the job
    that rolls it back without a person, or is empty. Times are milliseconds since the epoch.
    """

    project: str
    host: str
    release: str
    previous: str
    began: int
    until: int
    findings: tuple[BakeFinding, ...] = ()
    undo: str = ""
    ended: bool = False

    @property
    def is_well(self) -> bool:
        """Whether there are no findings."""
        return not self.findings

    def with_finding(self, finding: BakeFinding) -> Bake:
        """Return the bake with one more finding, or a newer one of the same rule."""
        key = finding.container, finding.rule
        others = [known for known in self.findings if (known.container, known.rule) != key]
        return replace(self, findings=(*others, finding))

    def to_json(self) -> JsonObject:
        """Return the bake as the JSON that is signed and kept."""
        return {**asdict(self), "findings": [asdict(finding) for finding in self.findings]}

    @classmethod
    def from_json(cls, document: JsonObject) -> Bake:
        """Parse what `to_json` has made; raises what `MALFORMED` lists."""
        project, host, release, previous, undo = (
            member(document, name, str)
            for name in ("project", "host", "release", "previous", "undo")
        )
        began, until = moment(document["began"]), moment(document["until"])
        findings = tuple(map(BakeFinding.from_json, member(document, "findings", list)))
        ended = member(document, "ended", bool)
        return cls(project, host, release, previous, began, until, findings, undo, ended)


class BakeBook:
    """Reads and writes bakes."""

    def __init__(self, redis: Redis, signatures: Signatures) -> None:
        self._redis = redis
        self._signatures = signatures

    def put(self, bake: Bake, now: int) -> None:
        """Write the bake of a deploy of this worker's host. `now` is in milliseconds."""
        kept = max(0, bake.until - now) + _KEPT_MS
        with redis_errors():
            self._redis.set(
                _key(bake.release), self._signatures.seal("bake", bake.to_json()), px=kept
            )

    def of(self, job: Job) -> Bake | None:
        """Return the bake of a deploy, None if there is none. Raises `tampered` if it names another
        project or host than the job, since a worker may write bakes only for its own jobs.
        """
        bake, asked = self.get(job.id), job.request
        if bake is not None and (bake.project, bake.host) != (asked.project, asked.host):
            raise tampered(f"the bake of job {job.id}")
        return bake

    def get(self, job: str) -> Bake | None:
        """Return the bake of the deploy with this job's id, None if there is none. Raises
        `tampered` without a valid signature of its host's worker.
        """
        with redis_errors():
            sealed = cast("str | None", self._redis.get(_key(job)))
        if sealed is None:
            return None
        opened = self._signatures.open("bake", sealed)
        try:
            bake = Bake.from_json(opened.content) if opened else None
        except MALFORMED:
            bake = None
        if opened is None or bake is None or bake.release != job:
            raise tampered(f"the bake of job {job[:40]}")
        if not opened.signer.works_for(bake.host):
            raise tampered(f"the bake of job {job[:40]}")
        return bake


def _key(job: str) -> str:
    return f"scar:bake:{job}"
