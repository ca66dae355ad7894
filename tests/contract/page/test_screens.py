"""What the screens of the page show, and what is done on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from scar.access import Actor
from scar.alerts.alert import CRITICAL, Alert, ReleaseRef
from scar.alerts.alert_book import AlertBook
from scar.bootstrap import Services
from scar.jobs.bake import Bake, BakeBook, BakeFinding
from scar.jobs.record import Job, JobState
from scar.jobs.signing import Signatures
from tests.contract.page.conftest import Browser
from tests.support.acting_worker import ActingWorker, status_of
from tests.support.job_documents import DEPLOYED, PLANNED, STATUS

Open = Callable[..., Browser]
PLAN = "a" * 64


def job_id(location: str | None) -> str:
    made = re.fullmatch(r"/jobs/(\w{26})", location or "")
    assert made, location
    return made[1]


def planned(visitor: Browser, worker: ActingWorker, text: str = "/docker_deploy shop") -> str:
    """Ask for a deploy, and have a worker plan it."""
    id = job_id(visitor.say(text).location)
    worker.claim(id).plan({**PLANNED, "hash": PLAN})
    return id


@pytest.fixture
def operator(browser: Open, worker: ActingWorker) -> Browser:  # noqa: ARG001
    return browser("operator")


def test_a_deploy_is_asked_for_confirmed_and_done_on_the_page(
    operator: Browser, worker: ActingWorker, services: Services
) -> None:
    id = planned(operator, worker)
    question = operator.get(f"/jobs/{id}").text
    assert "Deploy Workspace → Production" in question
    assert "Yes, deploy" in question
    assert "Output" not in question
    assert "Type `yes`" not in question
    shown = re.search(r'name="shown" value="(\w+)"', question)
    assert shown
    answered = operator.send(f"/jobs/{id}/answer", answer="yes", shown=shown[1])
    assert answered.location == f"/jobs/{id}"
    assert "Yes, deploy" not in operator.get(f"/jobs/{id}").text
    claim = worker.claim(id)
    claim.lines("building the image")
    assert "building the image" in operator.get(f"/jobs/{id}").text
    claim.succeed(DEPLOYED)
    previous = "01JAAAAAAAAAAAAAAAAAAAAAAA"
    bake = Bake("shop", "default", id, previous, began=0, until=600_000)
    worse = bake.with_finding(BakeFinding("web", "restarts", "restarted 3 times", True, 1))
    done = operator.get(f"/jobs/{id}").text
    book = BakeBook(services.redis, Signatures.of(services.settings, "worker:default"))
    book.put(worse, now=0)
    baking = operator.get(f"/jobs/{id}").text
    assert "restarted 3 times" in baking
    assert "/docker_rollback shop 01JAAAAAAA" in baking
    assert 'value="/docker_rollback shop"' not in baking
    services.redis.set(f"scar:bake:{id}", "planted")
    assert "Deployment complete!" in operator.get(f"/jobs/{id}").text
    assert "Deployment complete!" in done
    assert 'value="/docker_rollback shop"' in done
    assert 'http-equiv="refresh"' not in done


def test_a_yes_to_a_plan_that_has_changed_does_nothing(
    operator: Browser, worker: ActingWorker, services: Services
) -> None:
    id = planned(operator, worker)
    answer = operator.send(f"/jobs/{id}/answer", answer="yes", shown="b" * 64)
    assert answer.status_code == 409
    assert "The plan has changed" in answer.text
    assert "Yes, deploy" in answer.text
    assert operator.send(f"/jobs/{id}/answer", answer="yes").status_code == 422
    assert services.job_service.get(id).state is JobState.AWAITING_CONFIRMATION


def test_a_no_and_a_cancel_end_the_job(
    operator: Browser, worker: ActingWorker, services: Services
) -> None:
    for path, data in (("answer", {"answer": "no", "shown": "x"}), ("cancel", {})):
        id = planned(operator, worker, f"/docker_deploy {'shop' if data else 'blog'}")
        assert operator.send(f"/jobs/{id}/{path}", **data).location == f"/jobs/{id}"
        assert services.job_service.get(id).state is JobState.CANCELLED


def test_a_tap_that_is_sent_twice_creates_one_job(operator: Browser) -> None:
    first = operator.say("/docker_restart shop", key="a tap")
    assert operator.say("/docker_restart shop", key="a tap").location == first.location


def test_the_first_screen_shows_the_health_of_each_project(
    operator: Browser, worker: ActingWorker, services: Services
) -> None:
    assert "Not known" in operator.get("/").text
    answers = {"shop": {**STATUS, "old_version": True}, "blog": status_of("blog")}
    for job in list(services.ledger.recent()):
        worker.claim(job.id).succeed(answers[job.request.project or ""])
    text = operator.get("/").text
    assert "The workspace is newer" in text
    assert "Is your newest code" in text
    assert len(list(services.ledger.recent())) == 2, "young answers are shared"


def test_a_project_has_its_containers_parts_and_buttons(
    operator: Browser, worker: ActingWorker, services: Services
) -> None:
    assert "Asking the host" in operator.get("/projects/shop").text
    worker.claim(next(services.ledger.recent()).id).succeed(STATUS)
    text = operator.get("/projects/shop").text
    for words in ("shop-web-1", "8001→8000/tcp", "/docker_deploy shop", "/docker_restart shop"):
        assert words in text
    for part in ("logs", "diff", "releases", "stats", "kept"):
        assert f'href="/projects/shop/{part}"' in text
        assert "Asking the host" in operator.get(f"/projects/shop/{part}").text


def test_open_alerts_are_shown_where_they_belong(
    operator: Browser, browser: Open, link: Callable[[str], str], services: Services
) -> None:
    book = AlertBook(services.redis, Signatures.of(services.settings, "worker:default"))
    before = ReleaseRef("01JAAAAAAAAAAAAAAAAAAAAAAA", 1, "Ada")
    alert = Alert(
        *("1", "1", "default", "shop", "shop-web", "web", "restart_loop", CRITICAL),
        what="restarts in a loop",
        why="exit 1, not out of memory",
        opened_at=1_800_000_000_000,
        changed_at=1,
        lines=("the last line",),
        release=before,
        rollback_to=before,
    )
    book.put(alert)
    book.put(replace(alert, id="2", what="was closed", closed_at=2))
    book.put(replace(alert, id="3", project="", container="", what="has a full disk"))
    first, own = operator.get("/").text, operator.get("/projects/shop").text
    for words in ("shop/web restarts in a loop", "Host default has a full disk"):
        assert words in first
    for words in ("exit 1, not out of memory", "the last line", "/docker_rollback shop 01JAAAAAAA"):
        assert words in own
    assert "Mute" not in own, "no chat is told"
    assert "was closed" not in first + own
    assert "restarts in a loop" not in operator.get("/projects/blog").text
    blogger = browser()
    blogger.post("/sign-in", {"link": link("78")})
    assert "in a loop" not in blogger.get("/").text
    assert "full disk" not in blogger.get("/").text
    desk = services.command_context.alerts
    desk.chats.switch(Actor("api", "a", "A"), services.projects.get("shop"), "telegram:-1", on=True)
    assert "Until it recovers" in operator.get("/projects/shop").text
    for word, muted in (("recovery", True), ("on", False)):
        operator.send("/alerts/shop", **{"container": "shop-web", "for": word})
        assert ("No chat is told" in operator.get("/projects/shop").text) == muted
        assert [mute.alerts for mute in desk.mutes.all()] == ([("1",)] if muted else [])


def test_unmute_ends_what_silences_the_alert_and_a_mute_is_for_all_chats_or_none(
    operator: Browser, services: Services
) -> None:
    desk, shop = services.command_context.alerts, services.projects.get("shop")
    ada, chats = Actor("api", "a", "A"), ["telegram:-1", "telegram:-2"]
    book = AlertBook(services.redis, Signatures.of(services.settings, "worker:default"))
    what = ("1", "1", "default", "shop", "shop-web", "web", "restart_loop", CRITICAL)
    book.put(Alert(*what, what="is in a loop", why="exit 1", opened_at=1, changed_at=1))
    for chat, container in zip(chats, ("", "web"), strict=True):
        desk.chats.switch(ada, shop, chat, on=True)
        desk.mutes.add(ada, chat, "shop", container)
    other = desk.mutes.add(ada, chats[0], "shop", "db")
    assert "Unmute" in operator.get("/projects/shop").text
    operator.send("/alerts/shop", **{"container": "shop-web", "for": "on"})
    assert "Until it recovers" in operator.get("/projects/shop").text
    assert desk.mutes.all() == [other]
    for number in range(49):
        desk.mutes.add(Actor("web", "operator", ""), "telegram:-1", "shop", f"web-{number}")
    refused = operator.send("/alerts/shop", **{"container": "shop-web", "for": "2h"})
    assert refused.status_code == 409
    assert len(desk.mutes.all()) == 50


def test_logs_can_be_searched(operator: Browser, worker: ActingWorker, services: Services) -> None:
    operator.get("/projects/shop/logs?lines=100")
    for job in list(services.ledger.recent()):
        if job.request.kind == "logs":
            assert job.request.args["lines"] == 100
            lines = ["GET /", "an ERROR happened"]
            log = {"container": "shop-web", "count": 2, "lines": lines, "notices": []}
            worker.claim(job.id).succeed(log)
    text = operator.get("/projects/shop/logs?lines=100&search=error").text
    assert "an ERROR happened" in text
    assert "GET /" not in text
    assert "/docker_follow shop/shop-web" in text


def test_the_latest_jobs_are_those_that_change_something(operator: Browser) -> None:
    operator.get("/")
    restart = job_id(operator.say("/docker_restart shop").location)
    status = job_id(operator.say("/docker_status shop").location)
    text = operator.get("/jobs").text
    assert restart in text
    assert status not in text


def test_a_lock_is_set_shown_and_released(operator: Browser) -> None:
    operator.send("/locks/shop", reason="the database is being moved")
    text = operator.get("/projects/shop").text
    assert "the database is being moved" in text
    assert "/docker_deploy shop" not in text
    refused = operator.say("/docker_deploy shop")
    assert refused.status_code == 409
    assert "operator (web)" in refused.text
    assert operator.say("/docker_unlock shop").status_code == 200
    assert "the database is being moved" not in operator.get("/projects/shop").text


def test_a_person_of_the_bot_acts_as_in_the_chat(
    browser: Open,
    link: Callable[[str], str],
    worker: ActingWorker,
    services: Services,
    bot: Services,
) -> None:
    visitor = browser()
    visitor.post("/sign-in", {"link": link("1")})
    id = planned(visitor, worker)
    visitor.send(f"/jobs/{id}/answer", answer="yes", shown=PLAN)
    job: Job = bot.job_service.get(id)
    assert job.request.requested_by.key == "telegram:1"
    assert job.state is JobState.QUEUED
    claim = worker.claim(id)
    assert visitor.send(f"/jobs/{id}/cancel").location == f"/jobs/{id}"
    assert claim.ledger.renew(id, claim.claim.fence)[1], "the worker is told"
    assert services.job_service.get(id).state is JobState.RUNNING


def test_sessions_are_listed_and_ended(browser: Open) -> None:
    phone, laptop = browser("viewer"), browser("viewer")
    assert phone.get("/sessions").text.count("<li>") >= 2
    phone.send("/sessions/end-others")
    assert laptop.get("/").status_code == 401
    assert phone.get("/").status_code == 200
    assert phone.send("/sign-out").location == "/sign-in"
    assert phone.get("/").status_code == 401


def test_an_admin_sees_audit_hosts_and_the_projects_file(browser: Open, services: Services) -> None:
    admin = browser("admin")
    status = admin.say("/docker_status shop").location or ""
    trail = admin.get("/audit").text
    assert "signed in" in trail
    assert f'href="{status}">status shop</a>' in trail
    assert "No worker listens" in admin.get("/hosts").text
    assert "In order" in admin.get("/projects-file").text
    services.projects.path.write_text("{")
    assert "Projects file not loaded" in admin.get("/projects-file").text
    assert "Projects file not loaded" in admin.get("/").text
