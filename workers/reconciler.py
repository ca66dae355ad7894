"""Restores the jobs of this host on a Redis that has lost its data."""

from __future__ import annotations

import json
import threading

import structlog

from scar.errors import ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.queue import JobQueue
from scar.jobs.request import Request
from workers.state.job_log import JobLog

_INTERVAL = 3.0
_RECENT = 2 * 3600.0
_log = structlog.get_logger(__name__)


class Reconciler:
    """A thread that writes jobs again which a worker of this host has begun and Redis has lost.

    The worker that claims such a job reads in the job log how far it was: a job that ended is
    reported again, an interrupted one is recovered. Only jobs that began or ended within the last
    two hours are checked: no job may run longer, and Redis keeps every changing job longer.
    """

    def __init__(self, ledger: Ledger, queue: JobQueue, job_log: JobLog) -> None:
        self._ledger = ledger
        self._queue = queue
        self._job_log = job_log
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
            for id in self._recent():
                try:
                    self._reconcile(id)
                except ScarError as error:
                    _log.warning("job not compared with the ledger", job=id, reason=error.message)

    def _recent(self) -> list[str]:
        try:
            return self._job_log.recent(_RECENT)
        except OSError as error:
            _log.warning("jobs not compared with the ledger", reason=str(error))
            return []

    def _reconcile(self, id: str) -> None:
        """Write the job again if Redis lacks it."""
        if self._ledger.get(id) is None:
            signed = self._job_log.signed(id)
            request = Request.from_json(json.loads(signed.request))
            if self._ledger.restore(request, signed):
                _log.warning("job put back on a Redis that had lost it", job=id)
                self._queue.notify(request.host, id)
