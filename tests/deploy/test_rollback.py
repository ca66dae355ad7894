"""Going back gives exactly what was there: files, environment, images and the site."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from typing import Any

from scar.jobs.record import Job
from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import COMPOSE, DOCKERFILE, ENDS, DeployScene
from tests.support.waiting import free_port


def standing(scene: DeployScene) -> tuple[object, ...]:
    return scene.tree(), scene.images(), scene.site()


def done(scene: DeployScene, kind: str, **args: Any) -> dict[str, Any]:
    job = scene.do(kind, **args)
    assert job.state == "succeeded", job.error
    return dict(job.result or {})


def releases(scene: DeployScene) -> list[dict[str, Any]]:
    return list(done(scene, "history")["releases"])


def test_a_rollback_after_a_successful_deploy_restores_the_release_before(
    scene: DeployScene,
) -> None:
    first = standing(scene)
    scene.write(page="two", extra="new", Dockerfile=DOCKERFILE + "LABEL a=b\n")
    done(scene, "deploy")
    second = standing(scene)
    assert second[2] == "two"
    result = done(scene, "rollback")
    assert standing(scene) == first
    assert result["restored"] == releases(scene)[2]["id"]
    assert result["built"] == []
    # Back again, by name and without one: the one before the last.
    done(scene, "rollback", release=releases(scene)[1]["id"])
    assert standing(scene) == second
    done(scene, "rollback")
    assert standing(scene) == first
    assert done(scene, "rollback", release=releases(scene)[0]["id"])["nothing"] is True


def test_a_rollback_works_after_a_failed_deploy(scene: DeployScene) -> None:
    first = standing(scene)
    scene.write(page="two", Dockerfile=DOCKERFILE + "LABEL a=b\n")
    done(scene, "deploy")
    second = standing(scene)
    scene.write(page="three", Dockerfile=ENDS)
    assert scene.do("deploy").state == "rolled_back"
    assert standing(scene) == second
    done(scene, "rollback")
    assert standing(scene) == first


def test_a_rollback_works_after_dangling_images_were_pruned(scene: DeployScene) -> None:
    first = standing(scene)
    scene.write(page="two")
    done(scene, "deploy")
    label = f"com.docker.compose.project={scene.name}"
    dangling = run_docker(
        "build", "-q", "--label", label, "-", stdin=f"FROM {IMAGE}\nLABEL unnamed=yes\n".encode()
    )
    run_docker("image", "prune", "-f", "--filter", f"label={label}")
    assert run_docker("image", "inspect", dangling, check=False) == "[]"
    done(scene, "rollback")
    assert standing(scene) == first


def test_the_question_of_a_rollback_shows_what_would_change(scene: DeployScene) -> None:
    scene.write(page="two")
    done(scene, "deploy")
    job = scene.ask("rollback", confirm=False)
    plan = scene.planned(job)
    assert plan["files"]["changed"] == ["page"]
    assert plan["restart"] == ["web"]
    assert plan["build"] == []
    assert plan["release"] == releases(scene)[1]["id"]
    scene.answer(job, "yes")
    assert scene.end_of(job).state == "succeeded"
    assert scene.site() == "one"


def test_a_rollback_restores_the_env_file_and_keeps_a_copy_of_the_edited_one(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    scene.production.mkdir(parents=True)
    env = scene.production / ".env"
    env.write_text("WORD=first\n")
    scene.write(**{"compose.yaml": COMPOSE + "    environment: [WORD]\n"})
    done(scene, "deploy")
    side = f"{scene.name}-side-1"
    env.write_text("WORD=by-hand\n")
    scene.write(page="two")
    done(scene, "deploy")
    assert "WORD=by-hand" in run_docker("exec", side, "env")
    result = done(scene, "rollback")
    assert env.read_text() == "WORD=first\n"
    assert "WORD=first" in run_docker("exec", side, "env")
    assert scene.site() == "one"
    done(scene, "rollback")
    assert env.read_text() == "WORD=by-hand\n"
    assert result["kept"] == []


def test_a_rollback_restores_a_folder_that_was_deleted_from_the_workspace(
    scene: DeployScene,
) -> None:
    scene.write(**{"old/deep/file": "one"})
    done(scene, "deploy")
    first = standing(scene)
    shutil.rmtree(scene.workspace / "old")
    done(scene, "deploy")
    shutil.rmtree(scene.workspace)
    done(scene, "rollback")
    assert standing(scene) == first


def test_a_rollback_keeps_a_copy_of_a_file_changed_by_hand(scene: DeployScene) -> None:
    scene.write(page="two")
    done(scene, "deploy")
    (scene.production / "page").write_text("mine")
    result = done(scene, "rollback")
    assert result["kept"] == ["page"]
    assert scene.site() == "one"


def test_a_rollback_that_fails_leaves_production_as_it_was(scene: DeployScene) -> None:
    first, scene.port = scene.port, free_port()
    scene.write(page="two", **{"compose.yaml": COMPOSE})
    done(scene, "deploy")
    before = standing(scene)
    with socket.create_server(("0.0.0.0", first)):  # what the first release needs is taken
        job = scene.do("rollback")
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert str(first) in job.error.message
    assert standing(scene) == before
    assert before[2] == "two"


def refused(job: Job, code: str) -> str:
    assert job.state == "failed"
    assert job.error is not None
    assert job.error.code == code
    return job.error.message


def test_a_release_that_cannot_be_restored_is_refused_before_the_question(
    scene: DeployScene,
) -> None:
    nothing = scene.end_of(scene.ask("rollback", confirm=False))
    assert "no earlier release" in refused(nothing, "not_found")
    unknown = scene.end_of(scene.ask("rollback", confirm=False, release="0" * 26))
    assert "not found" in refused(unknown, "not_found")
    first = scene.images()[f"/{scene.name}-web-1"]
    scene.write(page="two")
    done(scene, "deploy")
    run_docker("rmi", "-f", first)
    gone = scene.end_of(scene.ask("rollback", confirm=False))
    assert "the image of 'web' was removed" in refused(gone, "conflict")
    assert scene.site() == "two"
