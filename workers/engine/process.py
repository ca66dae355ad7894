"""Runs a command below a supervisor process, with a deadline and cancellation, and reports its
output line by line.
"""

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
"""Maximum size of the last lines of output in a `ProcessResult`."""

_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_POLL_SECONDS = 0.1
_INTERRUPT_SECONDS = 3.0
_KILL_SECONDS = 1.5
_READ_BYTES = 65536


def no_check() -> None:
    """Do nothing: for a command that cannot be cancelled."""


@dataclass(frozen=True)
class RunControl:
    """The limits of a running command.

    `check` is called at least five times a second and cancels the command by raising. `deadline` is
    in seconds. The command and its children inherit the descriptors `pass_fds` (such as that of a
    lock). With `reads` they read only these files and folders, and have no network (`confinement`).
    """

    check: Callable[[], None] = no_check
    deadline: float = 3600.0
    pass_fds: tuple[int, ...] = ()
    reads: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ProcessResult:
    """The exit code and the last lines of a command. `tail` contains lines of both streams,
    oldest first.
    """

    code: int
    tail: tuple[str, ...]


class Process:
    """A command that ends when this process ends, because it runs below `supervisor`.

    `name` stands for the command in errors; by default its first three words. With `rewrites`, each
    carriage return also ends a line, so that every update of a progress line is reported.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        control: RunControl,
        name: str | None = None,
        rewrites: bool = False,
    ) -> None:
        self._name = name or " ".join([Path(argv[0]).name, *argv[1:3]])
        self._control = control
        self._rewrites = rewrites
        stdin, self._supervision = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SUPERVISOR), *_limits(control), *argv],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(env),
                pass_fds=control.pass_fds,
                umask=0o022,  # files that the command creates belong to the project, not to SCAR
                start_new_session=True,
            )
        except BaseException:
            os.close(self._supervision)
            raise
        finally:
            os.close(stdin)

    def run(self, *, stdout: Callable[[str], None], stderr: Callable[[str], None]) -> ProcessResult:
        """Read both streams until the command and all its descendants have ended.

        Raises `timeout` after the deadline, and the exceptions of `check` and of the callbacks.
        Before any of these is raised, all processes are sent SIGINT, are killed after 3 s, and have
        ended within 5 s.
        """
        tail = _OutputTail()
        end = monotonic() + self._control.deadline
        with selectors.DefaultSelector() as selector:
            self._register(selector, stdout, stderr)
            try:
                while selector.get_map():
                    self._control.check()
                    if monotonic() > end:
                        raise self._timeout(tail)
                    _read(selector, tail)
                return ProcessResult(self._process.wait(), tail.lines)
            except BaseException:
                self._stop(selector)
                raise
            finally:
                self._release()

    def _register(
        self,
        selector: selectors.BaseSelector,
        stdout: Callable[[str], None],
        stderr: Callable[[str], None],
    ) -> None:
        for pipe, on_line in ((self._process.stdout, stdout), (self._process.stderr, stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            splitter = LineSplitter(rewrites=self._rewrites)
            selector.register(pipe, selectors.EVENT_READ, (splitter, on_line))

    def _timeout(self, tail: _OutputTail) -> ScarError:
        return ScarError(
            "timeout",
            f"`{self._name}` took longer than {self._control.deadline:.0f} s",
            "The lines below are its last. Try again, or see what it waits for.",
            lines=tail.lines[-20:],
        )

    def _stop(self, selector: selectors.BaseSelector) -> None:
        """Interrupt the processes, then kill them. The pipes are read meanwhile, since a full
        pipe could block an exit.
        """
        with suppress(BrokenPipeError):
            os.write(self._supervision, b"i")
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
                    if not os.read(key.fd, _READ_BYTES):
                        selector.unregister(key.fileobj)

    def _release(self) -> None:
        """Close the pipe to the supervisor, which then kills what still runs, and the pipes of
        the output.
        """
        if self._supervision >= 0:
            os.close(self._supervision)
            self._supervision = -1
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None and self._process.poll() is not None:
                pipe.close()


def _limits(control: RunControl) -> list[str]:
    """Return the supervisor's own arguments."""
    return [] if control.reads is None else ["--reads", str(len(control.reads)), *control.reads]


class _OutputTail:
    """Collects a command's last lines of output, up to `KEPT_BYTES`."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque()
        self._size = 0

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(self._lines)

    def add(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1  # plus one, since an empty line takes memory too
        while self._size > KEPT_BYTES and len(self._lines) > 1:
            self._size -= len(self._lines.popleft()) + 1


def _read(selector: selectors.BaseSelector, tail: _OutputTail) -> None:
    for key, _ in selector.select(_POLL_SECONDS):
        splitter, on_line = key.data
        try:
            chunk = os.read(key.fd, _READ_BYTES)
        except BlockingIOError:
            continue
        for line in splitter.feed(chunk) if chunk else splitter.end():
            tail.add(line)
            on_line(line)
        if not chunk:
            selector.unregister(key.fileobj)
