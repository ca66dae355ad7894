"""Runs a coding agent once: as another user, within limits, and without leaving any process
behind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.agent import launcher
from workers.agent.command import AgentCommand
from workers.agent.identity import Identity
from workers.agent.launcher import Flaw, LaunchSpec, Probe
from workers.engine.process import Process, RunControl

PROCESSES = 512
"""How many processes and threads an agent may add to those that its user has."""

_PROBE_SECONDS = 20


@dataclass(frozen=True)
class AgentRun:
    """A command with its user and its workspace. The environment of each of its processes
    contains `id`.
    """

    id: str
    command: AgentCommand
    identity: Identity
    workspace: Path

    def require_possible(self, sockets: Sequence[str], kept: Sequence[str] = ()) -> None:
        """Check the workspace, the home and the program with the rights of the agent's user.

        Raises `project_invalid` if a right is lacking or there is no such program, `forbidden` if
        the user could open one of `sockets`, could write or replace one of the files `kept`, or if
        privileges cannot be dropped.
        """
        write = not self.identity.needs_handover
        probe = Probe(str(self.workspace), write, tuple(sockets), tuple(kept))
        process = subprocess.run(
            self._argv(None, probe),
            cwd=self.workspace,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
        if process.returncode != 0:
            raise ScarError(
                "forbidden",
                f"The agent could not be made unprivileged: {process.stderr.strip()[-300:]}",
                "See which capabilities and security options this host's worker runs with.",
            )
        flaw = json.loads(process.stdout)
        if flaw:
            raise self._refusal(Flaw(*flaw))

    def run(
        self, lock: int, seconds: float, check: Callable[[], None], show: Callable[[str], None]
    ) -> int:
        """Run the agent, pass each line of its output to `show`, and return its exit code.

        All of its processes have ended when this method returns or raises. If this process is
        killed, its supervisor keeps the descriptor `lock` open until they have ended.

        Raises `timeout` after `seconds`, and whatever `check` raises.
        """
        with _instruction_file(self.command.stdin) as stdin:
            process = Process(
                self._argv(stdin, None),
                cwd=self.workspace,
                env=self._env,
                control=RunControl(check, seconds, (lock,) if stdin is None else (lock, stdin)),
            )
        try:
            return process.run(stdout=show, stderr=show).code
        except ScarError as error:
            if error.code != "timeout":
                raise
            raise ScarError(
                "timeout",
                f"The agent was stopped: it took longer than {seconds / 60:.0f} minutes",
                "Ask for less at once; what it has done so far is below.",
            ) from error

    @property
    def _env(self) -> dict[str, str]:
        return self.identity.environment(os.environ.get("PATH", os.defpath), self.id)

    def _argv(self, stdin: int | None, probe: Probe | None) -> list[str]:
        spec = LaunchSpec(self.identity.uid, self.identity.gid, PROCESSES, stdin, probe)
        program = [sys.executable, "-I", "-S", launcher.__file__]
        return [*program, spec.to_json(), *self.command.words]

    def _refusal(self, flaw: Flaw) -> ScarError:
        path, uid = flaw.path, self.identity.uid
        user = f"The agent's user {self.identity.name} ({uid})"
        if flaw.kind == "socket":
            return ScarError(
                "forbidden",
                f"{user} could reach {path}, and with it the Docker Engine or SCAR's Redis",
                "Let another user own the workspace, or close that socket to this one.",
            )
        if flaw.kind == "kept":
            return ScarError(
                "forbidden",
                f"{user} could write {path}, and so replace the projects file: the agent could "
                "make anybody an admin",
                f"`chown root {path}` and `chmod go-w {path}`, or set SCAR_PROJECTS_FILE to a "
                "place that is not that user's.",
            )
        if flaw.kind == "program":
            return ScarError(
                "project_invalid",
                f"{user} finds no program '{path}' that it may run",
                "Install it for all users on this host (in the worker's image, where that is a "
                "container), or name its whole path in `agent`.",
            )
        if flaw.kind == "write":
            return ScarError(
                "project_invalid",
                f"{user} may not write in the folder {path}",
                f"Make the folder its own: `chown -R {uid} {path}`.",
            )
        return ScarError(
            "project_invalid",
            f"{user} may not pass through the folder {path}",
            f"Give it the right to: `chmod o+x {path}`, or move what is in it elsewhere.",
        )


@contextmanager
def _instruction_file(text: str | None) -> Iterator[int | None]:
    """Yield a descriptor of an in-memory file that contains the text (memfd_create(2)); None
    without a text.
    """
    if text is None:
        yield None
        return
    handle = os.memfd_create("instruction")
    try:
        os.write(handle, text.encode())
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)
