"""Processes under strace: killed at a given system call, or their calls counted."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from tests.support.waiting import eventually


class Traced:
    """Traces the main thread of each of these processes with strace during the `with` block."""

    def __init__(self, pids: Sequence[int], *options: str) -> None:
        self._pids = pids
        attached = [word for pid in pids for word in ("-p", str(pid))]
        self._command = ["strace", "-q", *options, *attached]

    def __enter__(self) -> Traced:
        self._tracer = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        eventually(lambda: all(map(_is_traced, self._pids)), "strace has attached")
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
        """Whether strace has killed one of the processes."""
        return any(not Path(f"/proc/{pid}").exists() for pid in self._pids)


class KillAt(Traced):
    """Kills each of them as it begins its `number`-th `call`; with `path`, its `number`-th on that
    file. (Of several calls strace would count each one for itself.)
    """

    def __init__(
        self, pids: Sequence[int], call: str, number: int, path: Path | None = None
    ) -> None:
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        only = ("-P", str(path)) if path else ()
        super().__init__(pids, "-o", "/dev/null", *only, "-e", f"trace={call}", "-e", inject)


class Counted(Traced):
    """Counts how often the processes make each of `calls`; `made` has the result afterwards."""

    def __init__(self, pids: Sequence[int], calls: Sequence[str]) -> None:
        self._file = tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace")  # noqa: SIM115
        super().__init__(pids, "-o", self._file.name, "-e", f"trace={','.join(calls)}")
        self.made: Counter[str] = Counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, failure, trace)
        with self._file:
            self.made.update(re.findall(r"^(?:\d+ +)?(\w+)\(", self._file.read(), re.MULTILINE))


def _is_traced(pid: int) -> bool:
    try:
        return "TracerPid:\t0\n" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True  # and was killed at once
