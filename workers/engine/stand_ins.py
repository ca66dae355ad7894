"""Finds, describes and removes stand-ins: one-off containers that temporarily take a service's
connections.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from docker.errors import NotFound

from scar.json_object import JsonObject
from workers.engine.connection import Engine
from workers.engine.container import STAND_IN

_STOP_SECONDS = 5


@dataclass(frozen=True)
class Endpoint:
    """A container's address on the bridge network from which its ports are published, and by
    container port the host's ports for IPv4 and IPv6 (0 for none).
    """

    address: str
    address_ipv6: str
    bridge: str
    ports: dict[int, tuple[int, int]]


class StandIns:
    """The stand-ins of one Engine. A stand-in is recognised by its name together with its label, so
    that no other container is ever touched.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def endpoint(self, container: str) -> Endpoint | None:
        """Return a container's endpoint; None if it is on no bridge network or does not exist."""
        with self._engine.api() as api:
            try:
                settings = api.inspect_container(container)["NetworkSettings"]
                name = _gateway_network(settings["Networks"])
                if name is None:
                    return None
                network = api.inspect_network(settings["Networks"][name]["NetworkID"])
            except NotFound:
                return None
        options = network.get("Options") or {}
        bridge = options.get("com.docker.network.bridge.name") or f"br-{network['Id'][:12]}"
        own = settings["Networks"][name]
        return Endpoint(
            own["IPAddress"],
            str(own.get("GlobalIPv6Address") or ""),
            bridge,
            _published(settings.get("Ports") or {}),
        )

    def addresses(self, container: str) -> tuple[str, ...]:
        """Return the addresses of a container on its networks."""
        with self._engine.api() as api:
            try:
                networks = api.inspect_container(container)["NetworkSettings"]["Networks"]
            except NotFound:
                return ()
        return tuple(sorted(n["IPAddress"] for n in networks.values() if n.get("IPAddress")))

    def id_of(self, name: str, token: str) -> str | None:
        """Return the id of the stand-in with this name and label; None if there is none."""
        with self._engine.api() as api:
            try:
                details = api.inspect_container(name)
            except NotFound:
                return None
        labels = details["Config"]["Labels"] or {}
        return str(details["Id"]) if labels.get(STAND_IN) == token else None

    def remove(self, name: str, token: str, *, kill: bool) -> None:
        """Stop a stand-in with its stop signal (or kill it), and remove it with its anonymous
        volumes.
        """
        id = self.id_of(name, token)
        if id is None:
            return
        with self._engine.api() as api, suppress(NotFound):
            if not kill:
                api.stop(id, timeout=_STOP_SECONDS)
            api.remove_container(id, v=True, force=True)


def _gateway_network(networks: JsonObject) -> str | None:
    """Return the network that the Engine publishes ports from: of the highest priority, then the
    first by name (libnetwork, `Endpoint.Less`).
    """
    names = [name for name, network in networks.items() if network.get("IPAddress")]
    priority = {name: int(networks[name].get("GwPriority") or 0) for name in names}
    return min(names, key=lambda name: (-priority[name], name), default=None)


def _published(ports: dict[str, Sequence[JsonObject] | None]) -> dict[int, tuple[int, int]]:
    published: dict[int, tuple[int, int]] = {}
    for port, bindings in ports.items():
        number, _, protocol = port.partition("/")
        if protocol == "tcp" and bindings:
            sides = [0, 0]
            for binding in bindings:
                sides[":" in str(binding.get("HostIp") or "")] = int(binding["HostPort"])
            published[int(number)] = (sides[0], sides[1])
    return published
