"""Writes the alerts of this host to Redis, with release and log lines, in a separate thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from queue import Empty, Queue

import structlog

from scar.alerts.alert import Alert, ReleaseRef
from scar.alerts.alert_book import AlertBook
from scar.errors import ScarError
from scar.projects import Project
from workers.watch.alert_details import AlertDetails

_AGAIN_SECONDS = 1.0
_OLD_SECONDS = 3600.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Work:
    alert: Alert
    project: Project | None
    container_id: str


class AlertPublisher:
    """Retries each write until Redis accepts it. If several states of one alert are queued, only
    the last is written.
    """

    def __init__(
        self,
        host: str,
        book: AlertBook,
        details: AlertDetails,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._book = book
        self._details = details
        self._wall = wall
        self._queue: Queue[_Work | None] = Queue()
        self._waiting: dict[str, _Work] = {}
        self._written: dict[str, Alert] = {}
        self._cleared_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="alerts", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread soon. Alerts that were not written are detected again at the next
        start.
        """
        self._stopped.set()
        self._queue.put(None)

    def load(self) -> list[Alert]:
        """Return the alerts of this host that have not recovered."""
        alerts = [a for a in self._book.all() if a.host == self._host and a.is_open]
        self._written.update({alert.id: alert for alert in alerts})
        return alerts

    def publish(self, alert: Alert, project: Project | None, container_id: str = "") -> None:
        """Write an alert soon."""
        self._queue.put(_Work(alert, project, container_id))

    def _work(self) -> None:
        while not self._stopped.is_set():
            self._take()
            for work in list(self._waiting.values()):
                if self._stopped.is_set():
                    return
                self._try(work)

    def _take(self) -> None:
        """Return the queued alerts; wait for one unless a write has to be retried."""
        try:
            work = self._queue.get(timeout=_AGAIN_SECONDS if self._waiting else None)
            while True:
                if work is not None:
                    self._waiting[work.alert.id] = self._merged(work)
                work = self._queue.get_nowait()
        except Empty:
            return

    def _merged(self, work: _Work) -> _Work:
        """Return the alert as it is written: the end of an alert keeps the project, release and log
        lines of its beginning.
        """
        before = self._waiting.get(work.alert.id)
        if before is None or work.project is not None:
            return work
        return replace(before, alert=work.alert)

    def _try(self, work: _Work) -> None:
        try:
            self._write(work)
        except ScarError as error:
            _log.warning("alert not written yet", alert=work.alert.id, reason=error.message)
            return
        except Exception:  # noqa: BLE001 (without this thread no alert is told)
            _log.exception("alert given up", alert=work.alert.id)
        self._waiting.pop(work.alert.id, None)

    def _write(self, work: _Work) -> None:
        alert, before = work.alert, self._written.get(work.alert.id)
        project = work.project
        if before is not None:
            alert = replace(
                alert,
                version=before.version + 1,
                lines=before.lines,
                release=before.release,
                rollback_to=before.rollback_to,
            )
        elif project is not None:
            release, earlier = self._releases(project)
            alert = replace(alert, release=release, rollback_to=earlier)
        if before is not None and not alert.is_open:
            alert = replace(alert, why=before.why)  # already masked
        elif project is not None:
            alert = replace(alert, why=self._details.masked(project, alert.why, work.container_id))
        self._put(alert)
        if not alert.is_open:
            self._written.pop(alert.id, None)
            self._clear()
        elif project and work.container_id and (before is None or before.rule != alert.rule):
            lines = self._details.last_lines(project, work.container_id)
            if lines and lines != alert.lines:
                self._put(replace(alert, version=alert.version + 1, lines=lines))

    def _releases(self, project: Project) -> tuple[ReleaseRef | None, ReleaseRef | None]:
        latest, earlier = (*self._details.releases(project), None, None)[:2]
        return latest, earlier

    def _put(self, alert: Alert) -> None:
        self._book.put(alert)
        self._written[alert.id] = alert

    def _clear(self) -> None:
        now = self._wall()
        if now - self._cleared_at > _OLD_SECONDS:
            self._cleared_at = now
            self._book.drop_old(self._host, int(now * 1000))
