"""Finds the published ports to divert to stand-ins."""

from __future__ import annotations

from dataclasses import dataclass

from workers.deployment.eligibility import diverted_ports
from workers.diversion.door import Diversion, Door
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import Container
from workers.engine.probes import PortProbe, Target, identity
from workers.engine.stand_ins import StandIns
from workers.runtime.context import JobContext
from workers.state.stand_in_record import StandInRecord


@dataclass(frozen=True)
class Doors:
    """Finds the ports that the running containers of a project publish at this moment."""

    context: JobContext
    stand_ins: StandIns

    def diversion(self, config: ComposeConfig, record: StandInRecord) -> Diversion:
        """Return the ports to divert to the stand-ins of a record."""
        running = self._running(record)
        doors: list[Door] = []
        for service, name in record.names.items():
            container, endpoint = running.get(service), self.stand_ins.endpoint(name)
            if container is None or endpoint is None:
                continue
            replaced = self.stand_ins.addresses(container.id)
            for port in diverted_ports(config, service, container):
                local = endpoint.ports.get(port.target)
                if local is not None:
                    doors.append(
                        Door(
                            port.published,
                            port.host_ip,
                            endpoint.address,
                            port.target,
                            endpoint.bridge,
                            local[0],
                            local[1],
                            replaced,
                            endpoint.address_ipv6,
                        )
                    )
        return Diversion(record.table, tuple(doors))

    def probes(self, record: StandInRecord) -> dict[str, PortProbe]:
        """Return, by service, a probe of a published port that answers now."""
        answering: dict[str, PortProbe] = {}
        for service, container in self._running(record).items():
            for port in container.ports:
                target = Target(identity(container), port.container_port)
                if probe := PortProbe.of(lambda: [], target, [container]):
                    answering[service] = probe
        return answering

    def _running(self, record: StandInRecord) -> dict[str, Container]:
        """Return, by service, the running containers that will be replaced."""
        ids = set(record.replaced.values())
        project = self.context.project.compose_project
        return {
            container.service: container
            for container in self.context.containers.of_project(project)
            if container.id in ids and container.state == "running"
        }
