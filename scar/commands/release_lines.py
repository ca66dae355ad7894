"""Formats a release for a list: its time, commit and author, and how many releases ago it was."""

from __future__ import annotations

from scar.commands.text_format import counted
from scar.jobs.results.history import ReleaseRow

_NAMED = 10
"""How many characters of an id are shown: its time, which no two releases share."""

_LONGEST = 60
_CHANGES = {True: " + uncommitted changes", False: "", None: ", changes unknown"}


def short_id(id: str) -> str:
    """Return the beginning of a release's id that is enough to name it."""
    return id[:_NAMED]


def ago(release: ReleaseRow) -> str:
    """`2 releases ago`."""
    return f"{counted(release.ago, 'release')} ago" if release.ago else "now in production"


def moment(release: ReleaseRow) -> str:
    """`2026-01-31 12:00 UTC`."""
    return f"{release.at[:16].replace('T', ' ')} UTC"


def commit_line(release: ReleaseRow) -> str:
    """`abc1234 Mend the page + uncommitted changes`."""
    subject = release.subject or ""
    if len(subject) > _LONGEST:
        subject = f"{subject[:_LONGEST]}…"
    words = (release.commit or "no commit")[:12], subject
    return " ".join(word for word in words if word) + _CHANGES[release.dirty]


def button_label(release: ReleaseRow) -> str:
    """Return a text short enough for a button: `31 Jan 12:00 · abc1234`, in UTC."""
    commit = f" · {release.commit[:7]}" if release.commit else ""
    return f"⏪ {release.at[:16].replace('T', ' ')}{commit}"
