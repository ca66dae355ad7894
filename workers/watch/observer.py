"""The calls and data with which the watcher informs its observers."""

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
    """An event of a project's container. `own` says that a job of SCAR is changing the project and
    has probably caused it; `asked` says of a `die` that a person had the container stopped or
    killed.
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
    """Anything that is informed about the containers of this host's projects. All calls come from
    one thread and must return quickly; an observer that reads a log or writes to Redis does so in
    its own thread.
    """

    def happened(self, event: ContainerEvent) -> None:
        """Called for each event from the Engine."""

    def looked(self, view: ContainerView) -> float | None:
        """Called after each look at a container: some seconds after an event, at the watcher's
        start, and after a job of SCAR. Return after how many seconds to look again; None to wait
        for the next event.
        """

    def engine_lost(self, error: ScarError) -> None:
        """Called if the Engine has not answered for some seconds."""

    def engine_back(self) -> None:
        """Called once the Engine answers, at the start or again. A look at every container follows
        soon.
        """


class QuietObserver:
    """An observer that does nothing: a base for those that need only some of the calls."""

    def happened(self, event: ContainerEvent) -> None:
        """Do nothing."""

    def looked(self, view: ContainerView) -> float | None:  # noqa: ARG002
        """Do nothing, and request no further look."""
        return None

    def engine_lost(self, error: ScarError) -> None:
        """Do nothing."""

    def engine_back(self) -> None:
        """Do nothing."""
