"""The Compose configuration of a stand-in: a service as it will be, beside the one that runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import deepcopy

from scar.json_object import JsonObject
from workers.engine.compose_config import ComposeConfig

_ITS_OWN = ("container_name", "build", "depends_on", "restart", "profiles", "scale", "mac_address")
"""What belongs to the container that is replaced, or concerns more than one container."""

_OF_ENDPOINT = ("ipv4_address", "ipv6_address", "link_local_ips", "mac_address")


def stand_in_config(
    config: ComposeConfig,
    name: str,
    *,
    volumes: Collection[str],
    networks: Mapping[str, str],
    image: str | None = None,
) -> JsonObject:
    """Return the resolved configuration that makes the stand-in of a service.

    It lacks what two containers cannot both have: the name, which becomes an alias, fixed
    addresses, and the numbers of published ports. `networks` are the Engine's names by key: those,
    and `volumes` that are there, are external, so that Compose changes none. `image` replaces the
    service's.
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
