"""Going back gives exactly what was there: files, environment, images and the site."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from typing import Any

from scar.jobs.record import Job
from tests.cli.home import free_port
from tests.deploy.shop import COMPOSE, DOCKERFILE, Shop
from tests.engine.projects import IMAGE, run_docker

NEVER_WELL = DOCKERFILE.replace('"8000"', '"9000"')


def standing(shop: Shop) -> tuple[object, ...]:
    return shop.tree(), shop.images(), shop.site()


def done(shop: Shop, kind: str, **args: Any) -> dict[str, Any]:
    job = shop.do(kind, **args)
    assert job.state == "succeeded", job.error
    return dict(job.result or {})


def releases(shop: Shop) -> list[dict[str, Any]]:
    return list(done(shop, "history")["releases"])


def test_after_a_good_deploy(shop: Shop) -> None:
    first = standing(shop)
    shop.write(page="two", extra="new", Dockerfile=DOCKERFILE + "LABEL a=b\n")
    done(shop, "deploy")
    second = standing(shop)
    assert second[2] == "two"
    result = done(shop, "rollback")
    assert standing(shop) == first
    assert result["restored"] == releases(shop)[2]["id"]
    assert result["built"] == []
    # Back again, by name and without one: the one before the last.
    done(shop, "rollback", release=releases(shop)[1]["id"])
    assert standing(shop) == second
    done(shop, "rollback")
    assert standing(shop) == first
    assert done(shop, "rollback", release=releases(shop)[0]["id"])["nothing"] is True


def test_after_a_failed_deploy(shop: Shop) -> None:
    first = standing(shop)
    shop.write(page="two", Dockerfile=DOCKERFILE + "LABEL a=b\n")
    done(shop, "deploy")
    second = standing(shop)
    shop.write(page="three", Dockerfile=NEVER_WELL)
    assert shop.do("deploy").state == "rolled_back"
    assert standing(shop) == second
    done(shop, "rollback")
    assert standing(shop) == first


def test_after_a_prune_of_dangling_images(shop: Shop) -> None:
    first = standing(shop)
    shop.write(page="two")
    done(shop, "deploy")
    label = f"com.docker.compose.project={shop.name}"
    dangling = run_docker(
        "build", "-q", "--label", label, "-", stdin=f"FROM {IMAGE}\nLABEL unnamed=yes\n".encode()
    )
    run_docker("image", "prune", "-f", "--filter", f"label={label}")
    assert run_docker("image", "inspect", dangling, check=False) == "[]"
    done(shop, "rollback")
    assert standing(shop) == first


def test_the_question_shows_what_would_be_done(shop: Shop) -> None:
    shop.write(page="two")
    done(shop, "deploy")
    job = shop.ask("rollback", confirm=False)
    plan = shop.planned(job)
    assert plan["files"]["changed"] == ["page"]
    assert plan["restart"] == ["web"]
    assert plan["build"] == []
    assert plan["release"] == releases(shop)[1]["id"]
    shop.answer(job, "yes")
    assert shop.end_of(job).state == "succeeded"
    assert shop.site() == "one"


def test_productions_own_env_comes_back_and_a_hand_made_one_is_kept(
    open_shop: Callable[..., Shop],
) -> None:
    shop = open_shop()
    shop.production.mkdir(parents=True)
    env = shop.production / ".env"
    env.write_text("WORD=first\n")
    shop.write(**{"compose.yaml": COMPOSE + "    environment: [WORD]\n"})
    done(shop, "deploy")
    side = f"{shop.name}-side-1"
    env.write_text("WORD=by-hand\n")
    shop.write(page="two")
    done(shop, "deploy")
    assert "WORD=by-hand" in run_docker("exec", side, "env")
    result = done(shop, "rollback")
    assert env.read_text() == "WORD=first\n"
    assert "WORD=first" in run_docker("exec", side, "env")
    assert shop.site() == "one"
    done(shop, "rollback")
    assert env.read_text() == "WORD=by-hand\n"
    assert result["kept"] == []


def test_a_folder_that_the_workspace_has_dropped(shop: Shop) -> None:
    shop.write(**{"old/deep/file": "one"})
    done(shop, "deploy")
    first = standing(shop)
    shutil.rmtree(shop.workspace / "old")
    done(shop, "deploy")
    shutil.rmtree(shop.workspace)
    done(shop, "rollback")
    assert standing(shop) == first


def test_a_hand_changed_file_is_kept(shop: Shop) -> None:
    shop.write(page="two")
    done(shop, "deploy")
    (shop.production / "page").write_text("mine")
    result = done(shop, "rollback")
    assert result["kept"] == ["page"]
    assert shop.site() == "one"


def test_a_rollback_that_fails_is_put_back(shop: Shop) -> None:
    first, shop.port = shop.port, free_port()
    shop.write(page="two", **{"compose.yaml": COMPOSE})
    done(shop, "deploy")
    before = standing(shop)
    with socket.create_server(("0.0.0.0", first)):  # what the first release needs is taken
        job = shop.do("rollback")
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert str(first) in job.error.message
    assert standing(shop) == before
    assert before[2] == "two"


def refused(job: Job, code: str) -> str:
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == code
    return job.error.message


def test_what_cannot_be_restored_says_so_before_the_yes(shop: Shop) -> None:
    nothing = shop.end_of(shop.ask("rollback", confirm=False))
    assert "no earlier release" in refused(nothing, "not_found")
    unknown = shop.end_of(shop.ask("rollback", confirm=False, release="0" * 26))
    assert "not found" in refused(unknown, "not_found")
    first = shop.images()[f"/{shop.name}-web-1"]
    shop.write(page="two")
    done(shop, "deploy")
    run_docker("rmi", "-f", first)
    gone = shop.end_of(shop.ask("rollback", confirm=False))
    assert "the image of 'web' was removed" in refused(gone, "conflict")
    assert shop.site() == "two"
