"""Samples the resource usage of this host's projects' containers every ten seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from scar.errors import ScarError
from scar.projects import Project, ProjectsFile
from scar.settings import Settings
from workers.engine.connection import Engine
from workers.engine.container import Container
from workers.engine.containers import Containers
from workers.engine.usage_counters import UsageCounters, UsageReader
from workers.state.usage_ring import FINE_SECONDS, UsageRings, UsageSample

_ENGINE_SECONDS = 5
_CLEAN_SECONDS = 3600.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Before:
    """The last counters of a container, and when they were read by the monotonic clock."""

    at: float
    counters: UsageCounters


class UsageSampler:
    """A thread that writes the rings of the containers that run.

    Without a project of this host it asks the Engine nothing. A sample that fails is left out: the
    picture has a gap there.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        engine: Engine | None = None,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._projects = ProjectsFile.of(settings)
        engine = engine or Engine(settings.docker_host, timeout=_ENGINE_SECONDS)
        self._containers = Containers(engine)
        self._reader = UsageReader(engine)
        self._wall = wall
        self._monotonic = monotonic
        self._before: dict[str, _Before] = {}
        self._reason = ""
        self._clean_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="usage sampler", daemon=True)

    def start(self) -> None:
        """Start the thread, which samples every ten seconds."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the sample in progress."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.wait(FINE_SECONDS - self._wall() % FINE_SECONDS):
            try:
                self.sample()
                self._reason = ""
            except (ScarError, OSError) as error:
                self._complain(error.message if isinstance(error, ScarError) else str(error))
            except Exception:  # noqa: BLE001 (without this thread there are no figures)
                _log.exception("figures not sampled")

    def _complain(self, reason: str) -> None:
        """Log what goes wrong once, not every ten seconds."""
        if reason != self._reason:
            _log.warning("figures not sampled", reason=reason)
        self._reason = reason

    def sample(self) -> None:
        """Read the counters of each container that runs, and write what it used since the last
        time. Raises what the Engine said of one that it refused, after all others were written.
        """
        host = self._settings.host
        projects = [p for p in self._projects.projects.values() if p.host == host]
        if not projects:
            self._before.clear()
            return
        running = [c for c in self._containers.all() if c.state == "running"]
        watched = [(p, c) for p in projects for c in running if is_of(p, c)]
        ids = {container.id for _, container in watched}
        self._reader.forget_others(ids)
        self._before = {id: before for id, before in self._before.items() if id in ids}
        usages, refused = self._usages(ids)
        for project, container in watched:
            usage = usages.get(container.id)
            if usage is not None:
                self._rings(project).of(container.name).add(usage)
        self._clean(projects)
        if refused is not None:
            raise refused

    def _usages(self, ids: Iterable[str]) -> tuple[dict[str, UsageSample], ScarError | None]:
        """Return what the containers used, and the error of the last one that cannot be read."""
        usages: dict[str, UsageSample] = {}
        refused = None
        for id in ids:
            try:
                usage = self._usage(id)
            except ScarError as error:
                if error.code.startswith("docker_"):
                    raise  # no other can be read either
                refused = error
                continue
            if usage is not None:
                usages[id] = usage
        return usages, refused

    def _usage(self, id: str) -> UsageSample | None:
        """Return a container's usage since the last reading; None for a first reading."""
        counters, now = self._reader.read(id), self._monotonic()
        before = self._before.get(id)
        if counters is None:
            return None
        self._before[id] = _Before(now, counters)
        if before is None or now <= before.at:
            return None
        return _sample(int(self._wall()), now - before.at, before.counters, counters)

    def _rings(self, project: Project) -> UsageRings:
        return UsageRings(self._settings.state_dir / "projects" / project.name)

    def _clean(self, projects: list[Project]) -> None:
        """Once an hour, remove the rings that have had no sample for a day."""
        if self._monotonic() < self._clean_at:
            return
        self._clean_at = self._monotonic() + _CLEAN_SECONDS
        for project in projects:
            self._rings(project).drop_old(self._wall())


def is_of(project: Project, container: Container) -> bool:
    """Return whether a container belongs to a project by the rules of `project_containers`: a
    container of another Compose project never does, even if the projects file names it.
    """
    if container.name in project.containers:
        return container.project in ("", project.compose_project)
    composed = container.project == project.compose_project and not container.oneoff
    return project.auto_detect and composed


def _sample(at: int, seconds: float, before: UsageCounters, counters: UsageCounters) -> UsageSample:
    """Return the usage between two readings. A counter that decreased has restarted at 0 with the
    container.
    """

    def rate(earlier: int, later: int) -> float:
        return (later - earlier if later >= earlier else later) / seconds

    return UsageSample(
        at=at,
        cpu=rate(before.cpu, counters.cpu) / 1e9 * 100,
        memory=counters.memory,
        received=rate(before.received, counters.received),
        sent=rate(before.sent, counters.sent),
        read=rate(before.read, counters.read),
        written=rate(before.written, counters.written),
    )
