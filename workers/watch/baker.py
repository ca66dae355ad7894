"""Observes each deploy for some minutes (its bake): containers that behave worse than under the
release before are reported at once, and the deploy is undone if the projects file says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import structlog

from scar.errors import ScarError
from scar.jobs.bake import Bake, BakeFinding
from scar.jobs.job_id import new_job_id
from scar.projects import Project
from workers.state.releases import Release, Releases
from workers.state.usage_ring import UsageRings
from workers.watch.bake_behaviour import behaviour_after, behaviour_before
from workers.watch.bake_rules import worsenings
from workers.watch.observer import ContainerEvent, ContainerView, QuietObserver
from workers.watch.rules.exited import exited
from workers.watch.rules.gone import gone
from workers.watch.watched_project import WatchedProject

_LOOK_SECONDS = 3.0
_LATE_SECONDS = 120.0
_log = structlog.get_logger(__name__)


class BakeEffects(Protocol):
    """The effects of a baker on the Engine and on Redis."""

    def count_errors(
        self, projects: Mapping[str, Project], start: int, end: int
    ) -> Mapping[tuple[str, str], int]:
        """Return the error lines of each running container, by project and name."""

    def publish(self, bake: Bake, now: int) -> None:
        """Write a bake to Redis, where front-ends read it."""

    def undo(self, bake: Bake) -> bool:
        """Submit the rollback; return whether that succeeded."""


class Baker(QuietObserver):
    """An observer of the watcher, with a thread that compares behaviours and does everything that
    takes time.

    `projects` returns this host's projects by name; `seconds` is the duration of a bake, 0 for
    none.
    """

    def __init__(
        self,
        state_dir: Path,
        projects: Callable[[], Mapping[str, Project]],
        around: BakeEffects,
        *,
        seconds: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._state_dir = state_dir
        self._projects = projects
        self._around = around
        self._seconds = seconds
        self._wall = wall
        self._came: deque[ContainerEvent | ContainerView] = deque(maxlen=10_000)
        self._watched: dict[str, WatchedProject] = {}
        self._warned: dict[str, str] = {}
        self._minute = int(wall()) // 60
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="baker", daemon=True)

    def start(self) -> None:
        """Start the thread, unless bakes are switched off."""
        if self._seconds > 0:
            self._thread.start()

    def stop(self) -> None:
        """End the thread soon."""
        self._stopped.set()

    def happened(self, event: ContainerEvent) -> None:
        """Queue events that neither SCAR nor a person has caused."""
        if (
            self._seconds > 0
            and not event.own
            and not event.asked
            and event.event.action in ("die", "health_status")
        ):
            self._came.append(event)

    def looked(self, view: ContainerView) -> float | None:
        """Queue the state of the container."""
        if self._seconds > 0:
            self._came.append(view)
        return None

    def _work(self) -> None:
        while not self._stopped.wait(_LOOK_SECONDS):
            try:
                self.step()
                self._warned.pop("", None)
            except (ScarError, OSError) as error:
                self._warn(error)
            except Exception:  # noqa: BLE001 (without this thread no deploy is looked after)
                _log.exception("deploys not looked after")

    def step(self) -> None:
        """Process the queue, begin and end bakes, and update those in progress."""
        projects = {name: p for name, p in self._projects().items() if p.bake != "off"}
        for name in [name for name in self._watched if name not in projects]:
            del self._watched[name]
        changed = self._take(projects)
        changed |= self._count_minute(projects)
        for name, project in projects.items():
            try:
                self._look_at(project, self._of(name), changed=name in changed)
                self._warned.pop(name, None)
            except (ScarError, OSError) as error:  # the other projects are looked at all the same
                self._warn(error, name)

    def _warn(self, error: ScarError | OSError, project: str = "") -> None:
        """Log a warning, once for as long as its reason stays the same."""
        reason = error.message if isinstance(error, ScarError) else str(error)
        if self._warned.get(project) != reason:
            self._warned[project] = reason
            _log.warning("deploys not looked after", project=project or "all", reason=reason)

    def _of(self, name: str) -> WatchedProject:
        if name not in self._watched:
            self._watched[name] = WatchedProject.of(self._folder(name), self._wall())
        return self._watched[name]

    def _folder(self, name: str) -> Path:
        return self._state_dir / "projects" / name

    def _take(self, projects: Mapping[str, Project]) -> set[str]:
        """Record the queued events and states; return the projects concerned."""
        changed = set()
        now = self._wall()
        while self._came:
            came = self._came.popleft()
            name = came.project.name
            if name not in projects:
                continue
            state = self._of(name).state
            if isinstance(came, ContainerView):
                down = bool(exited(came) or gone(came)) and not came.asked
                history = state.history(came.name, now)
                if history.down == down:
                    continue
                history.down, history.down_since = down, now
            elif came.event.action == "die" and came.event.exit_code != 0:
                state.history(came.event.name, now).deaths.append(came.event.at)
            elif came.event.detail == "unhealthy":
                state.history(came.event.name, now).flaps.append(came.event.at)
            else:
                continue
            changed.add(name)
        return changed

    def _count_minute(self, projects: Mapping[str, Project]) -> set[str]:
        """Once a minute, count the error lines of the minute before, of what was deployed here, and
        forget what is old.
        """
        minute, before = int(self._wall()) // 60, self._minute
        if minute == before:
            return set()
        self._minute = minute
        deployed = {n: p for n, p in projects.items() if (self._folder(n) / "releases").is_dir()}
        start = (minute - 1) * 60
        counts = self._around.count_errors(deployed, start, start + 60) if deployed else {}
        for (project, container), count in counts.items():
            history = self._of(project).state.history(container, float(start))
            history.minutes.append((start, count))
        for name in projects:
            self._of(name).state.forget_old(self._wall())
        return {project for project, _ in counts}

    def _look_at(self, project: Project, watched: WatchedProject, *, changed: bool) -> None:
        bake = self._current(project, watched)
        if bake is not None and not bake.ended:
            judged = self._ended(self._judged(project, watched, bake), watched)
            if judged != bake:
                self._keep(watched, judged)
                changed = True
        watched.looked = self._wall()
        if changed:
            watched.file.save(watched.state)
        self._undo(project, watched)
        self._publish(watched)

    def _ended(self, bake: Bake, watched: WatchedProject) -> Bake:
        """Return the bake, ended if its time is over. If no worker was running at that time, it
        ended with the last look before.
        """
        now = self._wall()
        if int(now * 1000) < bake.until:
            return bake
        until = bake.until
        if now - watched.looked > _LATE_SECONDS:
            until = max(bake.began, min(until, int(watched.looked * 1000)))
        return replace(bake, ended=True, until=until)

    def _current(self, project: Project, watched: WatchedProject) -> Bake | None:
        """Return the bake of the newest release. For a new release a bake is begun, which ends the
        bake of the release before.
        """
        bake, folder = watched.state.bake, self._folder(project.name)
        seen = _changed_at(folder / "releases")
        if seen == watched.seen:
            return bake
        releases = Releases(folder)
        ids = releases.ids()
        if bake is None or not ids or ids[-1] != bake.release:
            if bake is not None and not bake.ended:
                now = int(self._wall() * 1000)
                self._keep(watched, replace(bake, ended=True, until=min(now, bake.until)))
                self._publish(watched)
            begun = self._begun(project, releases, ids)
            if begun is not None:
                self._keep(watched, begun)
                watched.state.asked = False
                watched.file.save(watched.state)
        watched.seen = seen
        return watched.state.bake

    def _begun(self, project: Project, releases: Releases, ids: list[str]) -> Bake | None:
        """Return a new bake for the last release; None for a first release, which cannot be undone,
        for a rollback, and for an old release.
        """
        if len(ids) < 2:
            return None
        release: Release = releases.get(ids[-1])
        until = release.at + int(self._seconds * 1000)
        if release.restored is not None or until <= self._wall() * 1000:
            return None
        return Bake(project.name, project.host, release.id, ids[-2], release.at, until)

    def _keep(self, watched: WatchedProject, bake: Bake) -> None:
        watched.state.bake = bake
        watched.unpublished = bake

    def _judged(self, project: Project, watched: WatchedProject, bake: Bake) -> Bake:
        """Return the bake with its new findings."""
        rings, now = UsageRings(self._folder(project.name)), self._wall()
        for name, history in watched.state.histories.items():
            before = behaviour_before(history, rings.of(name), bake)
            after = behaviour_after(history, rings.of(name), bake, now)
            for worse in worsenings(before, after):
                known = [(f.container, f.rule) for f in bake.findings if f.sure or not worse.sure]
                if (name, worse.rule) not in known:
                    found_at = int(now * 1000)
                    finding = BakeFinding(name, worse.rule, worse.what, worse.sure, found_at)
                    bake = bake.with_finding(finding)
        return bake

    def _undo(self, project: Project, watched: WatchedProject) -> None:
        """Submit the rollback once. The job's id is stored first, so that it is not submitted
        twice.
        """
        state, bake = watched.state, watched.state.bake
        if bake is None or bake.ended or state.asked or project.bake != "undo":
            return
        if not any(finding.sure for finding in bake.findings):
            return
        if not bake.undo:
            self._keep(watched, replace(bake, undo=new_job_id(self._wall())))
            watched.file.save(state)
        try:
            state.asked = self._around.undo(state.bake or bake)
        except ScarError as error:
            _log.warning("deploy not undone yet", job=bake.release, reason=error.message)
            return
        if state.asked:
            watched.file.save(state)

    def _publish(self, watched: WatchedProject) -> None:
        if watched.unpublished is None:
            return
        try:
            self._around.publish(watched.unpublished, int(self._wall() * 1000))
        except ScarError as error:
            _log.warning("bake not told yet", reason=error.message)
            return
        watched.unpublished = None


def _changed_at(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0
