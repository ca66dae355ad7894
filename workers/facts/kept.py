"""The handler of `kept`, which lists files of production that no release had brought and of
which a deployment kept a copy when it replaced them.
"""

from __future__ import annotations

import shlex

from scar.jobs.job_id import time_of_id
from scar.jobs.results.kept import KeptFile, KeptFiles
from scar.jobs.timestamp import rfc3339
from workers.files.content_store import ContentStore
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob


class Kept(ReadJob[KeptFiles]):
    """Lists these copies, with a shell command that restores each."""

    kind = "kept"

    def read(self, context: JobContext) -> KeptFiles:
        """Return one row for each copy, newest first."""
        contents = ContentStore(context.folder / "objects")
        production = context.project.production
        rows = tuple(
            KeptFile(
                path=path,
                job=job,
                at=rfc3339(time_of_id(job)),
                size=entry.size,
                command=shlex.join(["cp", contents.path_of(entry), f"{production}/{path}"]),
            )
            for job, files in reversed(contents.handmade())
            for path, entry in files.items()
            if entry.kind == "file"
        )
        return KeptFiles(context.project.name, rows)


HANDLER = Kept()
