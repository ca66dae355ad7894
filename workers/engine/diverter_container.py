"""The diverting program as a container of the worker's own image."""

from __future__ import annotations

import time

from docker.errors import NotFound
from docker.types import LogConfig

from workers.diversion.door import Diversion
from workers.engine.connection import Engine

LABEL = "scar.diversion"
_START_SECONDS = 20.0
_END_SECONDS = 5
_POLL_SECONDS = 0.05


class ContainerDiverter:
    """Runs the program in the host's network, with CAP_NET_ADMIN and nothing else."""

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine = engine
        self._image = image

    def able(self) -> str:
        """Return why nothing can be diverted here, empty where it can."""
        name = f"scar_try_{time.time_ns():x}"
        try:
            return self._run(name, "try", "able")
        finally:
            self.stop(name)

    def start(self, diversion: Diversion) -> str:
        """Divert; return why not, empty once the rules are in force."""
        reason = self._run(diversion.table, diversion.to_argument(), "diverting")
        if reason:
            self.stop(diversion.table)
        return reason

    def stop(self, table: str) -> None:
        """End and remove the container of a table; leave alone what is not ours."""
        with self._engine.api() as api:
            try:
                labels = api.inspect_container(_name(table))["Config"]["Labels"] or {}
                if labels.get(LABEL) == table:
                    api.stop(_name(table), timeout=_END_SECONDS)
                    api.remove_container(_name(table), force=True)
            except NotFound:
                return

    def _run(self, table: str, argument: str, expected: str) -> str:
        with self._engine.api() as api:
            limits = api.create_host_config(
                network_mode="host",
                cap_drop=["ALL"],
                cap_add=["NET_ADMIN"],
                read_only=True,
                security_opt=["no-new-privileges"],
                restart_policy={"Name": "no"},
                mem_limit="64m",
                pids_limit=16,
                log_config=LogConfig(type="json-file"),
            )
            container = api.create_container(
                self._image,
                ["python", "-m", "workers.diversion", argument],
                name=_name(table),
                labels={LABEL: table},
                user="0",
                host_config=limits,
            )
            api.start(container["Id"])
            return self._said(str(container["Id"]), expected)

    def _said(self, id: str, expected: str) -> str:
        """Wait for the program's first line; return why it cannot, empty where it can."""
        deadline = time.monotonic() + _START_SECONDS
        with self._engine.api() as api:
            while time.monotonic() < deadline:
                running = api.inspect_container(id)["State"]["Running"]
                lines = api.logs(id, stderr=False).decode("utf-8", "replace").splitlines()
                if lines:
                    return "" if lines[0] == expected else lines[-1].removeprefix("unable: ")
                if not running:
                    break
                time.sleep(_POLL_SECONDS)
        return "the program that diverts connections does not start"


def _name(table: str) -> str:
    return table.replace("_", "-")
