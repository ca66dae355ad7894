"""`@scar INSTRUCTION` through a real worker: what is changed, told, limited, undone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from scar.errors import ScarError
from scar.jobs.record import Job
from tests.cli.home import eventually
from tests.engine.projects import IMAGE, run_docker
from tests.files.trees import seen

from .stage import Stage

OWNER = 54321
Make = Callable[..., Stage]


@pytest.fixture
def make(public: Path, program: str) -> Iterator[Make]:
    stages: list[Stage] = []

    def _make(*, owner: int = OWNER, agent: str | None = program, **files: str) -> Stage:
        stage = Stage(public, agent, owner)
        stages.append(stage)
        stage.begin(**(files or {"app.py": "timeout = 1\n", "kept": "as it is\n"}))
        return stage

    yield _make
    for stage in stages:
        stage.home.down()


@pytest.fixture
def stage(make: Make) -> Stage:
    return make()


def lines(job: Job, stage: Stage) -> str:
    return stage.view(job).text


def test_fix_a_bug_and_take_it_back(stage: Stage) -> None:
    before = seen(stage.workspace)
    job = stage.do(
        "say looking", "write app.py timeout = 30", "write new/file x", "remove kept", "say fixed"
    )
    assert job.state == "succeeded", job.error
    assert job.output == ("looking", "fixed")
    shown = lines(job, stage)
    assert "✅ Done in workspace: 3 files changed\n+ new/file\n~ app.py\n- kept" in shown
    assert "-timeout = 1\n+timeout = 30" in shown
    assert [b.command for b in stage.view(job).buttons] == [
        "/docker_deploy shop", "/docker_diff shop", "/agent_discard shop",
    ]  # fmt: skip
    assert (stage.workspace / "new" / "file").stat().st_uid == OWNER

    question = stage.ask("agent_discard", confirm=False)
    plan = stage.planned(question)
    assert plan["files"] == {"added": ["new/file"], "changed": ["app.py"], "removed": ["kept"]}
    stage.answer(question, "yes")
    ended = stage.end_of(question)
    assert ended.state == "succeeded", ended.error
    assert seen(stage.workspace) == before
    assert "✅ Discarded: 3 files as before" in lines(ended, stage)

    again = stage.end_of(stage.ask("agent_discard"))
    assert again.state == "succeeded"
    assert seen(stage.workspace) == before


def test_nothing_changed(stage: Stage) -> None:
    job = stage.do("say there is no bug")
    assert job.state == "succeeded", job.error
    document = stage.view(job)
    assert "nothing was changed" in document.text
    assert document.buttons == ()


def test_what_the_program_sees(stage: Stage) -> None:
    engine = os.environ["DOCKER_HOST"].removeprefix("unix://")
    redis = stage.home.redis_url.removeprefix("unix://")
    key = stage.home.folder / "state" / "secret_key"
    assert key.exists()
    job = stage.do(f"facts facts.json {engine} /var/run/docker.sock {redis} {key}")
    assert job.state == "succeeded", job.error
    found = json.loads((stage.workspace / "facts.json").read_text())
    assert set(found["uids"]) == {OWNER}
    assert found["groups"] == []
    assert found["reached"] == []
    assert found["status"]["NoNewPrivs"] == "1"
    assert not [n for n in found["env"] if n.startswith(("SCAR", "DOCKER", "REDIS"))]
    assert key.read_text() not in json.dumps(found)


def test_a_workspace_of_root_is_nobodys_meanwhile(make: Make) -> None:
    stage = make(owner=0)
    job = stage.do("facts facts.json", "write app.py two", "folder made", "write made/file x")
    assert job.state == "succeeded", job.error
    assert set(json.loads((stage.workspace / "facts.json").read_text())["uids"]) == {65534}
    assert {about[3:5] for about in seen(stage.workspace).values()} == {(0, 0)}


def test_a_project_without_an_agent(make: Make) -> None:
    stage = make(agent=None)
    job = stage.do("say hello")
    assert job.error is not None
    assert (job.state, job.error.code) == ("failed", "project_invalid")
    assert '"agent": "claude -p' in job.error.hint


def test_an_instruction_is_checked(stage: Stage) -> None:
    for wrong in ("", " \n", "x" * 8001, 7):
        with pytest.raises(ScarError):
            stage.ask("agent", instruction=wrong)


def test_it_fails_and_says_what_it_has_changed(stage: Stage) -> None:
    job = stage.do("write app.py half", "say I give up", "exit 3")
    assert job.error is not None
    assert (job.state, job.error.code) == ("failed", "agent_failed")
    shown = lines(job, stage)
    assert "code 3" in shown
    assert "I give up" in shown
    assert "~ app.py" in shown
    assert stage.view(job).buttons[-1].command == "/agent_discard shop"


def test_secrets_are_masked(stage: Stage) -> None:
    (stage.workspace / ".env").write_text("DB_PASSWORD=hunter2-hunter2\n")
    job = stage.do("say the password is hunter2-hunter2", "append app.py hunter2-hunter2")
    assert job.state == "succeeded", job.error
    assert job.output == ("the password is ***",)
    assert "~ app.py" in lines(job, stage)
    assert "hunter2" not in json.dumps(job.result)


def test_a_hundred_megabytes(stage: Stage) -> None:
    job = stage.do("flood 100", "write app.py two", "say the end")
    assert job.state == "succeeded", job.error
    assert "not shown" in job.output[-1]
    assert job.result is not None
    assert job.result["output"][-1] == "the end"
    assert "~ app.py" in lines(job, stage)


def test_cancelled_within_five_seconds(stage: Stage) -> None:
    job = stage.instruct("write app.py half", "ignore", "leave pids", "say begun", "sleep 100")
    stage.until_told(job, "begun")
    assert len(stage.left(job)) >= 4
    begun = time.monotonic()
    stage.cancel(job)
    eventually(lambda: not stage.left(job), "its processes are gone", 5)
    ended = stage.end_of(job)
    assert time.monotonic() - begun < 7
    assert ended.state == "cancelled"
    assert "~ app.py" in lines(ended, stage)
    assert stage.view(ended).buttons[-1].command == "/agent_discard shop"


def test_it_deletes_the_workspace(stage: Stage) -> None:
    (stage.workspace / ".git").mkdir()
    (stage.workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    os.chown(stage.workspace / ".git", OWNER, OWNER)
    before = {name: about for name, about in seen(stage.workspace).items() if ".git" not in name}
    job = stage.do("wipe")
    assert list(stage.workspace.iterdir()) == []
    assert "`.git` is gone" in lines(job, stage)
    assert stage.end_of(stage.ask("agent_discard")).state == "succeeded"
    assert seen(stage.workspace) == before


@pytest.mark.parametrize("owner", [OWNER, 0])
def test_the_worker_is_killed_and_it_is_never_run_twice(make: Make, owner: int) -> None:
    stage = make(owner=owner)
    before = seen(stage.workspace)
    job = stage.instruct("append count once", "write app.py half", "leave pids", "say begun",
                         "sleep 100")  # fmt: skip
    stage.until_told(job, "begun")
    stage.kill_worker()
    eventually(lambda: not stage.left(job), "its processes are gone", 5)
    ended = stage.end_of(job)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == ("failed", "worker_lost")
    assert (stage.workspace / "count").read_text() == "once\n"
    assert "~ app.py" in lines(ended, stage)
    assert {about[3] for about in seen(stage.workspace).values()} == {owner}
    assert stage.end_of(stage.ask("agent_discard")).state == "succeeded"
    assert seen(stage.workspace) == before


def test_redis_is_emptied_and_it_is_not_run_again(stage: Stage) -> None:
    job = stage.instruct("append count once", "say begun", "sleep 3")
    stage.until_told(job, "begun")
    import redis

    redis.Redis.from_url(stage.home.redis_url).flushall()
    eventually(lambda: _ended(stage, job), "the job is back, and at its end", 40)
    assert (stage.workspace / "count").read_text() == "once\n"
    assert stage.left(job) == []


def _ended(stage: Stage, job: Job) -> bool:
    try:
        return stage.api.job(job.id).state.ended
    except ScarError:
        return False


@pytest.fixture
def container(image: str) -> Iterator[str]:  # noqa: ARG001
    name = f"scartest-{uuid4().hex[:8]}"
    run_docker("run", "-d", "--name", name, IMAGE, "sleep", "1000")
    yield name
    run_docker("rm", "-f", name)


def test_a_restart_meanwhile_but_no_deploy(stage: Stage, container: str) -> None:
    stage.configure(containers=[container])
    job = stage.instruct("say begun", "sleep 30")
    stage.until_told(job, "begun")
    restarted = stage.end_of(stage.ask("restart"))
    assert restarted.state == "succeeded", restarted.error
    with pytest.raises(ScarError, match=job.id):
        stage.ask("deploy")
    asked = stage.end_of(stage.ask("deploy", confirm=False))
    assert asked.error is not None
    assert asked.error.code == "busy"
    assert f"agent {job.id} of boss (api)" in asked.error.message
    with pytest.raises(ScarError, match=job.id):
        stage.instruct("say me too")
    stage.cancel(job)
    assert stage.end_of(job).state == "cancelled"


def test_a_discard_after_somebody_went_on(stage: Stage) -> None:
    stage.do("write app.py of the agent", "write other new")
    (stage.workspace / "app.py").write_text("mine\n")
    question = stage.ask("agent_discard", confirm=False)
    assert stage.planned(question)["left"] == ["app.py"]
    (stage.workspace / "other").write_text("mine as well\n")
    stage.answer(question, "yes")
    eventually(lambda: (stage.api.job(question.id).plan or {}).get("changed"), "asked again")
    assert (stage.workspace / "other").read_text() == "mine as well\n"
    stage.answer(question, "yes")
    assert stage.end_of(question).state == "succeeded"
    assert (stage.workspace / "app.py").read_text() == "mine\n"
    assert (stage.workspace / "other").read_text() == "mine as well\n"


def test_a_file_of_holes_keeps_nobody_waiting(stage: Stage) -> None:
    job = stage.do("hollow big 4000", "write app.py timeout = 30")
    assert job.state == "succeeded", job.error
    assert (job.finished_at or 0) - (job.started_at or 0) < 20_000
    assert job.result is not None
    assert job.result["counts"] == {"added": 0, "changed": 1, "removed": 0}
    assert "Discard leaves them: big" in lines(job, stage)
    assert stage.end_of(stage.ask("agent_discard")).state == "succeeded"
    assert (stage.workspace / "app.py").read_text() == "timeout = 1\n"
    again = stage.do("say again")
    assert again.state == "succeeded", again.error
