"""A project's Compose file as Compose itself understands it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar.errors import ScarError

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
    `binds` are the absolute host paths it mounts.
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
    config_hash: str
    """What a container made from it carries as `com.docker.compose.config-hash`: another one means
    that `up` would recreate it. It covers the content of its env files."""


@dataclass(frozen=True)
class ComposeConfig:
    """Every service of a project. Values of variables are not kept: they hold secrets."""

    name: str
    services: Mapping[str, Service]

    @classmethod
    def parse(cls, found: Mapping[str, Any], hashes: Mapping[str, str]) -> ComposeConfig:
        """Reads the JSON of `docker compose config`."""
        name = str(found.get("name", ""))
        services: dict[str, Any] = found.get("services") or {}
        return cls(
            name,
            {key: _service(name, key, raw, hashes.get(key, "")) for key, raw in services.items()},
        )


def compose_files(folder: Path) -> tuple[Path, ...]:
    """The files that Compose would use in `folder`: those `COMPOSE_FILE` names in its `.env`, else
    the first of Compose's names with its override. `project_invalid` where there is none.
    """
    if named := _named_in_env(folder):
        return named
    for name in _NAMES:
        if (folder / name).is_file():
            overrides = [folder / other for other in _OVERRIDES if (folder / other).is_file()]
            return (folder / name, *overrides[:1])
    raise ScarError(
        "project_invalid",
        f"No Compose file in {folder}",
        f"Put one there, called {_NAMES[0]} (or {', '.join(_NAMES[1:])}).",
    )


def _named_in_env(folder: Path) -> tuple[Path, ...]:
    try:
        lines = (folder / ".env").read_text("utf-8", "replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return ()
    values = {}
    for line in lines:
        key, equals, value = line.removeprefix("export ").partition("=")
        if equals:
            values[key.strip()] = value.split(" #")[0].strip().strip("'\"")
    separator = values.get("COMPOSE_PATH_SEPARATOR") or ":"
    listed = values.get("COMPOSE_FILE", "")
    return tuple(folder / name for name in listed.split(separator) if name)


def _service(project: str, name: str, raw: Mapping[str, Any], config_hash: str) -> Service:
    volumes = raw.get("volumes") or []
    test = (raw.get("healthcheck") or {}).get("test")
    deploy = (raw.get("deploy") or {}).get("restart_policy") or {}
    return Service(
        name=name,
        image=_text(raw.get("image")) or f"{project}-{name}",
        build=_build(raw["build"]) if raw.get("build") else None,
        container_name=_text(raw.get("container_name")),
        depends_on={
            service: str((how or {}).get("condition", "service_started"))
            for service, how in (raw.get("depends_on") or {}).items()
        },
        binds=tuple(_text(entry["source"]) for entry in volumes if entry.get("type") == "bind"),
        ports=tuple(_port(port) for port in raw.get("ports") or []),
        has_health_check=bool(test) and test != ["NONE"],
        restart=_text(raw.get("restart")) or _text(deploy.get("condition")) or "no",
        profiles=tuple(raw.get("profiles") or ()),
        config_hash=config_hash,
    )


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
