"""Starts and ends the program that diverts or holds connections (`workers.diversion`), where the
Engine is.

A worker in a container starts it as one more container of its own image, in the host's network and
with CAP_NET_ADMIN alone; any other worker as a process of its own host. Either outlives the worker.
"""

from __future__ import annotations

from typing import Protocol

from docker.errors import NotFound

from scar.errors import ScarError
from scar.settings.own_container import own_container_id
from workers.diversion.door import Diversion
from workers.diversion.hold import Hold
from workers.engine.connection import Engine, is_local
from workers.engine.diverter_container import ContainerDiverter
from workers.engine.diverter_process import ProcessDiverter


class Diverter(Protocol):
    """The interface for running the program, as a process or in a container."""

    def able(self, attempt: str) -> str:
        """Return why what `attempt` tries cannot be done here (`try`, `try-hold`), empty where it
        can.
        """

    def start(self, work: Diversion | Hold) -> str:
        """Divert or hold; return once the rules are in force. Returns why not, empty where they
        are.
        """

    def stop(self, table: str) -> str:
        """End the program by the name of its table; do nothing where it has ended.

        Returns the last line that it has printed, empty where that is not known.
        """


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
    """Return why no connection can be diverted on this host, empty where it can."""
    return _reason(engine, "try")


def reason_host_cannot_hold(engine: Engine) -> str:
    """Return why no connection can be held on this host, empty where it can."""
    if not is_local(engine.host):
        return "the Engine is not reached by a socket of this host"
    return _reason(engine, "try-hold")


def _reason(engine: Engine, attempt: str) -> str:
    """Look at the Engine, then try.

    A rootless one, and that of Docker Desktop, publish their ports from a network that this host's
    rules do not reach.
    """
    with engine.api() as api:
        info = api.info()
    if any("rootless" in str(option) for option in info.get("SecurityOptions") or ()):
        return "rootless Docker"
    if "Docker Desktop" in str(info.get("OperatingSystem") or ""):
        return "Docker Desktop"
    try:
        return diverter_of(engine).able(attempt)
    except ScarError as error:
        return error.message
