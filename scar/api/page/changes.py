"""Notifies all open screens of this process when the projects' jobs have changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from itertools import islice

import structlog

from scar.errors import ScarError
from scar.jobs.record_reader import RecordReader

_LOOK_SECONDS = 0.5
_MOST_JOBS = 30
_log = structlog.get_logger(__name__)


def newest_jobs(ledger: RecordReader) -> Hashable:
    """Return a value that differs after a job was submitted, has begun a step or has ended."""
    jobs = islice(ledger.recent(batch=_MOST_JOBS, changes=True), _MOST_JOBS)
    return tuple((job.id, job.state, *((s.name, s.state) for s in job.steps)) for job in jobs)


class ChangeCounter:
    """Counts the changes of what `look` returns. While at least one caller waits, `look` is called
    twice a second for all of them together.
    """

    def __init__(self, look: Callable[[], Hashable], every: float = _LOOK_SECONDS) -> None:
        self._look = look
        self._every = every
        self._changed = threading.Condition()
        self._waiting = 0
        self._seen: Hashable = None
        self._count = 0
        self._looker: threading.Thread | None = None

    @property
    def count(self) -> int:
        """The number of changes so far."""
        return self._count

    def wait(self, known: int, seconds: float) -> int:
        """Wait until the count is above `known`, at most `seconds`; return the count."""
        with self._changed:
            self._waiting += 1
            try:
                if self._looker is None or not self._looker.is_alive():
                    self._looker = threading.Thread(target=self._run, name="changes", daemon=True)
                    self._looker.start()
                self._changed.wait_for(lambda: self._count != known, seconds)
                return self._count
            finally:
                self._waiting -= 1

    def _run(self) -> None:
        while True:
            try:
                seen = self._look()
            except ScarError as error:
                _log.warning("changes not seen", reason=error.message)
                seen = None
            with self._changed:
                if seen is not None and seen != self._seen:
                    self._seen = seen
                    self._count += 1
                    self._changed.notify_all()
                if not self._waiting:
                    self._looker = None
                    return
            time.sleep(self._every)
