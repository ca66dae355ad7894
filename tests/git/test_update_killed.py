"""An update that is killed is resumed or repeated by the next job."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.git_scene import SECOND, GitScene
from tests.support.waiting import eventually


def test_an_update_killed_at_any_moment_is_completed_by_the_next(scene: GitScene) -> None:
    """Kill the update in a child process at random moments, then run the next job."""
    seconds = 0.0
    many: dict[str, str | None] = {f"many/{n}": f"{n}\n" for n in range(40)}
    pushed = scene.push({**many, **SECOND})
    begun = time.monotonic()
    scene.update(pushed)
    seconds = time.monotonic() - begun
    chance = random.Random(7)
    for round in range(8):
        changed: dict[str, str | None] = {f"new{round}/x": "x\n", f"new{round - 1}/x": None}
        changed.update({f"many/{n}": f"{n} in round {round}\n" for n in range(40)})
        pushed = scene.push(changed)
        # The first third is Git's start and the network: kills come after it.
        child = os.fork()
        if child == 0:
            os._exit(int(scene.update(pushed) is None))
        time.sleep(chance.uniform(0.3, 1.05) * seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if chance.random() < 0.5:
            scene.resume()
        scene.update(pushed)
        scene.assert_at(pushed)


@pytest.mark.parametrize("call", ["rename", "renameat", "unlink", "unlinkat", "fsync", "syncfs"])
def test_an_update_killed_at_a_system_call_is_completed_by_the_next(
    scene: GitScene, call: str
) -> None:
    """Let strace kill the updating process at its nth system call of a kind."""
    for n in (1, 2, 3, 5, 8):
        changed: dict[str, str | None] = {f"dir{n}/x": "x\n", f"dir{n - 1}/x": None}
        pushed = scene.push({"a": f"{call} {n}\n", **changed})
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(int(scene.update(pushed) is None))
        os.waitpid(child, os.WUNTRACED)
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={n}"]
        strace = subprocess.Popen(
            ["strace", "-qq", "-o", "/dev/null", *inject, "-p", str(child)], stderr=sys.stderr
        )
        status, tracer = Path(f"/proc/{child}/status"), f"TracerPid:\t{strace.pid}"
        eventually(lambda: tracer in status.read_text(), "strace has attached")  # noqa: B023
        os.kill(child, signal.SIGCONT)
        os.waitpid(child, 0)
        strace.wait(10)
        scene.update(pushed)
        scene.assert_at(pushed)
