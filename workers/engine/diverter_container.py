"""The program that diverts or holds connections as a container of the worker's own image."""

from __future__ import annotations

import time

from docker.errors import NotFound
from docker.types import LogConfig

from workers.diversion.door import Diversion
from workers.diversion.hold import Hold
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

    def able(self, attempt: str) -> str:
        """Return why what `attempt` tries cannot be done here, empty where it can."""
        name = f"scar_try_{time.time_ns():x}"
        try:
            return self._run(name, attempt, "able")
        finally:
            self.stop(name)

    def start(self, work: Diversion | Hold) -> str:
        """Divert or hold; return why not, empty once the rules are in force."""
        reason = self._run(work.table, work.to_argument(), work.begun)
        if reason:
            self.stop(work.table)
        return reason

    def stop(self, table: str) -> str:
        """End and remove the container of a table; leave alone what is not ours.

        Returns the last line that its program has printed.
        """
        with self._engine.api() as api:
            try:
                labels = api.inspect_container(_name(table))["Config"]["Labels"] or {}
                if labels.get(LABEL) != table:
                    return ""
                api.stop(_name(table), timeout=_END_SECONDS)
                printed = api.logs(_name(table), stderr=False)
                api.remove_container(_name(table), force=True)
            except NotFound:
                return ""
        return next(reversed(printed.decode("utf-8", "replace").splitlines()), "")

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
