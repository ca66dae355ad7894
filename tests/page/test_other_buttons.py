"""Restarts, logs and locks in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from scar.jobs.record import JobState
from tests.page.conftest import Visit
from tests.page.test_job import by_keyboard, by_touch, job_on
from tests.support.page_scene import WEB, PageScene


def test_a_restart_is_confirmed_and_done_again_with_the_keyboard(
    scene: PageScene, visit: Visit
) -> None:
    page = visit("operator", "/projects/shop")
    by_keyboard(page, "Restart")
    restart = job_on(page)
    scene.worker.plan(restart, downtime="10 seconds", protected=[])
    by_keyboard(page, "Yes")
    scene.worker.until(restart, JobState.QUEUED)
    restarted = {"restarted": ["web"], "failed": [], "downtime_seconds": 1.0}
    scene.worker.claim(restart).succeed(restarted)
    expect(page.locator(".state-of")).to_contain_text("succeeded")
    by_keyboard(page, "Again")
    again = job_on(page, before=restart)
    scene.worker.plan(again, downtime="10 seconds", protected=[])
    by_keyboard(page, "No")
    scene.worker.until(again, JobState.CANCELLED)


def test_a_log_is_searched_and_followed_by_touch(scene: PageScene, visit: Visit) -> None:
    page = visit("operator", "/projects/shop/logs")
    page.get_by_label("Lines with").fill("orders/7")
    by_touch(page, "Show")
    expect(page.locator("#log")).to_contain_text("GET /orders/70")
    expect(page.locator("#log")).not_to_contain_text("GET /orders/1 ")
    by_touch(page, "Follow")
    claim = scene.worker.claim(job_on(page))
    with claim.kept_alive():
        claim.lines("GET /orders/81")
        expect(page.locator("#output-lines")).to_contain_text("GET /orders/81")
        claim.succeed({"container": WEB, "count": 1})
    expect(page.locator(".state-of")).to_contain_text("succeeded")


def test_a_project_is_locked_and_unlocked_by_touch(visit: Visit) -> None:
    page = visit("operator", "/projects/shop")
    page.locator("summary").tap()
    page.get_by_label("Why nobody").fill("the database is being moved")
    by_touch(page, "Lock")
    expect(page.locator(".lock")).to_contain_text("the database is being moved")
    expect(page.get_by_role("button", name="Deploy")).to_have_count(0)
    by_touch(page, "Unlock")
    expect(page.locator(".lock")).to_have_count(0)
    page.goto("/projects/shop")
    expect(page.get_by_role("button", name="Deploy")).to_be_visible()
