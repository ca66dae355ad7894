"""Clones a repository into a new folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from scar.git_url import GitUrl, github_place
from scar.settings import Settings
from workers.engine.process import RunControl
from workers.git.command import Credential, environment, run, transfer_failed

SECONDS = 15 * 60.0
"""Deadline of a clone."""

# `Receiving objects:  43% (430/1000), 1.20 MiB | 2.00 MiB/s`, with `remote: ` before the server's.
_PROGRESS = re.compile(r"(?:remote: )?([A-Z][A-Za-z ]{2,40}): +\d+% \((\d+)/(\d+)\)")

OnProgress = Callable[[str, int, int], None]
"""Receives what Git is doing, how many objects are done, and of how many."""


def clone(
    repository: GitUrl,
    target: Path,
    credential: Credential | None,
    control: RunControl,
    on_progress: OnProgress,
) -> None:
    """Create `target` as a clone, without hooks and submodules.

    Raises `not_found`, `sync_failed`, `disk_full`, `timeout`, and what `control.check` raises; the
    caller then removes what is left of `target`.
    """

    def parse(line: str) -> None:
        if match := _PROGRESS.match(line):
            on_progress(match[1], int(match[2]), int(match[3]))

    options = ("--progress", "--template=", "--no-recurse-submodules", "--origin=origin")
    words = ("clone", *options, "--", repository.url, str(target))
    result = run(words, target.parent, environment(credential), control, on_progress=parse)
    if result.code != 0:
        raise transfer_failed("Cloning failed", result, target.parent, repository)


def github_credential(repository: GitUrl, settings: Settings) -> Credential | None:
    """Return SCAR's token for a repository on the configured GitHub, None for any other."""
    token = settings.github_token
    if token is None or repository.scheme != "https":
        return None
    if repository.place != github_place(settings.github_api_url):
        return None
    return Credential(repository.place, "x-access-token", token)
