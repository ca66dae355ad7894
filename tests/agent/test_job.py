"""Agent jobs through a real worker: their reports and limits, and discarding them."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from scar.errors import ScarError
from scar.jobs.record import Job
from tests.support.agent_scene import AgentScene, agent_installation
from tests.support.compose_project import IMAGE, run_docker
from tests.support.files_scene import seen
from tests.support.installation import Installation
from tests.support.stopwatch import Stopwatch
from tests.support.waiting import eventually

OWNER = 54321
Make = Callable[..., AgentScene]
_EMPTIES_REDIS = {"test_an_agent_is_not_run_again_after_redis_lost_its_data"}
"""Redis is then told of every job that a SCAR has ever done."""


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    """Yield one SCAR, in a folder that every user can enter. Tests may kill its worker, which it
    starts again.
    """
    folder = Path(tempfile.mkdtemp(prefix="scar-agents-", dir="/tmp"))
    folder.chmod(0o755)
    installation = agent_installation(folder / "scar")
    yield installation
    installation.down()
    shutil.rmtree(folder)


@pytest.fixture
def make(public: Path, program: str, request: pytest.FixtureRequest) -> Iterator[Make]:
    scenes: list[AgentScene] = []
    shared = None if request.node.originalname in _EMPTIES_REDIS else "installation"

    def _make(*, owner: int = OWNER, agent: str | None = program, **files: str) -> AgentScene:
        installation = request.getfixturevalue(shared) if shared else None
        scene = AgentScene(public, agent, owner, installation)
        scenes.append(scene)
        scene.begin(**(files or {"app.py": "timeout = 1\n", "kept": "as it is\n"}))
        return scene

    yield _make
    for scene in scenes:
        scene.end()


@pytest.fixture
def scene(make: Make) -> AgentScene:
    return make()


def text_of(job: Job, scene: AgentScene) -> str:
    return scene.view(job).text


def test_the_changes_are_reported_and_discarded(scene: AgentScene) -> None:
    before = seen(scene.workspace)
    job = scene.do(
        "say looking", "write app.py timeout = 30", "write new/file x", "remove kept", "say fixed"
    )
    assert job.state == "succeeded", job.error
    assert job.output == ("looking", "fixed")
    text = text_of(job, scene)
    assert "✅ Done in workspace: 3 files changed\n+ new/file\n~ app.py\n- kept" in text
    assert "-timeout = 1\n+timeout = 30" in text
    assert [b.command for b in scene.view(job).buttons] == [
        "/docker_deploy shop", "/docker_diff shop", "/agent_discard shop",
    ]  # fmt: skip
    assert (scene.workspace / "new" / "file").stat().st_uid == OWNER

    question = scene.ask("agent_discard", confirm=False)
    plan = scene.planned(question)
    assert plan["files"] == {"added": ["new/file"], "changed": ["app.py"], "removed": ["kept"]}
    scene.answer(question, "yes")
    ended = scene.end_of(question)
    assert ended.state == "succeeded", ended.error
    assert seen(scene.workspace) == before
    assert "✅ Discarded: 3 files as before" in text_of(ended, scene)

    again = scene.end_of(scene.ask("agent_discard"))
    assert again.state == "succeeded"
    assert seen(scene.workspace) == before


def test_hooks_and_settings_of_git_are_named_and_discarded(scene: AgentScene) -> None:
    for name in ("objects", "refs/heads", "hooks"):
        (scene.workspace / ".git" / name).mkdir(parents=True)
    (scene.workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (scene.workspace / ".git" / "config").write_text("[core]\n\tbare = false\n")
    for path in (scene.workspace / ".git", *(scene.workspace / ".git").rglob("*")):
        os.chown(path, OWNER, OWNER)
    before = seen(scene.workspace)
    job = scene.do(
        "write .git/hooks/post-checkout '#!/bin/sh'", "mode 755 .git/hooks/post-checkout",
        "append .git/config [core]", "append .git/config 'fsmonitor = evil'",
    )  # fmt: skip
    text = text_of(job, scene)
    assert "2 files changed\n+ .git/hooks/post-checkout\n~ .git/config" in text
    assert "+fsmonitor = evil" in text
    assert "⚠️ 2 of Git's hooks and settings changed" in text
    assert scene.end_of(scene.ask("agent_discard")).state == "succeeded"
    assert seen(scene.workspace) == before


def test_a_run_can_be_discarded_if_its_changes_could_not_be_determined(scene: AgentScene) -> None:
    before = seen(scene.workspace)
    job = scene.instruct("write app.py two", "say begun", "until go", "remove go")
    scene.until_told(job, "begun")
    in_the_way = scene.installation.folder / "state/projects/shop/agent/index.new"
    in_the_way.mkdir()
    (scene.workspace / "go").touch()
    os.chown(scene.workspace / "go", OWNER, OWNER)
    ended = scene.end_of(job)
    in_the_way.rmdir()
    assert ended.state == "failed"
    assert "What it changed is not known" in text_of(ended, scene)
    assert [button.command for button in scene.view(ended).buttons] == ["/agent_discard shop"]
    assert scene.end_of(scene.ask("agent_discard")).state == "succeeded"
    assert seen(scene.workspace) == before


def test_a_run_without_changes_offers_no_buttons(scene: AgentScene) -> None:
    job = scene.do("say there is no bug")
    assert job.state == "succeeded", job.error
    document = scene.view(job)
    assert "nothing was changed" in document.text
    assert document.buttons == ()


def test_the_agent_reaches_neither_engine_nor_redis_nor_keys(scene: AgentScene) -> None:
    engine = os.environ["DOCKER_HOST"].removeprefix("unix://")
    redis = scene.installation.redis_url.removeprefix("unix://")
    key = scene.installation.folder / "state" / "keys" / "telegram.pem"
    assert key.exists()
    job = scene.do(f"facts facts.json {engine} /var/run/docker.sock {redis} {key}")
    assert job.state == "succeeded", job.error
    facts = json.loads((scene.workspace / "facts.json").read_text())
    assert set(facts["uids"]) == {OWNER}
    assert facts["groups"] == []
    assert facts["reached"] == []
    assert facts["status"]["NoNewPrivs"] == "1"
    assert not [n for n in facts["env"] if n.startswith(("SCAR", "DOCKER", "REDIS"))]
    assert key.read_text() not in json.dumps(facts)


def test_in_a_workspace_of_root_the_agent_runs_as_nobody_and_root_owns_all_files_after(
    make: Make,
) -> None:
    scene = make(owner=0)
    job = scene.do("facts facts.json", "write app.py two", "folder made", "write made/file x")
    assert job.state == "succeeded", job.error
    assert set(json.loads((scene.workspace / "facts.json").read_text())["uids"]) == {65534}
    assert {about[3:5] for about in seen(scene.workspace).values()} == {(0, 0)}


def test_a_project_without_an_agent_fails_with_an_example(make: Make) -> None:
    scene = make(agent=None)
    job = scene.do("say hello")
    assert job.error is not None
    assert (job.state, job.error.code) == ("failed", "project_invalid")
    assert '"agent": "claude -p' in job.error.hint


def test_an_invalid_instruction_is_refused(scene: AgentScene) -> None:
    for wrong in ("", " \n", "x" * 8001, 7):
        with pytest.raises(ScarError):
            scene.ask("agent", instruction=wrong)


def test_a_failed_run_reports_its_code_its_last_lines_and_its_changes(scene: AgentScene) -> None:
    job = scene.do("write app.py half", "say I give up", "exit 3")
    assert job.error is not None
    assert (job.state, job.error.code) == ("failed", "agent_failed")
    text = text_of(job, scene)
    assert "code 3" in text
    assert "I give up" in text
    assert "~ app.py" in text
    assert scene.view(job).buttons[-1].command == "/agent_discard shop"


def test_secrets_of_the_project_are_masked_in_output_and_diff(scene: AgentScene) -> None:
    (scene.workspace / ".env").write_text("DB_PASSWORD=hunter2-hunter2\n")
    job = scene.do("say the password is hunter2-hunter2", "append app.py hunter2-hunter2")
    assert job.state == "succeeded", job.error
    assert job.output == ("the password is ***",)
    assert "~ app.py" in text_of(job, scene)
    assert "hunter2" not in json.dumps(job.result)


def test_the_last_lines_are_reported_after_a_hundred_megabytes_of_output(scene: AgentScene) -> None:
    job = scene.do("flood 100", "write app.py two", "say the end")
    assert job.state == "succeeded", job.error
    assert "not shown" in job.output[-1]
    assert job.result is not None
    assert job.result["output"][-1] == "the end"
    assert "~ app.py" in text_of(job, scene)


def test_a_cancelled_agent_ends_within_5_seconds_and_can_be_discarded(scene: AgentScene) -> None:
    job = scene.instruct("write app.py half", "ignore", "leave pids", "say begun", "sleep 100")
    scene.until_told(job, "begun")
    assert len(scene.left(job)) >= 4
    watch = Stopwatch()
    scene.cancel(job)
    eventually(lambda: not scene.left(job), "the agent's processes are gone")
    assert watch.seconds() < 5
    ended = scene.end_of(job)
    assert watch.seconds() < 7
    assert ended.state == "cancelled"
    assert "~ app.py" in text_of(ended, scene)
    assert scene.view(ended).buttons[-1].command == "/agent_discard shop"


def test_a_workspace_that_the_agent_emptied_is_restored_except_for_git_metadata(
    scene: AgentScene,
) -> None:
    (scene.workspace / ".git").mkdir()
    (scene.workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    os.chown(scene.workspace / ".git", OWNER, OWNER)
    before = {name: about for name, about in seen(scene.workspace).items() if ".git" not in name}
    job = scene.do("wipe")
    assert list(scene.workspace.iterdir()) == []
    assert "`.git` is gone" in text_of(job, scene)
    assert scene.end_of(scene.ask("agent_discard")).state == "succeeded"
    assert seen(scene.workspace) == before


@pytest.mark.parametrize("owner", [OWNER, 0])
def test_an_agent_whose_worker_was_killed_is_stopped_and_not_run_again(
    make: Make, owner: int
) -> None:
    scene = make(owner=owner)
    before = seen(scene.workspace)
    job = scene.instruct("append count once", "write app.py half", "leave pids", "say begun",
                         "sleep 100")  # fmt: skip
    scene.until_told(job, "begun")
    scene.kill_worker()
    eventually(lambda: not scene.left(job), "the agent's processes are gone", 5)
    ended = scene.end_of(job)
    assert ended.error is not None
    assert (ended.state, ended.error.code) == ("failed", "worker_lost")
    assert (scene.workspace / "count").read_text() == "once\n"
    assert "~ app.py" in text_of(ended, scene)
    assert {about[3] for about in seen(scene.workspace).values()} == {owner}
    assert scene.end_of(scene.ask("agent_discard")).state == "succeeded"
    assert seen(scene.workspace) == before


def test_an_agent_is_not_run_again_after_redis_lost_its_data(scene: AgentScene) -> None:
    job = scene.instruct("append count once", "say begun", "sleep 3")
    scene.until_told(job, "begun")
    import redis

    redis.Redis.from_url(scene.installation.redis_url).flushall()
    eventually(lambda: _ended(scene, job), "the job is back, and at its end", 40)
    assert (scene.workspace / "count").read_text() == "once\n"
    assert scene.left(job) == []


def _ended(scene: AgentScene, job: Job) -> bool:
    try:
        return scene.api.job(job.id).state.ended
    except ScarError:
        return False


@pytest.fixture
def container() -> Iterator[str]:
    name = f"scartest-{uuid4().hex[:8]}"
    run_docker("run", "-d", "--name", name, IMAGE, "sleep", "1000")
    yield name
    run_docker("rm", "-f", name)


def test_while_an_agent_works_a_restart_is_possible_and_a_deploy_is_not(
    scene: AgentScene, container: str
) -> None:
    scene.configure(containers=[container])
    job = scene.instruct("say begun", "sleep 30")
    scene.until_told(job, "begun")
    restarted = scene.end_of(scene.ask("restart"))
    assert restarted.state == "succeeded", restarted.error
    with pytest.raises(ScarError, match=job.id):
        scene.ask("deploy")
    deploy = scene.end_of(scene.ask("deploy", confirm=False))
    assert deploy.error is not None
    assert deploy.error.code == "busy"
    assert f"agent {job.id} of boss (api)" in deploy.error.message
    with pytest.raises(ScarError, match=job.id):
        scene.instruct("say me too")
    scene.cancel(job)
    assert scene.end_of(job).state == "cancelled"


def test_a_discard_leaves_later_changes_and_asks_again_if_there_are_new_ones(
    scene: AgentScene,
) -> None:
    scene.do("write app.py of the agent", "write other new")
    (scene.workspace / "app.py").write_text("mine\n")
    question = scene.ask("agent_discard", confirm=False)
    assert scene.planned(question)["left"] == ["app.py"]
    (scene.workspace / "other").write_text("mine as well\n")
    scene.answer(question, "yes")
    eventually(lambda: (scene.api.job(question.id).plan or {}).get("changed"), "asked again")
    assert (scene.workspace / "other").read_text() == "mine as well\n"
    scene.answer(question, "yes")
    assert scene.end_of(question).state == "succeeded"
    assert (scene.workspace / "app.py").read_text() == "mine\n"
    assert (scene.workspace / "other").read_text() == "mine as well\n"


def test_a_huge_sparse_file_is_not_read_and_not_in_the_snapshot(scene: AgentScene) -> None:
    job = scene.do("hollow big 4000", "write app.py timeout = 30")
    assert job.state == "succeeded", job.error
    assert (job.finished_at or 0) - (job.started_at or 0) < 20_000
    assert job.result is not None
    assert job.result["counts"] == {"added": 0, "changed": 1, "removed": 0}
    assert "Discard leaves them: big" in text_of(job, scene)
    assert scene.end_of(scene.ask("agent_discard")).state == "succeeded"
    assert (scene.workspace / "app.py").read_text() == "timeout = 1\n"
    again = scene.do("say again")
    assert again.state == "succeeded", again.error
