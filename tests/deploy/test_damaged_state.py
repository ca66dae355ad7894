"""A file of SCAR's own that the disk has damaged, between one job and the next."""

from __future__ import annotations

from tests.support.deploy_scene import DeployScene


def test_the_error_for_a_damaged_release_names_it_and_its_hint_works(scene: DeployScene) -> None:
    """Status goes on and says so, a deploy touches nothing, and what its hint says helps.

    The worker starts anew, since one that has read a release does not read it again.
    """
    (path,) = (scene.state / "releases").iterdir()
    path.write_bytes(path.read_bytes()[:100])
    scene.kill_worker()
    status = scene.do("status")
    assert status.state == "succeeded", status.error
    assert status.result is not None
    assert f"'{path}' is damaged" in str(status.result["notices"])
    before = scene.images(), scene.tree()
    scene.write(page="two")
    refused = scene.do("deploy")
    assert refused.state == "failed"
    assert refused.error is not None
    assert refused.error.code == "sync_failed"
    assert "Remove that file" in refused.error.hint
    assert (scene.images(), scene.tree()) == before
    path.unlink()
    deployed = scene.do("deploy")
    assert deployed.state == "succeeded", deployed.error
    assert scene.site() == "two"
