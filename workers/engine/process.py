"""Running a command under supervision: lines as they come, a deadline, a way to call it off."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from scar.errors import ScarError
from workers.engine.text import LineSplitter

KEPT_BYTES = 256 * 1024
"""So much of the output's end is kept."""

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_TICK = 0.1
_INTERRUPT_SECONDS = 3.0
_KILL_SECONDS = 1.5


@dataclass(frozen=True)
class Finished:
    """How a command ended. `tail` are the last lines of both streams, oldest first."""

    code: int
    tail: tuple[str, ...]


class Process:
    """A command that cannot outlive this process: see `supervisor`.

    `name` is what it is called in an error, by default its first three words. With `rewrites`, a
    line that is written over with a carriage return is told each time, not once it is whole.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        pass_fds: Sequence[int] = (),
        name: str | None = None,
        rewrites: bool = False,
    ) -> None:
        self._name = name or " ".join([Path(argv[0]).name, *argv[1:3]])
        self._rewrites = rewrites
        hold, self._hold = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SUPERVISOR), *argv],
                stdin=hold,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(env),
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
        except BaseException:
            os.close(self._hold)
            raise
        finally:
            os.close(hold)

    def run(
        self,
        *,
        deadline: float,
        check: Callable[[], None],
        stdout: Callable[[str], None],
        stderr: Callable[[str], None],
    ) -> Finished:
        """Reads until the command and all it started have ended.

        `deadline` is in seconds from now. `check` is called at least five times a second. Where
        it, or a callback, raises, or the deadline passes (`timeout`), everything is interrupted,
        after 3 s killed, and gone before the exception goes on, within 5 s.
        """
        tail = _Tail()
        end = monotonic() + deadline
        with selectors.DefaultSelector() as selector:
            for pipe, told in ((self._process.stdout, stdout), (self._process.stderr, stderr)):
                assert pipe is not None
                os.set_blocking(pipe.fileno(), False)
                splitter = LineSplitter(rewrites=self._rewrites)
                selector.register(pipe, selectors.EVENT_READ, (splitter, told))
            try:
                while selector.get_map():
                    check()
                    if monotonic() > end:
                        raise ScarError(
                            "timeout",
                            f"`{self._name}` took longer than {deadline:.0f} s",
                            "The lines below are its last. Try again, or see what it waits for.",
                            lines=tail.lines[-20:],
                        )
                    _read(selector, tail)
                return Finished(self._process.wait(), tail.lines)
            except BaseException:
                self._stop(selector)
                raise
            finally:
                self._release()

    def _stop(self, selector: selectors.BaseSelector) -> None:
        """Interrupt, then kill. The pipes are emptied meanwhile, lest a full one block an exit."""
        with suppress(BrokenPipeError):
            os.write(self._hold, b"i")
        self._drain(selector, _INTERRUPT_SECONDS)
        self._release()
        self._drain(selector, _KILL_SECONDS)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _drain(self, selector: selectors.BaseSelector, seconds: float) -> None:
        end = monotonic() + seconds
        while self._process.poll() is None and monotonic() < end:
            for key, _ in selector.select(0.05):
                with suppress(BlockingIOError):
                    if not os.read(key.fd, 65536):
                        selector.unregister(key.fileobj)

    def _release(self) -> None:
        if self._hold >= 0:
            os.close(self._hold)
            self._hold = -1
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and self._process.poll() is not None:
                pipe.close()


class _Tail:
    """The last `KEPT_BYTES` of lines."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1  # empty lines take room as well
        while self._size > KEPT_BYTES and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1


def _read(selector: selectors.BaseSelector, tail: _Tail) -> None:
    for key, _ in selector.select(_TICK):
        splitter, told = key.data
        try:
            chunk = os.read(key.fd, 65536)
        except BlockingIOError:
            continue
        for line in splitter.feed(chunk) if chunk else splitter.end():
            tail.add(line)
            told(line)
        if not chunk:
            selector.unregister(key.fileobj)
