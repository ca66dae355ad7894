"""What a deploy's question says: everything that would happen, before anybody says yes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator

import pytest

from scar.chat.job_view import view_job
from scar.commands import job_commands
from scar.jobs.record import Job
from tests.support.compose_project import run_docker
from tests.support.deploy_scene import COMPOSE, DOCKERFILE, WITHOUT_SITE, DeployScene
from tests.support.waiting import eventually

MORE = """\
  cache:
    image: IMAGE
    command: ["sleep", "100000"]
    stop_signal: KILL
    volumes: ["items:/items"]
    networks: [inner]
volumes: {items: {}}
networks: {inner: {}}
"""


def shown(scene: DeployScene, job: Job) -> str:
    return view_job(job_commands()[job.request.kind], scene.api.job(job.id)).text


def question(scene: DeployScene) -> str:
    """What a person who asks for a deploy is shown; answered with no."""
    job = scene.ask("deploy", confirm=False)
    scene.planned(job)
    text = shown(scene, job)
    scene.answer(job, "no")
    return text


def test_new_services_volumes_and_networks_are_named(scene: DeployScene) -> None:
    scene.write(page="two", **{"compose.yaml": COMPOSE + MORE})
    lines = question(scene).splitlines()
    assert "Build: web" in lines
    assert "New: cache" in lines
    assert "Recreate: web" in lines
    assert f"New volume, empty: {scene.name}_items" in lines
    assert f"New network: {scene.name}_inner" in lines
    assert scene.do("deploy").state == "succeeded"


def test_what_the_file_no_longer_has_is_named_and_stays(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene(primary_container=None)
    scene.write(**{"compose.yaml": WITHOUT_SITE + MORE})
    assert scene.do("deploy").state == "succeeded"
    scene.write(**{"compose.yaml": WITHOUT_SITE})
    text, gone = question(scene), f"{scene.name}-cache-1"
    assert f"No longer in the Compose file, but goes on running: {gone}" in text
    assert f"docker rm -f {gone}" in text
    assert f"Volume no longer used; it stays, with its data: {scene.name}_items" in text
    assert f"Network no longer used; it stays: {scene.name}_inner" in text
    assert scene.do("deploy").state == "succeeded"
    assert run_docker("inspect", "-f", "{{.State.Status}}", gone) == "running"
    assert run_docker("volume", "ls", "-q", "--filter", f"name={scene.name}_items")


def test_no_downtime_is_estimated_where_nothing_runs(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    text = question(scene)
    assert "New: side, web" in text
    assert "⏱️" not in text
    assert scene.do("deploy").state == "succeeded"
    scene.write(page="two")
    assert "⏱️ Estimated downtime: " in question(scene)


def test_a_running_job_is_named_before_anybody_is_asked(scene: DeployScene) -> None:
    scene.write(page="two", Dockerfile=DOCKERFILE.replace("CMD", "RUN sleep 5\nCMD"))
    running = scene.ask("deploy")
    scene.until_step(running, "building")
    for kind in ("deploy", "restart"):
        second = scene.end_of(scene.ask(kind, confirm=False))
        assert second.state == "failed"
        assert second.error is not None
        assert second.error.code == "busy"
        assert f"is held by deploy {running.id} of test (api), since" in second.error.message
    assert scene.end_of(running).state == "succeeded"


def test_a_question_that_is_asked_again_says_what_changed(scene: DeployScene) -> None:
    scene.write(page="two")
    job = scene.ask("deploy", confirm=False)
    first = scene.planned(job)
    scene.write(page="three", extra="new")
    (scene.production / "Dockerfile").write_text("# by hand")
    scene.answer(job, "yes")
    again = scene.planned(job, other_than=first["hash"])
    assert again["changed"] is True
    text = shown(scene, job)
    assert "⚠️ The workspace changed while you were reading: extra, page" in text
    assert "⚠️ Production changed while you were reading: Dockerfile" in text
    scene.answer(job, "no")
    assert scene.site() == "one"


def test_an_unchanged_production_asks_nothing(standing: DeployScene) -> None:
    job = standing.end_of(standing.ask("deploy", confirm=False))
    assert job.state == "succeeded", job.error
    assert (job.result or {})["nothing"] is True
    assert shown(standing, job) == "✅ Production is up to date. Nothing to deploy."
    standing.write(page="two")
    second = standing.ask("deploy", confirm=False)
    assert standing.planned(second)["nothing"] is False
    standing.answer(second, "no")


def test_a_workspace_that_is_as_production_again_asks_nothing_more(standing: DeployScene) -> None:
    standing.write(page="two")
    job = standing.ask("deploy", confirm=False)
    standing.planned(job)
    standing.write(page="one")
    standing.answer(job, "yes")
    assert standing.end_of(job).state == "succeeded"
    assert shown(standing, job).endswith("✅ Production is up to date. Nothing to deploy.")


def test_a_container_that_is_replaced_meanwhile_is_named(standing: DeployScene) -> None:
    standing.write(page="two")
    job = standing.ask("deploy", confirm=False)
    first = standing.planned(job)
    side = f"{standing.name}-side-1"
    before = run_docker("inspect", "-f", "{{.Id}}", side)
    run_docker(
        "compose", "-p", standing.name, "--project-directory", str(standing.production),
        "up", "-d", "--no-deps", "--no-build", "--force-recreate", "side",
    )  # fmt: skip
    eventually(lambda: run_docker("inspect", "-f", "{{.Id}}", side) != before, "another container")
    standing.answer(job, "yes")
    standing.planned(job, other_than=first["hash"])
    assert f"⚠️ The containers changed while you were reading: {side}" in shown(standing, job)
    standing.answer(job, "no")


@pytest.fixture
def small_disk(open_scene: Callable[..., DeployScene]) -> Iterator[DeployScene]:
    """A production on a filesystem of its own, with room for one megabyte."""
    scene = open_scene()
    scene.production.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", scene.production], check=True)
    yield scene
    subprocess.run(["umount", "-l", scene.production], check=True)


def refused_before_the_question(scene: DeployScene) -> Job:
    job = scene.end_of(scene.ask("deploy", confirm=False))
    assert job.state == "failed"
    assert job.plan is None
    assert list(scene.production.iterdir()) == []
    return job


def test_a_lack_of_room_is_told_before_anybody_is_asked(small_disk: DeployScene) -> None:
    (small_disk.workspace / "large").write_bytes(bytes(3_000_000))
    error = refused_before_the_question(small_disk).error
    assert error is not None
    assert error.code == "disk_full"
    assert str(small_disk.production) in error.message


def test_a_production_that_cannot_be_written_is_told_before_anybody_is_asked(
    small_disk: DeployScene,
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk.production], check=True)
    error = refused_before_the_question(small_disk).error
    assert error is not None
    assert error.code == "sync_failed"
    assert "it is mounted read-only" in error.message
