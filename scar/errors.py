"""The errors of SCAR: every known failure is a `ScarError`.

A `ScarError` has a stable `code` for programs, a `message` that says what happened to what, and a
`hint` that says what to do. Front-ends print message and hint, the API returns them as RFC 9457
problem documents, and a failed job stores them.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from http import HTTPStatus

from scar.json_object import JsonObject

STATUS = {
    "docker_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "docker_permission_denied": HTTPStatus.SERVICE_UNAVAILABLE,
    "container_not_found": HTTPStatus.NOT_FOUND,
    "project_not_found": HTTPStatus.NOT_FOUND,
    "job_not_found": HTTPStatus.NOT_FOUND,
    "not_found": HTTPStatus.NOT_FOUND,
    "project_invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "invalid_request": HTTPStatus.UNPROCESSABLE_ENTITY,
    "forbidden": HTTPStatus.FORBIDDEN,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "busy": HTTPStatus.CONFLICT,
    "conflict": HTTPStatus.CONFLICT,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "host_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "redis_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
    "build_failed": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unhealthy": HTTPStatus.INTERNAL_SERVER_ERROR,
    "agent_failed": HTTPStatus.INTERNAL_SERVER_ERROR,
    "sync_failed": HTTPStatus.INTERNAL_SERVER_ERROR,
    "disk_full": HTTPStatus.INSUFFICIENT_STORAGE,
    "cancelled": HTTPStatus.CONFLICT,
    "timeout": HTTPStatus.GATEWAY_TIMEOUT,
    "worker_lost": HTTPStatus.INTERNAL_SERVER_ERROR,
    "tampered": HTTPStatus.INTERNAL_SERVER_ERROR,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
}


class ScarError(Exception):
    """A known failure: an error code for programs, and two sentences (message and hint) for a
    person.

    `lines` are the last lines of the log or build output that explain the failure, oldest first.
    """

    def __init__(self, code: str, message: str, hint: str, *, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.lines = lines

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that the API answers with."""
        return STATUS.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)

    def record(self) -> ErrorRecord:
        """Return the error in the form in which a job stores it."""
        return ErrorRecord(self.code, self.message, self.hint, self.lines)


@dataclass(frozen=True)
class ErrorRecord:
    """A `ScarError` in the form in which a job stores it."""

    code: str
    message: str
    hint: str
    lines: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """Return the error as the field `error` of a job in the API; `lines` is omitted if
        empty.
        """
        lines = {"lines": list(self.lines)} if self.lines else {}
        return {"code": self.code, "message": self.message, "hint": self.hint, **lines}

    @classmethod
    def from_json(cls, record: JsonObject) -> ErrorRecord:
        lines = tuple(record.get("lines", ()))
        return cls(record["code"], record["message"], record["hint"], lines)


def nearest(name: str, known: list[str]) -> str:
    """Return ` Did you mean 'shop'?` with the most similar known name, or an empty text if none
    is similar.
    """
    matches = get_close_matches(name, known, n=1, cutoff=0.5)
    return f" Did you mean '{matches[0]}'?" if matches else ""


def project_not_found(name: str, known: list[str]) -> ScarError:
    """Return the error for a name that is not in the projects file."""
    hint = f"Add it to the projects file, or use one of: {', '.join(known) or '(none yet)'}."
    shown = name[:64]
    return ScarError(
        "project_not_found",
        f"Project '{shown}' not found in configuration",
        nearest(name, known).lstrip() + (" " if nearest(name, known) else "") + hint,
    )


def container_not_found(name: str, known: list[str]) -> ScarError:
    """Return the error for a container name that the Engine or the project does not have."""
    names = ", ".join(known) or "(none)"
    hint = (
        f"{nearest(name, known)} Its containers are: {names}. Use the exact name `docker ps` shows."
    )
    return ScarError("container_not_found", f"Container '{name[:64]}' not found", hint.strip())
