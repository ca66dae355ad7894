"""Plans which containers are restarted behind a stand-in, and starts the stand-ins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scar.errors import ScarError
from scar.jobs.results.ways import PLAIN, STAND_IN, ServiceWay, all_plain
from workers.deployment.production import Production
from workers.deployment.takeover import Takeover
from workers.deployment.ways import plan_ways
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.runtime.context import JobContext

_CHANGED = "production's Compose file has changed since it was made"


def restart_ways(context: JobContext, containers: Sequence[Container]) -> tuple[ServiceWay, ...]:
    """Return how each service is restarted; nothing if no stand-in is configured. Compose is run
    only if a stand-in is possible; its errors are raised.
    """
    wanted = context.project.zero_downtime
    if not wanted and (wanted is False or not any(c.asks_for_stand_in for c in containers)):
        return ()
    config = Production(context, -1).config()
    services = {container.service for container in containers}
    ways = plan_ways(context, config, containers, services, ()).by_service
    return tuple(_unless_changed(way, config, containers) for way in ways)


def begin_stand_ins(
    context: JobContext,
    takeover: Takeover,
    containers: Sequence[Container],
    ways: tuple[ServiceWay, ...],
) -> tuple[ServiceWay, ...]:
    """Start the stand-ins for a restart from the images that run now; return how each service is
    restarted. If one does not get healthy, the services are restarted without stand-ins, since the
    restart may be the remedy.
    """
    services = [way.service for way in ways if way.way == STAND_IN]
    if not services:
        return ways
    images = {container.service: container.image_id for container in containers}
    try:
        reason = takeover.begin(Production(context, -1).config(), services, images)
    except ScarError as error:
        takeover.end()
        if error.code == "cancelled":
            raise
        reason = context.masker.text(error.message)
    if reason:
        return all_plain(ways, reason)
    takeover.let_requests_end()
    return ways


def _unless_changed(
    way: ServiceWay, config: ComposeConfig, containers: Sequence[Container]
) -> ServiceWay:
    hashes = {c.config_hash for c in containers if c.service == way.service}
    if way.way != STAND_IN or hashes == {config.services[way.service].config_hash}:
        return way
    return replace(way, way=PLAIN, why=_CHANGED)
