"""What a running job says of itself, on its way to the ledger.

Events are taken in at once and written by a thread, in order, each batch once: a Redis that is
away delays them and loses none. The same thread keeps the claim, and learns from it whether the
job was cancelled or is in other hands by now.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from scar.errors import ScarError
from scar.jobs.claim import Claim
from scar.jobs.ledger import LEASE_MS, Ledger
from scar.jobs.record import JobState
from scar.jobs.signing import Signatures
from scar.jobs.step import Progress, Step

_RENEW = 1.0
_RETRY = 0.3
_log = structlog.get_logger(__name__)


class JobLost(Exception):
    """Another worker holds the job by now: this one has to stop, and says nothing more."""


class JobReporter:
    """The voice of one claim. Use it as a context manager; `finish` says the last word."""

    def __init__(
        self,
        ledger: Ledger,
        signatures: Signatures,
        claim: Claim,
        *,
        changes: bool,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._signatures = signatures
        self._claim = claim
        self._changes = changes
        self._monotonic = monotonic
        self._wake = threading.Condition()
        self._pending: list[tuple[str, str]] = []
        self._fields: dict[str, str] = {}
        self._final: JobState | None = None
        self._writing = threading.Lock()
        self._batch = 0
        self._unsent: tuple[int, list[tuple[str, str]], dict[str, str], JobState | None] | None = (
            None
        )
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

    def emit(self, type: str, data: Mapping[str, Any]) -> None:
        """Adds an event."""
        with self._wake:
            self._pending.append((type, json.dumps(data)))
            self._wake.notify()

    def steps(self, steps: tuple[Step, ...], changed: Step) -> None:
        """Tells of a step that began, ended or has a new detail."""
        with self._wake:
            self._fields["steps"] = json.dumps([step.to_json() for step in steps])
            self._pending.append(("step", json.dumps(changed.to_json())))
            self._wake.notify()

    def progress(self, step: str, progress: Progress) -> None:
        """Tells how far a step is; what was not sent yet of the same step is replaced."""
        event = ("progress", json.dumps({"step": step, **progress.to_json()}))
        with self._wake:
            last = self._pending[-1] if self._pending else None
            if last and last[0] == "progress" and json.loads(last[1])["step"] == step:
                self._pending[-1] = event
            else:
                self._pending.append(event)
            self._wake.notify()

    def finish(
        self,
        state: JobState,
        *,
        result: Mapping[str, Any] | None = None,
        error: ScarError | None = None,
    ) -> None:
        """The last word; waits until the ledger has it. Raises `JobLost` if it is not wanted."""
        record = error.record().to_json() if error else None
        self._say_last(
            state,
            ("result", json.dumps({"result": result, "error": record})),
            {
                **({"result": json.dumps(result)} if result is not None else {}),
                **({"error": json.dumps(record)} if record else {}),
            },
        )

    def planned(self, plan: Mapping[str, Any]) -> None:
        """The plan is the last word of planning: the question can be asked."""
        fields = {
            "plan": self._signatures.seal("plan", plan),
            "plan_shown": json.dumps(plan),
            "plan_hash": str(plan["hash"]),
        }
        self._say_last(JobState.AWAITING_CONFIRMATION, None, fields)

    def check(self) -> None:
        """Passes while the job is this worker's to do; before each side effect.

        Raises `JobLost`, or `cancelled`. After a long silence (a paused process) the ledger is
        asked again; where it does not answer, the project's file lock still fences.
        """
        if self._monotonic() - self._renewed > LEASE_MS / 2000:
            self._renew()
        if self._lost:
            raise JobLost(self._claim.id)
        if self._cancelled_by is not None and not self._too_late:
            raise ScarError(
                "cancelled", f"Cancelled by {self._cancelled_by}", "Ask again if you want it."
            )

    def uncancellable(self) -> None:
        """From here on a cancellation comes too late, and who asks for one is told."""
        self._too_late = True
        with self._wake:
            self._fields["settled"] = "1"
            self._wake.notify()

    @property
    def cancelled_too_late(self) -> bool:
        """Whether somebody asked to stop it when it could not be stopped any more."""
        return self._too_late and self._cancelled_by is not None

    def _say_last(
        self, state: JobState, event: tuple[str, str] | None, fields: dict[str, str]
    ) -> None:
        with self._wake:
            if event:
                self._pending.append(event)
            self._fields.update(fields)
            self._final = state
            self._closed = True
            self._wake.notify()
        while not self._flush():
            time.sleep(_RETRY)
        if self._lost:
            raise JobLost(self._claim.id)

    def _work(self) -> None:
        due = self._monotonic() + _RENEW
        while True:
            with self._wake:
                if not self._pending and not self._closed:
                    self._wake.wait(max(0.0, due - self._monotonic()))
                if self._closed or self._lost:
                    return
            if not self._flush():
                time.sleep(_RETRY)
            if self._monotonic() >= due:
                self._renew()
                due = self._monotonic() + _RENEW

    def _flush(self) -> bool:
        """Writes what is pending; False where Redis did not take it, to be tried again."""
        with self._writing:
            if self._unsent is None:
                with self._wake:
                    if not self._pending and not self._fields and not self._final:
                        return True
                    self._batch += 1
                    self._unsent = (self._batch, self._pending, self._fields, self._final)
                    self._pending, self._fields, self._final = [], {}, None
            batch, events, fields, final = self._unsent
            try:
                kept = self._ledger.report(
                    self._claim.id,
                    self._claim.fence,
                    batch,
                    events,
                    fields,
                    final=final,
                    changes=self._changes,
                )
            except ScarError as error:
                _log.warning("reporter delayed", job=self._claim.id, reason=error.message)
                return False
            self._unsent = None
            self._lost = self._lost or not kept
            return self._lost or not (self._pending or self._final)

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
        found = self._signatures.unseal("cancellation", sealed) if sealed else None
        if found and found["job"] == self._claim.id:
            self._cancelled_by = f"{found['by']['name']} ({found['by']['frontend']})"
