"""A project's Compose file as Compose itself understands it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar.errors import ScarError
from workers.engine.compose_inputs import Place, content

# Compose's own order of preference (compose-go, DefaultFileNames and DefaultOverrideFileNames).
_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


@dataclass(frozen=True)
class Build:
    """How a service's image is built. `context` is an absolute path or a URL, `dockerfile` is
    relative to it or absolute; `raw` is the whole section, for a digest of it.
    """

    context: str
    dockerfile: str
    dockerfile_inline: str
    target: str
    args: Mapping[str, str | None]
    additional_contexts: Mapping[str, str]
    raw: Mapping[str, Any]


@dataclass(frozen=True)
class PublishedPort:
    """`published` is the host's port as written: a number, a range, or empty for any free one."""

    target: int
    published: str
    protocol: str
    host_ip: str


@dataclass(frozen=True)
class Service:
    """One service. `image` is the name its containers run, also where the file does not give one.
    `binds` are the absolute host paths it mounts, those of its secrets and configs too. `active`
    says whether `up` makes it: where it has profiles, only if one of them is asked for.
    """

    name: str
    image: str
    build: Build | None
    container_name: str
    depends_on: Mapping[str, str]
    binds: tuple[str, ...]
    ports: tuple[PublishedPort, ...]
    has_health_check: bool
    restart: str
    profiles: tuple[str, ...]
    active: bool
    config_hash: str
    """What a container made from it carries as `com.docker.compose.config-hash`: another one means
    that `up` would recreate it. It covers the content of its env files."""


@dataclass(frozen=True)
class ComposeConfig:
    """Every service of a project. `resolved` is what Compose made of its files, as a Compose file
    again; it holds secrets, and is never written to a disk.
    """

    name: str
    services: Mapping[str, Service]
    resolved: Mapping[str, Any] = field(repr=False)

    @classmethod
    def parse(
        cls, found: Mapping[str, Any], hashes: Mapping[str, str], active: Set[str]
    ) -> ComposeConfig:
        """Reads the JSON of `docker compose config`."""
        name = str(found.get("name", ""))
        services: dict[str, Any] = found.get("services") or {}
        return cls(
            name,
            {
                key: _service(found, key, raw, hashes.get(key, ""), active=key in active)
                for key, raw in services.items()
            },
            found,
        )

    @property
    def active(self) -> dict[str, Service]:
        """The services that `up` makes."""
        return {name: service for name, service in self.services.items() if service.active}


def moved(found: Any, place: Callable[[str], str]) -> Any:
    """A resolved configuration with each absolute path replaced by what `place` says."""
    if isinstance(found, str):
        return place(found) if found.startswith("/") else found
    if isinstance(found, Mapping):
        return {key: moved(value, place) for key, value in found.items()}
    if isinstance(found, list):
        return [moved(value, place) for value in found]
    return found


def compose_files(folder: Path, place: Place | None = None) -> tuple[str, ...]:
    """The files, relative to `folder`, that Compose would use there: those `COMPOSE_FILE` names in
    its `.env`, else the first of Compose's names with its override. `project_invalid` where there
    is none. `place` says where they lie as long as they are not in `folder` yet.
    """
    where = place or folder.joinpath
    if named := _named_in_env(content(where(".env")) or b""):
        return named
    for name in _NAMES:
        if where(name).is_file():
            overrides = [other for other in _OVERRIDES if where(other).is_file()]
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


def _service(
    whole: Mapping[str, Any], name: str, raw: Mapping[str, Any], config_hash: str, *, active: bool
) -> Service:
    volumes = raw.get("volumes") or []
    binds = [_text(entry["source"]) for entry in volumes if entry.get("type") == "bind"]
    test = (raw.get("healthcheck") or {}).get("test")
    deploy = (raw.get("deploy") or {}).get("restart_policy") or {}
    return Service(
        name=name,
        image=_text(raw.get("image")) or f"{whole.get('name', '')}-{name}",
        build=_build(raw["build"]) if raw.get("build") else None,
        container_name=_text(raw.get("container_name")),
        depends_on={
            service: str((how or {}).get("condition", "service_started"))
            for service, how in (raw.get("depends_on") or {}).items()
        },
        binds=(*binds, *_mounted_files(whole, raw)),
        ports=tuple(_port(port) for port in raw.get("ports") or []),
        has_health_check=bool(test) and test != ["NONE"],
        restart=_text(raw.get("restart")) or _text(deploy.get("condition")) or "no",
        profiles=tuple(raw.get("profiles") or ()),
        active=active,
        config_hash=config_hash,
    )


def _mounted_files(whole: Mapping[str, Any], raw: Mapping[str, Any]) -> Iterator[str]:
    """The files of a service's secrets and configs."""
    for kind in ("secrets", "configs"):
        for used in raw.get(kind) or []:
            defined = (whole.get(kind) or {}).get(used.get("source")) or {}
            if "file" in defined:
                yield _text(defined["file"])


def _build(raw: Mapping[str, Any]) -> Build:
    return Build(
        context=_text(raw.get("context")),
        dockerfile=_text(raw.get("dockerfile")) or "Dockerfile",
        dockerfile_inline=_text(raw.get("dockerfile_inline")),
        target=_text(raw.get("target")),
        args={
            key: None if value is None else _text(value)
            for key, value in (raw.get("args") or {}).items()
        },
        additional_contexts={
            key: _text(value) for key, value in (raw.get("additional_contexts") or {}).items()
        },
        raw=raw,
    )


def _port(raw: Mapping[str, Any]) -> PublishedPort:
    return PublishedPort(
        int(raw["target"]),
        str(raw.get("published", "")),
        raw.get("protocol", "tcp"),
        raw.get("host_ip", ""),
    )


def _text(value: object) -> str:
    """Compose writes `$$` for a dollar sign, so that its output is a Compose file again."""
    return "" if value is None else str(value).replace("$$", "$")
