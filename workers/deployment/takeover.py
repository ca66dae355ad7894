"""Stand-ins take the connections of services while these are replaced.

The order: the record on the disk; a stand-in for each service, until it is healthy; the diversion
of the published ports; then Compose replaces the containers as ever. Afterwards, with production in
order first: the diversion ends, then the stand-ins. A kill anywhere leaves production answering,
and `end` does the rest from the record alone.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

import structlog

from scar.errors import ScarError
from scar.redaction import secret_values
from workers.deployment.doors import Doors
from workers.deployment.eligibility import network_names
from workers.deployment.production import Production
from workers.engine.compose_config import ComposeConfig
from workers.engine.diverter import Diverter, diverter_of
from workers.engine.health import Health
from workers.engine.logs import ContainerLogs
from workers.engine.probes import speaks_http
from workers.engine.stand_in_config import stand_in_config
from workers.engine.stand_ins import StandIns
from workers.engine.volumes import Volumes
from workers.runtime.context import JobContext
from workers.runtime.reporter import JobLost
from workers.state.stand_in_record import StandInRecord

_DRAIN_SECONDS = 1.0
_POLL_SECONDS = 0.1
_STABLE_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class Takeover:
    """The stand-ins of one project. Only the holder of the project's lock may use it."""

    def __init__(
        self,
        context: JobContext,
        production: Production,
        *,
        token: Callable[[], str] = lambda: secrets.token_hex(6),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._context = context
        self._production = production
        self._token = token
        self._pause = pause
        self._stand_ins = StandIns(context.engine)

    def begin(
        self,
        config: ComposeConfig,
        services: Sequence[str],
        images: Mapping[str, str] | None = None,
    ) -> str:
        """Start a stand-in for each of `services` and divert their ports to it.

        Returns why that could not be, empty where it could: then nothing is left of it, and the
        plain way is open. Raises `unhealthy` where a stand-in does not get healthy: the service
        would not either. `images` are ids by service, where the configuration's do not count.
        """
        record = self._record(services)
        record.save(self._context.folder)
        try:
            self._start_all(config, record, images or {})
        except ScarError as error:
            if error.code == "cancelled":
                raise
            return self._give_up(error.message)
        self._wait(record)
        doors = Doors(self._context, self._stand_ins)
        diversion = doors.diversion(config, record)
        if not diversion.doors:
            return ""
        asked = doors.probes(record)
        replace(record, diverting=True).save(self._context.folder)
        if reason := self._diverter.start(diversion):
            return self._give_up(reason)
        silent = [service for service, probe in asked.items() if not probe()]
        return self._give_up(f"port of {silent[0]} not reached") if silent else ""

    def let_requests_end(self) -> None:
        """Let the containers that are replaced answer the requests that they have begun."""
        self._pause(_DRAIN_SECONDS)

    def end(self) -> None:
        """End the diversion, let open requests end, and remove the stand-ins.

        Production has to be in order. Does nothing where there is no record.
        """
        record = StandInRecord.load(self._context.folder)
        if record is None:
            return
        begun = time.monotonic()
        self._diverter.stop(record.table)
        there = {
            name for name in record.names.values() if self._stand_ins.id_of(name, record.token)
        }
        if record.diverting and there:
            # A program that was still there has taken this time itself.
            self._pause(max(0.0, begun + _DRAIN_SECONDS - time.monotonic()))
        for name in there:
            self._stand_ins.remove(name, record.token, kill=not record.diverting)
        StandInRecord.remove(self._context.folder)

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End the stand-ins after the block, with the containers up where it fails; leave them to
        another worker that has claimed the job.
        """
        try:
            yield
        except JobLost:
            raise
        except Exception:
            self.recover()
            raise
        self.end()

    def recover(self) -> None:
        """Start what a restart that was cut off has left stopped, then `end`."""
        record = StandInRecord.load(self._context.folder)
        if record is None:
            return
        self._production.start_stopped(record.replaced.values())
        self.end()

    @property
    def _diverter(self) -> Diverter:
        return diverter_of(self._context.engine)

    def _record(self, services: Sequence[str]) -> StandInRecord:
        token, project = self._token(), self._context.project.compose_project
        running = {c.service: c.id for c in self._production.containers()}
        return StandInRecord(
            token,
            {service: f"{project}-{service}-standin-{token}" for service in services},
            {service: running[service] for service in services if service in running},
        )

    def _start_all(
        self, config: ComposeConfig, record: StandInRecord, images: Mapping[str, str]
    ) -> None:
        volumes = Volumes(self._context.engine).names()
        for service in _dependencies_first(config, record.names):
            self._context.check()
            resolved = stand_in_config(
                config,
                service,
                volumes=volumes,
                networks=network_names(config, service),
                image=images.get(service),
            )
            name = record.names[service]
            self._production.run_stand_in(resolved, service, name, record.token)
            self._context.masker.hide(
                secret_values(self._context.containers.inspect(name).environment)
            )

    def _wait(self, record: StandInRecord) -> None:
        context = self._context
        stable = min(_STABLE_SECONDS, context.settings.stable_seconds)
        health = Health(context.containers, ContainerLogs(context.engine, context.containers))
        ids = {s: self._stand_ins.id_of(name, record.token) for s, name in record.names.items()}
        for service, id in ids.items():
            try:
                health.wait(
                    [str(id)],
                    timeout=context.project.health_timeout,
                    stable_seconds=stable,
                    check=context.check,
                )
                if not context.containers.inspect(str(id)).has_health_check:
                    self._wait_for_http(service, str(id))
            except ScarError as error:
                raise _named(error, service, record.names[service]) from error

    def _wait_for_http(self, service: str, id: str) -> None:
        """Wait until a stand-in without a health check answers on its published port."""
        deadline = time.monotonic() + self._context.project.health_timeout
        while time.monotonic() < deadline:
            self._context.check()
            container = next((c for c in self._context.containers.all() if c.id == id), None)
            if container is not None and speaks_http(container):
                return
            self._pause(_POLL_SECONDS)
        raise ScarError(
            "unhealthy",
            f"The new {service} does not answer on its port",
            f"Its log may say why: /docker_logs. `health_timeout` is "
            f"{self._context.project.health_timeout} s.",
        )

    def _give_up(self, reason: str) -> str:
        """Remove what was made; the containers that run still answer."""
        _log.warning("no stand-in", project=self._context.project.name, reason=reason)
        self.end()
        return reason


def _dependencies_first(config: ComposeConfig, services: Mapping[str, str]) -> list[str]:
    """Return the services, each after those of them that it depends on."""
    graph = {
        name: [
            other
            for other in config.resolved["services"][name].get("depends_on") or {}
            if other in services
        ]
        for name in services
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError:
        return list(services)


def _named(error: ScarError, service: str, container: str) -> ScarError:
    """Say of a stand-in's error which service it is: its container's name is gone by then."""
    if error.code != "unhealthy":
        return error
    message = error.message.replace(f"Container '{container}'", f"The new '{service}'")
    hint = error.hint.replace(f", or `docker logs {container}`", "")
    return ScarError(error.code, message, hint, lines=error.lines)
