"""A project's configuration, as `docker compose config` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.engine.regular_file import read_regular_file

# In Compose's order of preference: compose-go, DefaultFileNames and DefaultOverrideFileNames.
_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
_ANY = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Build:
    """The build section of a service.

    `context` is an absolute path or a URL; `dockerfile` is absolute or relative to it. `raw` is the
    whole section.
    """

    context: str
    dockerfile: str
    dockerfile_inline: str
    additional_contexts: Mapping[str, str]
    raw: JsonObject


@dataclass(frozen=True)
class PublishedPort:
    """A port of the host that a service publishes; `host_ip` is empty for all addresses."""

    host_port: int
    protocol: str
    host_ip: str = ""

    def meets(self, host_port: int, protocol: str, host_ip: str) -> bool:
        """Return whether the port conflicts with this one on the Engine."""
        same = (self.host_port, self.protocol) == (host_port, protocol)
        addresses = {self.host_ip or _ANY[0], host_ip or _ANY[0]}
        return same and (len(addresses) == 1 or not addresses.isdisjoint(_ANY))


@dataclass(frozen=True)
class Service:
    """A service of a Compose file.

    `image` is the name its containers run, Compose's default where the file gives none. `binds`
    are the absolute host paths of its mounts, secrets and configs. `volumes` and `networks` are
    the names that the Engine has for those it uses, external ones not among them. `published` are
    the host ports that the file names, without those that the Engine chooses. `active` is
    whether `up` creates it: a service with profiles only where one of them is enabled.
    `config_hash` is what its containers carry as `com.docker.compose.config-hash`: `up` recreates
    a container with another one. It covers the content of env files.
    """

    name: str
    image: str
    build: Build | None
    container_name: str
    binds: tuple[str, ...]
    active: bool
    config_hash: str
    volumes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    published: tuple[PublishedPort, ...] = ()


@dataclass(frozen=True)
class ComposeConfig:
    """All services of a project.

    `resolved` is the whole configuration in Compose's format. It contains secrets and must never be
    written to disk.
    """

    name: str
    services: Mapping[str, Service]
    resolved: JsonObject = field(repr=False)

    @classmethod
    def parse(
        cls, resolved: JsonObject, hashes: Mapping[str, str], active: Set[str]
    ) -> ComposeConfig:
        """Parse the JSON of `docker compose config --format json`; raise `project_invalid` for a
        service that no container provides.
        """
        services: JsonObject = resolved.get("services") or {}
        for name, service in services.items():
            _require_container(name, service)
        return cls(
            str(resolved.get("name", "")),
            {
                name: _service(resolved, name, hashes.get(name, ""), active=name in active)
                for name in services
            },
            resolved,
        )

    @property
    def active(self) -> dict[str, Service]:
        """The services that `up` creates, by name."""
        return {name: service for name, service in self.services.items() if service.active}


def _require_container(name: str, service: JsonObject) -> None:
    """Raise `project_invalid` for a service with `provider`, for which Compose would run a program
    on the worker's host.
    """
    if service.get("provider"):
        raise ScarError(
            "project_invalid",
            f"Service '{name[:100]}' has a `provider`: Compose would run it on the host itself",
            "Give the service an image or a build. SCAR runs nothing of a project but containers.",
        )


def map_paths(value: Any, locate: Callable[[str], str]) -> Any:
    """Return a copy of a resolved configuration with each absolute path replaced by
    `locate(path)`.
    """
    if isinstance(value, str):
        return locate(value) if value.startswith("/") else value
    if isinstance(value, Mapping):
        return {key: map_paths(inner, locate) for key, inner in value.items()}
    if isinstance(value, list):
        return [map_paths(inner, locate) for inner in value]
    return value


def compose_files(
    folder: Path, read: Callable[[str], bytes | None] | None = None
) -> tuple[str, ...]:
    """Return the files, relative to `folder`, that Compose would use there.

    They are those that `COMPOSE_FILE` names in `.env`, else the first of Compose's default names
    with its override. `read` returns the content of files that are not in `folder` yet. Raises
    `project_invalid` where there is none.
    """

    def content(name: str) -> bytes | None:
        return read(name) if read is not None else read_regular_file(folder / name)

    if named := _named_in_env(content(".env") or b""):
        return named
    for name in _NAMES:
        if content(name) is not None:
            overrides = [other for other in _OVERRIDES if content(other) is not None]
            return (name, *overrides[:1])
    raise ScarError(
        "project_invalid",
        f"No Compose file in {folder}",
        f"Put one there, called {_NAMES[0]} (or {', '.join(_NAMES[1:])}).",
    )


def _named_in_env(env: bytes) -> tuple[str, ...]:
    values = {}
    for line in env.decode("utf-8", "replace").splitlines():
        key, equals, value = line.removeprefix("export ").partition("=")
        if equals:
            values[key.strip()] = value.split(" #")[0].strip().strip("'\"")
    separator = values.get("COMPOSE_PATH_SEPARATOR") or ":"
    return tuple(name for name in values.get("COMPOSE_FILE", "").split(separator) if name)


def _service(resolved: JsonObject, name: str, config_hash: str, *, active: bool) -> Service:
    raw = resolved["services"][name]
    volumes = raw.get("volumes") or []
    binds = [_text(entry["source"]) for entry in volumes if entry.get("type") == "bind"]
    return Service(
        name=name,
        image=_text(raw.get("image")) or f"{resolved.get('name', '')}-{name}",
        build=_build(raw["build"]) if raw.get("build") else None,
        container_name=_text(raw.get("container_name")),
        binds=(*binds, *_mounted_files(resolved, raw)),
        active=active,
        config_hash=config_hash,
        volumes=_own(
            resolved, "volumes", [v.get("source") for v in volumes if v.get("type") == "volume"]
        ),
        networks=_own(resolved, "networks", list(raw.get("networks") or {})),
        published=tuple(
            PublishedPort(int(port["published"]), port.get("protocol", "tcp"), _host_ip(port))
            for port in raw.get("ports") or []
            if _text(port.get("published")).isdecimal() and int(port["published"]) > 0
        ),
    )


def _host_ip(port: JsonObject) -> str:
    return _text(port.get("host_ip"))


def _own(resolved: JsonObject, kind: str, keys: Sequence[str | None]) -> tuple[str, ...]:
    """Return the Engine's names of the volumes or networks with these keys, without external ones
    and without volumes that have no key.
    """
    definitions = {key: (resolved.get(kind) or {}).get(key) or {} for key in keys if key}
    return tuple(
        _text(definition.get("name")) or f"{resolved.get('name', '')}_{key}"
        for key, definition in definitions.items()
        if not definition.get("external")
    )


def _mounted_files(resolved: JsonObject, service: JsonObject) -> Iterator[str]:
    """Yield the host paths of a service's secrets and configs."""
    for kind in ("secrets", "configs"):
        for use in service.get(kind) or []:
            definition = (resolved.get(kind) or {}).get(use.get("source")) or {}
            if "file" in definition:
                yield _text(definition["file"])


def _build(raw: JsonObject) -> Build:
    return Build(
        context=_text(raw.get("context")),
        dockerfile=_text(raw.get("dockerfile")) or "Dockerfile",
        dockerfile_inline=_text(raw.get("dockerfile_inline")),
        additional_contexts={
            key: _text(value) for key, value in (raw.get("additional_contexts") or {}).items()
        },
        raw=raw,
    )


def _text(value: object) -> str:
    """Return a value as text, with Compose's escaped `$$` as a single dollar sign."""
    return "" if value is None else str(value).replace("$$", "$")
