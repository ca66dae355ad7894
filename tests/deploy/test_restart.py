"""What a restart does, and what it says where it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable

from .shop import COMPOSE, DOCKERFILE, Shop


def test_dependencies_come_first_and_each_is_named(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.write(
        **{"compose.yaml": COMPOSE.replace("    build: .", "    build: .\n    depends_on: [side]")}
    )
    assert shop.do("deploy").state == "succeeded"
    before = {name: shop.started(name.lstrip("/")) for name in shop.images()}
    job = shop.do("restart")
    assert job.state == "succeeded", job.error
    assert job.result is not None
    side, web = f"{shop.name}-side-1", f"{shop.name}-web-1"
    assert job.result["restarted"] == [side, web]
    assert [step.detail for step in job.steps] == [side, web]
    assert job.result["downtime_seconds"] is not None
    assert all(shop.started(name.lstrip("/")) != at for name, at in before.items())
    plan = shop.planned(shop.ask("restart", confirm=False))
    assert plan["downtime"] != "10-30 seconds"


def test_one_that_does_not_come_back_is_named(shop: Shop) -> None:
    flag = 'CMD ["sh", "-c", "test ! -e /data/stop && exec httpd -f -p 8000 -h /www"]\n'
    shop.write(Dockerfile=DOCKERFILE.split("CMD")[0] + flag)
    assert shop.do("deploy").state == "succeeded"
    (shop.production / "data" / "stop").touch()
    job = shop.do("restart")
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == "unhealthy"
    assert f"{shop.name}-web-1" in job.error.message
    assert job.result is not None
    assert job.result["failed"] == [f"{shop.name}-web-1"]
    assert f"{shop.name}-side-1" in job.result["restarted"]


def test_a_container_that_is_not_there(shop: Shop) -> None:
    shop.entry.update(containers=["backend"], auto_detect=False, primary_container="backend")
    shop.home.projects_file.write_text(json.dumps({"shop": shop.entry}))
    for kind in ("restart", "logs"):
        job = shop.do(kind)
        assert job.state == "failed"
        assert job.error is not None
        assert job.error.code == "container_not_found"
    assert job.error is not None
    status = shop.do("status").result
    assert status is not None
    assert [c["state"] for c in status["containers"]] == ["not found"]


def test_secrets_are_masked_in_logs(shop: Shop) -> None:
    noisy = COMPOSE.replace(
        '["sleep", "100000"]',
        '["sh", "-c", "echo \\"the word is $$SHOP_PASSWORD, <b>_*[\\"; sleep 100000"]\n'
        "    environment: {SHOP_PASSWORD: correct-horse-battery}",
    )
    shop.write(**{"compose.yaml": noisy})
    assert shop.do("deploy").state == "succeeded"
    job = shop.do("logs", container=f"{shop.name}-side-1", lines=10)
    assert job.result is not None
    assert "the word is ***, <b>_*[" in "\n".join(job.result["lines"])
