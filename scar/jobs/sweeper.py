"""Sweeping the open jobs: notifying again, requeuing what a dead worker had, expiring."""

from __future__ import annotations

import threading

import structlog

from scar.errors import ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.queue import JobQueue

_log = structlog.get_logger(__name__)


class Sweeper:
    """A thread that sweeps the open jobs every `interval` seconds.

    Any number may run, in any process: a sweep is one script on Redis, and a second notification
    of a job does no harm.
    """

    def __init__(self, ledger: Ledger, queue: JobQueue, *, interval: float = 1.0) -> None:
        self._ledger = ledger
        self._queue = queue
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Have the thread end after the sweep that is under way."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                for id, host in self._ledger.sweep():
                    self._queue.notify(host, id)
                self._ledger.forget_old()
            except ScarError as error:
                _log.warning("sweep failed", reason=error.message)
