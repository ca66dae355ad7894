"""After a deploy: what gets worse is told, and undone once where the project wants that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

import pytest
from redis import Redis
from structlog.testing import capture_logs

from scar.access import Actor
from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.bake import Bake, BakeBook, BakeFinding
from scar.jobs.job_id import new_job_id
from scar.jobs.queue import JobQueue
from scar.jobs.record import Job, JobState
from scar.jobs.results.deploy import DeployResult
from scar.jobs.signing import Signatures
from scar.projects import Project
from tests.contract.conftest import RecordedQueue
from tests.contract.test_conversation import opened, run, sheet_with
from tests.support.acting_worker import ActingWorker
from tests.support.letterbox import LetterBox
from tests.watch.test_rules import running
from workers.engine.events import EngineEvent
from workers.runner import Runner
from workers.state.releases import Release, Releases
from workers.watch.baker import Baker
from workers.watch.observer import ContainerEvent, ContainerView
from workers.watch.undo import Undoer

Ask = Callable[..., Job]
START = 1_790_000_000.0


class World:
    """A host with a project `shop` and no Engine: the log lines are made up, the rest is real."""

    def __init__(self, services: Services, queue: RecordedQueue) -> None:
        self.now = START
        self.services = services
        self.signatures = Signatures.of(services.settings, "worker:default")
        self.book = BakeBook(services.redis, self.signatures)
        jobs = cast("JobQueue", queue)
        self.undoer = Undoer(services.ledger, self.signatures, jobs)
        self.lines = 0
        self.state = services.settings.state_dir
        self.releases = Releases(self.state / "projects" / "shop")
        self.bake_word: str | None = "undo"
        self.others: tuple[str, ...] = ()
        self.baker = self.restarted()

    def restarted(self) -> Baker:
        self.baker = Baker(self.state, self.projects, self, seconds=600, wall=lambda: self.now)
        return self.baker

    def projects(self) -> Mapping[str, Project]:
        shop = replace(self.services.projects.get("shop"), bake=self.bake_word)
        return {name: replace(shop, name=name) for name in (*self.others, "shop")}

    def count_errors(
        self,
        projects: Mapping[str, Project],
        start: int,  # noqa: ARG002
        end: int,  # noqa: ARG002
    ) -> Mapping[tuple[str, str], int]:
        return {("shop", "web"): self.lines} if projects else {}

    def publish(self, bake: Bake, now: int) -> None:
        self.book.put(bake, now)

    def undo(self, bake: Bake) -> bool:
        return self.undoer.undo(bake)

    def release(self, restored: str | None = None) -> str:
        id = new_job_id(self.now)
        at = int(self.now * 1000)
        self.releases.save(Release(id, at, "Ada", None, None, 1.0, None, restored, {}, {}, {}))
        return id

    def let_pass(self, seconds: float, lines: int = 0) -> None:
        """Let so much time pass, with so many error lines a minute."""
        self.lines = lines
        until = self.now + seconds
        while self.now < until:
            self.now = min(self.now + 60, until)
            self.baker.step()

    def look(self, state: str) -> None:
        self.baker.looked(view(self.projects()["shop"], state))

    def die(self) -> None:
        event = EngineEvent(self.now, "die", "", "0" * 64, "web", "shop", "web", False, 1)
        self.baker.happened(ContainerEvent(self.projects()["shop"], event, own=False))


def view(project: Project, state: str) -> ContainerView:
    details = running(state=state, exit_code=1)
    return ContainerView(project, "web", "web", details, True, True, False, (), START)


@pytest.fixture
def world(services: Services, queue: RecordedQueue) -> World:
    return World(services, queue)


def deployed(world: World) -> str:
    """An hour of the release before, then another release."""
    world.release()
    world.let_pass(3600)
    return world.release()


def bake_of(world: World, release: str) -> Bake:
    bake = world.book.get(release)
    assert bake is not None
    return bake


def test_a_deploy_that_crashes_is_told_then_undone_once_also_by_a_worker_that_was_killed(
    world: World, services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = deployed(world)
    world.let_pass(30)
    assert bake_of(world, release).is_well
    world.die()
    world.let_pass(3)
    first = bake_of(world, release)
    assert [(f.what, f.sure) for f in first.findings] == [
        ("has ended once by itself, never before", False)
    ]
    assert not first.undo
    world.restarted()
    world.let_pass(30)
    world.die()
    world.let_pass(3)
    undo = bake_of(world, release).undo
    job = services.job_service.get(undo)
    assert (job.request.kind, job.state) == ("rollback", JobState.QUEUED)
    assert job.request.args == {"release": bake_of(world, release).previous}
    assert job.request.requested_by.key == "worker:default:bake"
    world.restarted()
    world.die()
    world.let_pass(120)
    assert [one.id for one in services.ledger.recent("shop")] == [undo]

    monkeypatch.setattr("workers.runner.connect", lambda *_: redis)
    claim = services.ledger.claim(undo, "test", "nonce")
    assert claim is not None
    verified, plan = Runner.of(services.settings).verification.verify(claim)
    assert (verified.id, plan) == (undo, None)


def test_more_errors_in_the_log_are_told_and_a_project_without_undo_is_left_to_people(
    world: World, services: Services
) -> None:
    world.bake_word = None
    world.release()
    world.let_pass(3600, lines=2)
    release = world.release()
    world.let_pass(400, lines=20)
    bake = bake_of(world, release)
    assert [finding.rule for finding in bake.findings] == ["errors"]
    assert not list(services.ledger.recent("shop"))
    world.let_pass(300, lines=20)
    assert bake_of(world, release).ended


def test_a_first_release_a_rollback_and_a_project_without_bakes_have_no_bake(world: World) -> None:
    first = world.release()
    world.let_pass(60)
    assert world.book.get(first) is None
    back = world.release(restored=first)
    world.let_pass(60)
    assert world.book.get(back) is None
    world.bake_word = "off"
    third = world.release()
    world.let_pass(60)
    assert world.book.get(third) is None


def test_a_bake_ends_with_the_next_release(world: World) -> None:
    release = deployed(world)
    world.let_pass(30)
    world.release()
    world.let_pass(30)
    bake = bake_of(world, release)
    assert bake.ended
    assert bake.until < bake.began + 120_000


def test_a_bake_that_the_worker_of_its_host_has_not_signed_is_refused(
    world: World, services: Services
) -> None:
    bake = Bake("shop", "default", new_job_id(START), new_job_id(START), 0, 1)
    BakeBook(services.redis, Signatures.of(services.settings, "worker:far")).put(bake, 0)
    with pytest.raises(ScarError) as refused:
        world.book.get(bake.release)
    assert refused.value.code == "tampered"
    with pytest.raises(LookupError):
        BakeBook(services.redis, services.signatures).put(bake, 0)


def test_a_worker_cannot_write_bakes_of_deploys_on_another_host(
    ask: Ask, services: Services
) -> None:
    job, far = ask("deploy"), Signatures.of(services.settings, "worker:far")
    bake, book = Bake("shop", "far", job.id, new_job_id(START), 0, 1), BakeBook(services.redis, far)
    book.put(bake, 0)
    with pytest.raises(ScarError, match="tampered"):
        book.of(job)
    malformed = ({"until": "x"}, {"began": 10**30}, {"findings": [5]}, {"findings": 5}, {"undo": 1})
    for change in malformed:
        sealed = far.seal("bake", {**bake.to_json(), **change})
        services.redis.set(f"scar:bake:{job.id}", sealed)
        with pytest.raises(ScarError, match="tampered"):
            book.get(job.id)


@pytest.mark.parametrize(
    ("changed", "signer"),
    [
        ({"kind": "deploy"}, "worker:default"),
        ({"kind": "restart"}, "worker:default"),
        ({"requested_by": Actor("telegram", "1", "Olga").to_json()}, "worker:default"),
        ({}, "worker:far"),
    ],
)
def test_a_worker_can_submit_only_rollbacks_on_its_own_host_in_its_own_name(
    world: World, services: Services, redis: Redis, changed: Mapping[str, object], signer: str
) -> None:
    bake = Bake("shop", "default", "r", new_job_id(), 0, 1, undo=new_job_id())
    assert world.undoer.undo(bake)
    key = f"scar:job:{bake.undo}"
    request = {**json.loads(str(redis.hget(key, "request"))), **changed}
    text = json.dumps(request)
    other = Signatures.of(services.settings, signer)
    redis.hset(key, mapping={"request": text, "signature": other.sign("request", text)})
    with pytest.raises(ScarError) as refused:
        services.ledger.get(bake.undo)
    assert refused.value.code == "tampered"


def test_the_message_of_a_deploy_tells_what_got_worse_and_offers_undo(
    world: World, services: Services, api_url: str, worker: ActingWorker, operator: Actor
) -> None:
    async def test() -> None:
        box = LetterBox("telegram")
        async with opened(services, api_url, box, operator) as writer:
            await writer.says("/docker_deploy")
            job = await asyncio.to_thread(worker.next_job, "deploy", operator.id)
            await asyncio.to_thread(worker.plan, job.id)
            await sheet_with(box, "Type `yes` to deploy")
            bake = Bake("shop", "default", job.id, new_job_id(), 0, 600_000)
            world.publish(bake, 0)
            await writer.says("yes")
            result = DeployResult(nothing=False, release=job.id).to_json()
            await asyncio.to_thread(worker.finish, job.id, result)
            reference, document = await sheet_with(box, "Watched for 10m")
            assert [button.answer for button in document.buttons][-1] == "undo"
            finding = BakeFinding("web", "exits", "has ended twice by itself", True, 0)
            world.publish(bake.with_finding(finding), 0)
            changed, _ = await sheet_with(box, "⚠️ web has ended twice")
            assert changed == reference
            while not box.notices:
                await asyncio.sleep(0.01)
            await writer.taps("undo", box.tags[reference])
            rollback = await asyncio.to_thread(worker.next_job, "rollback", operator.id)
            assert rollback.request.args == {"release": bake.previous[:10]}
            world.publish(replace(bake.with_finding(finding), ended=True), 0)
            while any(b.answer == "undo" for b in box.sheets[reference][-1].buttons):
                await asyncio.sleep(0.01)
            assert len(box.notices) == 1

    run(test)


def test_a_damaged_release_is_warned_of_once(world: World) -> None:
    world.release()
    world.now += 60
    damaged = world.state / "projects" / "shop" / "releases" / f"{world.release()}.json"
    content = damaged.read_text()
    with capture_logs() as logs:
        damaged.write_text("{")
        world.let_pass(180)
        damaged.write_text(content)
        world.let_pass(60)
        assert world.book.get(damaged.stem), "it is looked after once it is mended"
    assert [(line["event"], line["project"]) for line in logs] == [
        ("deploys not looked after", "shop")
    ]
