"""Reads a workspace's commit and origin."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import structlog

from scar.errors import ScarError
from scar.git_url import GitUrl
from workers.git.command import Credential, query
from workers.git.shadow import STATUS, ShadowRepository

_STATUS_SECONDS = 10.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class WorkspaceCommit:
    """The checked-out commit (None outside a repository), and whether there are uncommitted changes
    (`dirty`; None if unknown).
    """

    commit: str | None
    dirty: bool | None


def workspace_commit(folder: Path, *, seconds: float = _STATUS_SECONDS) -> WorkspaceCommit:
    """Return a workspace's commit; None in a folder without Git, or if Git fails. `dirty` is None
    if the status takes longer than `seconds`.
    """
    if not (folder / ".git").exists():
        return WorkspaceCommit(None, False)
    commit = query(folder, "rev-parse", "--verify", "-q", "HEAD")
    return WorkspaceCommit(commit or None, _is_dirty(folder, commit, seconds))


def _is_dirty(folder: Path, commit: str | None, seconds: float) -> bool | None:
    """Return whether there are uncommitted changes; None if Git fails.

    Uses a shadow repository, since `git status` in the workspace itself would run filters from its
    configuration.
    """
    with tempfile.TemporaryDirectory(prefix="scar-status-") as scratch:
        try:
            shadow = ShadowRepository(Path(scratch) / "git", folder, seconds=seconds)
            shadow.set_head(commit)
            return bool(shadow.fields(*STATUS))
        except ScarError as error:
            _log.warning("no status of a workspace", folder=str(folder), reason=error.message)
            return None


def origin_of(folder: Path) -> str | None:
    """Return the workspace's origin as `host/owner/name`; None if it has no such form."""
    source = origin(folder)
    return source[0].name if source and source[0].host else None


def origin(folder: Path) -> tuple[GitUrl, Credential | None] | None:
    """Return the workspace's origin, and the credential in its address, if there is one."""
    if not os.path.lexists(folder / ".git"):
        return None
    urls = (query(folder, "config", "--get-all", "remote.origin.url") or "").splitlines()
    if not urls:
        return None
    address, user, password = _split_credential(urls[0])
    path = address.removeprefix("file://")
    if path.startswith("/") and path.isprintable():
        return GitUrl.folder(path), None
    try:
        repository = GitUrl.parse(address)
    except ScarError:
        return None  # the protocol is not supported
    credential = Credential(repository.place, user, password) if password else None
    return repository, credential


def _split_credential(url: str) -> tuple[str, str, str]:
    """Return an https address without its credential, then the username and the password."""
    scheme, separator, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    if not separator or scheme.lower() != "https" or "@" not in place:
        return url, "", ""
    credential, _, host = place.rpartition("@")
    user, _, password = credential.partition(":")
    return f"{scheme}://{host}{slash}{path}", unquote(user), unquote(password or user)
