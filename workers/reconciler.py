"""Compares the records on Redis with what this host knows about its own jobs and locks, and
restores what Redis has lost.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog
from redis import Redis

from scar.access import Actor
from scar.errors import ScarError
from scar.jobs.job_state import JobState
from scar.jobs.ledger import Ledger
from scar.jobs.locks import Locks
from scar.jobs.queue import JobQueue
from scar.jobs.request import Request
from scar.jobs.signing import Signatures
from scar.jobs.trail import AnchorFile
from scar.json_object import MALFORMED
from workers.state.job_log import JobLog
from workers.state.journal import abandoned
from workers.state.known_locks import KnownLocks, sync_quietly

_INTERVAL = 3.0
_ABANDONED = 40.0
"""Seconds after which a deployment without a worker is abandoned: longer than the lease of a killed
worker and the next sweep take.
"""

_MOST_REOPENED = 3
"""How often a deployment is put back. Recovery may itself kill the worker (out of memory); after
that, the project's next job tries again.
"""

_RECENT = 2 * 3600.0
_REMEMBERED = 30 * 86_400.0
"""How many seconds Redis keeps the record of a job that has changed something."""

_ENDS_COMPARED = 30.0
_MOST_COMPARED = 20
"""How many ends are compared at a time, since each requires verifying signatures."""

_log = structlog.get_logger(__name__)


class Reconciler:
    """A thread that puts jobs back on the ledger that a worker of this host had begun: jobs that
    Redis has lost, deployments whose record says that they ended although their journal is open,
    and jobs whose recorded end is not the one of this host.

    The worker that claims such a job reads its progress in the job log: an ended job is reported
    again, an interrupted one is recovered. Only jobs that began or ended within the last two hours
    are looked for: no job may run longer, and Redis keeps every changing job longer. Ends are
    compared in turns, twenty every half minute, for as long as Redis keeps them.
    """

    def __init__(
        self,
        redis: Redis,
        signatures: Signatures,
        queue: JobQueue,
        state: Path,
        may_lock: Callable[[Actor, str], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._ledger = Ledger(redis, signatures)
        self._queue = queue
        self._locks = Locks(redis, signatures)
        self._known_locks = KnownLocks(state / "locks.json", signatures, may_lock)
        self._anchor = AnchorFile(state, signatures)
        self._job_log = JobLog(state / "done")
        self._projects = state / "projects"
        self._monotonic = monotonic
        self._since: dict[str, float] = {}
        self._reopened: Counter[str] = Counter()
        self._compared = ""
        self._ends_due = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="reconciler", daemon=True)

    def start(self) -> None:
        """Start the thread, which checks every 3 seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the check in progress."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            try:
                self._compare()
            except Exception:  # noqa: BLE001 (without this thread no lost job comes back)
                _log.exception("comparison with Redis ended early")

    def _compare(self) -> None:
        sync_quietly(self._known_locks, self._locks)
        self._follow_trail()
        for id in self._recent(_RECENT):
            self._try(id, self._reconcile)
        if self._monotonic() >= self._ends_due:
            self._ends_due = self._monotonic() + _ENDS_COMPARED
            self.compare_ends()
        self.look_for_abandoned()

    def look_for_abandoned(self) -> None:
        """Put unfinished deployments back on the ledger that no worker is running."""
        now = self._monotonic()
        self._since = {id: self._since.get(id, now) for id in abandoned(self._projects)}
        for id in self._since:
            self._try(id, self._reopen)

    def compare_ends(self) -> None:
        """Put jobs back whose record has another end than this host's, so that their end is
        reported again. The end that the host has signed counts, since a sweep can be deceived by
        unsigned fields.
        """
        ids = sorted(self._recent(_REMEMBERED))
        later = [id for id in ids if id > self._compared] or ids
        for id in later[:_MOST_COMPARED]:
            self._compared = id
            self._try(id, self._compare_end)

    def _compare_end(self, id: str) -> None:
        """Put the job back if its record has another end than this host's; at most three times."""
        state = self._job_log.state(id)
        if state is None or self._reopened[id] >= _MOST_REOPENED:
            return
        if self._is_said_otherwise(id, state) and self._restore(id, replace=True):
            self._reopened[id] += 1

    def _is_said_otherwise(self, id: str, state: JobState) -> bool:
        try:
            job = self._ledger.get(id)
        except ScarError as error:
            if error.code != "tampered":
                raise
            return True
        return job is not None and job.state.ended and job.state is not state

    def _follow_trail(self) -> None:
        try:
            self._anchor.follow(self._redis)
        except (ScarError, OSError, *MALFORMED) as error:
            # A malformed entry must not prevent other lost jobs from being put back.
            _log.warning("end of the audit trail not kept", reason=str(error))

    def _try(self, id: str, compare: Callable[[str], None]) -> None:
        try:
            compare(id)
        except ScarError as error:
            _log.warning("job not compared with the ledger", job=id, reason=error.message)

    def _recent(self, seconds: float) -> list[str]:
        try:
            return self._job_log.recent(seconds)
        except OSError as error:
            _log.warning("jobs not compared with the ledger", reason=str(error))
            return []

    def _reconcile(self, id: str) -> None:
        """Put the job back if the ledger lacks it."""
        if not self._ledger.exists(id):
            self._restore(id, replace=False)

    def _reopen(self, id: str) -> None:
        """Put a deployment back whose record says that it has ended or was tampered with, or that
        is open and was claimed by no worker for 40 s. This is done at most three times, 40 s apart.
        A deployment that the job log records as ended is left to the next job of its project.
        """
        if not self._job_log.begun(id) or self._job_log.ended(id):
            return
        if self._reopened[id] >= _MOST_REOPENED:
            return
        waited = self._monotonic() - self._since[id] > _ABANDONED
        if (waited or (self._is_closed(id) and not self._reopened[id])) and self._restore(
            id, replace=True
        ):
            self._reopened[id] += 1
            self._since[id] = self._monotonic()

    def _is_closed(self, id: str) -> bool:
        try:
            job = self._ledger.get(id)
        except ScarError as error:
            if error.code != "tampered":
                raise
            return True
        return job is None or job.state.ended

    def _restore(self, id: str, *, replace: bool) -> bool:
        signed = self._job_log.signed(id)
        request = Request.from_json(json.loads(signed.request))
        restored = self._ledger.restore(request, signed, replace=replace)
        if restored:
            _log.warning("job put back on the ledger", job=id)
            self._queue.notify(request.host, id)
        return restored
