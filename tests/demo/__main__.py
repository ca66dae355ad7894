"""`make demo` plays the tour and ends; `make up` brings the same up and stays."""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path

import httpx
from rich.console import Console

from tests.demo.screen import Screen
from tests.demo.tour import Tour
from tests.support.botapi import BotApiServer
from tests.support.installation import Installation
from tests.support.sample import Sample

_PERSON = 4711


def main() -> int:
    """Exit 0 where the chat said and the site served what they should."""
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="bring it up and stay")
    parser.add_argument("--pictures", type=Path, help="draw the scenes into this folder")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    screen = Screen(Console(width=None if sys.stdout.isatty() else 100), asked.pictures)
    with tempfile.TemporaryDirectory(prefix="scar-demo-") as folder, BotApiServer() as telegram:
        sample = Sample(Path(folder))
        token = secrets.token_urlsafe(16)
        installation = Installation(
            Path(folder) / "scar",
            SCAR_STABLE_SECONDS="2",
            SCAR_API_TOKENS=f"demo:admin:{token}",
            SCAR_TELEGRAM_TOKEN="123:ABC",
            SCAR_TELEGRAM_API_URL=telegram.url,
            SCAR_TELEGRAM_USERS=f"{_PERSON}:admin",
        )
        installation.folder.mkdir()
        opt_in = partial(_opt_in, installation, sample)
        opt_in(False)
        try:
            screen.note("starting SCAR: API, worker, bot, Redis")
            installation.up()
            if asked.stay:
                _stay(screen, installation, sample, token)
            else:
                Tour(telegram.private_chat(_PERSON, "Ann"), sample, screen, opt_in).play()
                screen.title("Done")
                _visit_the_page(installation)
                _tell(screen, installation, sample)
        except AssertionError as error:
            screen.console.print(f"[red]Not as it should be: {error}[/red]")
            screen.console.print(installation.log[-3000:])
            return 1
        finally:
            installation.down()
            sample.remove()
    return 0


def _opt_in(installation: Installation, sample: Sample, wanted: bool) -> None:
    """Write the projects file, with or without `zero_downtime`."""
    entry = {**sample.entry(), "zero_downtime": wanted}
    installation.projects_file.write_text(json.dumps({"shop": entry}))


def _page_link(installation: Installation) -> str:
    """Return a link that signs in to the page."""
    return installation.scar("page").stdout.splitlines()[0]


def _visit_the_page(installation: Installation) -> None:
    """Sign in to the page as a person would, and look for the project."""
    link = _page_link(installation)
    address, _, code = link.partition("/sign-in?link=")
    headers = {"Origin": address}
    with httpx.Client(base_url=address, headers=headers, follow_redirects=True) as browser:
        text = browser.post("/sign-in", data={"link": code}).text
    assert "/projects/shop" in text, f"{address} shows {text}"


def _tell(screen: Screen, installation: Installation, sample: Sample) -> None:
    screen.console.print(f"The site was at   http://127.0.0.1:{sample.port}/")
    screen.console.print(f"The page was at   http://127.0.0.1:{installation.port}/")
    screen.console.print(f"The API was at    http://127.0.0.1:{installation.port}/docs")
    screen.console.print("`make up` brings the same up and stays.")


def _stay(screen: Screen, installation: Installation, sample: Sample, token: str) -> None:
    console = screen.console
    console.print(f"The page:         {_page_link(installation)}", soft_wrap=True)
    console.print("                  (for a minute, once; `scar page` gives another)")
    console.print(f"The API:          http://127.0.0.1:{installation.port}/docs")
    console.print(f"The site, once deployed: http://127.0.0.1:{sample.port}/")
    console.print(f"The workspace:    {sample.workspace}")
    console.print("In another shell, from this folder:\n")
    console.print('  eval "$(tests/machine/engine)"', highlight=False)
    exports = {
        "SCAR_API_URL": f"http://127.0.0.1:{installation.port}",
        "SCAR_API_TOKEN": token,
        "SCAR_STATE_DIR": installation.env["SCAR_STATE_DIR"],
        "SCAR_PROJECTS_FILE": str(installation.projects_file),
    }
    for name, value in exports.items():
        console.print(f"  export {name}={value}", highlight=False, soft_wrap=True)
    console.print("  .venv/bin/scar deploy    # or: status, logs, restart, chat, doctor\n")
    console.print("Ctrl-C ends it.")
    ended = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    sys.exit(main())
