"""What the watcher tells its observers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from scar.errors import ScarError
from scar.projects import Project
from workers.engine.container import ContainerDetails
from workers.engine.events import EngineEvent
from workers.state.roster import Death


@dataclass(frozen=True)
class ContainerEvent:
    """An event of a project's container. `own` says that a job of SCAR's works on the project, and
    is likely its cause; `asked` of a `die` that somebody had the container stopped or killed.
    """

    project: Project
    event: EngineEvent
    own: bool
    asked: bool = False


@dataclass(frozen=True)
class ContainerView:
    """A project's container as it was found while no job of SCAR's worked on the project.

    `details` is None where there is no such container; `expected` says that there should be one,
    and `is_to_run` that it runs or has run while it was watched. `asked` says that it was stopped
    or killed by hand. `deaths` are the latest, oldest first. `at` is in seconds since the epoch.
    """

    project: Project
    name: str
    service: str
    details: ContainerDetails | None
    expected: bool
    is_to_run: bool
    asked: bool
    deaths: tuple[Death, ...]
    at: float


class Observer(Protocol):
    """Something that is told what happens to the containers of this host's projects.

    All calls come from one thread, which must not be kept waiting: an observer that reads a log or
    writes to Redis does so in a thread of its own.
    """

    def happened(self, event: ContainerEvent) -> None:
        """An event came from the Engine."""

    def looked(self, view: ContainerView) -> float | None:
        """A container was looked at: some seconds after an event of it, at the start of the
        watcher, and after a job of SCAR's. Return after how many seconds to look at it again;
        None where the next event is soon enough.
        """

    def engine_lost(self, error: ScarError) -> None:
        """The Engine does not answer, after it was tried again for some seconds."""

    def engine_back(self) -> None:
        """The Engine answers, at the start or again. Every container is looked at soon."""


class QuietObserver:
    """An observer that does nothing: a base for those that need only some of the calls."""

    def happened(self, event: ContainerEvent) -> None:
        """Do nothing."""

    def looked(self, view: ContainerView) -> float | None:  # noqa: ARG002
        """Do nothing, and need no further look."""
        return None

    def engine_lost(self, error: ScarError) -> None:
        """Do nothing."""

    def engine_back(self) -> None:
        """Do nothing."""
