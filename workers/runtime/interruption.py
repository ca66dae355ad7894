"""Interrupts work that only reads as soon as its job is cancelled, at any point of the work."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

_EVERY = 0.25
_SIGNAL = signal.SIGURG  # its default action is to be ignored, so a late one does no harm

_CPU_TIMER = signal.SIGVTALRM
_PAUSE = 0.005


class _Interrupted(BaseException):
    """Raised in the main thread to end the work. It is not an `Exception`, because code that
    continues after errors must not catch it.
    """


def interruptible(check: Callable[[], None], work: Callable[[], T]) -> T:
    """Return the result of `work`. If `check` raises meanwhile, end `work` and raise that
    exception.

    A thread calls `check` four times a second, and a signal interrupts the main thread between two
    instructions or in a system call: the code that compares, matches or waits needs no checks of
    its own. A long match of a regular expression holds the GIL, so a timer signal makes it let
    other threads run: this one, and the one that renews the lease. `work` must not change anything.
    Outside of the main thread, which alone receives signals, `work` is run without interruption.
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
    """Calls `check` in a thread, and interrupts the main thread once if it raises."""

    def __init__(self, check: Callable[[], None]) -> None:
        self.reason: Exception | None = None
        self._check = check
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="cancellation", daemon=True)

    def __enter__(self) -> None:
        signal.signal(_CPU_TIMER, _let_others_run)  # stays: the default ends the process
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
