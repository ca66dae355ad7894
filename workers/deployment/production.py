"""The containers of a production folder: started by Compose, waited for, and brought back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection
from functools import partial

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.engine.compose import Compose
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_config import ComposeConfig, compose_files
from workers.engine.container import STAND_IN, Container
from workers.engine.health import Health
from workers.engine.logs import ContainerLogs
from workers.engine.networks import Networks
from workers.engine.process import RunControl, no_check
from workers.engine.restart import restart
from workers.engine.stop_tap import BeforeStop, stop_tap
from workers.runtime.context import JobContext

_UP_SECONDS = 3600.0
_RUN_SECONDS = 300.0
_TRIES = 3


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

    def up(self, check: Callable[[], None], before_stop: BeforeStop | None = None) -> None:
        """Create, recreate and start containers that differ from the Compose file, except
        protected ones. `before_stop` is called before one is stopped, which waits for it.
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
                self._containers.remove(container.id)
        services: tuple[str, ...] = ()
        if protected:
            services = tuple(name for name in self.config().active if name not in protected)
            if not services:
                return  # without names, Compose would start every service
        control = RunControl(check, _UP_SECONDS, (self._lock,))
        up = partial(
            self._compose.up, self._project(), control, services, dependencies=not protected
        )
        if before_stop is None:
            up()
        else:
            with stop_tap(self._engine.host, before_stop) as through:
                up(through=through)

    def run_stand_in(self, resolved: JsonObject, service: str, name: str, token: str) -> None:
        """Start a stand-in of a service from its resolved configuration."""
        control = RunControl(self._check, _RUN_SECONDS, (self._lock,))
        label = f"{STAND_IN}={token}"
        self._compose.run_detached(
            self._project(), resolved, service, control, name=name, label=label
        )

    def restart_mounted(
        self,
        before: Collection[str],
        services: Collection[str],
        before_stop: BeforeStop | None = None,
    ) -> None:
        """Restart those containers of `services` that have a changed file mounted and that
        Compose did not recreate (their id is in `before`).
        """
        for container in self.containers():
            if (
                container.id in before
                and container.service in services
                and container.name not in self.project.protected
            ):
                if before_stop is not None:
                    before_stop(container.id)
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

    def state(self, config: ComposeConfig) -> JsonObject:
        """Return the state that `restore` can bring back: containers, the names they were created
        from with the images that they run, networks, and missing folders. It is journalled before
        the first container is changed.
        """
        containers = self.containers()
        return {
            "containers": {c.id: c.service for c in containers},
            "images": {self._containers.inspect(c.id).image: c.image_id for c in containers},
            "running": sorted({c.service for c in containers if c.state == "running"}),
            "networks": self._network_ids(),
            "folders": _missing_folders(str(self.project.production), config),
        }

    def restore(self, before: JsonObject, before_stop: BeforeStop | None) -> None:
        """Bring containers and networks back to a `state`. Production's files must be back already.

        `mounted` in `before` are the services that have a changed file mounted. `before_stop` is
        called as by `up`.
        """
        containers = before["containers"]
        self._remove_half_made()
        if containers:
            self._up_again(before_stop)
        wanted = {*self.config().active, *containers.values()} if containers else set()
        for container in self.containers():
            if container.id not in containers and container.service not in wanted:
                self._containers.remove(container.id)
        for network in self._network_ids():
            if network not in before["networks"]:
                self._networks.remove(network)
        if containers:
            self.restart_mounted(containers, before["mounted"], before_stop)
            self.wait(before["running"], stable_seconds=0.0, check=no_check)

    def start_stopped(self, ids: Collection[str]) -> None:
        """Start the containers of `ids` that have exited, and wait until they are healthy;
        protected ones are left alone.

        If the Engine was killed, containers stay stopped whatever their restart policy is.
        """
        stopped = [c for c in self.containers() if c.id in ids and c.state == "exited"]
        for container in stopped:
            if container.name not in self.project.protected:
                self._containers.start(container.id)
        if stopped:
            services = {c.service for c in stopped}
            self.wait(services, stable_seconds=0.0, check=no_check)

    def _up_again(self, before_stop: BeforeStop | None) -> None:
        """Run `docker compose up`, up to 3 times."""
        for attempt in range(1, _TRIES + 1):
            try:
                self.up(no_check, before_stop)
            except ScarError:
                if attempt == _TRIES:
                    raise
                time.sleep(attempt)
                self._remove_half_made()
            else:
                return

    def _remove_half_made(self) -> None:
        """Remove containers that Compose had created as replacements and not started when it was
        killed.
        """
        for container in self.containers():
            if container.replaces and container.state == "created":
                self._containers.remove(container.id)

    def _network_ids(self) -> list[str]:
        return self._networks.of_project(self.project.compose_project)

    def _project(self) -> ComposeProject:
        folder = self.project.production
        files = tuple(folder / name for name in compose_files(folder))
        return ComposeProject(self.project.compose_project, folder, files)


def _missing_folders(root: str, config: ComposeConfig) -> list[str]:
    """Return the folders that do not exist and that the Engine will create because a container
    mounts them, sorted.
    """
    missing: set[str] = set()
    for service in config.active.values():
        for bind in service.binds:
            while bind.startswith(f"{root}/") and not os.path.lexists(bind):
                missing.add(bind)
                bind = os.path.dirname(bind)
    return sorted(missing)
