"""Lets new connections to services wait while these are replaced.

The order: the record on the disk; then, before each of their containers is stopped, a program that
holds what is new at its ports (`workers.diversion.holding`). It lets go by itself once the new
container answers, after eight seconds, or when it is killed, so that a kill of the worker leaves
nothing that a person would have to remove.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import structlog

from scar.errors import ScarError
from scar.jobs.results.ways import PLAIN, ServiceWay, with_waits
from workers.deployment.eligibility import diverted_ports
from workers.deployment.production import Production
from workers.diversion.hold import GAVE_UP, HELD, LONGEST_SECONDS, HeldPort, Hold
from workers.engine.compose_config import ComposeConfig
from workers.engine.diverter import Diverter, diverter_of
from workers.engine.downtime import DowntimeProbe
from workers.engine.stop_tap import BeforeStop
from workers.runtime.context import JobContext
from workers.runtime.reporter import JobLost
from workers.state.held_record import HeldRecord
from workers.state.windows import Windows

_NOT_STOPPED = "it was not stopped"
_UNANSWERED = f"its port did not answer within {LONGEST_SECONDS:.0f} s"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Held:
    """How the connections of one service were held: for `seconds`, 0 where they were not; and `why`
    not, or not until the new container answered.
    """

    seconds: float
    why: str = ""


class HeldDoors:
    """The held doors of one project. Only the holder of the project's lock may use it."""

    def __init__(
        self,
        context: JobContext,
        production: Production,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(6),
    ) -> None:
        self._context = context
        self._production = production
        self._token = token
        self._lock = Lock()
        self._diverter: Diverter | None = None
        self._reasons: dict[str, str] = {}

    def begin(self, config: ComposeConfig, services: Sequence[str]) -> None:
        """Note what is to be held; nothing is held yet."""
        self.end()
        running = {c.service: c for c in self._production.containers() if c.state == "running"}
        ports = {
            name: tuple(
                HeldPort(port.published, port.host_ip)
                for port in diverted_ports(config, name, running[name])
            )
            for name in services
            if name in running
        }
        HeldRecord(self._token(), ports).save(self._context.folder)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End after the block, also where it fails; leave it to another worker that has claimed
        the job.
        """
        try:
            yield
        except JobLost:
            raise
        except Exception:
            self.end()
            raise

    @property
    def before_stop(self) -> BeforeStop | None:
        """What has to be called before a container is stopped; None where nothing is held."""
        return None if self._record is None else self.hold

    def hold(self, container: str) -> None:
        """Hold the ports of a container's service from now on; do nothing for other containers.

        Where that cannot be, the container is stopped all the same, and `end` says why.
        """
        service = ""  # not known yet
        try:
            record = self._record
            if record is None:
                return
            named = (c for c in self._production.containers() if container in (c.id, c.name))
            service = next((c.service for c in named if c.state == "running"), "")
            if ports := record.ports.get(service):
                with self._lock:  # Compose stops several at once
                    self._programs.stop(record.table(service))
                    reason = self._programs.start(Hold(record.table(service), ports))
                    self._reasons[service] = reason
        except (ScarError, OSError) as error:
            self._reasons[service] = str(error)
            _log.warning("not held", project=self._context.project.name, reason=str(error))

    def end(self) -> Mapping[str, Held]:
        """Let go of what is still held; return how it was, by service.

        Does nothing where there is no record.
        """
        record = self._record
        if record is None:
            return {}
        ended = {name: self._ended(name, record.table(name)) for name in record.ports}
        HeldRecord.remove(self._context.folder)
        self._reasons.clear()
        return ended

    def _ended(self, service: str, table: str) -> Held:
        try:
            how, _, seconds = self._programs.stop(table).rpartition(" ")
        except ScarError as error:  # it ends by itself: no reason to undo what is in place
            return Held(0.0, self._context.masker.text(error.message))
        if how == HELD:
            return Held(float(seconds))
        why = self._reasons.get(service, _NOT_STOPPED) or _UNANSWERED
        return Held(float(seconds) if how == GAVE_UP else 0.0, self._context.masker.text(why))

    @property
    def _record(self) -> HeldRecord | None:
        """None also where it is damaged: what it names ends by itself, so that no job need fail."""
        try:
            return HeldRecord.load(self._context.folder)
        except ScarError as error:
            _log.warning("not held", project=self._context.project.name, reason=error.message)
            return None

    @property
    def _programs(self) -> Diverter:
        """The one that has started the programs: it alone can say what they have printed."""
        if self._diverter is None:
            self._diverter = diverter_of(self._context.engine)
        return self._diverter


def measured_ways(
    folder: Path, ways: tuple[ServiceWay, ...], held: Mapping[str, Held], probe: DowntimeProbe
) -> tuple[ServiceWay, ...]:
    """Return the ways with what was measured, and keep it for the next plan."""
    plain = {way.service for way in ways if way.way == PLAIN}
    away = {name: seconds for name, seconds in probe.by_service().items() if name in plain}
    waits = {name: service.seconds for name, service in held.items() if service.seconds}
    Windows(folder).add({**away, **waits})
    return with_waits(
        ways, {name: (service.seconds, service.why) for name, service in held.items()}
    )
