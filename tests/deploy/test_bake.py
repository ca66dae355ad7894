"""A deploy whose container crashes after it was healthy is rolled back automatically, once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from scar.jobs.bake import BakeBook
from scar.jobs.signing import Signatures
from scar.redis_client import connect
from scar.settings import Settings
from tests.support.deploy_scene import DOCKERFILE, DeployScene
from tests.support.waiting import eventually

CRASHES_ON_DEMAND = DOCKERFILE.replace(
    'CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]',
    'CMD ["sh", "-c", "httpd -p 8000 -h /www; '
    'until [ -e /data/crash ]; do sleep 0.2; done; exit 3"]',
)


def rollbacks(scene: DeployScene) -> list[tuple[str, str]]:
    """Return the rollbacks of the project, with who asked for them and how they ended."""
    jobs = scene.api.request("GET", "/jobs?project=shop&kind=rollback")["items"]
    return [(job["requested_by"]["frontend"], job["state"]) for job in jobs]


def test_a_deploy_that_crashes_later_is_rolled_back_by_itself(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene(bake="undo")
    assert scene.do("deploy").state == "succeeded"
    scene.write(page="two", Dockerfile=CRASHES_ON_DEMAND)
    second = scene.do("deploy")
    assert second.state == "succeeded", second.error
    assert scene.site() == "two"
    (scene.production / "data" / "crash").touch()
    undone = ("worker:default", "succeeded")
    eventually(lambda: undone in rollbacks(scene), "it is rolled back", seconds=100)
    assert scene.site() == "one"
    assert len(rollbacks(scene)) == 1

    settings = Settings(state_dir=scene.installation.folder / "state")
    with contextlib.closing(connect(scene.installation.redis_url)) as redis:
        book = BakeBook(redis, Signatures.of(settings, "console"))
        bake = eventually(
            lambda: (b := book.get(second.id)) and b.ended and b, "the bake has ended"
        )
    assert bake
    assert [(f.container, f.what, f.sure) for f in bake.findings] == [
        (f"{scene.name}-web-1", "does not run, never before", True)
    ]
