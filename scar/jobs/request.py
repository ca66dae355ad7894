"""The request of a job, which is signed."""

from __future__ import annotations

from dataclasses import dataclass

from scar.access import Actor
from scar.json_object import JsonObject


@dataclass(frozen=True)
class Request:
    """What a job is to do, and who asked for it. A request is signed and never changes.

    `locks` names the resources (a project, a workspace) that the job locks while it is open;
    `requires_free` those that no other job may have locked when it begins. `created_at` and
    `expires_at` are milliseconds since the epoch; one that was not begun then expires. `voucher` is
    with what another front-end asked the API that signed this.
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
        """Parse a request. One of an earlier version names no resources; its job locks its
        project if it may change something.
        """
        values = dict(document)
        values["requested_by"] = Actor.from_json(values["requested_by"])
        default = (values["project"],) if values["changes"] and values["project"] else ()
        values["locks"] = tuple(values.pop("holds", default))
        values["requires_free"] = tuple(values.pop("respects", ()))
        return cls(**values)
