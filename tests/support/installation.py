"""A separate installation of SCAR for a test: its folders, settings and processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from scar.settings import Settings
from tests.support.waiting import PATIENCE, eventually, free_port

_KEPT = ("PATH", "HOME", "LANG", "DOCKER_HOST", "DOCKER_CONFIG", "PYTHONPATH")


class Installation:
    """One installation of SCAR. `up` starts all of it, `scar` runs one shell command."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.projects_file = folder / "projects.json"
        self._settings = settings
        self._up: subprocess.Popen[bytes] | None = None

    @property
    def env(self) -> Mapping[str, str]:
        return {
            **{name: os.environ[name] for name in _KEPT if name in os.environ},
            "SCAR_PROJECTS_FILE": str(self.projects_file),
            "SCAR_STATE_DIR": str(self.folder / "state"),
            "SCAR_API_BIND": f"127.0.0.1:{self.port}",
            "SCAR_API_URL": f"http://127.0.0.1:{self.port}",
            "PYTHONUNBUFFERED": "1",
            **self._settings,
        }

    def project(self, name: str, *containers: str, **fields: object) -> None:
        """Write a projects file with one project that has two empty folders."""
        entry: dict[str, object] = {"containers": list(containers), **fields}
        for what in ("workspace", "production"):
            (self.folder / what / name).mkdir(parents=True, exist_ok=True)
            entry[what] = str(self.folder / what / name)
        self.projects_file.write_text(json.dumps({name: entry}))

    def up(self) -> subprocess.Popen[bytes]:
        """Start `scar up`, and wait until its API says that a worker listens for every host."""
        with (self.folder / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "scar.cli", "up"],
                cwd=self.folder,
                env=self.env,
                stdout=log,
                stderr=log,
            )
        eventually(self.is_ready, f"`scar up` is ready:\n{self.log}")
        return self._up

    def is_ready(self) -> bool:
        """Whether the API answers, and a worker listens for every host."""
        try:
            # Without `verify=False`, httpx would create a TLS context, which takes 45 ms of CPU.
            url = f"http://127.0.0.1:{self.port}/readyz"
            return httpx.get(url, verify=False).is_success
        except httpx.TransportError:
            return False

    @property
    def is_up(self) -> bool:
        """Whether `scar up` runs."""
        return self._up is not None and self._up.poll() is None

    def down(self) -> None:
        """Stop `scar up`, if it runs."""
        if self._up is not None and self._up.poll() is None:
            self._up.terminate()
            self._up.wait(PATIENCE)

    @property
    def log(self) -> str:
        path = self.folder / "up.log"
        return path.read_text() if path.exists() else ""

    def scar(
        self, *words: str, said: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one shell command with pipes, and return its output."""
        return subprocess.run(
            [sys.executable, "-m", "scar.cli", *words],
            cwd=self.folder,
            env={**self.env, **settings},
            input=said,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def redis_url(self) -> str:
        """The URL of the embedded Redis."""
        return Settings.load(self.env, None).effective_redis_url

    def processes(self) -> dict[int, str]:
        """Return the command line of every live process of this SCAR, by pid."""
        mark = f"SCAR_STATE_DIR={self.folder / 'state'}".encode()
        socket = self.redis_url.removeprefix("unix://")
        processes = {}
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                # The Redis server overwrites its environment with its process title.
                if mark in (folder / "environ").read_bytes().split(b"\0") or (
                    str(self.folder / "state") in command or socket in command
                ):
                    processes[int(folder.name)] = command
            except OSError:
                continue  # it has just ended
        return processes

    def process(self, words: str) -> int:
        """Return the oldest process whose command line contains `words`."""
        return min(pid for pid, command in self.processes().items() if words in command)

    def has_other(self, words: str, pid: int) -> bool:
        """Whether a process other than `pid` has `words` in its command line."""
        return any(words in command and other != pid for other, command in self.processes().items())

    def kill_all(self, words: str) -> None:
        """Send SIGKILL to every process whose command line contains `words`."""
        for pid, command in self.processes().items():
            if words in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def kill(self, words: str) -> int:
        """Send SIGKILL to the part whose command line contains `words`; return its pid."""
        pid = self.process(words)
        os.kill(pid, signal.SIGKILL)
        return pid
