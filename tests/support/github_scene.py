"""A real GitHub front-end, API and Redis, a GitHub server, and a worker under control."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from redis.exceptions import RedisError

from scar.bootstrap import Services, bootstrap
from scar.cli import redis_server
from scar.settings import Settings
from tests.support.acting_worker import ActingWorker
from tests.support.github_server import BOT, SECRET, GitHubServer, token_of
from tests.support.installation import Installation
from tests.support.waiting import eventually


class GitHubScene:
    """Everything but the worker, whose jobs the test runs."""

    def __init__(self, folder: Path) -> None:
        self.github = GitHubServer()
        self.installation = Installation(
            folder,
            SCAR_SECRET_KEY="a key that only tests know",
            SCAR_REDIS_URL=f"unix://{folder}/state/redis/redis.sock",
            SCAR_GITHUB_WEBHOOK_SECRET=SECRET,
            SCAR_GITHUB_TOKEN=token_of(BOT),
            SCAR_GITHUB_API_URL=self.github.url,
            SCAR_GITHUB_USERS="octocat:operator,hubot:operator,reader:operator",
        )
        self.hook = f"http://127.0.0.1:{self.installation.port}/github/webhook"
        self.github.deliver_to = self.hook
        self.installation.project("shop", "web")
        projects = json.loads(self.installation.projects_file.read_text())
        projects["shop"] |= {"auto_deploy": {"branch": "main"}, "alerts": ["telegram:-100/7"]}
        self.installation.projects_file.write_text(json.dumps(projects))
        self.settings = Settings.load(self.installation.env, None)
        (folder / "state" / "redis").mkdir(parents=True)
        self._redis = self._process(*redis_server.command_line(self.settings))
        self.services: Services = bootstrap(self.settings, "github")
        eventually(self._redis_answers, "Redis answers")
        self._api = self._part("api")
        self.worker = ActingWorker(self.services)
        self.worker.alive()
        self._front_end: subprocess.Popen[bytes] | None = None
        self.start()
        eventually(self.installation.is_ready, "the API is ready")

    @property
    def log(self) -> str:
        return (self.installation.folder / "parts.log").read_text()

    def start(self) -> None:
        """Start the front-end, and wait until it listens."""
        began = self.log.count("listening")
        self._front_end = self._part("github")
        eventually(lambda: self.log.count("listening") > began, "the front-end listens")

    def kill(self) -> None:
        """Send SIGKILL to the front-end."""
        assert self._front_end is not None
        self._front_end.kill()
        self._front_end.wait()

    def heard_all(self) -> None:
        """Wait until every delivery has been handled."""
        redis = self.services.redis
        eventually(lambda: redis.xlen("scar:github:inbox") == 0, "all letters are read")

    def noted(self, job: str) -> None:
        """Wait until the job's comment is recorded on Redis."""

        def look() -> bool:
            subscriptions = self.services.subscriptions.of("github")
            return any(each.job_id == job and "asked" in each.message for each in subscriptions)

        eventually(look, "the comment is noted")

    def close(self) -> None:
        for process in (self._front_end, self._api, self._redis):
            if process is not None and process.poll() is None:
                process.terminate()
                process.wait(20)
        self.github.stop()

    def _redis_answers(self) -> bool:
        try:
            return bool(self.services.redis.ping())
        except RedisError:
            return False

    def _part(self, name: str) -> subprocess.Popen[bytes]:
        return self._process(sys.executable, "-m", "scar.cli", name)

    def _process(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.installation.folder / "parts.log").open("ab") as log:
            return subprocess.Popen(
                arguments,
                cwd=self.installation.folder,
                env=self.installation.env,
                stdout=log,
                stderr=log,
            )
