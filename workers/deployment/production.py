"""The containers of a production folder: started by Compose, waited for, and removed."""

from __future__ import annotations

from collections.abc import Callable, Collection

from scar.json_object import JsonObject
from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_config import ComposeConfig, compose_files
from workers.engine.container import STAND_IN, Container
from workers.engine.health import Health
from workers.engine.logs import ContainerLogs
from workers.engine.networks import Networks
from workers.engine.process import RunControl
from workers.engine.restart import restart
from workers.runtime.context import JobContext

_UP_SECONDS = 3600.0
_RUN_SECONDS = 300.0


class Production:
    """The containers of one project.

    `lock` is the descriptor of the project lock. `docker compose` inherits it, so that the lock is
    held until Compose ends even if the worker is killed.
    """

    def __init__(self, context: JobContext, lock: int) -> None:
        self.project = context.project
        self._check = context.check
        self._engine = context.engine
        self._containers = context.containers
        self._networks = Networks(context.engine)
        self._compose = Compose(
            context.settings.docker_host, remote=context.project.remote_includes
        )
        self._lock = lock

    def containers(self) -> list[Container]:
        """Return all containers of the Compose project, including those that the Compose file
        does not define.
        """
        return self._containers.of_project(self.project.compose_project)

    def config(self) -> ComposeConfig:
        """Return the configuration in production's Compose files as they are now."""
        return self._compose.config(self._project())

    def up(self, check: Callable[[], None]) -> None:
        """Create, recreate and start containers that differ from the Compose file, except
        protected ones.
        """
        containers = self.containers()
        protected = {c.service for c in containers if c.name in self.project.protected}
        for container in containers:
            if container.service in protected:
                continue
            # Compose fails on a paused container, and on one that the Engine was removing when it
            # was killed.
            if container.state == "paused":
                self._containers.unpause(container.id)
            elif container.state in ("dead", "removing"):
                self.remove(container)
        services: tuple[str, ...] = ()
        if protected:
            services = tuple(name for name in self.config().active if name not in protected)
            if not services:
                return  # without names, Compose would start every service
        control = RunControl(check, _UP_SECONDS, (self._lock,))
        self._compose.up(self._project(), control, services, dependencies=not protected)

    def run_stand_in(self, resolved: JsonObject, service: str, name: str, token: str) -> None:
        """Start a stand-in of a service from its resolved configuration."""
        control = RunControl(self._check, _RUN_SECONDS, (self._lock,))
        label = f"{STAND_IN}={token}"
        self._compose.run_detached(
            self._project(), resolved, service, control, name=name, label=label
        )

    def restart_mounted(self, before: Collection[str], services: Collection[str]) -> None:
        """Restart those containers of `services` that have a changed file mounted and that
        Compose did not recreate (their id is in `before`).
        """
        for container in self.containers():
            if (
                container.id in before
                and container.service in services
                and container.name not in self.project.protected
            ):
                restart(self._engine, self._containers, container)

    def wait(
        self, services: Collection[str], *, stable_seconds: float, check: Callable[[], None]
    ) -> None:
        """Wait until the containers of `services` are healthy; protected containers are not
        waited for, since they were not changed.
        """
        awaited = [
            container.id
            for container in self.containers()
            if container.service in services and container.name not in self.project.protected
        ]
        Health(self._containers, ContainerLogs(self._engine, self._containers)).wait(
            awaited,
            timeout=self.project.health_timeout,
            stable_seconds=stable_seconds,
            check=check,
        )

    def start(self, container: Container) -> None:
        """Start a container without changing it, unless it was removed or is protected."""
        if container.name not in self.project.protected:
            self._containers.start(container.id)

    def remove(self, container: Container) -> None:
        """Remove a container that a deployment created, but not its volumes."""
        self._containers.remove(container.id)

    def networks(self) -> list[str]:
        """Return the ids of the project's networks."""
        return self._networks.of_project(self.project.compose_project)

    def remove_network(self, id: str) -> None:
        """Remove a network that a deployment created, unless a container is connected to it."""
        self._networks.remove(id)

    def _project(self) -> ComposeProject:
        folder = self.project.production
        files = tuple(folder / name for name in compose_files(folder))
        return ComposeProject(self.project.compose_project, folder, files)
