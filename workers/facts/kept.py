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
from workers.state.kept_files import kept_copies


class Kept(ReadJob[KeptFiles]):
    """Lists these copies, with a shell command that restores each."""

    kind = "kept"

    def answer(self, context: JobContext) -> KeptFiles:
        """Return one row for each file, the latest first."""
        contents = ContentStore(context.folder / "objects")
        production = context.project.production
        rows = tuple(
            KeptFile(
                path=copy.path,
                job=copy.job,
                at=rfc3339(time_of_id(copy.job)),
                size=copy.entry.size,
                command=shlex.join(
                    ["cp", contents.path_of(copy.entry), f"{production}/{copy.path}"]
                ),
                number=copy.number,
            )
            for copy in reversed(kept_copies(contents))
        )
        return KeptFiles(context.project.name, rows)


HANDLER = Kept()
