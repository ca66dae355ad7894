"""A real bot process, a real API, a real Redis, a Bot API server, and a worker under control."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from redis.exceptions import RedisError

from scar.bootstrap import Services, bootstrap
from scar.cli import redis_server
from scar.settings import Settings
from tests.support.acting_worker import ActingWorker
from tests.support.botapi import BotApiServer, Chat, Message
from tests.support.installation import Installation
from tests.support.waiting import eventually

TOKEN = "4242:AA-do-not-tell-anybody"
KEY = "a key that only tests know"
FIRST_USER, LAST_USER = 1000, 1199
STRANGER = 66


class TelegramScene:
    """Everything but the worker, whose jobs the test runs."""

    def __init__(self, folder: Path, *, bot: bool = True, part: str = "telegram") -> None:
        self.telegram = BotApiServer(TOKEN)
        self.telegram.start()
        users = ",".join(f"{user}:operator" for user in range(FIRST_USER, LAST_USER))
        self.installation = Installation(
            folder,
            SCAR_SECRET_KEY=KEY,
            SCAR_REDIS_URL=f"unix://{folder}/state/redis/redis.sock",
            SCAR_TELEGRAM_TOKEN=TOKEN,
            SCAR_TELEGRAM_API_URL=self.telegram.url,
            SCAR_TELEGRAM_USERS=users,
        )
        self.installation.project("shop", "web")
        self.settings = Settings.load(self.installation.env, None)
        (folder / "state" / "redis").mkdir(parents=True)
        self._redis = self._process(*redis_server.command_line(self.settings))
        self.services: Services = bootstrap(self.settings, part)
        eventually(self._redis_answers, "Redis answers")
        self._api = self.part("api")
        self.worker = ActingWorker(self.services)
        self.worker.alive()
        self._users = iter(range(FIRST_USER, LAST_USER))
        self._bot: subprocess.Popen[bytes] | None = None
        if bot:
            self.start_bot()
        eventually(self.installation.is_ready, "the API is ready")

    def _redis_answers(self) -> bool:
        try:
            return bool(self.services.redis.ping())
        except RedisError:
            return False

    def _process(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.installation.folder / "parts.log").open("ab") as log:
            return subprocess.Popen(
                arguments,
                cwd=self.installation.folder,
                env=self.installation.env,
                stdout=log,
                stderr=log,
            )

    def part(self, name: str) -> subprocess.Popen[bytes]:
        """Start a part of SCAR as a process."""
        return self._process(sys.executable, "-m", "scar.cli", name)

    @property
    def log(self) -> str:
        return (self.installation.folder / "parts.log").read_text()

    def start_bot(self) -> None:
        """Start the bot, and wait until it listens."""
        polls = len(self.telegram.calls("getUpdates"))
        self._bot = self.part("telegram")
        # When its first long poll begins, it has received all waiting updates.
        eventually(lambda: len(self.telegram.calls("getUpdates")) > polls, "the bot polls")
        eventually(
            lambda: any(
                call["params"].get("timeout") not in (None, "0", 0)
                for call in self.telegram.calls("getUpdates")[polls:]
            ),
            "the bot has received what waited",
        )

    def subscribed(self) -> set[str]:
        """Return the jobs whose messages the bot has not finished."""
        return {each.job_id for each in self.services.subscriptions.of("telegram")}

    def kill_bot(self) -> None:
        """kill -9."""
        assert self._bot is not None
        self._bot.kill()
        self._bot.wait()

    def stop_bot(self) -> int:
        """Send SIGTERM to the bot; return its exit code."""
        assert self._bot is not None
        self._bot.terminate()
        return self._bot.wait(15)

    def restart_api(self) -> None:
        """Stop and restart the API."""
        self._api.terminate()
        self._api.wait(20)
        self._api = self.part("api")
        eventually(self.installation.is_ready, "the API is back")

    def chat(self, name: str = "Ada") -> Chat:
        """Return the private chat of a person who may confirm everything."""
        return self.telegram.private_chat(next(self._users), name)

    def user(self) -> int:
        """Return the id of a known person without a private chat."""
        return next(self._users)

    def close(self) -> None:
        for process in (self._bot, self._api, self._redis):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(20)
        self.telegram.stop()


def question(chat: Chat) -> Message:
    """Return the message with the open question."""
    return chat.wait_for(lambda message: bool(message.buttons))
