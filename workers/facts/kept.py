"""Files of production that no release brought and a deployment replaced: where copies are kept."""

from __future__ import annotations

import shlex

from scar.jobs.job_id import time_of_id
from scar.jobs.results.kept import KeptFile, KeptFiles
from scar.jobs.timestamp import rfc3339
from workers.files.content_store import ContentStore
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob


class Kept(ReadJob[KeptFiles]):
    """What a person had changed by hand, and how to bring it back."""

    kind = "kept"

    def answer(self, context: JobContext) -> KeptFiles:
        """Return one row for each file, the latest first."""
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
