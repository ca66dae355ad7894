"""Reports a running job to Redis: events, fields of the record, and the renewal of its lease.

Events are queued at once and written by a thread, in order, each batch once: while Redis is
unavailable they are delayed, but none is lost. The same thread renews the lease, and thereby learns
whether the job was cancelled or another worker has claimed it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.claim import Claim
from scar.jobs.job_state import JobState
from scar.jobs.ledger import LEASE_MS, Ledger
from scar.jobs.proofs import JobEnd
from scar.jobs.request import Request
from scar.jobs.results.job_kind import JobPlan
from scar.jobs.results.json_record import JsonRecord
from scar.jobs.signing import Signatures
from scar.jobs.step import Progress, Step
from scar.json_object import JsonObject

_RENEW = 1.0
_RETRY = 0.3
_MOST_OUTPUT_LETTERS = 1 << 19
_log = structlog.get_logger(__name__)


class JobLost(Exception):
    """Raised if another worker has claimed the job; this one must stop and report nothing more."""


@dataclass
class _Batch:
    """A batch that is written in one step: events (type, content), sealed fields of the record, and
    the final state if the job ends.
    """

    events: list[tuple[str, JsonObject]] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    steps: tuple[Step, ...] | None = None
    position: JsonObject | None = None
    letters: int = 0
    final: JobState | None = None

    @property
    def empty(self) -> bool:
        return not (self.events or self.fields or self.final)


class JobReporter:
    """Reports for one claim. Use it as a context manager, with `finish` or `planned` as the last
    call. `canceller` returns who has made a sealed cancellation; None if it is invalid.

    Plans and results are passed in as dataclasses, and written as JSON.
    """

    def __init__(
        self,
        ledger: Ledger,
        signatures: Signatures,
        claim: Claim,
        request: Request,
        canceller: Callable[[str], Actor | None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._signatures = signatures
        self._claim = claim
        self._request = request
        self._canceller = canceller
        self._monotonic = monotonic
        self._wake = threading.Condition()
        self._pending = _Batch()
        self._writing = threading.Lock()
        self._number = 0
        self._unsent: _Batch | None = None
        self._closed = False
        self._lost = False
        self._cancelled_by: str | None = None
        self._too_late = False
        self._renewed = monotonic()
        self._thread = threading.Thread(target=self._work, name="reporter", daemon=True)
        self._note_cancellation(claim.cancellation)

    def __enter__(self) -> JobReporter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def emit(self, type: str, data: JsonObject) -> None:
        """Queue an event of the job, to be written to Redis by the thread."""
        with self._wake:
            self._pending.events.append((type, data))
            self._wake.notify()

    def keep_position(self, position: JsonObject) -> None:
        """Queue the position at which the job continues if its worker is killed; it is written with
        the next event.
        """
        with self._wake:
            self._pending.position = position

    def output(self, lines: Sequence[str], position: JsonObject) -> None:
        """Queue lines of output and the position behind them, at which the job continues if its
        worker is killed. All are written in one step.
        """
        with self._wake:
            self._pending.events += [("output", {"line": line}) for line in lines]
            self._pending.letters += sum(map(len, lines))
            self._pending.position = position
            self._wake.notify()

    def await_room(self, seconds: float) -> bool:
        """Wait until little `output` is left to be written; return whether it is so in time."""
        with self._wake:
            return self._wake.wait_for(
                lambda: self._lost or self._pending.letters < _MOST_OUTPUT_LETTERS, seconds
            )

    def steps(self, steps: tuple[Step, ...], changed: Step) -> None:
        """Report a step that began, ended or has a new detail."""
        with self._wake:
            self._pending.steps = steps
            self._pending.events.append(("step", changed.to_json()))
            self._wake.notify()

    def progress(self, step: str, progress: Progress) -> None:
        """Report a step's progress; it replaces an earlier report of the same step that is still
        queued.
        """
        event = ("progress", {"step": step, **progress.to_json()})
        with self._wake:
            events = self._pending.events
            last = events[-1] if events else None
            if last and last[0] == "progress" and last[1]["step"] == step:
                events[-1] = event
            else:
                events.append(event)
            self._wake.notify()

    def finish(
        self,
        state: JobState,
        *,
        result: JsonRecord | None = None,
        error: ScarError | None = None,
    ) -> None:
        """Report the end of the job; return once the ledger has it. Raises `JobLost`."""
        end = JobEnd(state, result.to_json() if result else None, error.record() if error else None)
        record = end.error.to_json() if end.error else None
        events: list[tuple[str, JsonObject]] = [
            ("result", {"result": end.result, "error": record}),
            ("job", {"state": state.value, **({"error": record} if record else {})}),
        ]
        self._end(state, events, {"end": self._seal("end", end.of(self._claim.id))})

    def planned(self, plan: JobPlan) -> None:
        """Report the plan and end the claim, so that a person can be asked to confirm the plan."""
        document = plan.to_json()
        state = JobState.AWAITING_CONFIRMATION
        self._end(
            state,
            [("job", {"state": state.value, "plan": document})],
            {"plan": self._seal("plan", {"plan": document}), "plan_hash": plan.hash},
        )

    def check(self) -> None:
        """Return if this worker still has the job; called before each side effect.

        Raises `JobLost`, or `cancelled`. If the lease was not renewed for long (the process was
        paused), it is renewed first; if Redis does not respond then, the project's lock file still
        keeps other workers out.
        """
        if self._monotonic() - self._renewed > LEASE_MS / 2000:
            self._renew()
        if self._lost:
            raise JobLost(self._claim.id)
        if self._cancelled_by is not None and not self._too_late:
            raise ScarError(
                "cancelled", f"Cancelled by {self._cancelled_by}", "Ask again if you want it."
            )

    def refuse_cancellation(self) -> None:
        """Make later cancellations ineffective, and record that on Redis, so that the person who
        cancels is told.
        """
        self._too_late = True
        with self._wake:
            self._pending.fields["settled"] = "1"
            self._wake.notify()

    @property
    def cancelled_too_late(self) -> bool:
        """Whether somebody cancelled the job when it could no longer be stopped."""
        return self._too_late and self._cancelled_by is not None

    def _seal(self, kind: str, content: JsonObject) -> str:
        return self._signatures.seal(kind, {**content, "job": self._claim.id})

    def _end(
        self, state: JobState, events: list[tuple[str, JsonObject]], fields: dict[str, str]
    ) -> None:
        with self._wake:
            self._pending.events += events
            self._pending.fields.update(fields)
            self._pending.final = state
            self._closed = True
            self._wake.notify()
        while not self._flush() or not (self._lost or self._pending.empty):
            if self._unsent is not None:
                time.sleep(_RETRY)
        if self._lost:
            raise JobLost(self._claim.id)

    def _work(self) -> None:
        due = self._monotonic() + _RENEW
        while True:
            with self._wake:
                if not self._pending.events and not self._closed:
                    self._wake.wait(max(0.0, due - self._monotonic()))
                if self._closed or self._lost:
                    return
            if not self._flush():
                time.sleep(_RETRY)
            if self._monotonic() >= due:
                self._renew()
                due = self._monotonic() + _RENEW

    def _flush(self) -> bool:
        """Write the queued batch; return False if it has to be tried again."""
        with self._writing:
            batch = self._next_batch()
            if batch is None:
                return True
            try:
                kept = self._ledger.report(
                    self._claim,
                    self._number,
                    batch.events,
                    batch.fields,
                    final=batch.final,
                    project=self._request.project or "",
                    changes=self._request.changes,
                )
            except ScarError as error:
                _log.warning("report delayed", job=self._claim.id, reason=error.message)
                return False
            self._unsent = None
            self._lost = self._lost or not kept
            return True

    def _next_batch(self) -> _Batch | None:
        """Return the batch that Redis did not acknowledge, unchanged and with the same number,
        or else a new one.
        """
        if self._unsent is None:
            with self._wake:
                if self._pending.empty:
                    return None
                self._number += 1
                self._unsent, self._pending = self._pending, _Batch()
                self._wake.notify_all()
            if self._unsent.steps is not None:
                steps = [step.to_json() for step in self._unsent.steps]
                self._unsent.fields["steps"] = self._seal("steps", {"steps": steps})
            if self._unsent.position is not None:
                position = {"position": self._unsent.position}
                self._unsent.fields["position"] = self._seal("position", position)
        return self._unsent

    def _renew(self) -> None:
        try:
            held, cancellation = self._ledger.renew(self._claim.id, self._claim.fence)
        except ScarError as error:
            _log.warning("claim not renewed", job=self._claim.id, reason=error.message)
            return
        self._renewed = self._monotonic()
        self._lost = self._lost or not held
        self._note_cancellation(cancellation)

    def _note_cancellation(self, sealed: str) -> None:
        actor = self._canceller(sealed) if sealed else None
        if actor is not None:
            self._cancelled_by = f"{actor.name} ({actor.frontend})"
