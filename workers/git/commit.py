"""Which commit a workspace is at, and where it came from."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import structlog

from scar.errors import ScarError
from scar.git_url import GitUrl
from workers.git.command import Credential, ask
from workers.git.shadow import Shadow

_STATUS_SECONDS = 10.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WorkspaceCommit:
    """`commit` is None outside a repository; `dirty`: there are changes that are not committed."""

    commit: str | None
    dirty: bool


def workspace_commit(folder: Path) -> WorkspaceCommit:
    """What Git says of a workspace; a folder without Git, or a Git that fails, says nothing."""
    if not (folder / ".git").exists():
        return WorkspaceCommit(None, False)
    commit = ask(folder, "rev-parse", "--verify", "-q", "HEAD")
    return WorkspaceCommit(commit or None, _is_dirty(folder, commit))


def _is_dirty(folder: Path, commit: str | None) -> bool:
    """`status` would run the repository's own filters: it is asked where none are known."""
    with tempfile.TemporaryDirectory(prefix="scar-status-") as beside:
        try:
            shadow = Shadow(Path(beside) / "git", folder, seconds=_STATUS_SECONDS)
            shadow.be_at(commit)
            words = ("status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all")
            return bool(shadow.parts(*words))
        except ScarError as error:
            _log.warning("no status of a workspace", folder=str(folder), reason=error.message)
            return False


def origin_of(folder: Path) -> str | None:
    """Where the workspace's `origin` is, as `host/owner/name`; None where it has none, or one that
    does not say whose repository it is."""
    found = origin(folder)
    return found[0].name if found and found[0].host else None


def origin(folder: Path) -> tuple[GitUrl, Credential | None] | None:
    """The workspace's `origin`, and the credential that somebody has written into its address."""
    if not os.path.lexists(folder / ".git"):
        return None
    urls = (ask(folder, "config", "--get-all", "remote.origin.url") or "").splitlines()
    if not urls:
        return None
    address, user, password = _without_credential(urls[0])
    path = address.removeprefix("file://")
    if path.startswith("/") and path.isprintable():
        return GitUrl.folder(path), None
    try:
        repository = GitUrl.parse(address)
    except ScarError:
        return None  # a protocol that SCAR does not speak
    credential = Credential(repository.place, user, password) if password else None
    return repository, credential


def _without_credential(url: str) -> tuple[str, str, str]:
    """An https address, and the user and the password that were in it."""
    scheme, sign, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    if not sign or scheme.lower() != "https" or "@" not in place:
        return url, "", ""
    known, _, host = place.rpartition("@")
    user, _, password = known.partition(":")
    return f"{scheme}://{host}{slash}{path}", unquote(user), unquote(password or user)
