"""Which commit a workspace is at."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 10
# What a repository's own configuration could start is switched off; its filters below.
_SAFE = (
    "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "core.pager=cat", "-c", "protocol.allow=never",
)  # fmt: skip
_FILTERS = r"^filter\..*\.(clean|smudge|process)$"


@dataclass(frozen=True)
class WorkspaceCommit:
    """`commit` is None outside a repository; `dirty`: there are changes that are not committed."""

    commit: str | None
    dirty: bool


def workspace_commit(folder: Path) -> WorkspaceCommit:
    """What Git says of a workspace; a folder without Git, or a Git that fails, says nothing."""
    if not (folder / ".git").exists():
        return WorkspaceCommit(None, False)
    commit = _git(folder, "rev-parse", "--verify", "-q", "HEAD")
    # `status` runs the repository's own filters on what it looks at: each is set to nothing.
    filters = (_git(folder, "config", "--name-only", "--get-regexp", _FILTERS) or "").splitlines()
    off = [word for name in filters for word in ("-c", f"{name}=")]
    status = ("status", "--porcelain", "--no-renames", "--ignore-submodules=all")
    changes = _git(folder, *off, *status)
    return WorkspaceCommit(commit or None, bool(changes))


def _git(folder: Path, *words: str) -> str | None:
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
    try:
        found = subprocess.run(
            ["git", *_SAFE, *words],
            cwd=folder,
            env=env,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.decode("utf-8", "replace").strip() if found.returncode == 0 else None
