"""The page as the shell finds it: `scar page`, and what `scar doctor` says of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import click.testing
import pytest
from werkzeug.serving import make_server

from scar.api.app import create_app
from scar.bootstrap import Services
from scar.cli.checks.page import CHECKS
from scar.cli.page import page
from scar.settings import Settings
from tests.contract.page.conftest import Browser


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    """Serve the page from this process."""
    server = make_server("127.0.0.1", 0, create_app(services), threaded=True)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()


def test_the_shell_gives_a_link_that_signs_its_user_in(
    browser: Callable[..., Browser], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Settings, "load", lambda *_, **__: settings)
    monkeypatch.setattr("getpass.getuser", lambda: "sam")
    told = click.testing.CliRunner().invoke(page)
    assert told.exit_code == 0
    address = told.output.partition("http://localhost")[2].partition("\n")[0]
    visitor = browser()
    assert "console:sam" in visitor.get(address).text
    code = address.partition("link=")[2]
    assert visitor.post("/sign-in", {"link": code}).status_code == 303
    assert "console:sam, admin" in visitor.get("/sessions").text


def test_doctor_says_whether_people_reach_the_page(url: str, settings: Settings) -> None:
    def told(**changes: str | None) -> tuple[str, str]:
        (finding,) = CHECKS[0].run(replace(settings, **changes))  # type: ignore[arg-type]
        return finding.detail, finding.remedy

    detail, remedy = told(page_url=None, api_url=url)
    assert "answers; SCAR_PAGE_URL is for people elsewhere" in detail
    assert "on any port" in detail
    assert not remedy
    detail, remedy = told(page_url="http://127.0.0.1:1")
    assert "cannot be reached" in detail
    assert "SCAR_PAGE_URL" in remedy
    detail, remedy = told(page_url=f"{url}/healthz")
    assert "not SCAR" in detail
    assert remedy
