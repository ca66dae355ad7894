"""Every screen: readable to everybody, on the narrowest phone, in both colours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from tests.page.conftest import DESKTOP, PHONE, Visit
from tests.page.test_job import BUILDING, COPYING
from tests.support.job_documents import DEPLOYED
from tests.support.page_scene import PageScene

PICTURES = Path(os.environ.get("PICTURES_TO", Path(__file__).parents[2] / "docs/pictures"))
NARROWEST = 320
Colour = Literal["light", "dark"]
COLOURS: tuple[Colour, ...] = ("light", "dark")
_CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


def _jobs(scene: PageScene) -> Iterator[tuple[str, str]]:
    """Yield the screens of jobs: a question, a deploy under way, one that has ended."""
    asked = scene.ask("deploy")
    scene.plan(asked.id)
    yield "question", f"/jobs/{asked.id}"
    scene.confirm(asked)
    claim = scene.worker.claim(asked.id)
    with claim.kept_alive():
        claim.step(COPYING)
        claim.step(BUILDING)
        claim.lines(*[f"#{n} [web {n}/9] RUN pip install -r requirements.txt" for n in range(60)])
        yield "building", f"/jobs/{asked.id}"
        claim.succeed(DEPLOYED)
    yield "done", f"/jobs/{asked.id}"


def _screens(scene: PageScene) -> Iterator[tuple[str, str]]:
    yield from _jobs(scene)
    yield from {
        "projects": "/",
        "project": "/projects/shop",
        "logs": "/projects/shop/logs",
        "changes": "/projects/shop/diff",
        "releases": "/projects/shop/releases",
        "stats": "/projects/shop/stats",
        "jobs": "/jobs",
        "sessions": "/sessions",
        "audit": "/audit",
        "hosts": "/hosts",
        "nothing": "/projects/nothing",
    }.items()


def _problems(
    page: Page, name: str, colour: Colour, options: dict[str, Any] | None = None
) -> list[str]:
    page.emulate_media(color_scheme=colour, reduced_motion="reduce")
    report = Axe().run(page, options=options)
    return [
        f"{name}, {colour}: {violation['id']}: {node['html']} {node['failureSummary']}"
        for violation in report.response["violations"]
        for node in violation["nodes"]
    ]


def _sideways(page: Page, name: str) -> list[str]:
    page.set_viewport_size({"width": NARROWEST, "height": 640})
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(PHONE)
    return [f"{name}: {width} px wide"] if width > NARROWEST else []


def test_every_screen_passes_the_accessibility_checks(scene: PageScene, visit: Visit) -> None:
    signing_in = visit(None)
    problems = _problems(signing_in, "sign in", "light") + _sideways(signing_in, "sign in")
    page = visit("admin")
    for name, path in _screens(scene):
        page.goto(path)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        problems += _problems(page, name, "light")
        problems += _problems(page, name, "dark", _CONTRAST)
        problems += _sideways(page, name)
    assert problems == []


@pytest.mark.skipif("PICTURES" not in os.environ, reason="makes the pictures of the README")
def test_pictures(scene: PageScene, visit: Visit) -> None:
    shown = os.environ["PICTURES"].split(",")
    page = visit("operator")
    for name, path in _screens(scene):
        if name not in shown:
            continue
        page.goto(path)
        for colour in COLOURS:
            for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
                page.set_viewport_size(size)
                page.emulate_media(color_scheme=colour, reduced_motion="reduce")
                page.wait_for_timeout(400)  # the colours fade
                page.screenshot(
                    full_page=name == "stats", path=PICTURES / f"page-{name}-{kind}-{colour}.png"
                )
