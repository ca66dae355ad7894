"""The Engine's containers as SCAR sees them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from docker.errors import NotFound

from scar.errors import ScarError, container_not_found
from workers.engine.connection import Engine
from workers.engine.text import plain

PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
DEPENDS_ON = "com.docker.compose.depends_on"
WORKING_DIR = "com.docker.compose.project.working_dir"
REPLACES = "com.docker.compose.replace"


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
class Mount:
    """Something of the host that the container sees. `source` is a path, or a volume's name."""

    type: str
    source: str
    destination: str


@dataclass(frozen=True)
class Container:
    """A container, as one list call of the Engine tells it.

    `state` is one of created, running, paused, restarting, removing, exited, dead. `health` is
    None without a health check. `uptime` is in seconds, None unless it runs. `exit_code` is None
    while it runs. `image` is the name it was made from, `image_id` what that meant then.
    `depends_on` are services of the same project with their condition.
    """

    id: str
    name: str
    project: str
    service: str
    image: str
    image_id: str
    state: str
    health: str | None
    uptime: int | None
    exit_code: int | None
    ports: tuple[Port, ...]
    mounts: tuple[Mount, ...]
    depends_on: Mapping[str, str]
    config_hash: str
    oneoff: bool
    working_dir: str
    replaces: str
    """The container that Compose was replacing by this one; left over where that was broken off."""


@dataclass(frozen=True)
class Details:
    """What only an inspection tells of a container.

    `stop_timeout` is in seconds. `probe_output` is what the last health check printed.
    `publishes` says whether it has ports for the outside, also while it is down. `environment`
    holds secrets: it is there to mask them.
    """

    id: str
    name: str
    state: str
    health: str | None
    started_at: datetime | None
    exit_code: int
    restart_count: int
    oom_killed: bool
    restart_policy: str
    stop_timeout: int
    tty: bool
    image_id: str
    has_health_check: bool
    publishes: bool
    error: str
    probe_output: tuple[str, ...] = field(default=())
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class Containers:
    """Reads containers. One list call each, whatever their number."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._uptimes = _Uptimes(engine)

    def of_project(self, project: str, names: Iterable[str] = ()) -> list[Container]:
        """The containers of a Compose project, one-off ones left out, ordered by name.

        `names` are further containers that belong to the project without Compose's label: with
        them, the one call asks for every container, since the Engine cannot ask "either".
        """
        wanted = frozenset(names)
        filters = {} if wanted else {"label": [f"{PROJECT}={project}"]}
        return [
            found
            for found in self._list(filters)
            if (found.project == project and not found.oneoff) or found.name in wanted
        ]

    def all(self) -> list[Container]:
        """Every container of the Engine, ordered by name."""
        return self._list({})

    def find(self, name: str) -> Container:
        """The container with exactly this name; never one whose id happens to begin like it."""
        for found in self._list({}):
            if found.name == name:
                return found
        raise container_not_found(name, [found.name for found in self._list({})])

    def inspect(self, container_id: str) -> Details:
        """One container in detail; `container_not_found` when it is gone."""
        with self._engine.api() as api:
            try:
                return _details(api.inspect_container(container_id))
            except NotFound:
                raise _gone(container_id) from None

    def _list(self, filters: dict[str, list[str]]) -> list[Container]:
        with self._engine.api() as api:
            listed = api.containers(all=True, filters=filters)
        found = [_container(raw, self._uptimes) for raw in listed]
        self._uptimes.forget_others({container.id for container in found}, whole=not filters)
        return sorted(found, key=lambda container: container.name)


class _Uptimes:
    """Exact uptimes from the list call's rounded text.

    Below an hour the text is exact (`Up 42 seconds`, `Up 12 minutes`). Above, it is rounded to
    hours or days, so the start is inspected once and remembered. Such a memory is right as long as
    it was confirmed within the last 55 minutes: had the container been started again since, its
    text would still read in minutes.
    """

    _TRUST = 55 * 60.0

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._starts: dict[str, tuple[datetime, float]] = {}

    def of(self, container_id: str, text: str) -> int | None:
        """Seconds since the start, for a status such as `Up 2 hours (healthy)`."""
        exact = _below_an_hour(text)
        if exact is not None:
            return exact
        known = self._starts.get(container_id)
        now = monotonic()
        if known is None or now - known[1] > self._TRUST:
            started = self._started_at(container_id)
            if started is None:
                return None
        else:
            started = known[0]
        self._starts[container_id] = (started, now)
        return max(0, int((datetime.now(UTC) - started).total_seconds()))

    def forget_others(self, present: set[str], *, whole: bool) -> None:
        """Drops what is remembered of containers that are no more; `whole` means all are listed."""
        if whole or len(self._starts) > 1000:
            self._starts = {key: kept for key, kept in self._starts.items() if key in present}

    def _started_at(self, container_id: str) -> datetime | None:
        with self._engine.api() as api:
            try:
                return _moment(api.inspect_container(container_id)["State"]["StartedAt"])
            except NotFound:
                return None


# The Engine's words for a duration: docker/go-units, HumanDuration.
_UP = re.compile(r"^Up (?:(Less than a second)|(\d+) seconds?|(About a minute)|(\d+) minutes?)\b")
_EXIT = re.compile(r"\((\d+)\)")
_HEALTH = {"healthy": "healthy", "unhealthy": "unhealthy", "health: starting": "starting"}


def _below_an_hour(text: str) -> int | None:
    found = _UP.match(text)
    if not found:
        return None
    instant, seconds, minute, minutes = found.groups()
    if instant:
        return 0
    if seconds:
        return int(seconds)
    return 60 if minute else int(minutes) * 60


def _container(raw: dict[str, Any], uptimes: _Uptimes) -> Container:
    labels: dict[str, str] = raw.get("Labels") or {}
    text: str = raw.get("Status") or ""
    state: str = raw.get("State") or ""
    up = state in ("running", "paused")
    code = None if up else _EXIT.search(text)
    return Container(
        id=raw["Id"],
        name=_name(raw.get("Names") or [raw["Id"][:12]]),
        project=labels.get(PROJECT, ""),
        service=labels.get(SERVICE, ""),
        image=raw.get("Image") or "",
        image_id=raw.get("ImageID") or "",
        state=state,
        health=next((health for mark, health in _HEALTH.items() if f"({mark})" in text), None),
        uptime=uptimes.of(raw["Id"], text) if up else None,
        exit_code=int(code[1]) if code else None,
        ports=_ports(raw.get("Ports") or []),
        mounts=tuple(_mount(mount) for mount in raw.get("Mounts") or []),
        depends_on=_depends_on(labels.get(DEPENDS_ON, "")),
        config_hash=labels.get("com.docker.compose.config-hash", ""),
        oneoff=labels.get("com.docker.compose.oneoff", "") == "True",
        working_dir=labels.get(WORKING_DIR, ""),
        replaces=labels.get(REPLACES, ""),
    )


def _name(names: list[str]) -> str:
    """The container's own name; links of others show up as `/other/alias`."""
    own = [name for name in names if name.count("/") == 1]
    return (own or names)[0].removeprefix("/")


