"""A job's screen in a browser, while the job goes on."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from scar.jobs.record import JobState
from scar.jobs.step import Step, StepState
from tests.page.conftest import Visit
from tests.support.acting_worker import ActingClaim
from tests.support.job_documents import DEPLOYED
from tests.support.page_scene import PageScene

JOB = re.compile(r"/jobs/[0-9A-Z]{26}$")
COPYING = Step("copying", "Copying files", StepState.SUCCEEDED)
BUILDING = Step("building", "Building new image", StepState.RUNNING)
_MOST_TABS = 60
_WATCH_LAYOUT = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


def by_touch(page: Page, name: str) -> None:
    """Tap the button of that name."""
    page.get_by_role("button", name=name).first.tap()


def by_keyboard(page: Page, name: str) -> None:
    """Go to the button of that name with the tabulator, and press it."""
    expect(page.get_by_role("button", name=name)).to_be_visible()
    for _ in range(_MOST_TABS):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.closest('button')?.innerText || ''"):
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} is not reached with the tabulator")


def job_on(page: Page, before: str = "") -> str:
    """Return the id of the job that the tab shows, another than `before`."""
    page.wait_for_url(lambda url: bool(JOB.search(url)) and not url.endswith(before or "-"))
    return page.url.rsplit("/", 1)[1]


def answered(scene: PageScene, page: Page, id: str, press: Callable[[], None]) -> ActingClaim:
    """Plan the job, say yes on the page, and return the claim of the worker that does it."""
    scene.plan(id)
    press()
    scene.worker.until(id, JobState.QUEUED)
    expect(page.get_by_role("button", name="Yes")).to_have_count(0)
    return scene.worker.claim(id)


@pytest.mark.parametrize("press", [by_touch, by_keyboard])
def test_a_deploy_is_confirmed_and_rolled_back_in_the_browser(
    scene: PageScene, visit: Visit, press: Callable[[Page, str], None]
) -> None:
    page = visit("operator", "/projects/shop")
    press(page, "Deploy")
    id = job_on(page)
    claim = answered(scene, page, id, lambda: press(page, "Yes, deploy"))
    with claim.kept_alive():
        claim.step(COPYING)
        expect(page.locator(".told")).to_contain_text("Copying files...")
        claim.lines("#5 [2/3] RUN pip install", "#5 <b>0.3</b> Collecting flask")
        expect(page.locator("#output-lines")).to_contain_text("#5 <b>0.3</b> Collecting flask")
        claim.succeed(DEPLOYED)
    expect(page.get_by_text("Deployment complete!")).to_be_visible()

    press(page, "Undo")
    undo = job_on(page, before=id)
    claim = answered(scene, page, undo, lambda: press(page, "Yes, roll back"))
    claim.succeed({**DEPLOYED, "restored": DEPLOYED["release"]})
    expect(page.get_by_role("status")).to_contain_text(["rollback shop: succeeded"])

    page.goto("/projects/shop/releases")
    press(page, "4be119c")
    rollback = job_on(page)
    scene.plan(rollback)
    press(page, "No")
    scene.worker.until(rollback, JobState.CANCELLED)
    expect(page.locator(".told")).to_contain_text("Cancelled by")


def test_no_line_is_lost_or_repeated_and_nothing_moves(scene: PageScene, visit: Visit) -> None:
    page = visit("viewer")
    asked = scene.ask("deploy")
    scene.plan(asked.id)
    scene.confirm(asked)
    claim = scene.worker.claim(asked.id)
    page.add_init_script(_WATCH_LAYOUT)
    page.goto(f"/jobs/{asked.id}")
    lines = page.locator("#output-lines > span")
    with claim.kept_alive():
        claim.lines(*[f"line {n}" for n in range(10)])
        expect(lines).to_have_count(10)
        for number in range(1, 5):
            claim.lines(*[f"line {number * 10 + n}" for n in range(10)])
        expect(lines).to_have_count(50)
        claim.step(COPYING)
        expect(page.locator(".told")).to_contain_text("Copying files...")

        # The phone sleeps, and a minute later it is looked at again.
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {get: () => window.asleep});"
            "window.asleep = true; document.dispatchEvent(new Event('visibilitychange'));"
            "const now = Date.now; Date.now = () => now() + 60000;"
        )
        claim.lines(*[f"line {n}" for n in range(50, 60)])
        with page.expect_request(re.compile("/live.after=")):
            page.evaluate(
                "window.asleep = false; document.dispatchEvent(new Event('visibilitychange'))"
            )
        claim.lines(*[f"line {n}" for n in range(60, 70)])
        expect(lines).to_have_count(70)

        # The server is away while more is written.
        scene.api.kill()
        claim.lines(*[f"line {n}" for n in range(70, 90)])
        scene.api.start()
        expect(lines).to_have_count(90)
        claim.succeed(DEPLOYED)
    expect(page.get_by_text("Deployment complete!")).to_be_visible()
    assert lines.all_inner_texts() == [f"line {n}\n" for n in range(90)]
    assert page.evaluate("window.shift") < 0.01, "what is shown stays where it is"


def test_a_screen_receives_nothing_after_its_visitor_is_signed_out(
    scene: PageScene, visit: Visit
) -> None:
    page = visit("viewer")
    asked = scene.ask("deploy")
    scene.plan(asked.id)
    scene.confirm(asked)
    claim = scene.worker.claim(asked.id)
    page.goto(f"/jobs/{asked.id}")
    with claim.kept_alive():
        claim.lines("before")
        expect(page.locator("#output-lines")).to_contain_text("before")
        for key in scene.services.redis.scan_iter("scar:page:session:*"):
            scene.services.redis.delete(key)
        while page.get_by_text("You are signed out").count() == 0:
            claim.lines("more")
            page.wait_for_timeout(200)
        seen = page.locator("#output-lines > span").count()
        claim.lines("after")
        claim.step(COPYING)
    assert page.locator("#output-lines > span").count() == seen
