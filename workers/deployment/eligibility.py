"""Decides which services can be replaced behind a stand-in or a held door, and says why the others
cannot.

This module does not call the Engine; what the Engine reports is passed in as `Surroundings`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scar.json_object import JsonObject
from workers.engine.compose_config import ComposeConfig
from workers.engine.container import ASKS_FOR_STAND_IN, Container

_DATABASES = re.compile(
    r"(?:postgres|postgis|pgvector|timescale|mysql|mariadb|percona|mongo|redis|valkey|keydb|"
    r"dragonfly|memcached|elasticsearch|opensearch|rabbitmq|kafka|zookeeper|etcd|consul|vault|"
    r"clickhouse|influxdb|cassandra|scylla|couch|couchbase|neo4j|cockroach|mssql|minio|nats|"
    r"eclipse-mosquitto|meilisearch|typesense|qdrant|weaviate)"
    r"(?:ql|db)?(?:-(?:server|stack|stack-server|enterprise|cluster|ha|repmgr|sentinel))?"
)
"""Names of databases' images without registry and tag. They are compared as a whole, so that
`mongo-express` is no match.
"""

_SHARED_NAMESPACES = ("pid", "ipc", "uts", "userns_mode", "cgroup")
LONGEST_WINDOW = 5.0
"""Seconds that a service may have been away lately where its connections are to wait: clients give
up. An app that ignores SIGTERM is away for the whole grace of its stop, usually ten seconds.
"""

_DEVICES = ("devices", "gpus", "device_cgroup_rules", "volumes_from", "runtime")


@dataclass(frozen=True)
class Surroundings:
    """What the Engine reports about the containers that run now.

    `image_volumes` are paths by service, `checked` the services with a health check, `http` those
    whose published port answers HTTP, `drivers` those of the Engine's networks by name.
    `networks_change`: the deployment changes a network. `unable` is why this host cannot divert
    connections, empty if it can.
    """

    image_volumes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    checked: frozenset[str] = frozenset()
    http: frozenset[str] = frozenset()
    drivers: Mapping[str, str] = field(default_factory=dict)
    networks_change: bool = False
    unable: str = ""


@dataclass(frozen=True, order=True)
class FixedPort:
    """A published port with a fixed number on the host; `host_ip` is empty if it is open on every
    address.
    """

    published: int
    target: int
    host_ip: str = ""


def is_asked_for(
    wanted: bool | tuple[str, ...] | None, config: ComposeConfig, name: str
) -> tuple[bool, bool]:
    """Return whether a service should be replaced without downtime, and whether the project's entry
    or the service's label names it explicitly.
    """
    said = str(_labels(config.resolved["services"][name]).get(ASKS_FOR_STAND_IN, "")).lower()
    if said == "false" or wanted is False:
        return False, False
    named = said == "true" or (isinstance(wanted, tuple) and name in wanted)
    return named or wanted is True, named


def reason_against(
    config: ComposeConfig,
    name: str,
    containers: Sequence[Container],
    seen: Surroundings,
    *,
    named: bool,
) -> str:
    """Return why a service cannot have a stand-in; an empty text if it can. `containers` are its
    present ones. A service that is `named` explicitly may share writable mounts with its stand-in,
    except volumes that its image declares, and unless it is a known database.
    """
    raw: JsonObject = config.resolved["services"][name]
    if reason := _of_copies(raw, containers):
        return reason
    reasons = (
        _of_ports(raw, containers[0]),
        _of_namespaces(raw),
        _of_networks(config, name, seen),
        _of_data(raw, name, seen, named=named),
        _of_health(raw, name, seen),
        seen.unable if fixed_ports(config, name) else "",
    )
    return next(filter(None, reasons), "")


def reason_against_holding(
    config: ComposeConfig, name: str, containers: Sequence[Container], window: float | None
) -> str:
    """Return why new connections to a service cannot wait while it is replaced, empty where they
    can. `window` is the longest that it was away lately, None where that is not known.

    It may write to whatever it likes: there are never two of it.
    """
    raw: JsonObject = config.resolved["services"][name]
    if reason := _of_copies(raw, containers) or _of_ports(raw, containers[0]):
        return reason
    if not diverted_ports(config, name, containers[0]):
        return "it has no port of a fixed number"
    if window is not None and window > LONGEST_WINDOW:
        return f"it was away for {window:.0f} s lately"
    return ""


def _of_copies(raw: JsonObject, containers: Sequence[Container]) -> str:
    if len(containers) != 1 or _replicas(raw) != 1:
        return f"it runs {max(len(containers), _replicas(raw))} times"
    return "" if containers[0].state == "running" else "it does not run"


def fixed_ports(config: ComposeConfig, name: str) -> list[FixedPort]:
    """Return the TCP ports of a service that have a fixed number on the host."""
    ports = config.resolved["services"][name].get("ports") or []
    return sorted(
        FixedPort(int(port["published"]), int(port["target"]), _host_ip(port))
        for port in ports
        if port.get("protocol", "tcp") == "tcp" and str(port.get("published") or "").isdigit()
    )


def diverted_ports(config: ComposeConfig, name: str, container: Container) -> list[FixedPort]:
    """Return the ports to divert: those that this container publishes now and will publish again. A
    port that only the Compose file names may belong to another project now, and so may the same
    number on another address.
    """
    tcp = (port for port in container.ports if port.protocol == "tcp")
    open_now = {(port.host_port, _without_any(port.host_ip)) for port in tcp}
    return [
        port
        for port in fixed_ports(config, name)
        if {(port.published, ""), (port.published, port.host_ip)} & open_now
    ]


def _host_ip(port: JsonObject) -> str:
    return _without_any(str(port.get("host_ip") or ""))


def _without_any(address: str) -> str:
    """Return the address, or an empty text for one that means every address."""
    return "" if address in ("0.0.0.0", "::") else address


def _labels(raw: JsonObject) -> Mapping[str, object]:
    labels = raw.get("labels") or {}
    return labels if isinstance(labels, Mapping) else {}


def _replicas(raw: JsonObject) -> int:
    replicas = (raw.get("deploy") or {}).get("replicas")
    return int(raw.get("scale") or 1) if replicas is None else int(replicas)


def _of_ports(raw: JsonObject, container: Container) -> str:
    for port in raw.get("ports") or []:
        if port.get("protocol", "tcp") != "tcp":
            return str(port["protocol"]).upper()
        if port.get("published") and not str(port["published"]).isdigit():
            return "its port is one of a range"
        if ":" in _host_ip(port):
            return "its port is bound to one IPv6 address"
        if _host_ip(port) and not _is_ipv4(_host_ip(port)):
            return "its port is bound to what is no address"
    if any(port.protocol != "tcp" for port in container.ports):
        return "UDP"
    return ""


def _is_ipv4(text: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(text)) == text
    except ValueError:
        return False


def _of_namespaces(raw: JsonObject) -> str:
    mode = str(raw.get("network_mode") or "")
    if mode and mode != "bridge":
        return f"its network is {mode.partition(':')[0]}"
    if raw.get("privileged"):
        return "it is privileged"
    shared = next((key for key in _SHARED_NAMESPACES if raw.get(key)), None)
    if shared:
        return f"it shares a namespace (`{shared}`)"
    reserved = ((raw.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    device = "devices" if reserved.get("devices") else next((k for k in _DEVICES if raw.get(k)), "")
    return f"it has `{device}`" if device else ""


def _of_networks(config: ComposeConfig, name: str, seen: Surroundings) -> str:
    if seen.networks_change:
        return "its networks change"
    for network in network_names(config, name).values():
        driver = seen.drivers.get(network)
        if driver is None:
            return f"network {network} is not there yet"
        if driver != "bridge":
            return f"network {network} is no bridge"
    users = (
        other
        for other, raw in config.resolved["services"].items()
        if raw.get("network_mode") == f"service:{name}"
    )
    user = next(users, None)
    return f"{user} uses its network" if user else ""


def network_names(config: ComposeConfig, name: str) -> dict[str, str]:
    """Return the Engine's names of a service's networks, external ones included, by their keys in
    the Compose file.
    """
    definitions = config.resolved.get("networks") or {}
    keys = config.resolved["services"][name].get("networks") or {}
    return {
        key: str((definitions.get(key) or {}).get("name") or f"{config.name}_{key}") for key in keys
    }


def _of_data(raw: JsonObject, name: str, seen: Surroundings, *, named: bool) -> str:
    image = str(raw.get("image") or "").rpartition("/")[2].partition(":")[0]
    if _DATABASES.fullmatch(image):
        return "it is a database"
    for path in seen.image_volumes.get(name, ()):
        return f"its image keeps data in {path}"
    for mount in raw.get("volumes") or []:
        if str(mount.get("source") or "").endswith(".sock"):
            return f"it uses the socket {mount['source']}"
        if not named and mount.get("type") != "tmpfs" and not mount.get("read_only"):
            return f"it writes to {mount.get('source') or mount.get('target')}"
    return ""


def _of_health(raw: JsonObject, name: str, seen: Surroundings) -> str:
    check = raw.get("healthcheck") or {}
    disabled = check.get("disable") or list(check.get("test") or ()) == ["NONE"]
    if (check.get("test") and not disabled) or (name in seen.checked and not disabled):
        return ""
    if name in seen.http:
        return ""
    return "it has no health check, and no port that answers HTTP"
