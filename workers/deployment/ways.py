"""Plans how each service that runs is replaced: behind a stand-in, with its new connections held,
or plainly and why.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scar.errors import ScarError
from scar.jobs.results.ways import HELD, PLAIN, STAND_IN, ServiceWay
from workers.deployment.eligibility import (
    Surroundings,
    fixed_ports,
    is_asked_for,
    reason_against,
    reason_against_holding,
)
from workers.deployment.memory import with_memory_notes
from workers.deployment.production import Production
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.engine.diverter import reason_against_diverting, reason_host_cannot_hold
from workers.engine.networks import Networks
from workers.engine.probes import speaks_http
from workers.engine.usage_counters import UsageReader
from workers.files.durable import write_synced
from workers.runtime.context import JobContext
from workers.state.windows import Windows

_OFFERED = "zero_downtime_offered"
_COMPOSE_ENDINGS = (".yaml", ".yml", ".env")


@dataclass(frozen=True)
class Ways:
    """`by_service` are the running services that will be replaced, if the project is configured for
    stand-ins. `offer` are services that could have one, if the project's entry does not say and no
    question has offered it yet. `unknown` are names in `zero_downtime` that no service has.
    """

    by_service: tuple[ServiceWay, ...] = ()
    offer: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


NO_WAYS = Ways()


def plan_ways(
    context: JobContext,
    config: ComposeConfig,
    containers: Sequence[Container],
    services: Collection[str],
    changed: Iterable[str],
) -> Ways:
    """Return how each running one of `services` is replaced. `changed` are paths of changed
    files.
    """
    running = {c.service for c in containers if c.is_up and c.service in services}
    names = sorted(name for name in running if name in config.services)
    wanted = context.project.zero_downtime
    asked = {name: is_asked_for(wanted, config, name) for name in names}
    # A job that has begun asks nobody any more, so it need not try whether it could divert.
    offering = wanted is None and not context.begun_at and not _was_offered(context.folder)
    any_asked = any(yes for yes, _ in asked.values())
    unknown = tuple(name for name in _named(wanted) if name not in config.services)
    if not names or not (any_asked or offering):
        return replace(NO_WAYS, unknown=unknown)
    seen = _surroundings(context, config, [c for c in containers if c.service in running], changed)

    def reason(name: str) -> str:
        own = [container for container in containers if container.service == name]
        return reason_against(config, name, own, seen, named=asked[name][1])

    if not any_asked:
        return Ways(offer=tuple(name for name in names if not reason(name)))
    why = {name: reason(name) if asked[name][0] else _NOT_ASKED for name in names}
    ways = _chosen(context, config, containers, why)
    return Ways(
        with_memory_notes(ways, containers, UsageReader(context.engine).read), unknown=unknown
    )


def _chosen(
    context: JobContext,
    config: ComposeConfig,
    containers: Sequence[Container],
    why: Mapping[str, str],
) -> tuple[ServiceWay, ...]:
    """Return the way of each service; `why` says why it has no stand-in, empty where it has one.

    Whether this host can hold connections is tried only where it counts.
    """
    windows = Windows(context.folder)
    refused = {}
    for name in (name for name, reason in why.items() if reason not in ("", _NOT_ASKED)):
        own = [container for container in containers if container.service == name]
        refused[name] = reason_against_holding(config, name, own, windows.longest(name))
    fit = [name for name, reason in refused.items() if not reason]
    unable = reason_host_cannot_hold(context.engine) if fit else ""

    def way(name: str) -> ServiceWay:
        if not why[name]:
            return ServiceWay(name, STAND_IN)
        if name in fit and not unable:
            seconds = math.ceil(windows.longest(name) or _USUAL_WINDOW)
            return ServiceWay(name, HELD, why[name], float(seconds))
        against = refused.get(name) or unable
        more = f"; {against}" if against and against != why[name] else ""
        return ServiceWay(name, PLAIN, why[name] + (more if fixed_ports(config, name) else ""))

    return tuple(map(way, why))


_USUAL_WINDOW = 1.0
_NOT_ASKED = "not in `zero_downtime`"


def _named(wanted: bool | tuple[str, ...] | None) -> tuple[str, ...]:
    return wanted if isinstance(wanted, tuple) else ()


def note_offer(context: JobContext, ways: Ways) -> None:
    """Record that a question has offered stand-ins, so that the next one does not repeat it."""
    if ways.offer:
        write_synced(context.folder / _OFFERED, "")


def _was_offered(folder: Path) -> bool:
    return (folder / _OFFERED).exists()


def _surroundings(
    context: JobContext,
    config: ComposeConfig,
    containers: Sequence[Container],
    changed: Iterable[str],
) -> Surroundings:
    details = {c.service: context.containers.inspect(c.id) for c in containers}
    checked = frozenset(name for name, known in details.items() if known.has_health_check)
    ported = any(fixed_ports(config, name) for name in details)
    return Surroundings(
        image_volumes={name: known.image_volumes for name, known in details.items()},
        checked=checked,
        http=frozenset(c.service for c in containers if c.service not in checked and _http(c)),
        drivers=Networks(context.engine).drivers(),
        networks_change=_networks_change(context, config, changed),
        unable=reason_against_diverting(context.engine) if ported else "",
    )


def _http(container: Container) -> bool:
    return container.state == "running" and speaks_http(container)


def _networks_change(context: JobContext, config: ComposeConfig, changed: Iterable[str]) -> bool:
    """Return whether the deployment changes a network. Compose would then recreate it, which fails
    while a stand-in is connected.
    """
    if not any(path.endswith(_COMPOSE_ENDINGS) for path in changed):
        return False
    try:
        before = Production(context, -1).config()
    except ScarError:
        return True
    return before.resolved.get("networks") != config.resolved.get("networks")
