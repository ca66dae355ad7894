"""Measures from outside the containers for how long a project does not respond."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from types import TracebackType

from workers.engine.container import Container
from workers.engine.containers import Containers
from workers.engine.probes import PROBE_SECONDS, HealthProbe, PortProbe, Target, identity

HELD_SECONDS = 10.0
"""Seconds that a probe waits for a service whose connections are held."""

INTERVAL = 0.1
"""Seconds between two probes of one target."""

Probe = Callable[[], bool]
"""A function that returns whether its target responds."""


@dataclass(frozen=True)
class Downtime:
    """The time during which at least one target did not respond.

    `seconds` is precise to about half an `INTERVAL`; overlapping outages are counted once.
    `targets` names what was measured, such as `web:80/tcp` or `db (health)`. Without targets,
    `seconds` is None.
    """

    seconds: float | None
    targets: tuple[str, ...]


@dataclass
class _History:
    """The times at which a target's response changed, beginning with `(begin, True)`, and the
    time of its last probe.
    """

    changes: list[tuple[float, bool]]
    last_probe: float

    def outages(self) -> list[tuple[float, float]]:
        """Return the begin and end of each outage."""
        ends = [moment for moment, _ in self.changes[1:]] + [self.last_probe]
        return [
            (moment, end)
            for (moment, up), end in zip(self.changes, ends, strict=True)
            if not up and end > moment
        ]


class DowntimeProbe:
    """Measures downtime during a `with` block; `result` can be called during the block and after
    it.

    The block must begin before the first container is changed. The targets are the published TCP
    ports that respond at that moment; in a project without any, its health checks. A service in
    `held`, whose connections are made to wait, is down where one waits for more than ten seconds.
    """

    def __init__(
        self,
        containers: Containers,
        project: str,
        names: tuple[str, ...] = (),
        held: Collection[str] = (),
    ) -> None:
        self._containers = containers
        self._project = project
        self._names = names
        self._held = held
        self._stop = Event()
        self._threads: list[Thread] = []
        self._histories: dict[Target, _History] = {}

    def __enter__(self) -> DowntimeProbe:
        now = monotonic()
        for target, probe in self._probes().items():
            history = _History([(now, True)], now)
            self._histories[target] = history
            self._threads.append(Thread(target=self._measure, args=(probe, history), daemon=True))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2 * PROBE_SECONDS)

    def result(self) -> Downtime:
        """Return the downtime measured so far."""
        targets = tuple(sorted(map(str, self._histories)))
        outages = [span for history in self._histories.values() for span in history.outages()]
        return Downtime(round(union_seconds(outages), 2) if targets else None, targets)

    def by_service(self) -> dict[str, float]:
        """Return how long each service that is measured has not responded so far."""
        spans: dict[str, list[tuple[float, float]]] = {}
        for target, history in self._histories.items():
            spans.setdefault(target.service, []).extend(history.outages())
        return {service: round(union_seconds(outages), 2) for service, outages in spans.items()}

    def _probes(self) -> dict[Target, Probe]:
        containers = self._list()
        ports: dict[Target, Probe] = {}
        for container in containers:
            for port in {port.container_port for port in container.ports if port.protocol == "tcp"}:
                target = Target(identity(container), port)
                patience = HELD_SECONDS if target.service in self._held else PROBE_SECONDS
                if probe := PortProbe.of(self._list, target, containers, patience):
                    ports[target] = probe
        if ports:
            return ports
        healthy = [container for container in containers if container.health == "healthy"]
        targets = [Target(identity(container), 0) for container in healthy]
        return {target: HealthProbe(self._list_with_stand_ins, target) for target in targets}

    def _list_with_stand_ins(self) -> list[Container]:
        """List those that answer by the name of a service: its stand-in does too."""
        return [*self._list(), *self._containers.stand_ins(self._project)]

    def _list(self) -> list[Container]:
        return self._containers.of_project(self._project, self._names)

    def _measure(self, probe: Probe, history: _History) -> None:
        while not self._stop.is_set():
            begin = monotonic()
            up = probe()
            if up != history.changes[-1][1]:
                # The response changed at an unknown time since the last probe: the middle is the
                # best estimate.
                history.changes.append(((history.last_probe + begin) / 2, up))
            history.last_probe = begin
            self._stop.wait(max(0.0, INTERVAL - (monotonic() - begin)))


def union_seconds(spans: list[tuple[float, float]]) -> float:
    """Return the total length of the union of the time spans."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
