"""Which commit a workspace is at, and where it came from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from scar.errors import ScarError
from scar.repository import Repository
from workers.git.command import Credential, ask

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
    commit = ask(folder, "rev-parse", "--verify", "-q", "HEAD")
    # `status` runs the repository's own filters on what it looks at: each is set to nothing.
    filters = (ask(folder, "config", "--name-only", "--get-regexp", _FILTERS) or "").splitlines()
    off = [word for name in filters for word in ("-c", f"{name}=")]
    status = ("status", "--porcelain", "--no-renames", "--ignore-submodules=all")
    changes = ask(folder, *off, *status)
    return WorkspaceCommit(commit or None, bool(changes))


def origin_of(folder: Path) -> str | None:
    """Where the workspace's `origin` is, as `host/owner/name`; None where it has none, or one that
    does not say whose repository it is."""
    found = origin(folder)
    return found[0].name if found and found[0].host else None


def origin(folder: Path) -> tuple[Repository, Credential | None] | None:
    """The workspace's `origin`, and the credential that somebody has written into its address."""
    if not os.path.lexists(folder / ".git"):
        return None
    urls = (ask(folder, "config", "--get-all", "remote.origin.url") or "").splitlines()
    if not urls:
        return None
    address, user, password = _without_credential(urls[0])
    path = address.removeprefix("file://")
    if path.startswith("/") and path.isprintable():
        return Repository.folder(path), None
    try:
        repository = Repository.parse(address)
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
