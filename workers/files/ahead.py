"""Looking at a tree beside other work, on another core."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from workers.files import freshness
from workers.files.freshness import Stamp, unblock

_LONGEST_SECONDS = 10.0


class Ahead:
    """Another process that looks at all that an index knows of a tree.

    A process, as Python runs one thread at a time; and no fork, as a worker has threads. Whatever
    befalls it, there is then no answer, and who asks looks himself.
    """

    def __init__(self, process: subprocess.Popen[bytes], stamp: Stamp) -> None:
        self.process = process
        self._stamp = stamp

    def answer(self) -> set[str] | None:
        """The stale files; None unless it is whole and made with the very index that was meant."""
        try:
            output, _ = self.process.communicate(timeout=_LONGEST_SECONDS)
            found: Any = unblock(output)[0]
        except (subprocess.TimeoutExpired, ValueError):
            return None
        return set(found[1]) if found[0] == self._stamp else None


@contextmanager
def looking_ahead(root: str, index: Path, stamp: Stamp) -> Iterator[Ahead | None]:
    """Begins to look below `root` for what the index kept at `index`, with this `stamp`, knows.

    None where no process can be had. It has ended when this is left.
    """
    try:
        process = subprocess.Popen(
            (sys.executable, "-I", "-S", str(freshness.__file__), root, str(index)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
    except OSError:
        yield None
        return
    with process:
        try:
            yield Ahead(process, stamp)
        finally:
            process.kill()  # nothing, where it has ended
