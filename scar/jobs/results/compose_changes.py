"""What a deployment changes on the Engine: services, volumes and networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from scar.jobs.results.json_record import JsonRecord


@dataclass(frozen=True)
class ComposeChanges(JsonRecord):
    """Services by name; containers, volumes and networks by the names that the Engine has."""

    new: Annotated[tuple[str, ...], "Services that have no container yet"] = ()
    recreated: Annotated[tuple[str, ...], "Services whose containers are made anew"] = ()
    restarted: Annotated[tuple[str, ...], "Services whose containers stay and are restarted"] = ()
    pulled: Annotated[tuple[str, ...], "Services whose image is fetched"] = ()
    gone: Annotated[
        tuple[str, ...], "Containers of services that the file no longer has; they keep running"
    ] = ()
    new_volumes: Annotated[tuple[str, ...], "Volumes that are made, empty"] = ()
    unused_volumes: Annotated[
        tuple[str, ...], "Volumes that the file no longer uses; they stay, with their data"
    ] = ()
    new_networks: tuple[str, ...] = ()
    unused_networks: Annotated[
        tuple[str, ...], "Networks that the file no longer uses; they stay"
    ] = ()


NO_CHANGES = ComposeChanges()
