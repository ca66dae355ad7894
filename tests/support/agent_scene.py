"""A real SCAR around a workspace with the small agent, asked over HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from scar.client import ApiClient
from scar.commands import job_commands
from scar.document import Document
from scar.jobs.record import Job
from scar.redis_client import connect
from tests.support.installation import Installation
from tests.support.waiting import eventually

TOKEN = "lets-agents-work-1"


class AgentScene:
    """One project, `shop`, in folders that every user can enter."""

    def __init__(
        self,
        folder: Path,
        agent: str | None,
        owner: int,
        installation: Installation | None = None,
    ) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.owner = owner
        self._shared = installation is not None
        self.installation = installation or agent_installation(folder / "scar")
        self.entry: dict[str, Any] = {
            "workspace": str(self.workspace),
            "production": str(folder / "production"),
            "containers": ["scartest-none"],
            **({"agent": agent} if agent else {}),
        }
        self.api = ApiClient(f"http://127.0.0.1:{self.installation.port}", lambda *_: TOKEN)

    def begin(self, **files: str) -> None:
        """Write files into the workspace, set their owner, and start SCAR."""
        for name, text in files.items():
            (self.workspace / name).write_text(text)
        for path in (self.workspace, *self.workspace.rglob("*")):
            os.chown(path, self.owner, self.owner)
        self.configure()
        if not self.installation.is_up:
            self.installation.up()

    def end(self) -> None:
        """Stop SCAR; if it is shared, delete the project's state in it."""
        if not self._shared:
            self.installation.down()
            return
        with contextlib.closing(connect(self.installation.redis_url)) as redis:
            eventually(lambda: not [*redis.scan_iter("scar:hold:*")], "no job holds anything")
            redis.delete("scar:jobs:shop", "scar:locks")
        shutil.rmtree(self.installation.folder / "state" / "projects" / "shop", ignore_errors=True)

    def configure(self, **entry: Any) -> None:
        """Write the projects file."""
        self.entry.update(entry)
        self.installation.projects_file.write_text(json.dumps({"shop": self.entry}))

    def ask(self, kind: str, *, confirm: bool = True, **args: Any) -> Job:
        body: dict[str, Any] = {"kind": kind, "project": "shop", "args": args}
        if confirm and job_commands()[kind].asks:
            body["confirm"] = "yes"
        return Job.from_json(self.api.request("POST", "/jobs", json=body))

    def instruct(self, *lines: str) -> Job:
        """Submit an instruction for the agent."""
        return self.ask("agent", instruction="\n".join(lines))

    def end_of(self, job: Job) -> Job:
        """Wait until the job has ended; return it with the output in its events."""
        for event in self.api.events(job.id, 0):
            job = job.after(event)
        assert job.state == self.api.job(job.id).state
        return job

    def do(self, *lines: str) -> Job:
        return self.end_of(self.instruct(*lines))

    def until_told(self, job: Job, line: str) -> None:
        """Wait until the agent has printed a line."""
        for event in self.api.events(job.id, 0):
            if event.type == "output" and event.data["line"] == line:
                return
        raise AssertionError(f"the job ended without {line}")

    def view(self, job: Job) -> Document:
        return job_commands()[job.request.kind].view(job)

    def planned(self, job: Job) -> dict[str, Any]:
        """Wait until a job awaits its confirmation, and return its plan."""

        def look() -> dict[str, Any] | None:
            return dict(self.api.job(job.id).plan or {})

        return eventually(look, "a plan") or {}

    def answer(self, job: Job, word: str) -> None:
        self.api.request("POST", f"/jobs/{job.id}/confirm", json={"answer": word})

    def cancel(self, job: Job) -> None:
        self.api.request("POST", f"/jobs/{job.id}/cancel")

    def kill_worker(self) -> None:
        """kill -9 of the worker and its pool."""
        self.installation.kill_all("celery")

    def left(self, job: Job) -> list[int]:
        """Return the processes of the job's run that still exist."""
        mark = f"AGENT_RUN={job.id}".encode()
        pids = []
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes():
                    pids.append(int(folder.name))
        return pids


def agent_installation(folder: Path) -> Installation:
    """Return a SCAR whose admin `boss` lets agents work; its folder is made."""
    folder.mkdir()
    return Installation(folder, SCAR_STABLE_SECONDS="0", SCAR_API_TOKENS=f"boss:admin:{TOKEN}")
