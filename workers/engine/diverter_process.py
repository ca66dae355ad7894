"""The program that diverts or holds connections as a process of this host."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from scar.errors import ScarError
from workers.diversion.door import Diversion
from workers.diversion.hold import Hold
from workers.engine.connection import is_local

_START_SECONDS = 20.0
_END_SECONDS = 10.0
_PROC = Path("/proc")
_ROOT = Path(__file__).parents[2]


class ProcessDiverter:
    """Runs the program beside the Engine at `host`, which has to be this machine's."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def able(self, attempt: str) -> str:
        """Return why what `attempt` tries cannot be done here, empty where it can."""
        if not is_local(self._host):
            return "the Engine is on another machine than the worker"
        said, process = _start([attempt])
        if not said:
            process.kill()  # it has said nothing in all that time: it may never end
        process.wait()
        return _reason(said, "able")

    def start(self, work: Diversion | Hold) -> str:
        """Divert or hold; return why not, empty once the rules are in force.

        The process has no descriptor of this one, so that it does not hold the project's lock.
        """
        said, process = _start([work.to_argument(), work.table])
        reason = _reason(said, work.begun)
        if reason:
            process.kill()
            process.wait()
        else:
            self._running[work.table] = process
        return reason

    def stop(self, table: str) -> str:
        """End the process of a table, and wait until it has; raise `timeout` where it does not.

        Returns the last line that it has printed; empty where another worker has started it.
        """
        deadline = time.monotonic() + _END_SECONDS
        for pid in _processes(table):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        while running := list(_processes(table)):
            if time.monotonic() > deadline:
                raise ScarError(
                    "timeout",
                    f"The program that diverts connections (process {running[0]}) does not end",
                    f"`pgrep -f {table}` on the host says which process it is: end that one, then "
                    "ask again.",
                )
            time.sleep(0.02)
        process = self._running.pop(table, None)
        if process is None:
            return ""
        rest, _ = process.communicate()
        return rest.decode("utf-8", "replace").strip()


def _start(arguments: Sequence[str]) -> tuple[str, subprocess.Popen[bytes]]:
    """Start the program; return the first line that it prints, empty where there is none."""
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.diversion", *arguments],
        cwd=_ROOT,
        env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
    line = process.stdout.readline() if ready else b""
    return line.decode("utf-8", "replace").strip(), process


def _reason(said: str, expected: str) -> str:
    if said == expected:
        return ""
    return said.removeprefix("unable: ") or "the program that diverts connections does not start"


def _processes(table: str) -> Iterator[int]:
    """Yield the processes that have a table's name, which nobody can guess, as an argument."""
    for path in _PROC.iterdir():
        if path.name.isdecimal():
            with suppress(OSError):
                arguments = (path / "cmdline").read_bytes().split(b"\0")
                if table.encode() in arguments and b"workers.diversion" in arguments:
                    yield int(path.name)
