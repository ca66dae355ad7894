"""A worker that is killed when its job is done and not reported."""

from __future__ import annotations

import os
import signal
import time

from tests.support.deploy_scene import DeployScene
from tests.support.waiting import eventually


def test_a_rollback_is_not_repeated_if_its_worker_is_killed_just_before_reporting(
    scene: DeployScene,
) -> None:
    """Killed once its journal is closed: going back again would bring the bad release."""
    scene.write(page="two")
    assert scene.do("deploy").state == "succeeded"
    journal = scene.state / "journal.jsonl"
    job = scene.ask("rollback")
    while not (journal.exists() and f'"{job.id}"' in journal.read_text()):
        time.sleep(0.001)
    while '"ended"' not in journal.read_text():
        time.sleep(0.0005)
    for pid in scene.pool():
        os.kill(pid, signal.SIGKILL)
    ended = eventually(lambda: scene.api.job(job.id).state.ended and scene.api.job(job.id), "ended")
    assert ended
    assert ended.state == "succeeded", ended.error
    assert ended.result is not None
    assert ended.result["restored"]
    assert scene.site() == "one"
    kinds = scene.do("history").result
    assert kinds is not None
    assert len(kinds["releases"]) == 3
