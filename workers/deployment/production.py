"""What runs from the production folder: brought up by Compose, waited for, removed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from docker.errors import APIError, NotFound

from workers.engine.compose import Compose, ComposeProject, Watch
from workers.engine.compose_config import ComposeConfig, compose_files
from workers.engine.containers import PROJECT, Container
from workers.engine.health import Health
from workers.engine.logs import Logs
from workers.engine.restart import restart
from workers.runtime.context import JobContext

_UP_SECONDS = 3600.0


@dataclass(frozen=True)
class Production:
    """The containers of one project. `lock` is the descriptor of the held project lock: a Compose
    that outlives its worker holds it until it is gone.
    """

    context: JobContext
    lock: int

    def containers(self) -> list[Container]:
        """Return the project's containers, with those that the Compose file does not name."""
        return self.context.containers.of_project(self.context.project.compose_project)

    def config(self) -> ComposeConfig:
        """Return the Compose file as it is in production now."""
        return self._compose.config(self._project())

    def up(self, check: Callable[[], None]) -> None:
        """Create, recreate and start what differs from the file, but nothing protected."""
        containers = self.containers()
        protected = {c.service for c in containers if c.name in self.context.project.protected}
        for container in containers:
            if container.service in protected:
                continue
            # Compose fails on a container that is paused, and on one that an Engine that was killed
            # had begun to remove.
            if container.state == "paused":
                self._unpause(container)
            elif container.state in ("dead", "removing"):
                self.remove(container)
        services: tuple[str, ...] = ()
        if protected:
            services = tuple(name for name in self.config().active if name not in protected)
            if not services:
                return  # to Compose, no name would mean every one
        self._compose.up(self._project(), self._watch(check), services, dependencies=not protected)

    def restart_mounted(self, before: Collection[str], services: Collection[str]) -> None:
        """Restart the containers of `services` that Compose left alone (their id is in `before`)
        although a file they have mounted was changed.
        """
        context = self.context
        for container in self.containers():
            if (
                container.id in before
                and container.service in services
                and container.name not in context.project.protected
            ):
                restart(context.engine, context.containers, container)

    def wait(
        self, services: Collection[str], *, stable_seconds: float, check: Callable[[], None]
    ) -> None:
        """Wait until the containers of `services` are healthy, except protected ones: nothing was
        done to those.
        """
        context = self.context
        awaited = [
            container.id
            for container in self.containers()
            if container.service in services and container.name not in context.project.protected
        ]
        Health(context.containers, Logs(context.engine, context.containers)).wait(
            awaited,
            timeout=context.project.health_timeout,
            stable_seconds=stable_seconds,
            check=check,
        )

    def start(self, container: Container) -> None:
        """Start a container as it is, unless it is gone or protected."""
        if container.name in self.context.project.protected:
            return
        with self.context.engine.api() as api:
            try:
                api.start(container.id)
            except NotFound:
                return

    def remove(self, container: Container) -> None:
        """Remove a container that a deployment made; its volumes stay."""
        with self.context.engine.api() as api:
            try:
                api.remove_container(container.id, v=False, force=True)
            except NotFound:
                return
            except APIError as refused:
                if "already in progress" not in str(refused):
                    raise

    def networks(self) -> list[str]:
        """Return the ids of the project's networks."""
        label = f"{PROJECT}={self.context.project.compose_project}"
        with self.context.engine.api() as api:
            return [str(network["Id"]) for network in api.networks(filters={"label": [label]})]

    def remove_network(self, id: str) -> None:
        """Remove a network that a deployment made, unless another container has joined it."""
        with self.context.engine.api() as api:
            try:
                api.remove_network(id)
            except NotFound:
                return
            except APIError as refused:
                if "active endpoints" not in str(refused):
                    raise

    def _unpause(self, container: Container) -> None:
        with self.context.engine.api() as api:
            try:
                api.unpause(container.id)
            except NotFound:
                return

    def _watch(self, check: Callable[[], None]) -> Watch:
        return Watch(check=check, deadline=_UP_SECONDS, pass_fds=(self.lock,))

    def _project(self) -> ComposeProject:
        folder = self.context.project.production
        files = tuple(folder / name for name in compose_files(folder))
        return ComposeProject(self.context.project.compose_project, folder, files)

    @property
    def _compose(self) -> Compose:
        return Compose(self.context.settings.docker_host)
