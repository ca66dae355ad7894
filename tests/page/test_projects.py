"""The first screen in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import Visit
from tests.support.page_scene import PageScene


def test_a_job_that_somebody_asks_for_appears_by_itself(scene: PageScene, visit: Visit) -> None:
    page = visit("viewer")
    expect(page.locator(".health")).to_contain_text("Runs")
    job = scene.ask("restart")
    expect(page.locator(f"a[href='/jobs/{job.id}']")).to_contain_text("restart shop")
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_what_happens_to_a_project_appears_on_its_screen(scene: PageScene, visit: Visit) -> None:
    page = visit("operator", "/projects/shop")
    expect(page.get_by_role("button", name="Deploy")).to_be_visible()
    job = scene.ask("restart")
    expect(page.locator(f"a[href='/jobs/{job.id}']")).to_contain_text("restart shop")
    expect(page.get_by_role("button", name="Deploy")).to_have_count(0)
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
