"""One browser and one served page for all tests; each test has its own tabs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from tests.support import chromium
from tests.support.page_scene import TOKENS, PageScene

PHONE: ViewportSize = {"width": 360, "height": 740}
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
_FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

expect.set_options(timeout=30_000)

Visit = Callable[..., Page]


@pytest.fixture(scope="package")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageScene]:
    made = PageScene(tmp_path_factory.mktemp("page"))
    yield made
    made.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium.executable(), args=_FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def visit(scene: PageScene, browser: Browser) -> Iterator[Visit]:
    """`visit("operator", "/jobs")`: a tab of somebody who is signed in; `visit(None)`: nobody."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []
    failures: list[str] = []
    scene.settle()

    def opened(role: str | None = "operator", path: str = "/", *, phone: bool = True) -> Page:
        viewport = PHONE if phone else DESKTOP
        context = browser.new_context(
            base_url=scene.url, viewport=viewport, has_touch=phone, is_mobile=phone
        )
        context.set_default_timeout(30_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto("/sign-in" if role else path)
        if role:
            page.get_by_label("token").fill(TOKENS[role])
            page.get_by_role("button", name="Sign in").click()
            page.wait_for_url("/")
            if path != "/":
                page.goto(path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if "Content Security Policy" in text] == []
    assert failures == []
