"""What a deploy brings into production, and what it leaves there."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

import pytest

from scar.commands import job_commands
from scar.errors import ScarError
from scar.jobs.record import Job

from .shop import COMPOSE, DOCKERFILE, Shop


def states(job: Job) -> dict[str, str]:
    return {step.name: step.state.value for step in job.steps}


def test_the_site_shows_the_new_page(shop: Shop) -> None:
    side = {name: id for name, id in shop.images().items() if "side" in name}
    shop.write(page="two")
    job = shop.do("deploy")
    assert job.state == "succeeded", job.error
    assert shop.site() == "two"
    assert job.result is not None
    assert job.result["built"] == ["web"]
    assert job.result["restarted"] == ["web"]
    assert job.result["primary"]["state"] == "running"
    assert side.items() <= shop.images().items()
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
    assert shop.leftovers() == []


def test_nothing_changed_nothing_done(shop: Shop) -> None:
    before = shop.images(), shop.tree()
    job = shop.do("deploy")
    assert job.state == "succeeded"
    assert job.result is not None
    assert job.result["nothing"] is True
    assert set(states(job).values()) == {"succeeded", "skipped"}
    assert (shop.images(), shop.tree()) == before


def test_what_scar_did_not_bring_stays(shop: Shop) -> None:
    for name, text in {"data/db": "rows", ".env": "A=1", "uploads/x": "picture"}.items():
        path = shop.production / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    inode = (shop.production / "data/db").stat().st_ino
    shop.write(page="two", **{".env": "A=2", "new/file": "new"})
    assert shop.do("deploy").state == "succeeded"
    (shop.workspace / "new/file").unlink()
    (shop.workspace / "new").rmdir()
    assert shop.do("deploy").state == "succeeded"
    assert not (shop.production / "new").exists()
    assert (shop.production / "data/db").read_text() == "rows"
    assert (shop.production / "data/db").stat().st_ino == inode
    assert (shop.production / ".env").read_text() == "A=1"
    assert (shop.production / "uploads/x").read_text() == "picture"


def test_drift_is_shown_and_kept(shop: Shop) -> None:
    (shop.production / "page").write_text("by hand")
    diff = shop.do("diff")
    assert diff.result is not None
    assert diff.result["drift"] == ["page"]
    job = shop.do("deploy")
    assert job.state == "succeeded"
    assert (shop.production / "page").read_text() == "one"
    state = shop.home.folder / "state/projects/shop/objects"
    assert "by hand" in [path.read_text() for path in state.rglob("*") if path.is_file()]


def test_what_was_made_by_hand_can_be_had_back(shop: Shop) -> None:
    (shop.production / "page").write_text("by hand\n")
    shop.write(page="two")
    job = shop.do("deploy")
    assert job.result is not None
    assert job.result["kept"] == ["page"]
    said = job_commands()["deploy"].view(job).text
    assert "/docker_kept" in said
    kept = shop.do("kept")
    assert kept.result is not None
    (row,) = kept.result["files"]
    assert (row["path"], row["job"]) == ("page", job.id)
    subprocess.run(row["command"], shell=True, check=True)
    assert (shop.production / "page").read_text() == "by hand\n"
    assert row["command"] in job_commands()["kept"].view(kept).text


def test_a_bind_mounted_file_only_restarts(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    mounted = COMPOSE.replace(
        '["./data:/data"]', '["./data:/data", "./page:/www/index.html"]'
    ).replace("build: .", "image: IMAGE\n    command: [httpd, -f, -p, '8000', -h, /www]")
    shop.write(**{"compose.yaml": mounted})
    assert shop.do("deploy").state == "succeeded"
    shop.write(page="two")
    job = shop.do("deploy")
    assert job.state == "succeeded", job.error
    assert job.result is not None
    assert job.result["built"] == []
    assert states(job)["building"] == "skipped"
    assert shop.site() == "two"


def test_a_build_that_fails_touches_nothing(shop: Shop) -> None:
    before = shop.images(), shop.tree()
    shop.write(page="two", Dockerfile=DOCKERFILE + "RUN echo no such luck && false\n")
    job = shop.ask("deploy")
    answered = []
    for _ in shop.events(job):
        answered.append(shop.site())
    job = shop.api.job(job.id)
    assert job.state == "rolled_back"
    assert job.error is not None
    assert job.error.code == "build_failed"
    assert "false" in job.error.message
    assert any("no such luck" in line for line in job.error.lines)
    assert set(answered) == {"one"}
    assert (shop.images(), shop.tree()) == before
    assert shop.leftovers() == []


def test_a_container_that_never_gets_healthy_is_put_back(shop: Shop) -> None:
    before = shop.images(), shop.tree()
    shop.write(page="two", Dockerfile=DOCKERFILE.replace('"8000"', '"9000"'))
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert job.error is not None
    assert job.error.code == "unhealthy"
    assert job.result is not None
    assert "files and images it had before" in job.result["production_state"]
    assert (shop.images(), shop.tree()) == before
    assert shop.site() == "one"
    assert shop.leftovers() == []


def test_a_container_that_dies_after_it_was_well_is_put_back(shop: Shop) -> None:
    before = shop.images(), shop.tree()
    dies = '["sh", "-c", "httpd -p 8000 -h /www; sleep 0.9; exit 3"]'
    shop.write(page="two", Dockerfile=DOCKERFILE.replace(DOCKERFILE.split("CMD ")[1], dies + "\n"))
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert (shop.images(), shop.tree()) == before
    assert shop.site() == "one"


def test_a_first_deploy_that_fails_leaves_nothing(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.write(Dockerfile=DOCKERFILE.replace('"8000"', '"9000"'))
    job = shop.do("deploy")
    assert job.state == "rolled_back"
    assert shop.images() == {}
    assert shop.tree() == {}


def test_a_protected_container_is_left_alone(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    assert shop.do("deploy").state == "succeeded"
    side = next(name for name in shop.images() if "side" in name).lstrip("/")
    shop.entry["protected"] = [side]
    shop.home.projects_file.write_text(json.dumps({"shop": shop.entry}))
    before = shop.started(side)
    shop.write(page="two", **{"compose.yaml": COMPOSE.replace("100000", "99999")})
    assert shop.do("deploy").state == "succeeded"
    assert shop.site() == "two"
    restart = shop.do("restart")
    assert restart.state == "succeeded", restart.error
    assert shop.started(side) == before


def test_every_container_protected(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    assert shop.do("deploy").state == "succeeded"
    names = [name.lstrip("/") for name in shop.images()]
    shop.entry["protected"] = names
    shop.home.projects_file.write_text(json.dumps({"shop": shop.entry}))
    before = [shop.started(name) for name in names]
    shop.write(page="two", **{"compose.yaml": COMPOSE.replace("100000", "99999")})
    job = shop.do("deploy")
    assert job.state == "succeeded", job.error
    assert [shop.started(name) for name in names] == before


def test_what_is_excluded_since_stays(open_shop: Callable[..., Shop]) -> None:
    shop = open_shop()
    shop.write(**{"uploads/a": "one", "gone": "one"})
    assert shop.do("deploy").state == "succeeded"
    shop.entry["exclude"] = ["uploads/"]
    shop.home.projects_file.write_text(json.dumps({"shop": shop.entry}))
    (shop.workspace / "gone").unlink()
    shop.write(page="two")
    assert shop.do("deploy").state == "succeeded"
    assert (shop.production / "uploads" / "a").read_text() == "one"
    assert not (shop.production / "gone").exists()


def test_a_folder_called_env(shop: Shop) -> None:
    """Docker makes one where a missing `.env` is mounted."""
    (shop.workspace / ".env").mkdir()
    assert shop.do("status").state == "succeeded"
    shop.write(page="two")
    assert shop.do("deploy").state == "succeeded"
    assert shop.site() == "two"


def test_git_starts_nothing_of_the_workspace(shop: Shop) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-C", shop.workspace, *words], check=True, capture_output=True)

    git("init", "-q")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
    trap = shop.workspace.parent / "started"
    git("config", "filter.x.clean", f"touch {trap}; cat")
    git("config", "filter.x.process", f"touch {trap}")
    (shop.workspace / ".git" / "info" / "attributes").write_text("* filter=x\n")
    shop.write(page="two")
    os.utime(shop.workspace / "Dockerfile", (1, 1))
    found = shop.do("status").result
    assert found is not None
    assert found["workspace_dirty"] is True
    assert shop.do("deploy").state == "succeeded"
    assert not trap.exists()


def test_the_plan_that_was_confirmed_is_the_plan_that_runs(shop: Shop) -> None:
    before = shop.tree()
    shop.write(page="two")
    job = shop.ask("deploy", confirm=False)
    plan = shop.planned(job)
    assert plan["files"]["changed"] == ["page"]
    shop.write(page="three")
    shop.answer(job, "yes")
    again = shop.planned(job, other_than=plan["hash"])
    assert again["changed"] is True
    assert shop.tree() == before
    shop.answer(job, "yes")
    assert shop.end_of(job).state == "succeeded"
    assert shop.site() == "three"


def test_only_one_changes_a_project_at_a_time(shop: Shop) -> None:
    shop.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 3\n")
    first = shop.ask("deploy")
    shop.until_step(first, "building")
    with pytest.raises(ScarError) as refused:
        shop.ask("restart")
    assert refused.value.code == "busy"
    assert first.id in refused.value.message
    assert "test (api)" in refused.value.message
    assert shop.end_of(first).state == "succeeded"
    assert shop.do("restart").state == "succeeded"


def test_a_cancelled_deploy_is_put_back(shop: Shop) -> None:
    before = shop.images(), shop.tree()
    shop.write(page="two", Dockerfile=DOCKERFILE + "RUN sleep 300\n")
    job = shop.ask("deploy")
    shop.until_step(job, "building")
    shop.api.request("POST", f"/jobs/{job.id}/cancel")
    job = shop.end_of(job)
    assert job.state == "cancelled"
    assert (shop.images(), shop.tree()) == before
    shop.write(Dockerfile=DOCKERFILE)
    assert shop.do("deploy").state == "succeeded"
