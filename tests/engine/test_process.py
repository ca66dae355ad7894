"""A supervised command ends with the process that runs it, whatever it does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually
from workers.engine.confinement import missing_confinement
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


@pytest.mark.skipif(missing_confinement() is not None, reason="what this kernel does not have")
def test_a_confined_command_reads_its_folder_alone_and_has_no_network(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "file").write_text("read\n")
    (tmp_path / "other").write_text("other\n")
    script = f"""
import _socket
def attempt(name, act):
    try:
        print(name, act())
    except OSError as error:
        print(name, error.strerror)
attempt("own", lambda: open({str(tmp_path / "own" / "file")!r}).read().strip())
attempt("other", lambda: open({str(tmp_path / "other")!r}).read())
attempt("write", lambda: open({str(tmp_path / "own" / "new")!r}, "w"))
attempt("network", lambda: _socket.socket(_socket.AF_INET))
attempt("engine", lambda: _socket.socket(_socket.AF_UNIX))
print("caps", [line.split()[1] for line in STATUS if line.startswith(("CapPrm", "CapEff"))])
""".replace("STATUS", "open('/proc/self/status')")
    out: list[str] = []
    reads = (str(tmp_path / "own"), sys.base_prefix, "/proc")
    process = Process(
        [os.path.realpath(sys.executable), "-I", "-S", "-c", script],
        cwd=Path("/"),
        env={},
        control=RunControl(deadline=60, reads=reads),
    )
    finished = process.run(stdout=out.append, stderr=out.append)
    none = "0" * 16
    assert (finished.code, out) == (
        0,
        [
            "own read",
            *(f"{what} Permission denied" for what in ("other", "write", "network", "engine")),
            f"caps {[none, none]}",
        ],
    )


def test_a_command_that_is_not_there_ends_with_127() -> None:
    out: list[str] = []
    process = Process(["/none"], cwd=Path("/"), env={}, control=RunControl())
    assert process.run(stdout=out.append, stderr=out.append).code == 127
    assert out == ["/none: No such file or directory"]


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
