"""What a deploy brings into production, and what it leaves there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs.record import Job
from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import (
    COMPOSE,
    DOCKERFILE,
    IMPATIENT,
    NEVER_WELL,
    WITHOUT_SITE,
    DeployScene,
)


def states(job: Job) -> dict[str, str]:
    return {step.name: step.state.value for step in job.steps}


@contextmanager
def names_given_to_images(until: str) -> Iterator[list[str]]:
    """Collect what images are called during the block, in order, until one gets the last name.

    The Engine keeps too few past events to ask for them afterwards.
    """
    wanted = "--filter", "type=image", "--filter", "event=tag"
    argv = ["docker", "events", "--since", "0s", *wanted, "--format", "{{.Actor.Attributes.name}}"]
    names: list[str] = []
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as events:
        try:
            yield names
            assert events.stdout is not None
            for line in events.stdout:
                names.append(line.strip())
                if names[-1] == until:
                    break
        finally:
            events.kill()


def test_after_a_deploy_the_site_shows_the_new_page(scene: DeployScene) -> None:
    side = {name: id for name, id in scene.images().items() if "side" in name}
    scene.write(page="two")
    own = f"{scene.name}-web:latest"
    with names_given_to_images(until=own) as given:
        job = scene.do("deploy")
        assert job.state == "succeeded", job.error
    assert scene.site() == "two"
    assert job.result is not None
    assert job.result["built"] == ["web"]
    assert job.result["restarted"] == ["web"]
    assert job.result["primary"]["state"] == "running"
    assert side.items() <= scene.images().items()
    assert [step.name for step in job.steps] == [
        "checking",
        "copying",
        "building",
        "restarting",
        "verifying",
    ]
    building = job.step("building")
    assert building is not None
    assert building.progress is not None
    assert building.progress.done == building.progress.total > 0
    assert scene.leftovers() == []
    assert f"scar-build/{scene.name}/web:{job.id}" in given[:-1]
    assert run_docker("images", "-q", f"scar-build/{scene.name}/*") == ""


def test_a_deploy_without_changes_does_nothing(standing: DeployScene) -> None:
    before = standing.images(), standing.tree()
    job = standing.do("deploy")
    assert job.state == "succeeded"
    assert job.result is not None
    assert job.result["nothing"] is True
    assert set(states(job).values()) == {"succeeded", "skipped"}
    assert (standing.images(), standing.tree()) == before


def test_a_deploy_leaves_files_that_only_production_has(siteless: DeployScene) -> None:
    for name, text in {"data/db": "rows", ".env": "A=1", "uploads/x": "picture"}.items():
        path = siteless.production / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inode = (siteless.production / "data/db").stat().st_ino
    siteless.write(page="two", **{".env": "A=2", "new/file": "new"})
    assert siteless.do("deploy").state == "succeeded"
    (siteless.workspace / "new/file").unlink()
    (siteless.workspace / "new").rmdir()
    assert siteless.do("deploy").state == "succeeded"
    assert not (siteless.production / "new").exists()
    assert (siteless.production / "data/db").read_text() == "rows"
    assert (siteless.production / "data/db").stat().st_ino == inode
    assert (siteless.production / ".env").read_text() == "A=1"
    assert (siteless.production / "uploads/x").read_text() == "picture"


def test_files_changed_by_hand_are_shown_and_kept(siteless: DeployScene) -> None:
    (siteless.production / "page").write_text("by hand")
    diff = siteless.do("diff")
    assert diff.result is not None
    assert diff.result["drift"] == ["page"]
    assert "-by hand\n" in diff.result["lines"]
    assert "+one\n" in diff.result["lines"]
    assert "-by hand" in job_commands()["diff"].view(diff).text
    job = siteless.do("deploy")
    assert job.state == "succeeded"
    assert (siteless.production / "page").read_text() == "one"
    state = siteless.state / "objects"
    assert "by hand" in [path.read_text() for path in state.rglob("*") if path.is_file()]


def test_a_file_edited_in_production_can_be_restored_after_a_deploy_replaced_it(
    siteless: DeployScene,
) -> None:
    (siteless.production / "page").write_text("by hand\n")
    siteless.write(page="two")
    job = siteless.do("deploy")
    assert job.result is not None
    assert job.result["kept"] == ["page"]
    said = job_commands()["deploy"].view(job).text
    assert "/docker_kept" in said
    kept = siteless.do("kept")
    assert kept.result is not None
    (row,) = kept.result["files"]
    assert (row["path"], row["job"]) == ("page", job.id)
    assert row["number"] == 1
    assert siteless.do("kept_restore", number=1).state == "succeeded"
    assert (siteless.production / "page").read_text() == "by hand\n"
    # For a program, and for a host whose SCAR is down.
    subprocess.run(row["command"], shell=True, check=True)
    assert (siteless.production / "page").read_text() == "by hand\n"


def test_a_changed_mounted_file_restarts_without_a_build(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    mounted = COMPOSE.replace(
        '["./data:/data"]', '["./data:/data", "./page:/www/index.html"]'
    ).replace("build: .", "image: IMAGE\n    command: [httpd, -f, -p, '8000', -h, /www]")
    scene.write(**{"compose.yaml": mounted})
    assert scene.do("deploy").state == "succeeded"
    scene.write(page="two")
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error
    assert job.result is not None
    assert job.result["built"] == []
    assert states(job)["building"] == "skipped"
    assert scene.site() == "two"


def test_production_stays_as_it_was_if_a_build_fails(standing: DeployScene) -> None:
    before = standing.images(), standing.tree()
    standing.write(page="two", Dockerfile=DOCKERFILE + "RUN echo no such luck && false\n")
    job = standing.ask("deploy")
    answered = []
    for _ in standing.events(job):
        answered.append(standing.site())
    job = standing.api.job(job.id)
    assert job.state == "rolled_back"
    assert job.error is not None
    assert job.error.code == "build_failed"
    assert "false" in job.error.message
    assert any("no such luck" in line for line in job.error.lines)
    assert set(answered) == {"one"}
    assert (standing.images(), standing.tree()) == before
    assert standing.leftovers() == []


def test_a_deploy_is_undone_if_a_container_never_becomes_healthy(scene: DeployScene) -> None:
    """An image that was built by hand and not started keeps its name, and is not started."""
    before = scene.images(), scene.tree()
    name = f"{scene.name}-web"
    run_docker("tag", IMAGE, name)
    scene.configure(health_timeout=IMPATIENT)
    scene.write(page="two", Dockerfile=NEVER_WELL)
    job = scene.do("deploy")
    assert job.state == "rolled_back"
    assert job.error is not None
    assert job.error.code == "unhealthy"
    assert job.result is not None
    assert "files and images it had before" in job.result["production_state"]
    assert (scene.images(), scene.tree()) == before
    assert scene.site() == "one"
    assert scene.leftovers() == []
    form = "--format", "{{.Id}}"
    assert run_docker("inspect", *form, name) == run_docker("inspect", *form, IMAGE)


def test_a_deploy_is_undone_if_a_container_exits_after_it_was_healthy(scene: DeployScene) -> None:
    before = scene.images(), scene.tree()
    dies = '["sh", "-c", "httpd -p 8000 -h /www; sleep 0.9; exit 3"]'
    scene.write(page="two", Dockerfile=DOCKERFILE.replace(DOCKERFILE.split("CMD ")[1], dies + "\n"))
    job = scene.do("deploy")
    assert job.state == "rolled_back"
    assert (scene.images(), scene.tree()) == before
    assert scene.site() == "one"


def test_a_protected_container_is_left_alone(open_scene: Callable[..., DeployScene]) -> None:
    scene = open_scene()
    assert scene.do("deploy").state == "succeeded"
    side = next(name for name in scene.images() if "side" in name).lstrip("/")
    scene.entry["protected"] = [side]
    scene.installation.projects_file.write_text(json.dumps({"shop": scene.entry}))
    before = scene.started(side)
    scene.write(page="two", **{"compose.yaml": COMPOSE.replace("100000", "99999")})
    assert scene.do("deploy").state == "succeeded"
    assert scene.site() == "two"
    restart = scene.do("restart")
    assert restart.state == "succeeded", restart.error
    assert scene.started(side) == before


def test_a_deploy_succeeds_when_every_container_is_protected(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene()
    assert scene.do("deploy").state == "succeeded"
    names = [name.lstrip("/") for name in scene.images()]
    scene.entry["protected"] = names
    scene.installation.projects_file.write_text(json.dumps({"shop": scene.entry}))
    before = [scene.started(name) for name in names]
    scene.write(page="two", **{"compose.yaml": COMPOSE.replace("100000", "99999")})
    job = scene.do("deploy")
    assert job.state == "succeeded", job.error
    assert [scene.started(name) for name in names] == before


def test_a_file_stays_in_production_when_it_is_excluded_after_a_deploy(
    open_scene: Callable[..., DeployScene],
) -> None:
    scene = open_scene(primary_container=None)
    scene.write(**{"compose.yaml": WITHOUT_SITE, "uploads/a": "one", "gone": "one"})
    assert scene.do("deploy").state == "succeeded"
    scene.entry["exclude"] = ["uploads/"]
    scene.installation.projects_file.write_text(json.dumps({"shop": scene.entry}))
    (scene.workspace / "gone").unlink()
    scene.write(page="two")
    assert scene.do("deploy").state == "succeeded"
    assert (scene.production / "uploads" / "a").read_text() == "one"
    assert not (scene.production / "gone").exists()


def test_a_folder_named_env_is_deployed(scene: DeployScene) -> None:
    """Docker makes one where a missing `.env` is mounted."""
    (scene.workspace / ".env").mkdir()
    assert scene.do("status").state == "succeeded"
    scene.write(page="two")
    assert scene.do("deploy").state == "succeeded"
    assert scene.site() == "two"


def test_no_hook_or_filter_configured_in_the_workspace_is_run(siteless: DeployScene) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", siteless.workspace, *words], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    trap = siteless.workspace.parent / "started"
    git("config", "filter.x.clean", f"touch {trap}; cat")
    git("config", "filter.x.process", f"touch {trap}")
    (siteless.workspace / ".git" / "info" / "attributes").write_text("* filter=x\n")
    siteless.write(page="two")
    os.utime(siteless.workspace / "Dockerfile", (1, 1))
    status = siteless.do("status").result
    assert status is not None
    assert status["workspace_dirty"] is True
    assert siteless.do("deploy").state == "succeeded"
    assert not trap.exists()


def test_a_deploy_asks_again_if_the_plan_changed_after_the_question(scene: DeployScene) -> None:
    before = scene.tree()
    scene.write(page="two")
    job = scene.ask("deploy", confirm=False)
    plan = scene.planned(job)
    assert plan["files"]["changed"] == ["page"]
    scene.write(page="three")
    scene.answer(job, "yes")
    again = scene.planned(job, other_than=plan["hash"])
    assert again["changed"] is True
    assert scene.tree() == before
    scene.answer(job, "yes")
    assert scene.end_of(job).state == "succeeded"
    assert scene.site() == "three"


def test_only_one_job_changes_a_project_at_a_time(scene: DeployScene) -> None:
    scene.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 3\n")
    first = scene.ask("deploy")
    scene.until_step(first, "building")
    with pytest.raises(ScarError) as refused:
        scene.ask("restart")
    assert refused.value.code == "busy"
    assert first.id in refused.value.message
    assert "test (api)" in refused.value.message
    assert scene.end_of(first).state == "succeeded"
    assert scene.do("restart").state == "succeeded"


def test_a_cancelled_deploy_leaves_production_as_it_was(scene: DeployScene) -> None:
    before = scene.images(), scene.tree()
    scene.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 300\n")
    job = scene.ask("deploy")
    scene.until_step(job, "building")
    scene.api.request("POST", f"/jobs/{job.id}/cancel")
    job = scene.end_of(job)
    assert job.state == "cancelled"
    assert (scene.images(), scene.tree()) == before
    scene.write(Dockerfile=DOCKERFILE)
    assert scene.do("deploy").state == "succeeded"


def test_a_link_out_of_the_workspace_and_a_socket_stop_no_deploy(scene: DeployScene) -> None:
    (scene.workspace / ".venv/bin").mkdir(parents=True)
    (scene.workspace / ".venv/bin/python3").symlink_to("/usr/bin/python3")
    os.mkfifo(scene.workspace / "pipe")
    plan = scene.do("diff").result
    assert plan is not None
    assert plan["outward"] == [".venv/bin/python3 -> /usr/bin/python3"]
    assert plan["special"] == ["pipe"]
    assert scene.do("deploy").state == "succeeded"
    assert os.readlink(scene.production / ".venv/bin/python3") == "/usr/bin/python3"
    assert not (scene.production / "pipe").exists()
