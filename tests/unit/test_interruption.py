"""A cancellation ends a job that only reads, whatever it is in the middle of."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.jobs.results.follow import FollowResult
from tests.support.job_context import RecordedReport, job_context, settings_in
from tests.support.stopwatch import Stopwatch
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.runtime.interruption import interruptible


def spin() -> None:
    while True:
        pass


def match_for_ever() -> None:
    re.match("(a+)+$", "a" * 60 + "b")


def wait_for_a_writer(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "pipe").read_text()


def go_on_after_errors() -> None:
    while True:
        with suppress(Exception):  # as a handler may that asks something else instead
            time.sleep(0.01)


class Endless(ReadJob[FollowResult]):
    """A read job that never comes to an end by itself."""

    kind = "endless"

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work

    def answer(self, _context: JobContext, /) -> FollowResult:
        self._work()
        return FollowResult("web", 0)


def cancelled_after(seconds: float) -> Callable[[], None]:
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise ScarError("cancelled", "Cancelled by Anna (telegram)", "Ask again.")

    return check


@pytest.mark.parametrize("work", ["spin", "match", "pipe", "errors"])
def test_a_cancelled_read_job_ends_within_seconds(tmp_path: Path, work: str) -> None:
    works: dict[str, Callable[[], None]] = {
        "spin": spin,
        "match": match_for_ever,
        "pipe": lambda: wait_for_a_writer(tmp_path),
        "errors": go_on_after_errors,
    }
    report = RecordedReport(cancelled_after(0.2))
    context = job_context("status", {}, settings_in(tmp_path), told=report)
    before = signal.getsignal(signal.SIGURG)
    stopwatch = Stopwatch()
    with pytest.raises(ScarError) as failure:
        Endless(works[work]).read(context)
    assert failure.value.code == "cancelled"
    assert stopwatch.seconds() < 5
    assert signal.getsignal(signal.SIGURG) is before


def test_work_that_ends_by_itself_is_not_disturbed() -> None:
    for delay in (0.0, 0.24, 0.25, 0.26):
        with suppress(ScarError):
            interruptible(cancelled_after(0), partial(time.sleep, delay))
    time.sleep(0.3)
    assert not [thread for thread in threading.enumerate() if thread.name == "cancellation"]


def test_outside_of_the_main_thread_work_is_done_as_it_is() -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(interruptible(lambda: None, lambda: 7)))
    thread.start()
    thread.join()
    assert done == [7]
