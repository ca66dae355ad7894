"""The first screen in a browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.page.conftest import Visit
from tests.support.page_scene import PageScene


def test_a_job_that_somebody_asks_for_appears_by_itself(scene: PageScene, visit: Visit) -> None:
    page = visit("viewer")
    expect(page.get_by_text("Runs")).to_be_visible()
    job = scene.ask("restart")
    expect(page.get_by_role("link", name="restart shop")).to_have_attribute(
        "href", f"/jobs/{job.id}"
    )
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
