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
"""Seconds that a clone may take."""

# `Receiving objects:  43% (430/1000), 1.20 MiB | 2.00 MiB/s`; the server's lines begin with
# `remote: `.
_PROGRESS = re.compile(r"(?:remote: )?([A-Z][A-Za-z ]{2,40}): +\d+% \((\d+)/(\d+)\)")

OnProgress = Callable[[str, int, int], None]
"""A function that receives Git's current phase, the number of objects done, and their total."""


def clone(
    repository: GitUrl,
    target: Path,
    credential: Credential | None,
    control: RunControl,
    on_progress: OnProgress,
) -> None:
    """Clone the repository into the new folder `target`, without hooks and submodules.

    Raises `not_found`, `sync_failed`, `disk_full`, `timeout`, and the exceptions of
    `control.check`; the caller then deletes what remains of `target`.
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
    """Return SCAR's token if the repository is on the configured GitHub server, else None."""
    token = settings.github_token
    if token is None or repository.scheme != "https":
        return None
    if repository.place != github_place(settings.github_api_url):
        return None
    return Credential(repository.place, "x-access-token", token)
