"""The tour of the demo: a person writes each line, and each answer is checked."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import httpx

from tests.demo.screen import Screen
from tests.support.botapi import Chat, Message
from tests.support.compose_project import run_docker
from tests.support.new_connections import NewConnections
from tests.support.sample import Sample
from workers.engine.connection import Engine
from workers.engine.diverter import reason_against_diverting


class Tour:
    """One person in one chat with the bot."""

    def __init__(
        self, chat: Chat, sample: Sample, screen: Screen, opt_in: Callable[[bool], None]
    ) -> None:
        self._chat = chat
        self._sample = sample
        self._screen = screen
        self._opt_in = opt_in

    def play(self) -> None:
        """Play the whole tour; raise AssertionError if the chat or the site shows something
        unexpected.
        """
        screen, sample = self._screen, self._sample
        screen.title("What runs?")
        self._ask("/docker_status", "Production Status")
        screen.title("The first deploy")
        self._deploy("Welcome to the shop")
        screen.title("A change in the workspace")
        sample.page("Welcome to the new shop")
        screen.note("page.html is edited in the workspace")
        self._ask("/docker_status", "Running (OLD VERSION)")
        self._deploy_under_requests("Welcome to the new shop")
        self._ask("/docker_status", "✅ Status: Running")
        screen.title("Logs")
        self._ask("/docker_logs 20", "Task failed: Connection timeout")
        screen.title("An emergency restart")
        self._ask("/docker_restart", "Type `yes` to confirm")
        self._ask("yes", "All containers healthy. Production is live.")
        screen.title("A deploy that fails")
        sample.spoil()
        screen.note("a mistake is made in the Dockerfile")
        self._ask("/docker_deploy", "Type `yes` to deploy")
        self._ask("yes", "Deployment failed at Building new image")
        self._require_page("Welcome to the new shop")
        sample.mend()
        screen.title("Back to what was there before")
        self._ask("/docker_rollback", "Type `yes` to roll back")
        self._ask("yes", "Rollback complete!")
        self._require_page("Welcome to the shop")
        if os.geteuid() == 0:  # an agent runs as another user, which needs root
            screen.title("Fix a bug")
            self._fix_a_bug()
        if screen.draws:
            screen.title("An alert")
            self._alert()

    def _fix_a_bug(self) -> None:
        """From the instruction to the log that shows it fixed."""
        fixed = self._ask("@scar fix the timeout bug in shop", "✅ Done in workspace")
        assert "+TIMEOUT=30" in fixed.text, fixed.text
        old = self._ask("/docker_status", "Running (OLD VERSION)")
        assert "💡 Workspace has uncommitted changes" in old.text, old.text
        self._deploy("Welcome to the new shop")
        self._ask("/docker_logs 20", "Task done, within its 30 seconds")

    def _alert(self) -> None:
        """A container that gets unhealthy, and recovers: for the pictures alone."""
        self._ask("/docker_alerts shop on", "This chat is told of shop")
        container = f"{self._sample.name}-web-1"
        for command, expected in (
            ("mv /www/index.html /www/gone", "is unhealthy"),
            ("mv /www/gone /www/index.html", "has recovered after"),
        ):
            before = {message.id: message.text for message in self._chat.from_bot}
            run_docker("exec", container, *command.split())
            self._screen.note(command)
            self._screen.bot(self._chat, before, expected, 90.0)

    def _deploy(self, page: str) -> None:
        self._ask("/docker_deploy", "Type `yes` to deploy")
        message = self._ask("yes", "Deployment complete!")
        for line in (
            "📦 Copying files...",
            "🔨 Building new image...",
            "🔄 Restarting containers...",
        ):
            assert line in message.text, f"{line} is missing in: {message.text}"
        self._require_page(page)

    def _deploy_under_requests(self, page: str) -> None:
        """Ask the site every tenth of a second while it is deployed without downtime."""
        if reason := reason_against_diverting(Engine(os.environ.get("DOCKER_HOST"))):
            self._screen.note(f"this machine cannot deploy without downtime: {reason}")
            self._deploy(page)
            return
        self._opt_in(True)
        self._screen.note("the project has `zero_downtime`; the site is asked ten times a second")
        with NewConnections(self._sample.port, every=0.1) as requests:
            self._deploy(page)
        self._opt_in(False)
        self._screen.note(
            f"{requests.made} requests meanwhile, {len(requests.failed)} failed, "
            f"the slowest took {requests.slowest:.2f} s"
        )
        assert not requests.failed, requests.failed

    def _require_page(self, page: str) -> None:
        url = f"http://127.0.0.1:{self._sample.port}/"
        text = httpx.get(url, timeout=5).text.strip()
        assert page in text, f"{url} shows {text}"
        self._screen.note(f"{url} shows {text}")

    def _ask(self, text: str, expected: str) -> Message:
        before = {message.id: message.text for message in self._chat.from_bot}
        self._screen.person("Ann", text)
        began = time.monotonic()
        self._chat.person.says(text, self._chat)
        message = self._screen.bot(self._chat, before, expected, 90.0)
        self._screen.note(f"{time.monotonic() - began:.1f} s")
        return message
