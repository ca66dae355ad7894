"""One run of an agent, as another user and within limits; nothing of it outlives the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import structlog

from scar.errors import ScarError
from workers.agent.command import AgentCommand
from workers.agent.identity import Identity
from workers.engine.process import Process, RunControl

PROCESSES = 512
"""So many more than its user has already may an agent start, threads counted."""

_LAUNCHER = Path(__file__).with_name("launcher.py")
_PROBE_SECONDS = 20
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class AgentRun:
    """What is run, as whom, where. `id` marks its processes."""

    id: str
    command: AgentCommand
    identity: Identity
    workspace: Path

    def require_possible(self, sockets: Sequence[str]) -> None:
        """Looks at everything as the agent's user will; raises `project_invalid`, or `forbidden`
        where one of `sockets` could be reached."""
        probe = {
            "cwd": str(self.workspace),
            "write": not self.identity.handed_over,
            "sockets": list(sockets),
        }
        done = subprocess.run(
            self._launched(None, probe),
            cwd=self.workspace,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise ScarError(
                "forbidden",
                f"The agent could not be made unprivileged: {done.stderr.strip()[-300:]}",
                "See which capabilities and security options this host's worker runs with.",
            )
        flaw = json.loads(done.stdout)
        if flaw:
            raise self._refusal(flaw["what"], flaw["path"])

    def run(
        self, lock: int, seconds: float, check: Callable[[], None], tell: Callable[[str], None]
    ) -> int:
        """Runs it to its end; its exit code. Its processes are gone afterwards, whatever they do,
        and also where this process is killed: whoever then holds `lock` again finds none.

        Raises `timeout` after so many seconds, and what `check` raises.
        """
        said = self._said()
        control = RunControl(check, seconds, (lock,) if said is None else (lock, said))
        try:
            process = Process(
                self._launched(said, None),
                cwd=self.workspace,
                env=self._env,
                control=control,
            )
        finally:
            if said is not None:
                os.close(said)
        try:
            return process.run(stdout=tell, stderr=tell).code
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

    def _launched(self, stdin: int | None, probe: dict[str, object] | None) -> list[str]:
        spec = {
            "uid": self.identity.uid,
            "gid": self.identity.gid,
            "processes": PROCESSES,
            "stdin": stdin,
            "probe": probe,
        }
        launcher = [sys.executable, "-I", "-S", str(_LAUNCHER), json.dumps(spec)]
        return [*launcher, *self.command.words]

    def _said(self) -> int | None:
        if self.command.said is None:
            return None
        handle = os.memfd_create("instruction")
        os.write(handle, self.command.said.encode())
        os.lseek(handle, 0, os.SEEK_SET)
        return handle

    def _refusal(self, what: str, path: str) -> ScarError:
        name, uid = self.identity.name, self.identity.uid
        who = f"The agent's user {name} ({uid})"
        if what == "socket":
            return ScarError(
                "forbidden",
                f"{who} could reach {path}, and with it the Docker Engine or SCAR's Redis",
                "Let another user own the workspace, or close that socket to this one.",
            )
        if what == "program":
            return ScarError(
                "project_invalid",
                f"{who} finds no program '{path}' that it may run",
                "Install it for all users on this host (in the worker's image, where that is a "
                "container), or name its whole path in `agent`.",
            )
        verb = "may not write in" if what == "write" else "may not pass through"
        return ScarError(
            "project_invalid",
            f"{who} {verb} the folder {path}",
            f"Give it the right to: `chmod o+x {path}`, or move what is in it elsewhere."
            if what == "folder"
            else f"Make the folder its own: `chown -R {uid} {path}`.",
        )


def end_leftovers(id: str, uid: int) -> None:
    """Kills what is left of a run: only where its supervisor was killed as well is there any.

    It is known by the mark in its environment and by its user, never by its name.
    """
    mark = f"AGENT_RUN={id}".encode()
    for _ in range(50):
        found = [int(n) for n in os.listdir("/proc") if n.isdigit() and _is_left(n, mark, uid)]
        if not found:
            return
        for pid in found:
            _kill(pid, mark, uid)
        sleep(0.05)
    _log.warning("an agent's processes are left", run=id)


def _is_left(pid: str, mark: bytes, uid: int) -> bool:
    folder = Path("/proc") / pid
    with suppress(OSError):
        if folder.stat().st_uid == uid:
            return mark in (folder / "environ").read_bytes().split(b"\0")
    return False


def _kill(pid: int, mark: bytes, uid: int) -> None:
    with suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if _is_left(str(pid), mark, uid):  # the number may be another's by now
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)
