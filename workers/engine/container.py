"""Dataclasses for what the Engine reports about a container."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from scar.json_object import JsonObject
from workers.engine.text import plain

PROJECT = "com.docker.compose.project"
ASKS_FOR_STAND_IN = "scar.zero_downtime"
"""The label with which a service in a Compose file asks for a stand-in: `true` has the effect of
naming the service under `zero_downtime`.
"""

STAND_IN = "scar.standin"
"""The label of a stand-in, with the token of the takeover that has made it."""

_LABEL = "com.docker.compose."


@dataclass(frozen=True, order=True)
class Port:
    """A published port: `8001→8000/tcp`."""

    container_port: int
    protocol: str
    host_port: int
    host_ip: str = ""

    def __str__(self) -> str:
        return f"{self.host_port}→{self.container_port}/{self.protocol}"


@dataclass(frozen=True)
class Container:
    """A container as the Engine's list call describes it.

    `state` is one of created, running, paused, restarting, removing, exited, dead. `health` is None
    without a health check. `exit_code` is None while the container runs. `image` is the image name
    it was created from, `image_id` the image that this name stood for then. `depends_on` maps
    services of the same project to the condition of the dependency. `replaces` is the id of the
    container that Compose was replacing with this one; it remains set if Compose was interrupted.
    `asks_for_stand_in`: its label says that it is to be replaced without downtime.
    """

    id: str
    name: str
    project: str
    service: str
    image: str
    image_id: str
    state: str
    health: str | None
    exit_code: int | None
    ports: tuple[Port, ...]
    depends_on: Mapping[str, str]
    config_hash: str
    oneoff: bool
    working_dir: str
    replaces: str
    asks_for_stand_in: bool = False

    @property
    def is_up(self) -> bool:
        """Whether the container has running (or paused) processes."""
        return self.state in ("running", "paused")

    @classmethod
    def parse(cls, raw: JsonObject) -> Container:
        """Parse an element of `GET /containers/json`."""
        labels: dict[str, str] = raw.get("Labels") or {}
        status: str = raw.get("Status") or ""
        state: str = raw.get("State") or ""
        code = None if state in ("running", "paused") else _EXIT.search(status)
        return cls(
            id=raw["Id"],
            name=_name(raw.get("Names") or [raw["Id"][:12]]),
            project=labels.get(PROJECT, ""),
            service=labels.get(f"{_LABEL}service", ""),
            image=raw.get("Image") or "",
            image_id=raw.get("ImageID") or "",
            state=state,
            health=next((word for mark, word in _HEALTH.items() if f"({mark})" in status), None),
            exit_code=int(code[1]) if code else None,
            ports=_ports(raw.get("Ports") or []),
            depends_on=_depends_on(labels.get(f"{_LABEL}depends_on", "")),
            config_hash=labels.get(f"{_LABEL}config-hash", ""),
            oneoff=labels.get(f"{_LABEL}oneoff", "") == "True",
            working_dir=labels.get(f"{_LABEL}project.working_dir", ""),
            replaces=labels.get(f"{_LABEL}replace", ""),
            asks_for_stand_in=labels.get(ASKS_FOR_STAND_IN, "").lower() == "true",
        )


@dataclass(frozen=True)
class ContainerDetails:
    """What the Engine reports about a container only on inspection.

    `image` is the name it was created from, whatever that stands for now. `stop_timeout` is in
    seconds. `probe_output` contains the lines of the last health check. `publishes` is whether the
    container publishes ports, even while stopped. `image_volumes` are the paths that its image
    declares as volumes. `environment` contains secrets and is only used to mask them.
    """

    id: str
    name: str
    image: str
    state: str
    health: str | None
    started_at: datetime | None
    finished_at: datetime | None
    exit_code: int
    restart_count: int
    oom_killed: bool
    restart_policy: str
    stop_timeout: int
    tty: bool
    has_health_check: bool
    publishes: bool
    error: str
    probe_output: tuple[str, ...] = field(default=())
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    image_volumes: tuple[str, ...] = ()

    @classmethod
    def parse(cls, raw: JsonObject) -> ContainerDetails:
        """Parse the response of `GET /containers/ID/json`."""
        state, config, host = raw["State"], raw["Config"], raw["HostConfig"]
        health = state.get("Health") or {}
        test = (config.get("Healthcheck") or {}).get("Test") or []
        stop_timeout = config.get("StopTimeout")
        return cls(
            id=raw["Id"],
            name=raw["Name"].removeprefix("/"),
            image=str(config.get("Image") or ""),
            state=state["Status"],
            health=None if health.get("Status") in (None, "", "none") else health["Status"],
            started_at=_moment(state.get("StartedAt") or ""),
            finished_at=_moment(state.get("FinishedAt") or ""),
            exit_code=int(state.get("ExitCode") or 0),
            restart_count=int(raw.get("RestartCount") or 0),
            oom_killed=bool(state.get("OOMKilled")),
            restart_policy=(host.get("RestartPolicy") or {}).get("Name") or "no",
            stop_timeout=10 if stop_timeout is None else int(stop_timeout),
            tty=bool(config.get("Tty")),
            has_health_check=bool(test) and test != ["NONE"],
            publishes=bool(host.get("PortBindings")),
            error=str(state.get("Error") or ""),
            probe_output=_probe_output(health.get("Log") or []),
            environment=dict(pair.split("=", 1) for pair in config.get("Env") or [] if "=" in pair),
            image_volumes=tuple(sorted(config.get("Volumes") or {})),
        )


_EXIT = re.compile(r"\((\d+)\)")
_HEALTH = {"healthy": "healthy", "unhealthy": "unhealthy", "health: starting": "starting"}


def _name(names: Sequence[str]) -> str:
    """Return the container's own name; legacy links of other containers also appear, as
    `/other/alias`.
    """
    own = [name for name in names if name.count("/") == 1]
    return (own or names)[0].removeprefix("/")


def _ports(raw: Sequence[JsonObject]) -> tuple[Port, ...]:
    """Return the published ports, with one entry for the IPv4 and the IPv6 binding of a port."""
    ports: dict[tuple[int, str, int], Port] = {}
    for port in raw:
        if not port.get("PublicPort"):
            continue
        key = (port["PrivatePort"], port.get("Type", "tcp"), port["PublicPort"])
        if key not in ports or ":" in ports[key].host_ip:
            ports[key] = Port(*key, port.get("IP", ""))
    return tuple(sorted(ports.values()))


def _depends_on(label: str) -> dict[str, str]:
    """Parse `db:service_healthy:false,redis:service_started:true` to a mapping from service to
    condition.
    """
    entries = [entry.split(":") for entry in label.split(",") if entry]
    return {entry[0]: entry[1] if len(entry) > 1 else "service_started" for entry in entries}


def _probe_output(log: Sequence[JsonObject]) -> tuple[str, ...]:
    output = str(log[-1].get("Output") or "") if log else ""
    return tuple(plain(line) for line in output[-4096:].splitlines() if line.strip())


def _moment(text: str) -> datetime | None:
    """Parse the Engine's RFC 3339 time with nanoseconds; None for year 1, which means never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
