"""A supervised command ends with the process that runs it, whatever it does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from workers.engine.process import KEPT_BYTES, Process, ProcessResult, RunControl


def run(
    script: str, *, deadline: float = 20, check: Callable[[], None] = lambda: None
) -> tuple[ProcessResult, list[str], list[str]]:
    out: list[str] = []
    err: list[str] = []
    argv, env = ["/bin/sh", "-c", script], {"PATH": "/usr/bin:/bin"}
    process = Process(argv, cwd=Path("/"), env=env, control=RunControl(check, deadline))
    return process.run(stdout=out.append, stderr=err.append), out, err


def is_gone(pid: str) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_the_exit_code_and_both_streams_are_returned() -> None:
    finished, out, err = run("echo a; echo b >&2; printf c; exit 3")
    assert (finished.code, out, err) == (3, ["a", "c"], ["b"])
    assert sorted(finished.tail) == ["a", "b", "c"]


def test_death_by_a_signal_gives_code_128_plus_its_number() -> None:
    assert run("kill -TERM $$")[0].code == 143


def test_much_output_on_both_streams_neither_blocks_nor_fills_memory() -> None:
    finished, out, err = run("seq 200000 >&2 & seq 200000; wait")
    assert (len(out), len(err)) == (200_000, 200_000)
    assert sum(len(line) for line in finished.tail) <= KEPT_BYTES


def test_background_processes_of_a_command_are_killed() -> None:
    _, out, _ = run("setsid sleep 300 & echo $!; (setsid sh -c 'sleep 300; :' & )")
    assert is_gone(out[0])


def test_a_command_that_ignores_the_interrupt_is_killed(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"trap '' INT TERM; sleep 300 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"

    def check() -> None:
        if pids.exists():
            raise ScarError("cancelled", "Cancelled", "")

    begun = Stopwatch()
    with pytest.raises(ScarError, match="Cancelled"):
        run(script, check=check)
    assert begun.seconds() < 5
    assert all(is_gone(pid) for pid in pids.read_text().split())


def test_a_command_can_clean_up_when_it_is_interrupted(tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = f"trap 'touch {done}; exit 130' INT; echo go; while :; do sleep 0.1; done"
    with pytest.raises(ScarError, match="longer than"):
        run(script, deadline=0.5)
    assert done.exists()


def test_no_file_descriptor_leaks() -> None:
    run("true")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run("true")
    with pytest.raises(ScarError):
        run("sleep 5", deadline=0.2)
    eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)
