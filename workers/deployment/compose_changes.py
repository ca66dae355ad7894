"""Determines what a deployment will change in services, volumes and networks, for the question."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scar.jobs.results.compose_changes import ComposeChanges
from workers.deployment.plan import Plan
from workers.engine.compose_config import Service
from workers.engine.networks import Networks
from workers.engine.volumes import Volumes
from workers.runtime.context import JobContext


def compose_changes(context: JobContext, plan: Plan) -> ComposeChanges:
    """Return what `plan`, whose services are filled in, will change on the Engine. Changes
    nothing.
    """
    config, project = plan.config, context.project.compose_project
    present = {container.service for container in plan.containers}
    remade = _recreated(plan) & present
    volumes, networks = Volumes(context.engine), Networks(context.engine)
    there = networks.names_of_project(project)

    def used(of: Callable[[Service], Iterable[str]], services: Iterable[Service]) -> set[str]:
        return {name for service in services for name in of(service)}

    active, every = config.active.values(), config.services.values()
    return ComposeChanges(
        new=tuple(name for name in plan.restart if name not in present),
        recreated=tuple(name for name in plan.restart if name in remade),
        restarted=tuple(name for name in plan.restart if name in present - remade),
        pulled=plan.pull,
        gone=tuple(c.name for c in plan.containers if c.service not in config.services),
        new_volumes=_sorted(used(lambda s: s.volumes, active) - volumes.names()),
        unused_volumes=_sorted(
            volumes.mounted_of_project(project) - used(lambda s: s.volumes, every)
        ),
        new_networks=_sorted(used(lambda s: s.networks, active) - there),
        unused_networks=_sorted(there - used(lambda s: s.networks, every)),
    )


def _recreated(plan: Plan) -> set[str]:
    """Return the services whose containers Compose will recreate, because the image or the
    configuration differs.
    """
    other = {
        container.service
        for container in plan.containers
        if container.service in plan.config.active
        and container.config_hash != plan.config.services[container.service].config_hash
    }
    tagged = {
        container.service
        for container in plan.containers
        if container.service in plan.tags and container.image_id != plan.tags[container.service][1]
    }
    return other.union(tagged, plan.build, plan.pull)


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