def _ports(raw: list[dict[str, Any]]) -> tuple[Port, ...]:
    """Published ports; the IPv4 and the IPv6 binding of one port are shown once."""
    found: dict[tuple[int, str, int], Port] = {}
    for port in raw:
        if not port.get("PublicPort"):
            continue
        key = (port["PrivatePort"], port.get("Type", "tcp"), port["PublicPort"])
        address = port.get("IP", "")
        if key not in found or ":" in found[key].host_ip:
            found[key] = Port(*key, address)
    return tuple(sorted(found.values()))


def _mount(raw: dict[str, Any]) -> Mount:
    source = raw.get("Name") if raw.get("Type") == "volume" else raw.get("Source")
    return Mount(raw.get("Type", ""), source or "", raw.get("Destination", ""))


def _depends_on(label: str) -> dict[str, str]:
    """`db:service_healthy:false,redis:service_started:true` → service to condition."""
    entries = [entry.split(":") for entry in label.split(",") if entry]
    return {entry[0]: entry[1] if len(entry) > 1 else "service_started" for entry in entries}


def _details(raw: dict[str, Any]) -> Details:
    state, config, host = raw["State"], raw["Config"], raw["HostConfig"]
    health = state.get("Health") or {}
    test = (config.get("Healthcheck") or {}).get("Test") or []
    log = health.get("Log") or []
    output = str(log[-1].get("Output") or "") if log else ""
    stop_timeout = config.get("StopTimeout")
    return Details(
        id=raw["Id"],
        name=raw["Name"].removeprefix("/"),
        state=state["Status"],
        health=None if health.get("Status") in (None, "", "none") else health["Status"],
        started_at=_moment(state.get("StartedAt") or ""),
        exit_code=int(state.get("ExitCode") or 0),
        restart_count=int(raw.get("RestartCount") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        restart_policy=(host.get("RestartPolicy") or {}).get("Name") or "no",
        stop_timeout=10 if stop_timeout is None else int(stop_timeout),
        tty=bool(config.get("Tty")),
        image_id=raw["Image"],
        has_health_check=bool(test) and test != ["NONE"],
        publishes=bool(host.get("PortBindings")),
        error=str(state.get("Error") or ""),
        probe_output=tuple(plain(line) for line in output[-4096:].splitlines() if line.strip()),
        environment=dict(pair.split("=", 1) for pair in config.get("Env") or [] if "=" in pair),
    )


def _moment(text: str) -> datetime | None:
    """The Engine's RFC 3339 time with nanoseconds; year 1 means never."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))


def _gone(container_id: str) -> ScarError:
    return ScarError(
        "container_not_found",
        f"Container '{container_id[:12]}' not found",
        "It was removed meanwhile. Use the exact name `docker ps` shows.",
    )
