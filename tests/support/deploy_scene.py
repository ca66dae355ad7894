"""A real Compose project and a real SCAR around it, asked over HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from scar.access import Actor
from scar.client import ApiClient
from scar.jobs.event import Event
from scar.jobs.record import Job
from scar.redis_client import connect
from tests.support.compose_project import (
    IMAGE,
    containers_of,
    engine,
    remove_project,
    run_docker,
)
from tests.support.installation import Installation
from tests.support.waiting import eventually, free_port

TOKEN = "deploys-and-restarts-1"

COMPOSE = """\
services:
  web:
    build: .
    stop_signal: KILL
    ports: ["PORT:8000"]
    volumes: ["./data:/data"]
    healthcheck:
      test: ["CMD", "wget", "-q", "-O", "-", "http://127.0.0.1:8000/"]
      interval: 10s
      timeout: 10s
      retries: 5
      start_period: 5s
      start_interval: 0.2s
  side:
    image: IMAGE
    command: ["sleep", "100000"]
    stop_signal: KILL
"""
DOCKERFILE = """\
FROM IMAGE
COPY page /www/index.html
CMD ["httpd", "-f", "-p", "8000", "-h", "/www"]
"""
WITHOUT_SITE = "services:\n" + "".join(COMPOSE.partition("  side:")[1:])

NEVER_WELL = DOCKERFILE.replace('"8000"', '"9000"')
"""A Dockerfile whose site listens on another port, so that its health check always fails."""

ENDS = "".join(DOCKERFILE.partition("CMD")[:2]) + ' ["false"]\n'
"""The site ends as soon as it starts, and a deploy of it fails at once."""

IMPATIENT = 10
"""Seconds until a container that never gets healthy fails a deploy; one that does takes one."""


class DeployScene:
    """One project with a site; workspace and production are real folders."""

    def __init__(
        self,
        folder: Path,
        installation: Installation | None = None,
        *,
        project: str = "shop",
        **entry: Any,
    ) -> None:
        self.project = project
        self.name = f"scartest-{uuid4().hex[:8]}"
        self.workspace = folder / "workspace"
        self.production = folder / "production"
        self.port = free_port()
        self._shared = installation is not None
        self.installation = installation or deploying_installation(folder / "scar")
        self.entry = {
            "workspace": str(self.workspace),
            "production": str(self.production),
            "compose_project": self.name,
            "auto_detect": True,
            "primary_container": f"{self.name}-web-1",
            "health_timeout": 30,
            **entry,
        }
        self.api = ApiClient(f"http://127.0.0.1:{self.installation.port}", lambda *_: TOKEN)
        self.actor = Actor("api", "test", "test")

    @property
    def state(self) -> Path:
        """The folder in which SCAR keeps what it knows of the project."""
        return self.installation.folder / "state" / "projects" / self.project

    def write(self, **files: str) -> None:
        """Write files into the workspace; `IMAGE` and `PORT` in them are replaced."""
        for name, text in files.items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("IMAGE", IMAGE).replace("PORT", str(self.port)))

    def begin(self, compose: str = COMPOSE) -> None:
        """Write a workspace with a first page, and start SCAR."""
        self.write(page="one", Dockerfile=DOCKERFILE, **{"compose.yaml": compose})
        self.configure()
        if not self.installation.is_up:
            self.installation.up()
        # An earlier test may have killed a part of it.
        eventually(self.installation.is_ready, f"`scar up` is ready:\n{self.installation.log}")

    def configure(self, **entry: Any) -> None:
        """Change the project's entry in the projects file."""
        self.entry.update(entry)
        self.installation.projects_file.write_text(json.dumps({self.project: self.entry}))

    def ask(self, kind: str, *, confirm: bool = True, **args: Any) -> Job:
        """Submit a job, and return it."""
        body: dict[str, Any] = {"kind": kind, "project": self.project, "args": args}
        if confirm and kind in ("deploy", "restart", "rollback", "kept_restore"):
            body["confirm"] = "yes"
        return Job.from_json(self.api.request("POST", "/jobs", json=body))

    def do(self, kind: str, **args: Any) -> Job:
        """Submit a job, and wait for its end."""
        return self.end_of(self.ask(kind, **args))

    def end_of(self, job: Job) -> Job:
        """Wait until the job has ended, and return it."""
        for _ in self.events(job):
            pass
        return self.api.job(job.id)

    def events(self, job: Job, after: int = 0) -> Iterator[Event]:
        return self.api.events(job.id, after)

    def until_step(self, job: Job, name: str) -> None:
        """Wait until the step is running."""
        for event in self.events(job):
            if event.type == "step" and (event.data["name"], event.data["state"]) == (
                name,
                "running",
            ):
                return
        raise AssertionError(f"the job ended without running {name}")

    def site(self) -> str:
        """Return what the published port serves; an empty text if it does not answer."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/", timeout=2, verify=False).text.strip()
        except httpx.TransportError:
            return ""

    def tree(self) -> dict[str, tuple[int, str]]:
        """Return the mode and digest of every file in production, by path."""
        return tree_of(self.production)

    def images(self) -> dict[str, str]:
        """Return the id of each container's image, by the container's name."""
        return {row["Names"][0]: row["ImageID"] for row in containers_of(self.name)}

    def other_images(self) -> list[str]:
        """The names of images that stand for another one than their container runs."""
        ids = run_docker("ps", "-aq", "--filter", f"name={self.name}-").split()
        rows = run_docker("inspect", "-f", "{{.Config.Image}} {{.Image}}", *ids).splitlines()
        run = dict(row.split() for row in rows)
        stand_for = run_docker("image", "inspect", "-f", "{{.Id}}", *run).splitlines()
        return [name for name, id in zip(run, stand_for, strict=True) if run[name] != id]

    def started(self, container: str) -> str:
        """Return when a container was last started, with its id."""
        with engine().api() as api:
            details = api.inspect_container(container)
        return f"{details['State']['StartedAt']} {details['Id']}"

    def planned(self, job: Job, *, other_than: str = "") -> dict[str, Any]:
        """Wait until a job awaits its confirmation, and return its plan."""

        def look() -> dict[str, Any] | None:
            current = self.api.job(job.id)
            plan = dict(current.plan) if current.plan else None
            ready = current.state == "awaiting_confirmation" and plan
            return plan if ready and plan and plan["hash"] != other_than else None

        return eventually(look, "a plan") or {}

    def answer(self, job: Job, word: str) -> None:
        """Answer a job's question."""
        self.api.request("POST", f"/jobs/{job.id}/confirm", json={"answer": word})

    def kill_worker(self) -> None:
        """kill -9 of the worker and its pool."""
        self.installation.kill_all("celery")

    def pool(self) -> list[int]:
        """Return the processes of the worker that run jobs."""
        processes = self.installation.processes()
        celery = {pid for pid, command in processes.items() if "celery" in command}
        return sorted(pid for pid in celery if _parent(pid) in celery)

    def leftovers(self) -> list[str]:
        """Return what SCAR must not leave behind: its own files in the two folders, and containers
        that do not run.
        """
        files = [str(p) for root in (self.workspace, self.production) for p in root.rglob(".scar*")]
        rows = containers_of(self.name)
        return files + [f"{r['Names']} {r['State']}" for r in rows if r["State"] != "running"]

    def _forget(self) -> None:
        """Delete the project's state, so that the next project of the same name starts anew."""
        with contextlib.closing(connect(self.installation.redis_url)) as redis:
            eventually(
                lambda: not redis.exists(f"scar:hold:{self.project}"), "no job holds the project"
            )
            redis.delete(f"scar:jobs:{self.project}", "scar:locks")
        shutil.rmtree(self.state, ignore_errors=True)

    def remove(self) -> None:
        """Remove the project from the Engine; and from a shared SCAR, or else stop SCAR."""
        if self._shared:
            self._forget()
        else:
            self.installation.down()
        remove_project(engine(), self.name)


def deploying_installation(folder: Path, **settings: str) -> Installation:
    """Return a SCAR whose operator `test` deploys; its folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    settings["SCAR_API_TOKENS"] = f"test:operator:{TOKEN}"
    return Installation(folder, SCAR_STABLE_SECONDS="1", **settings)


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def tree_of(root: Path) -> dict[str, tuple[int, str]]:
    """Return the mode and digest of every file in a folder, by path."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            hashlib.sha256(
                os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
            ).hexdigest(),
        )
        for path in sorted(root.rglob("*"))
        if not path.is_dir() or path.is_symlink()
    }
