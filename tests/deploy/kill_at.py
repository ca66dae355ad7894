"""A kill at a given system call of a process, by strace."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import TracebackType

from tests.cli.home import eventually

CALLS = (
    "rename,renameat,renameat2,unlink,unlinkat,link,linkat,symlink,symlinkat,mkdir,mkdirat,rmdir,"
    "fsync,syncfs,ftruncate,fallocate,pwrite64,fchmod,fchown,flock,sendto,vfork,kill"
)
"""What changes the disk, asks the Engine or Redis for something, or starts a process."""


class KillAt:
    """While it is entered, each of these processes is killed as it begins its `number`-th call."""

    def __init__(
        self, pids: list[int], number: int, calls: str = CALLS, path: Path | None = None
    ) -> None:
        self._pids = pids
        inject = ["-e", f"trace={calls}", "-e", f"inject={calls}:signal=SIGKILL:when={number}"]
        only = ["-P", str(path)] if path else []
        attached = [word for pid in pids for word in ("-p", str(pid))]
        self._command = ["strace", "-q", "-o", "/dev/null", *only, *inject, *attached]

    def __enter__(self) -> KillAt:
        self._tracer = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        eventually(lambda: all(map(_traced, self._pids)), "strace has attached", 10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tracer.terminate()
        self._tracer.communicate()

    @property
    def hit(self) -> bool:
        """Whether one of them was killed."""
        return any(not Path(f"/proc/{pid}").exists() for pid in self._pids)


def _traced(pid: int) -> bool:
    return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
