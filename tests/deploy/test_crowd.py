"""Many deploys are submitted at the same time."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from scar.errors import ScarError
from scar.jobs.record import JobState
from tests.support.deploy_scene import DeployScene


def test_each_of_two_hundred_simultaneous_deploys_succeeds_or_is_refused_as_busy(
    scene: DeployScene,
) -> None:
    """Each is done in its turn, or refused with the holder's name; nothing hangs."""
    scene.write(page="two")

    def ask(_: int) -> str:
        try:
            return scene.end_of(scene.ask("deploy")).state.value
        except ScarError as refused:
            return f"{refused.code}: {refused.message.split(', since')[0]}"

    with ThreadPoolExecutor(40) as pool:
        ends = Counter(pool.map(ask, range(200)))
    assert ends.total() == 200
    assert ends.pop(JobState.SUCCEEDED.value) >= 1
    held = "busy: Project 'shop' is held by deploy "
    assert [end for end in ends if not (end.startswith(held) and "of test (api)" in end)] == []
    assert scene.site() == "two"
