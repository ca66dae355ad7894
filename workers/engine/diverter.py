"""Starts and ends the program that diverts connections (`workers.diversion`), where the Engine is.

A worker in a container starts it as one more container of its own image, in the host's network and
with CAP_NET_ADMIN alone; any other worker as a process of its own host. Either outlives the worker.
"""

from __future__ import annotations

from typing import Protocol

from docker.errors import NotFound

from scar.errors import ScarError
from scar.settings.own_container import own_container_id
from workers.diversion.door import Diversion
from workers.engine.connection import Engine
from workers.engine.diverter_container import ContainerDiverter
from workers.engine.diverter_process import ProcessDiverter


class Diverter(Protocol):
    """The interface for running the program, as a process or in a container."""

    def able(self) -> str:
        """Return why connections cannot be diverted here; an empty text if they can."""

    def start(self, diversion: Diversion) -> str:
        """Divert; return once the rules are in force. Returns why not, empty where they are."""

    def stop(self, table: str) -> None:
        """End a diversion by the name of its table; do nothing where it has ended."""


def diverter_of(engine: Engine) -> Diverter:
    """Return the diverter that fits this worker and its Engine."""
    own = own_container_id()
    if own is not None:
        with engine.api() as api:
            try:
                return ContainerDiverter(engine, str(api.inspect_container(own)["Image"]))
            except NotFound:
                pass  # a container of another Engine: this one runs beside the worker
    return ProcessDiverter(engine.host)


def reason_against_diverting(engine: Engine) -> str:
    """Return why connections cannot be diverted on this host; an empty text if they can.

    Looks at the Engine first: a rootless one, and that of Docker Desktop, publish their ports from
    a network that this host's rules do not reach.
    """
    with engine.api() as api:
        info = api.info()
    if any("rootless" in str(option) for option in info.get("SecurityOptions") or ()):
        return "rootless Docker"
    if "Docker Desktop" in str(info.get("OperatingSystem") or ""):
        return "Docker Desktop"
    try:
        return diverter_of(engine).able()
    except ScarError as error:
        return error.message
