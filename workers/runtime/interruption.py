"""Ends work that only reads as soon as its job is cancelled, wherever the work is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

_EVERY = 0.25
_SIGNAL = signal.SIGURG  # ignored by default: one that comes late ends nothing

_CPU_TIMER = signal.SIGVTALRM
_PAUSE = 0.005


class _Interrupted(BaseException):
    """Not an `Exception`: work that goes on after errors must not go on after this one."""


def interruptible(check: Callable[[], None], work: Callable[[], T]) -> T:
    """Return what `work` returns; where `check` raises meanwhile, end `work` and raise that.

    A thread calls `check` four times a second, and a signal interrupts the main thread between two
    instructions or in a system call: comparing, matching and waiting need not ask by themselves. A
    regular expression keeps the interpreter for itself, so a timer makes it let other threads run,
    this one and the one that renews the lease.
    What is interrupted must not have changed anything. Outside of the main thread, where no signal
    arrives, `work` is run as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    watch = _Watch(check)
    try:
        with watch:
            return work()
    except _Interrupted:
        assert watch.reason is not None
        raise watch.reason from None


class _Watch:
    """Calls `check` in a thread and interrupts the main one, once, where it raises."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.reason: Exception | None = None
        self._check = check
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="cancellation", daemon=True)

    def __enter__(self) -> None:
        signal.signal(_CPU_TIMER, _let_others_run)  # stays: by default it would end the process
        self._before = signal.signal(_SIGNAL, self._interrupt)
        signal.setitimer(signal.ITIMER_VIRTUAL, _EVERY, _EVERY)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(_SIGNAL, self._before)
        self._thread.join()

    def _work(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        while not self._over.wait(_EVERY):
            try:
                self._check()
            except Exception as reason:  # noqa: BLE001 (whatever it is, it is raised in the work)
                self.reason = reason
                signal.pthread_kill(main, _SIGNAL)
                return

    def _interrupt(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._over.is_set():
            raise _Interrupted


def _let_others_run(_signal: int, _frame: FrameType | None) -> None:
    time.sleep(_PAUSE)
