"""Derives the Compose configuration of a stand-in: the service's new version, to run beside the
present one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy

from scar.json_object import JsonObject
from workers.engine.compose_config import ComposeConfig

_ITS_OWN = ("container_name", "build", "depends_on", "restart", "profiles", "scale", "mac_address")
"""The keys that only the replaced container may have, or that concern more than one container."""

_OF_ENDPOINT = ("ipv4_address", "ipv6_address", "link_local_ips", "mac_address")


def stand_in_config(
    config: ComposeConfig,
    name: str,
    *,
    volumes: Collection[str],
    networks: Mapping[str, str],
    image: str | None = None,
) -> JsonObject:
    """Return the resolved configuration for the stand-in of a service. It lacks what two containers
    cannot share: the container's name (which becomes an alias), fixed addresses, and fixed
    published ports. `networks` are the Engine's names by key; they and existing `volumes` become
    external, so that Compose changes none of them. `image` replaces the service's image.
    """
    resolved = config.resolved
    service = deepcopy(resolved["services"][name])
    alias = service.get("container_name")
    for key in _ITS_OWN:
        service.pop(key, None)
    service["image"] = image or service.get("image") or config.services[name].image
    service["pull_policy"] = "never"
    if "resources" in (deploy := service.pop("deploy", None) or {}):
        service["deploy"] = {"resources": deploy["resources"]}
    if service.get("networks"):
        service["networks"] = {
            key: _endpoint(value or {}, alias) for key, value in service["networks"].items()
        }
    if service.get("ports"):
        service["ports"] = [_unnumbered(port) for port in service["ports"]]
    kept = {key: resolved[key] for key in ("secrets", "configs") if resolved.get(key)}
    return {
        **kept,
        "name": config.name,
        "services": {name: service},
        "networks": {key: {"name": own, "external": True} for key, own in networks.items()},
        "volumes": _volumes(config, volumes),
    }


def _endpoint(options: JsonObject, alias: str | None) -> JsonObject:
    kept = {key: value for key, value in options.items() if key not in _OF_ENDPOINT}
    aliases = [*(kept.get("aliases") or ()), *([alias] if alias else ())]
    return {**kept, "aliases": aliases} if aliases else kept


def _unnumbered(port: JsonObject) -> JsonObject:
    return {key: value for key, value in port.items() if key != "published"}


def _volumes(config: ComposeConfig, there: Collection[str]) -> JsonObject:
    made: dict[str, JsonObject] = {}
    for key, definition in (config.resolved.get("volumes") or {}).items():
        name = str((definition or {}).get("name") or f"{config.name}_{key}")
        made[key] = {"name": name, "external": True} if name in there else definition or {}
    return made
