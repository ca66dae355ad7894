"""A job's screen in a browser, while the job goes on."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from scar.jobs.record import JobState
from scar.jobs.step import Step, StepState
from tests.page.conftest import Visit
from tests.support.job_documents import DEPLOYED
from tests.support.page_scene import PageScene

JOB = re.compile(r"/jobs/[0-9A-Z]{26}$")
COPYING = Step("copying", "Copying files", StepState.SUCCEEDED)
BUILDING = Step("building", "Building new image", StepState.RUNNING)


def job_on(page: Page) -> str:
    """Return the id of the job that the tab shows."""
    page.wait_for_url(JOB)
    return page.url.rsplit("/", 1)[1]


def test_a_deploy_is_asked_for_confirmed_and_watched(scene: PageScene, visit: Visit) -> None:
    page = visit("operator", "/projects/shop")
    page.get_by_role("button", name="Deploy").tap()
    id = job_on(page)
    scene.plan(id)
    page.get_by_role("button", name="Yes, deploy").tap()
    scene.worker.until(id, JobState.QUEUED)
    claim = scene.worker.claim(id)
    with claim.kept_alive():
        claim.step(COPYING)
        expect(page.get_by_text("Copying files...")).to_be_visible()
        claim.step(BUILDING)
        claim.lines("#5 [2/3] RUN pip install", "#5 <b>0.3</b> Collecting flask")
        expect(page.locator("#output-lines")).to_contain_text("#5 <b>0.3</b> Collecting flask")
        claim.succeed(DEPLOYED)
    expect(page.get_by_text("Deployment complete!")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
