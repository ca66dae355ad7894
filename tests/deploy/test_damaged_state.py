"""A file of SCAR's own that the disk has damaged, between one job and the next."""

from __future__ import annotations

from .shop import Shop


def test_a_damaged_release(shop: Shop) -> None:
    """Status goes on and says so, a deploy touches nothing, and what its hint says helps."""
    folder = shop.home.folder / "state" / "projects" / "shop" / "releases"
    (path,) = folder.iterdir()
    shop.home.down()
    path.write_bytes(path.read_bytes()[:100])
    shop.home.up()
    status = shop.do("status")
    assert status.state == "succeeded", status.error
    assert status.result is not None
    assert f"'{path}' is damaged" in str(status.result["notices"])
    before = shop.images(), shop.tree()
    shop.write(page="two")
    refused = shop.do("deploy")
    assert refused.state == "failed"
    assert refused.error is not None
    assert refused.error.code == "sync_failed"
    assert "Remove that file" in refused.error.hint
    assert (shop.images(), shop.tree()) == before
    path.unlink()
    deployed = shop.do("deploy")
    assert deployed.state == "succeeded", deployed.error
    assert shop.site() == "two"
