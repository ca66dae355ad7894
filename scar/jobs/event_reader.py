"""Reads the entries of a job's event stream on Redis. An entry is a batch of events that the worker
has signed, or a change of the job's state that a script wrote. A state that ends the job carries
its proof in the entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from scar.errors import ErrorRecord
from scar.jobs.event import Event
from scar.jobs.job_state import JobState
from scar.jobs.proofs import Proofs, waits_for
from scar.jobs.signing import tampered
from scar.jobs.timestamp import moment
from scar.json_object import MALFORMED, JsonObject

_WAITING = (JobState.AWAITING_CONFIRMATION, JobState.QUEUED)
Entry = tuple[str, Mapping[str, str]]


def events_of(entry: Entry, proofs: Proofs) -> list[Event]:
    """Return the events of an entry. Raises `tampered` for an invalid signature."""
    id, fields = entry
    try:
        last, at = int(id.split("-")[0]), moment(fields["at"])
        if "batch" in fields:
            return _batch(fields, last, at, proofs)
        return [Event(last, "job", at, _state(fields, proofs))]
    except MALFORMED as error:
        raise tampered(f"the events of job {proofs.request.id}") from error


def _batch(fields: Mapping[str, str], last: int, at: int, proofs: Proofs) -> list[Event]:
    proofs.require_batch(fields["batch"], fields["events"], fields["seal"])
    contents = json.loads(fields["events"])
    first = last - len(contents) + 1
    events = [
        Event(first + n, str(kind), at, dict(data)) for n, (kind, data) in enumerate(contents)
    ]
    until = fields.get("confirm_until")
    if until is None:
        return events
    asking = {**events[-1].data, "confirm_until_ms": moment(until)}
    return [*events[:-1], Event(last, events[-1].type, at, asking)]


def _state(fields: Mapping[str, str], proofs: Proofs) -> JsonObject:
    written = json.loads(fields["data"])
    state = JobState(written["state"])
    end = proofs.require_state(state, fields)
    error: ErrorRecord | None = end.error if end else None
    if state in _WAITING:
        unavailable = bool(written.get("unavailable"))
        error = waits_for(proofs.signatures, proofs.request.host, unavailable=unavailable)
    data: dict[str, object] = {"state": state.value}
    if state is JobState.RUNNING:
        data["attempt"] = int(written["attempt"])
    if error is not None:
        data["error"] = error.to_json()
    return data
