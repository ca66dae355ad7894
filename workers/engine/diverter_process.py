"""The diverting program as a process of this host."""

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

_START_SECONDS = 20.0
_END_SECONDS = 10.0
_PROC = Path("/proc")
_ROOT = Path(__file__).parents[2]
_DIVERTING = "diverting"


class ProcessDiverter:
    """Runs the program beside the Engine at `host`, which has to be this machine's."""

    def __init__(self, host: str) -> None:
        self._host = host

    def able(self) -> str:
        """Return why nothing can be diverted here, empty where it can."""
        if not self._host.startswith(("unix://", "/")):
            return "the Engine is on another machine than the worker"
        said, process = _start(["try"])
        if not said:
            process.kill()  # it has said nothing in all that time: it may never end
        process.wait()
        return _reason(said, "able")

    def start(self, diversion: Diversion) -> str:
        """Divert; return why not, empty once the rules are in force.

        The process has no descriptor of this one, so that it does not hold the project's lock.
        """
        said, process = _start([diversion.to_argument(), diversion.table])
        reason = _reason(said, _DIVERTING)
        if reason:
            process.kill()
            process.wait()
        return reason

    def stop(self, table: str) -> None:
        """End the process of a table, and wait until it has; raise `timeout` where it does not."""
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
    with process.stdout as output:
        ready, _, _ = select.select([output], [], [], _START_SECONDS)
        line = output.readline() if ready else b""
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
