"""Measures how much disk space Docker uses, and how much a prune would free."""

from __future__ import annotations

from dataclasses import dataclass

from scar.json_object import JsonObject
from workers.engine.connection import Engine


@dataclass(frozen=True)
class DiskUsage:
    """The bytes that Docker uses, and those that `docker system prune` would free."""

    total: int
    freed: int


def disk_usage(engine: Engine) -> DiskUsage:
    """Ask the Engine for its disk usage, which may take minutes if there are many layers."""
    with engine.api() as api:
        return usage_of(api.df())


def usage_of(raw: JsonObject) -> DiskUsage:
    """Add up the response of `GET /system/df`."""
    images, containers = raw.get("Images") or [], raw.get("Containers") or []
    volumes, cache = raw.get("Volumes") or [], raw.get("BuildCache") or []
    total = int(raw.get("LayersSize") or 0)
    total += sum(_size(container, "SizeRw") for container in containers)
    total += sum(_size(volume.get("UsageData") or {}, "Size") for volume in volumes)
    total += sum(_size(entry, "Size") for entry in cache)
    freed = sum(
        max(0, _size(image, "Size") - max(0, _size(image, "SharedSize")))
        for image in images
        if not image.get("Containers") and not _is_named(image)
    )
    freed += sum(_size(c, "SizeRw") for c in containers if c.get("State") != "running")
    freed += sum(_size(entry, "Size") for entry in cache if not entry.get("InUse"))
    return DiskUsage(total, freed)


def _size(raw: JsonObject, name: str) -> int:
    return max(0, int(raw.get(name) or 0))


def _is_named(image: JsonObject) -> bool:
    return any(tag != "<none>:<none>" for tag in image.get("RepoTags") or [])
