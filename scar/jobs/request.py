"""The request of a job, which is signed."""

from __future__ import annotations

from dataclasses import dataclass

from scar.access import Actor
from scar.jobs.timestamp import moment
from scar.json_object import JsonObject, member


@dataclass(frozen=True)
class Request:
    """What a job is to do, and who asked for it. A request is signed and never changes.

    `locks` names the resources (a project, a workspace) that the job locks while it is open;
    `requires_free` those that no other job may have locked when it begins. `created_at` and
    `expires_at` are milliseconds since the epoch; a job that has not begun by `expires_at` expires.
    `voucher` is what another front-end has signed, if the request came over the API.
    """

    id: str
    kind: str
    project: str | None
    host: str
    args: JsonObject
    requested_by: Actor
    asks: bool
    changes: bool
    created_at: int
    expires_at: int
    locks: tuple[str, ...] = ()
    requires_free: tuple[str, ...] = ()
    voucher: JsonObject | None = None

    def to_json(self) -> JsonObject:
        """Return the request as the JSON that is signed."""
        return {
            "id": self.id,
            "kind": self.kind,
            "project": self.project,
            "host": self.host,
            "args": dict(self.args),
            "requested_by": self.requested_by.to_json(),
            "asks": self.asks,
            "changes": self.changes,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            # Under these names, every version can read the fields.
            "holds": list(self.locks),
            "respects": list(self.requires_free),
            **({"voucher": dict(self.voucher)} if self.voucher else {}),
        }

    @classmethod
    def from_json(cls, document: JsonObject) -> Request:
        """Parse a request. One of an earlier version names no resources; its job locks its project
        if it may change something. Raises what `MALFORMED` lists, since a valid signature does not
        prove a valid form.
        """
        project, changes = (
            member(document, "project", str | None),
            member(document, "changes", bool),
        )
        locked = (project,) if changes and project else ()
        return cls(
            id=member(document, "id", str),
            kind=member(document, "kind", str),
            project=project,
            host=member(document, "host", str),
            args=member(document, "args", dict),
            requested_by=Actor.from_json(document["requested_by"]),
            asks=member(document, "asks", bool),
            changes=changes,
            created_at=moment(document["created_at"]),
            expires_at=moment(document["expires_at"]),
            locks=_names(document.get("holds", locked)),
            requires_free=_names(document.get("respects", ())),
            voucher=member({"voucher": None, **document}, "voucher", dict | None),
        )


def _names(resources: object) -> tuple[str, ...]:
    if not isinstance(resources, list | tuple) or not all(isinstance(r, str) for r in resources):
        raise TypeError("the resources are no list of names")
    return tuple(resources)
