"""Contents of production that no release brought and a rollout replaced: where they are kept."""

from __future__ import annotations

import shlex
from typing import Any

from scar.jobs.job_id import time_of_id
from scar.jobs.timestamp import rfc3339
from workers.files.content_store import ContentStore
from workers.runtime.context import JobContext, ReadJob


class Kept(ReadJob):
    """What a person had changed by hand, and how to have it back."""

    kind = "kept"

    def read(self, context: JobContext) -> dict[str, Any]:
        """One row a file, the latest first; `command` brings it back, on the project's host."""
        objects = ContentStore(context.folder / "objects")
        rows = [
            {
                "path": path,
                "job": job,
                "at": rfc3339(time_of_id(job)),
                "size": entry.size,
                "command": shlex.join(
                    ["cp", objects.path_of(entry), f"{context.project.production}/{path}"]
                ),
            }
            for job, files in reversed(objects.handmade())
            for path, entry in files.items()
            if entry.kind == "file"
        ]
        return {"project": context.project.name, "files": rows}


HANDLER = Kept()
