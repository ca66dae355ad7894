"""Starts everything that watches this host, in one process of the host alone."""

from __future__ import annotations

import fcntl
import os
import threading
from functools import partial
from pathlib import Path

import structlog
from redis import Redis

from scar.alerts.alert_book import AlertBook
from scar.jobs.bake import BakeBook
from scar.jobs.counters import ENGINE_ERRORS, Counters
from scar.jobs.ledger import Ledger
from scar.jobs.queue import JobQueue
from scar.jobs.signing import Signatures
from scar.projects import Project, ProjectsFile
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.events import EngineEvents
from workers.engine.log_relay import LogRelay
from workers.engine.logs import ContainerLogs
from workers.engine.shared_logs import relay_socket
from workers.files.durable import open_own
from workers.state.roster import Roster
from workers.watch.alert_details import AlertDetails
from workers.watch.alert_keeper import AlertKeeper
from workers.watch.alert_publisher import AlertPublisher
from workers.watch.bake_surroundings import BakeSurroundings
from workers.watch.baker import Baker
from workers.watch.host_checks import HostChecks
from workers.watch.undo import Undoer
from workers.watch.watcher import Watcher
from workers.watch.watcher_lag import WatcherLag

_AGAIN_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class HostWatch:
    """Watches the host from one of its workers; a second worker of the host waits until the first
    has ended.
    """

    def __init__(
        self, settings: Settings, redis: Redis, signatures: Signatures, ledger: Ledger
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._projects = ProjectsFile.of(settings)
        self._folder = settings.state_dir / "watch"
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._wait, name="host-watch", daemon=True)
        counters = Counters(redis)
        engine = Engine(settings.docker_host, on_error=partial(counters.add, ENGINE_ERRORS))
        containers = Containers(engine)
        details = AlertDetails(
            settings.state_dir,
            containers,
            ContainerLogs(engine, containers),
            settings.secret_values(),
        )
        book = AlertBook(redis, signatures)
        self._publisher = AlertPublisher(settings.host, book, details)
        keeper = AlertKeeper(
            settings.host, self._publisher, look_seconds=settings.alert_look_seconds
        )
        self._baker = self._new_baker(engine, redis, signatures)
        self._watcher = Watcher(
            EngineEvents(engine),
            containers,
            Roster(self._folder / "roster.json"),
            self._own_projects,
            self._is_under_way,
            [keeper, self._baker, WatcherLag(counters)],
            look_seconds=settings.alert_look_seconds,
        )

        self._relay = LogRelay(engine, relay_socket(settings.state_dir))
        self._checks = HostChecks(keeper, engine, self._own_projects, settings.state_dir)

    def _new_baker(self, engine: Engine, redis: Redis, signatures: Signatures) -> Baker:
        queue = JobQueue(self._settings.effective_redis_url, signatures)
        undoer = Undoer(self._ledger, signatures, queue)
        return Baker(
            self._settings.state_dir,
            self._own_projects,
            BakeSurroundings(engine, BakeBook(redis, signatures), undoer),
            seconds=self._settings.bake_minutes * 60,
        )

    def start(self) -> None:
        """Start watching as soon as no other process of this host does."""
        self._thread.start()

    def stop(self) -> None:
        """End every thread soon."""
        self._stopped.set()
        self._watcher.stop()
        self._baker.stop()
        self._checks.stop()
        self._relay.stop()
        self._publisher.stop()

    def _wait(self) -> None:
        while not self._stopped.is_set():
            try:
                if _take_lock(self._folder / "lock"):
                    self._publisher.start()
                    self._baker.start()
                    self._watcher.start()
                    self._checks.start()
                    self._relay.start()
                    return
            except OSError as error:
                _log.warning("this host is not watched", reason=str(error))
            self._stopped.wait(_AGAIN_SECONDS)

    def _own_projects(self) -> dict[str, Project]:
        host = self._settings.host
        return {name: p for name, p in self._projects.projects.items() if p.host == host}

    def _is_under_way(self, project: str) -> bool:
        return self._ledger.lock_holder(project) is not None


def _take_lock(path: Path) -> bool:
    """Take the lock of the one process that watches, for as long as this process lives.

    It is a lock of the process (`fcntl(2)`, F_SETLK), which the processes of the worker's pool do
    not inherit and so cannot hold beyond its end. The file stays open for that.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        if isinstance(error, BlockingIOError):
            return False
        raise
    return True
