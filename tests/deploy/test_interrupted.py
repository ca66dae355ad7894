"""A deploy in whose middle something dies: production settles, and the job tells the truth."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from scar.jobs.event import Event
from scar.jobs.record import Job
from tests.support.compose_project import IMAGE, run_docker
from tests.support.deploy_scene import DOCKERFILE, DeployScene
from tests.support.kill_at import KillAt
from tests.support.waiting import eventually


@pytest.mark.parametrize("step", ["building", "restarting", "verifying"])
def test_production_stays_as_it_was_if_the_worker_is_killed_during_a_deploy(
    scene: DeployScene, step: str
) -> None:
    before = scene.images(), scene.tree()
    scene.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 1\n")
    job = scene.ask("deploy")
    scene.until_step(job, step)
    scene.kill_worker()
    job = scene.end_of(job)
    assert job.state == "rolled_back", job.error
    assert job.error is not None
    assert job.error.code == "worker_lost"
    assert (scene.images(), scene.tree()) == before
    assert scene.site() == "one"
    assert scene.leftovers() == []
    assert scene.do("deploy").state == "succeeded"
    assert scene.site() == "two"


def test_a_container_that_was_killed_with_the_worker_is_started_again(scene: DeployScene) -> None:
    """Killed once its files are there and before a container is touched; an Engine that dies with
    it leaves its containers dead."""
    before = scene.images(), scene.tree()
    scene.write(page="two")
    starting = 6  # begun, staged, building, built, applying, starting: one call each
    journal = scene.state / "journal.jsonl"
    with KillAt(scene.pool(), "pwrite64", starting, journal) as kill:
        job = scene.ask("deploy")
        eventually(lambda: kill.hit, "it was killed")
    run_docker("kill", f"{scene.name}-web-1", f"{scene.name}-side-1")
    job = scene.end_of(job)
    assert job.state == "rolled_back", job.error
    assert "its containers are up" in (job.result or {})["production_state"]
    assert (scene.images(), scene.tree()) == before
    assert scene.site() == "one"
    assert scene.leftovers() == []


@pytest.mark.parametrize(
    ("record", "state", "page"),
    [(3, "rolled_back", "two"), (4, "rolled_back", "two"), (5, "succeeded", "by hand")],
)
def test_a_kept_file_whose_return_is_killed_is_there_or_not(
    siteless: DeployScene, record: int, state: str, page: str
) -> None:
    """Killed as it writes a record: begun, staged, applying, restored, ended."""
    (siteless.production / "page").write_text("by hand")
    siteless.write(page="two")
    assert siteless.do("deploy").state == "succeeded"
    journal = siteless.state / "journal.jsonl"
    with KillAt(siteless.pool(), "pwrite64", record, journal) as kill:
        job = siteless.ask("kept_restore", number=1)
        eventually(lambda: kill.hit, "it was killed")
    job = siteless.end_of(job)
    assert job.state == state, job.error
    assert (siteless.production / "page").read_text() == page
    assert siteless.do("deploy").state == "succeeded"
    assert (siteless.production / "page").read_text() == "two"
    assert len((siteless.do("kept").result or {})["files"]) == (2 if page == "by hand" else 1)


@pytest.mark.parametrize("part", ["scar.cli api", "redis"])
def test_no_event_is_lost_when_the_api_or_redis_is_killed(scene: DeployScene, part: str) -> None:
    scene.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 2\n")
    job = scene.ask("deploy")
    seen = []
    killed = False
    for event in scene.events(job):
        seen.append(event.id)
        if not killed and event.type == "step" and event.data["name"] == "building":
            scene.installation.kill(part)
            killed = True
    assert killed
    assert seen == list(range(1, len(seen) + 1))
    assert scene.api.job(job.id).state == "succeeded"
    assert scene.site() == "two"


def test_a_live_log_loses_and_repeats_no_line_when_its_worker_is_killed(
    siteless: DeployScene,
) -> None:
    side = f"{siteless.name}-side-1"
    job = siteless.ask("follow", container=side, grep="LINE", since="1s")
    siteless.until_step(job, "following")
    write = "i=0; while [ $i -lt 110 ]; do i=$((i+1)); echo line $i; echo noise; sleep 0.05; done"
    run_docker("exec", "-d", side, "sh", "-c", f"({write}) > /proc/1/fd/1")
    expected = [f"line {number}" for number in range(1, 111)]
    lines: list[str] = []
    killed = False
    for event in siteless.events(job):
        if event.type != "output":
            continue
        lines.append(event.data["line"].partition("] ")[2])
        if len(lines) == 30 and not killed:
            killed = True
            siteless.kill_worker()
        if lines[-1] == expected[-1]:
            break
    assert lines == expected
    run_docker("rm", "-f", side)
    label = f"com.docker.compose.project={siteless.name}"
    again = "echo a line of the next; exec sleep 100000"
    run_docker("run", "-d", "--name", side, "--label", label, IMAGE, "sh", "-c", again)
    later = [
        e.data["line"] for e in itertools.islice(_output(siteless, job), len(lines), 2 + len(lines))
    ]
    assert later[0].startswith(f"── {side} was replaced (")
    assert later[1].endswith("] a line of the next")
    siteless.api.request("POST", f"/jobs/{job.id}/cancel")
    assert siteless.end_of(job).state == "cancelled"


def _output(scene: DeployScene, job: Job) -> Iterator[Event]:
    return (event for event in scene.events(job) if event.type == "output")
