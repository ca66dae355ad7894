"""A job that only reads can be cancelled, too, and stops computing at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from tests.support.deploy_scene import DeployScene
from tests.support.waiting import eventually


def test_a_diff_that_would_read_for_minutes_ends_within_seconds(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    with (scene.workspace / "huge").open("wb") as file:
        os.truncate(file.fileno(), 200 << 30)  # all of it is a hole
    jobs = [scene.ask("diff") for _ in range(4)]
    eventually(lambda: scene.api.job(jobs[0].id).state == "running", "the diff is read")
    for job in jobs:
        scene.api.request("POST", f"/jobs/{job.id}/cancel")
    started = time.monotonic()
    assert {scene.end_of(job).state for job in jobs} == {"cancelled"}
    (scene.workspace / "huge").unlink()
    assert scene.do("diff").state == "succeeded"
    assert time.monotonic() - started < 15
