"""A container that goes wrong while a part is killed: who is told of it, and how often.

Each round ends the container, kills one part at a random instant, waits until the alert is told,
starts the container and kills the part again. Afterwards each alert must have been told once, and
its recovery once: in a chat, with a sound, and to a service of `SCAR_ALERT_URLS`.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from tests.support.botapi import BotApiServer
from tests.support.compose_project import IMAGE, run_docker
from tests.support.installation import Installation
from tests.support.waiting import eventually

from .engine import PrivateEngine

PARTS = {
    "worker": "celery",
    "redis": "valkey",
    "bot": "scar.cli telegram",
    "messenger": "scar.cli outbound",
}
"""What is killed, and a word of its command line."""

ENGINE = "engine"
_BEGUN = ("🟠 shop/", "🔴 shop/")
_RECOVERED = "✅"
_USER = 1
_LOOK_SECONDS = 0.5
_PATIENCE = 120.0


class Told(NamedTuple):
    """How often the container's end and its recovery were told: in the chat, with a sound, and to
    the service.
    """

    begun: int
    recovered: int
    service_begun: int
    service_recovered: int


class AlertChaos:
    """One container under one SCAR that tells a chat and a service, both in this process. `engine`
    is the Engine that may be killed.
    """

    def __init__(self, folder: Path, seed: int, engine: PrivateEngine | None = None) -> None:
        self._engine = engine
        self._chance = random.Random(seed)
        self._container = f"scarchaos-{uuid4().hex[:8]}"
        self._titles: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(self._titles))
        self._telegram = BotApiServer()
        self._telegram.start()
        self._chat = self._telegram.private_chat(_USER, "Ann")
        self.installation = Installation(
            folder,
            SCAR_ALERT_LOOK_SECONDS=str(_LOOK_SECONDS),
            SCAR_ALERT_URLS=f"json://127.0.0.1:{self._server.server_port}/?cto=60&rto=60",
            SCAR_TELEGRAM_TOKEN=self._telegram.token,
            SCAR_TELEGRAM_API_URL=self._telegram.url,
            SCAR_TELEGRAM_USERS=f"{_USER}:operator",
        )

    def begin(self) -> None:
        """Start the container, then SCAR."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        stop = ("--stop-signal", "KILL")
        run_docker("run", "-d", *stop, "--name", self._container, IMAGE, "sleep", "100000")
        self.installation.project("shop", self._container, alerts=[f"telegram:{_USER}"])
        self.installation.up()
        roster = self.installation.folder / "state/watch/roster.json"
        eventually(lambda: roster.exists() and self._container in roster.read_text())

    def end(self) -> None:
        """End SCAR, those that are told and the container."""
        self.installation.down()
        self._telegram.stop()
        self._server.shutdown()
        self._server.server_close()
        run_docker("rm", "-f", self._container, check=False)

    def round(self, part: str) -> list[str]:
        """Let the container end and run again; each time, kill a part at a random instant. Return
        what was told too often.
        """
        before = self._told()
        is_engine = part == ENGINE
        run_docker("kill", self._container)
        self._kill(part)
        self._wait_for(before, *(("begun",) if is_engine else ("begun", "service_begun")))
        run_docker("start", self._container)
        if not is_engine:  # which ends its containers: what runs would go wrong once more
            self._kill(part)
        recovered = ("recovered",) if is_engine else ("recovered", "service_recovered")
        self._wait_for(before, *recovered)
        if is_engine and self._told().service_begun > before.service_begun:
            self._wait_for(before, "service_recovered")
        after = self._told()
        # What an Engine's end takes along is one message with it: a service has heard of the
        # Engine then, and is told of the container at the recovery of both.
        names = Told._fields[:2] if is_engine else Told._fields
        more = {name: getattr(after, name) - getattr(before, name) for name in names}
        wrong = [f"{name}: {count} times" for name, count in more.items() if count != 1]
        return [*wrong, self._said()] if wrong else []

    def _kill(self, part: str) -> None:
        time.sleep(self._chance.uniform(0.0, 3 * _LOOK_SECONDS))
        if part == ENGINE:
            assert self._engine is not None
            self._engine.kill()
            time.sleep(self._chance.uniform(0.0, 3 * _LOOK_SECONDS))
            self._engine.up()
            return
        eventually(lambda: self.installation.has_other(PARTS[part], 0), part, _PATIENCE)
        killed = self.installation.kill(PARTS[part])
        eventually(lambda: self.installation.has_other(PARTS[part], killed), part, _PATIENCE)
        eventually(self.installation.is_ready, "ready again", _PATIENCE)

    def _wait_for(self, before: Told, *names: str) -> None:
        """Wait until all of these were told; what is lost is counted afterwards."""

        def is_told() -> bool:
            now = self._told()
            return all(getattr(now, name) > getattr(before, name) for name in names)

        with suppress(AssertionError):
            eventually(is_told, seconds=_PATIENCE)

    def _said(self) -> str:
        """Return the last messages of the chat, with what they were edited to."""
        return " | ".join(
            f"{one.id}{'' if one.silent else '!'} > {one.reply_to}: "
            + " / ".join(version.text.partition("\n")[0] for version in one.versions)
            for one in self._chat.from_bot[-6:]
        )

    def _told(self) -> Told:
        name = f"shop/{self._container}"
        sounds = self._chat.sounds
        about = [
            one.id
            for one in sounds
            if one.reply_to is None and any(name in version.text for version in one.versions)
        ]
        # A bot that was killed before it had noted the first message has nothing to reply to.
        others = [one for one in sounds if one.id not in about]
        ends = [
            one
            for one in others
            if one.text.startswith(_RECOVERED) and (one.reply_to in about or name in one.text)
        ]
        titles = self._titles
        return Told(
            len(about),
            len(ends),
            sum(title.startswith(_BEGUN) for title in titles),
            sum(title.startswith(f"{_RECOVERED} shop/") for title in titles),
        )


def parts(rounds: int, engine: PrivateEngine | None) -> Iterator[str]:
    """Yield what is killed in each round, in turns."""
    every = [*PARTS, ENGINE] if engine else [*PARTS]
    return islice(cycle(every), rounds)


def _handler_of(titles: list[str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            titles.append(body["title"])
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
