"""Reads the first line of a commit's message."""

from __future__ import annotations

import tempfile
from pathlib import Path

import structlog

from scar.errors import ScarError
from workers.git.shadow import ShadowRepository

_SECONDS = 5.0
_LONGEST = 200
_log = structlog.get_logger(__name__)


def commit_subject(workspace: Path, commit: str | None) -> str | None:
    """Return the subject of a workspace's commit, at most 200 characters of it.

    None without a commit, and if Git fails. `git log` in the workspace itself could run programs
    that its configuration names; the shadow repository has no such configuration.
    """
    if commit is None:
        return None
    with tempfile.TemporaryDirectory(prefix="scar-subject-") as scratch:
        try:
            shadow = ShadowRepository(Path(scratch) / "git", workspace, seconds=_SECONDS)
            text = shadow.text("cat-file", "commit", commit)
        except (ScarError, OSError) as error:
            _log.warning("no subject of a commit", folder=str(workspace), reason=str(error))
            return None
    message = text.partition("\n\n")[2].strip()
    subject = message.splitlines()[0] if message else ""
    printable = "".join(c if c.isprintable() else " " for c in subject)
    return printable[:_LONGEST] or None
