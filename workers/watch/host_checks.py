"""Checks periodically what sends no event: the free space of the disks, and certificates."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog

from scar.errors import ScarError
from scar.projects import Project
from workers.engine.connection import Engine
from workers.engine.containers import Containers
from workers.engine.disk_usage import disk_usage
from workers.watch.alert_keeper import HOST, AlertKeeper, Subject
from workers.watch.rules.certificate import certificate
from workers.watch.rules.disk import SPAN_SECONDS, DiskSample, disk
from workers.watch.rules.problem import Problem
from workers.watch.served_certificates import ServedCertificates
from workers.watch.usage_sampler import is_of

_DISK_SECONDS = 60.0
_CERTIFICATE_SECONDS = 6 * 3600.0
_USAGE_SECONDS = 6 * 3600.0
_GIB = 1 << 30
_log = structlog.get_logger(__name__)


class HostChecks:
    """A thread of its own: a certificate is asked for over the network, and Docker's share of the
    disk takes the Engine a while. `folder` is on the disk that is looked at; so is Docker's own
    folder, where this process sees it.
    """

    def __init__(
        self,
        keeper: AlertKeeper,
        engine: Engine,
        projects: Callable[[], Mapping[str, Project]],
        folder: Path,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._keeper = keeper
        self._engine = engine
        self._containers = Containers(engine)
        self._projects = projects
        self._folders = [folder]
        self._wall = wall
        self._samples: dict[int, deque[DiskSample]] = {}
        self._usage = ("", 0.0)
        self._certificates = ServedCertificates()
        self._certificates_at = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="host-checks", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread soon."""
        self._stopped.set()

    def _work(self) -> None:
        while not self._stopped.wait(_DISK_SECONDS):
            for check in (self._drop_others, self.check_disks, self._check_certificates_sometimes):
                try:
                    check()
                except (ScarError, OSError) as error:
                    _log.warning("host not checked", reason=str(error))
                except Exception:  # noqa: BLE001 (without this thread no disk is watched)
                    _log.exception("a check of the host ended early")

    def check_disks(self) -> None:
        """Take a sample of each disk, and publish the problem of the one that will be full
        first.
        """
        problems = []
        for folder in self._folders:
            number, sample = os.stat(folder).st_dev, _sample(folder, self._wall())
            samples = self._samples.setdefault(number, deque())
            samples.append(sample)
            while samples[-1].at - samples[0].at > SPAN_SECONDS:
                samples.popleft()
            problems.append(disk(str(folder), samples))
        problem = next((problem for problem in problems if problem), None)
        if problem is not None:
            problem = replace(problem, why=f"{problem.why}{self._docker_share()}")
        self._keeper.settle("disk", {HOST: problem} if problem else {})

    def check_certificates(self) -> None:
        """Tell of each container that serves a certificate that ends soon: of its first to end. One
        that serves none now, since it is down or busy, is as it was; so is one of which a port does
        not answer that may serve another.
        """
        now = datetime.fromtimestamp(self._wall(), UTC)
        problems: dict[Subject, Problem] = {}
        unknown: list[Subject] = []
        rows = self._containers.all()
        own = [(p, row) for p in self._projects().values() for row in rows if is_of(p, row)]
        served = self._certificates.ask([row for _, row in own])
        for project, row in own:
            subject = Subject(project.name, row.name, row.service)
            ends, problem = served[row.id].ends, None
            if ends:
                port, end = min(ends, key=lambda one: one[1])
                problem = certificate(port, end, now)
            if problem is not None:
                problems[subject] = problem
            elif not ends or not served[row.id].whole:
                unknown.append(subject)
        self._keeper.settle("certificate", problems, unknown)

    def _drop_others(self) -> None:
        projects = self._projects()
        if projects:  # none: the file may be broken since before this process
            self._keeper.keep_only(projects)

    def _check_certificates_sometimes(self) -> None:
        if self._wall() - self._certificates_at >= _CERTIFICATE_SECONDS:
            self.check_certificates()
            self._certificates_at = self._wall()

    def _docker_share(self) -> str:
        """Say what Docker has of the disk; asked for a few times a day at most."""
        words, at = self._usage
        if self._wall() - at < _USAGE_SECONDS:
            return words
        try:
            usage = disk_usage(self._engine)
            words = (
                f" Docker takes {usage.total / _GIB:.1f} GiB; `docker system prune` would free "
                f"{usage.freed / _GIB:.1f} GiB."
            )
        except ScarError as error:
            _log.warning("Docker's share of the disk not known", reason=error.message)
            words = ""
        self._usage = words, self._wall()
        return words


def _sample(folder: Path, at: float) -> DiskSample:
    status = os.statvfs(folder)
    return DiskSample(at, status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize)
