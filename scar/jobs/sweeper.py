"""A thread that notifies workers again, requeues the jobs of lost workers, and expires old
requests.
"""

from __future__ import annotations

import threading
import time

import structlog

from scar.errors import ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.queue import JobQueue

_CHECK_SECONDS = 30.0
_log = structlog.get_logger(__name__)


class Sweeper:
    """Sweeps the unfinished jobs every `interval` seconds in a thread.

    Every half minute, and where a sweep fails, keys of a wrong type are set aside first. Several
    sweepers may run at once, since a sweep is one atomic Redis script and a repeated
    notification does no harm.
    """

    def __init__(self, ledger: Ledger, queue: JobQueue, *, interval: float = 1.0) -> None:
        self._ledger = ledger
        self._queue = queue
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweeper", daemon=True)

    def start(self) -> None:
        """Start the thread that sweeps."""
        self._thread.start()

    def stop(self) -> None:
        """Make the thread end after the current sweep."""
        self._stopped.set()

    def _work(self) -> None:
        check_at = 0.0
        while not self._stopped.wait(self._interval):
            try:
                if time.monotonic() >= check_at:
                    check_at = time.monotonic() + _CHECK_SECONDS
                    self._ledger.set_aside_wrong_keys()
                for id, host in self._ledger.sweep():
                    self._queue.notify(host, id)
                self._ledger.forget_old()
            except ScarError as error:
                _log.warning("sweep failed", reason=error.message)
                check_at = 0.0
            except Exception:  # noqa: BLE001 (without this thread no lost job goes on)
                _log.exception("sweep ended early")
