"""A small Compose project: a site, and something that logs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from uuid import uuid4

from tests.support.compose_project import remove_project
from tests.support.waiting import free_port
from workers.engine.connection import Engine

IMAGE = "scar-demo/busybox:1"

_COMPOSE = f"""\
services:
  web:
    build: .
    stop_signal: KILL
    ports: ["PORT:8000"]
    depends_on: [ticker]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8000/"]
      interval: 2s
      timeout: 1s
      retries: 3
      start_period: 10s
      start_interval: 0.3s
  ticker:
    image: {IMAGE}
    stop_signal: KILL
    command: ["sh", "-c", "while :; do echo tick $$(date +%T); sleep 1; done"]
"""
_DOCKERFILE = f"""\
FROM {IMAGE}
RUN mkdir -p /www && echo "made by the build" > /www/built
COPY page.html /www/index.html
COPY serve.sh /serve.sh
RUN ls -l /www
CMD ["sh", "/serve.sh"]
"""
_SERVE = """\
TIMEOUT=0
echo "INFO: serving page on port 8000"
if [ "$TIMEOUT" -eq 0 ]; then
  echo "ERROR: Task failed: Connection timeout"
else
  echo "INFO: Task done, within its $TIMEOUT seconds"
fi
exec httpd -f -p 8000 -h /www
"""
_AGENT = """\
#!/bin/sh
# A coding agent that knows one bug. It works as another user, so a shell is all it is sure to have.
echo "Looking for it in $(ls | tr '\\n' ' ')"
case $1 in
  *timeout*) sed -i 's/^TIMEOUT=0$/TIMEOUT=30/' serve.sh ;;
  *) echo "I know of no such bug"; exit 1 ;;
esac
echo "serve.sh gave each task 0 seconds; it gives 30 now"
"""


class Sample:
    """The project `shop`, in two folders below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.name = f"scar-demo-{uuid4().hex[:6]}"
        self.port = free_port()
        self.workspace = folder / "workspace" / "shop"
        self.production = folder / "production" / "shop"
        self.workspace.mkdir(parents=True)
        self._agent = folder / "agent.sh"
        self._agent.write_text(_AGENT)
        for path in (folder, self._agent):
            path.chmod(0o755)
        (self.workspace / "serve.sh").write_text(_SERVE)
        (self.workspace / "compose.yaml").write_text(_COMPOSE.replace("PORT", str(self.port)))
        self.mend()
        self.page("Welcome to the shop")
        for words in ("init", "add .", "commit -m First"):
            identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
            command = ["git", "-C", str(self.workspace), *identity, *words.split()]
            subprocess.run(command, check=True, capture_output=True)

    def entry(self) -> dict[str, object]:
        """The project's entry of the projects file."""
        return {
            "workspace": str(self.workspace),
            "production": str(self.production),
            "compose_project": self.name,
            "primary_container": f"{self.name}-web-1",
            "auto_detect": True,
            "health_timeout": 30,
            "agent": str(self._agent),
        }

    def page(self, text: str) -> None:
        """Edit the page, as a person or a coding agent would."""
        (self.workspace / "page.html").write_text(f"<h1>{text}</h1>\n")

    def spoil(self) -> None:
        """Make a mistake in the Dockerfile."""
        (self.workspace / "Dockerfile").write_text(_DOCKERFILE + "RUN nosuchcommand --now\n")

    def mend(self) -> None:
        """Correct the mistake."""
        (self.workspace / "Dockerfile").write_text(_DOCKERFILE)

    def remove(self) -> None:
        """Remove everything of the project from the Engine."""
        remove_project(Engine(os.environ.get("DOCKER_HOST")), self.name)
