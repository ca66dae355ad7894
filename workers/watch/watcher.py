"""Follows the Engine's events, and looks at the containers that they concern. An event alone causes
no alert: the container is looked at some seconds later, and only its state at that time is passed
on. While a job of SCAR is changing a project, its containers are not looked at until the job has
ended.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, Queue

import structlog

from scar.errors import ScarError
from scar.projects import Project
from workers.engine.container import Container
from workers.engine.containers import Containers
from workers.engine.events import EngineEvent, EngineEvents
from workers.state.roster import Roster
from workers.watch.container_watch import ContainerWatch
from workers.watch.observer import ContainerEvent, Observer

_AGAIN_SECONDS = 1.0
_MOST_WAIT_SECONDS = 60.0
_log = structlog.get_logger(__name__)

_Key = tuple[str, str]


class Watcher:
    """Two threads: one reads the Engine's events, the other looks at containers and calls the
    observers. `projects` returns this host's projects by name; `under_way` returns whether a job of
    SCAR is changing a project, which is assumed while Redis is unavailable.
    """

    def __init__(
        self,
        events: EngineEvents,
        containers: Containers,
        roster: Roster,
        projects: Callable[[], Mapping[str, Project]],
        under_way: Callable[[str], bool],
        observers: Sequence[Observer],
        *,
        look_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._containers = containers
        self._roster = roster
        self._projects = projects
        self._under_way = under_way
        self._observers = observers
        self._look_seconds = look_seconds
        self._monotonic = monotonic
        self._watches: dict[_Key, ContainerWatch] = {}
        self._queue: Queue[EngineEvent | ScarError | None] = Queue()
        self._lost_since: float | None = None
        self._is_lost = False
        self._is_new = True
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, name="engine-events", daemon=True),
            threading.Thread(target=self._work, name="watcher", daemon=True),
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End both threads soon."""
        self._stopped.set()
        self._events.close()
        self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait until both threads have ended, at most this long for each."""
        for thread in self._threads:
            thread.join(seconds)

    def _read(self) -> None:
        """Put each event into the queue; also None each time a stream was opened, and the error
        each time that failed.
        """
        while not self._stopped.is_set():
            opened = self._monotonic()
            try:
                for event in self._events.follow():
                    self._queue.put(event)
                # An Engine that is shutting down, or a proxy, may close each stream immediately.
                self._stopped.wait(opened + _AGAIN_SECONDS - self._monotonic())
            except ScarError as error:
                self._queue.put(error)
                self._stopped.wait(_AGAIN_SECONDS)
            except Exception as error:  # noqa: BLE001 (without this thread nothing is watched)
                _log.exception("events not read")
                self._queue.put(ScarError("internal", str(error), "See SCAR's log."))
                self._stopped.wait(_AGAIN_SECONDS)

    def _work(self) -> None:
        while not self._stopped.is_set():
            try:
                self._step()
            except ScarError as error:
                _log.warning("containers not looked at", reason=error.message)
                self._stopped.wait(_AGAIN_SECONDS)
            except Exception:  # noqa: BLE001 (without this thread nothing is watched)
                _log.exception("a look ended early")
                self._stopped.wait(_AGAIN_SECONDS)

    def _step(self) -> None:
        """Handle the next item from the Engine, or look at the containers that are due."""
        try:
            came = self._queue.get(timeout=self._seconds_to_next())
        except Empty:
            self._look_at_due()
            return
        if self._stopped.is_set():
            return
        if isinstance(came, ScarError):
            self._note_lost(came)
        elif came is None:
            self._compare()
        else:
            self._note_event(came)
        self._look_at_due()

    def _seconds_to_next(self) -> float:
        dues = [watch.due for watch in self._watches.values() if watch.due is not None]
        next_due = min(dues, default=self._monotonic() + _MOST_WAIT_SECONDS)
        return max(0.0, next_due - self._monotonic())

    def _note_lost(self, error: ScarError) -> None:
        now = self._monotonic()
        self._lost_since = now if self._lost_since is None else self._lost_since
        if not self._is_lost and now - self._lost_since >= self._look_seconds:
            self._is_lost = True
            for observer in self._observers:
                observer.engine_lost(error)

    def _compare(self) -> None:
        try:
            self._note_open()
        except ScarError:
            self._queue.put(None)
            raise

    def _note_open(self) -> None:
        """Compare the containers with the known ones, and schedule a look at those that differ; at
        all of them at the start and after the Engine was away.
        """
        rows = self._containers.all()
        if projects := self._projects():  # none: the file may be broken since before this process
            self._roster.keep_only(projects)
        every = self._is_new or self._lost_since is not None
        if every:
            for observer in self._observers:
                observer.engine_back()
        self._lost_since, self._is_lost, self._is_new = None, False, False
        for project in projects.values():
            members = self._roster.of(project.name)
            present = {row.name: row for row in rows if _belongs(row, project)}
            for name in {*present, *members}:
                row, member = present.get(name), members.get(name)
                changed = row is None or member is None or member.runs != row.is_up or _is_bad(row)
                if every or changed:
                    self._watch(project.name, name).look_in(self._look_seconds)

    def _note_event(self, event: EngineEvent) -> None:
        for project in self._projects().values():
            if not _belongs(event, project):
                continue
            own = self._is_under_way(project.name)
            if event.action == "rename":  # its former name belongs to the project
                for name in self._roster.of(project.name):
                    self._watch(project.name, name).look_in(self._look_seconds)
            watch = self._watch(project.name, event.name)
            watch.note(event, own=own)
            self._roster.note_deaths(project.name, event.name, watch.deaths)
            watch.look_in(self._look_seconds)
            told = ContainerEvent(project, event, own=own, asked=watch.asked)
            for observer in self._observers:
                observer.happened(told)
        self._roster.save()

    def _look_at_due(self) -> None:
        now = self._monotonic()
        due = [key for key, w in self._watches.items() if w.due is not None and w.due <= now]
        projects = self._projects() if due else {}
        under_way = {name: self._is_under_way(name) for name in {name for name, _ in due}}
        for key in due:
            project = projects.get(key[0])
            watch = self._watches[key]
            if project is None:
                del self._watches[key]
            elif under_way[project.name]:
                watch.wait_for_job(_AGAIN_SECONDS)
            elif not watch.wait_after_job(self._look_seconds):
                self._look(project, watch)
        if due:
            self._roster.save()

    def _look(self, project: Project, watch: ContainerWatch) -> None:
        watch.due = None
        try:
            view = watch.view(project, self._containers, self._roster)
        except ScarError as error:
            watch.look_in(_AGAIN_SECONDS)
            if error.code.startswith("docker_"):
                raise  # the other containers cannot be looked at either
            _log.warning("container not looked at", container=watch.name, reason=error.message)
            return
        if view.details is None and not view.expected:
            self._watches.pop((project.name, watch.name), None)
        for observer in self._observers:
            seconds = observer.looked(view)
            if seconds is not None:
                watch.look_in(seconds)

    def _watch(self, project: str, name: str) -> ContainerWatch:
        key = project, name
        if key not in self._watches:
            member = self._roster.of(project).get(name)
            deaths = member.deaths if member else ()
            self._watches[key] = ContainerWatch(
                name, self._containers, self._monotonic, deaths=deaths
            )
        return self._watches[key]

    def _is_under_way(self, project: str) -> bool:
        try:
            return self._under_way(project)
        except ScarError as error:
            _log.info("jobs under way not known", project=project, reason=error.message)
            return error.code != "tampered"


def _belongs(thing: Container | EngineEvent, project: Project) -> bool:
    """Return whether a container belongs to a project: by its name in the projects file, or with
    `auto_detect` by Compose's label.
    """
    if thing.name in project.containers:
        return thing.project in ("", project.compose_project)
    of_compose = thing.project == project.compose_project and not thing.oneoff
    return project.auto_detect and of_compose


def _is_bad(row: Container) -> bool:
    return row.health == "unhealthy" or row.state in ("restarting", "dead")
