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
