"""Runs Git so that nothing but its own code runs with it, whatever a repository says.

What a repository's configuration could start is switched off, no configuration of the machine or
of a user counts, no protocol but https and ssh is spoken (`FROM_FOLDER`: none, a workspace is
brought forward from a folder), nothing is asked of anybody.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from scar.git_url import GitUrl
from workers.engine.process import Process, ProcessResult, RunControl
from workers.files.failures import disk_full

SAFE = (
    "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "core.pager=cat", "-c", "protocol.allow=never", "-c", "protocol.https.allow=always",
    "-c", "protocol.ssh.allow=always", "-c", "http.followRedirects=false",
    "-c", "submodule.recurse=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "core.fsync=all", "-c", "fetch.unpackLimit=1",
)  # fmt: skip
# A host that was never seen before is believed once and kept; one whose key changes never is.
_SSH = (
    "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20 "
    "-o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o ForwardAgent=no "
    "-o PermitLocalCommand=no"
)
_KEPT = (
    *("PATH", "SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "TMPDIR"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
)
_ASK_SECONDS = 10
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_NOT_FOUND = re.compile(
    r"not found|could not read (?:Username|Password)|Authentication failed|error: 40[134]"
    r"|Permission denied \(publickey|does not appear to be a git repository",
    re.IGNORECASE,
)
_MOVED = re.compile(r"error: 30[1278]")
_LINES = 20


@dataclass(frozen=True)
class Credential:
    """What a server is given when it asks who is there: over https, and only by `place`."""

    place: str
    username: str
    password: str


FROM_FOLDER = {"GIT_ALLOW_PROTOCOL": "file"}
"""More environment for a repository in a folder of this host."""


def environment(
    credential: Credential | None = None, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What Git is started with: nothing of SCAR's own but the credential, which is in no command
    line and no file. A helper that Git asks for the one place takes it from there."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    env |= {
        "LC_ALL": "C",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_SSH_COMMAND": _SSH,
        "GIT_SSH_VARIANT": "ssh",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
    }
    helpers = [("credential.helper", "")]  # none of a repository's own
    if credential is not None:
        env["SCAR_GIT_USERNAME"] = credential.username
        env["SCAR_GIT_PASSWORD"] = credential.password
        give = (
            '!give() { [ "$1" != get ] || printf "username=%s\\npassword=%s\\n" '
            '"$SCAR_GIT_USERNAME" "$SCAR_GIT_PASSWORD"; }; give'
        )
        helpers.append((f"credential.https://{credential.place}.helper", give))
    env["GIT_CONFIG_COUNT"] = str(len(helpers))
    for number, (key, value) in enumerate(helpers):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env | dict(more or {})


def ask(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str | None:
    """What a Git that only looks prints, in ten seconds at most; None where it fails."""
    try:
        found = subprocess.run(
            ["git", *SAFE, *words],
            cwd=folder,
            env=environment(None, env),
            capture_output=True,
            timeout=_ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.decode("utf-8", "replace").strip() if found.returncode == 0 else None


def run(
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    control: RunControl,
    *,
    told: Callable[[str], None] | None = None,
) -> ProcessResult:
    """Runs Git to its end; `told` gets each line of its progress, as often as it is rewritten."""
    argv = ["git", *SAFE, *words]
    try:
        process = Process(
            argv,
            cwd=folder,
            env=env,
            control=control,
            name=f"git {words[0]}",
            rewrites=told is not None,
        )
    except FileNotFoundError as missing:
        raise ScarError(
            "sync_failed",
            f"There is no folder {folder}",
            "Make it on the worker's host, or correct the path in the projects file.",
        ) from missing
    return process.run(stdout=_untold, stderr=told or _untold)


def failed(what: str, finished: ProcessResult, folder: Path, repository: GitUrl) -> ScarError:
    """Why Git did not fetch, from its own words."""
    lines = tuple(line for line in finished.tail if "%" not in line)[-_LINES:]
    words = "\n".join(finished.tail)
    if _FULL.search(words):
        return disk_full(str(folder))
    if _MOVED.search(words):
        hint = "It has moved: use its new address. SCAR follows no server to another."
        return ScarError("not_found", f"{what}: {repository.name} is not there", hint)
    if _NOT_FOUND.search(words):
        return ScarError(
            "not_found",
            f"{what}: {repository.name} is not there, or SCAR may not read it",
            "Check the address. A private repository needs SCAR_GITHUB_TOKEN (https, GitHub) or "
            "a key of the worker's user (ssh).",
            lines=lines,
        )
    return ScarError(
        "sync_failed",
        f"{what}: Git ended with code {finished.code}",
        f"The lines are Git's. Check that the worker's host reaches {repository.host}.",
        lines=lines,
    )


def _untold(_line: str) -> None:
    """For output that is read from the end, or not at all."""
