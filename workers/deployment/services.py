"""Selects the services that a deployment has to pull or restart."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from workers.engine.compose_config import ComposeConfig, Service
from workers.engine.container import Container
from workers.files.compare import Changes
from workers.runtime.context import JobContext


def services_to_pull(config: ComposeConfig, present: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the services whose image is missing from the Engine and that have no build section.

    `present` maps services to their image's id, None if the Engine does not have the image.
    """
    built = {service.image for service in config.active.values() if service.build}
    return tuple(
        sorted(n for n, id in present.items() if not id and config.services[n].image not in built)
    )


def mounted_services(config: ComposeConfig, production: str, changes: Changes) -> tuple[str, ...]:
    """Return the services that have a changed file bind-mounted, and therefore need a restart to
    read it.
    """
    touched = [os.path.join(production, path) for path in changes.after]
    names = [
        name
        for name, service in config.services.items()
        if any(_below(path, bind) for bind in service.binds for path in touched)
    ]
    return tuple(sorted(names))


def _below(path: str, folder: str) -> bool:
    folder = folder.rstrip("/")
    return path == folder or path.startswith(folder + "/")


def services_to_restart(
    context: JobContext,
    config: ComposeConfig,
    containers: tuple[Container, ...],
    others: Iterable[str],
) -> tuple[str, ...]:
    """Return the services whose containers differ from the Compose configuration, and `others`,
    except services of protected containers.
    """
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        by_service.setdefault(container.service, []).append(container)
    protected = {c.service for c in containers if c.name in context.project.protected}
    wanted = set(others)
    for name, service in config.active.items():
        if _differs(service, by_service.get(name, [])):
            wanted.add(name)
    return tuple(sorted(name for name in wanted - protected if config.services[name].active))


def _differs(service: Service, running: list[Container]) -> bool:
    if not running:
        return True
    return any(
        container.config_hash != service.config_hash
        or (container.state != "running" and container.exit_code != 0)
        for container in running
    )
