"""Runs Git so that no repository can make it start a program or contact another server.

Everything that a repository's configuration could start is disabled, the configurations of the
machine and the user are not read, Git never prompts for a password, and only https and ssh are
allowed (with `FROM_FOLDER`, only local files, for a workspace whose origin is a folder).
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

SAFE_OPTIONS = (
    "-c", "safe.directory=*", "-c", "safe.bareRepository=explicit",
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "core.pager=cat", "-c", "protocol.allow=never", "-c", "protocol.https.allow=always",
    "-c", "protocol.ssh.allow=always", "-c", "http.followRedirects=false",
    "-c", "submodule.recurse=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
    "-c", "core.fsync=all", "-c", "fetch.unpackLimit=1",
)  # fmt: skip
FROM_FOLDER = {"GIT_ALLOW_PROTOCOL": "file"}
"""Additional environment for a repository in a local folder."""

# Trust on first use: an unknown host's key is accepted and stored; a changed key is refused.
_SSH = (
    "ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o ConnectTimeout=20 "
    "-o ServerAliveInterval=15 -o ServerAliveCountMax=3 -o ForwardAgent=no "
    "-o PermitLocalCommand=no"
)
_PASSED_ON = (
    *("PATH", "SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "TMPDIR"),
    *("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
)
_FIXED = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "https:ssh",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_SSH_COMMAND": _SSH,
    "GIT_SSH_VARIANT": "ssh",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
}
_CREDENTIAL_HELPER = (
    '!give() { [ "$1" != get ] || printf "username=%s\\npassword=%s\\n" '
    '"$SCAR_GIT_USERNAME" "$SCAR_GIT_PASSWORD"; }; give'
)
UMASK = 0o022
"""Git's usual umask. Its files belong to a workspace, and SCAR's umask would lock out the group of
the workspace's owner.
"""

_QUERY_SECONDS = 10
_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded")
_NOT_FOUND = re.compile(
    r"not found|could not read (?:Username|Password)|Authentication failed|error: 40[134]"
    r"|Permission denied \(publickey|does not appear to be a git repository",
    re.IGNORECASE,
)
_REDIRECT = re.compile(r"error: 30[1278]")
_LINES = 20


@dataclass(frozen=True)
class Credential:
    """A username and a password, sent over https to the host and port `place` only."""

    place: str
    username: str
    password: str


def environment(
    credential: Credential | None = None, more: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment for Git, which contains nothing of SCAR's except the credential.

    The credential appears in no command line and no file: Git runs a credential helper, for this
    one host, that reads the environment.
    """
    env = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _FIXED
    # An empty value disables the helpers in the repository's configuration.
    config = [("credential.helper", "")]
    if credential is not None:
        env["SCAR_GIT_USERNAME"] = credential.username
        env["SCAR_GIT_PASSWORD"] = credential.password
        config.append((f"credential.https://{credential.place}.helper", _CREDENTIAL_HELPER))
    env["GIT_CONFIG_COUNT"] = str(len(config))
    for number, (key, value) in enumerate(config):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env | dict(more or {})


def query(folder: Path, *words: str, env: Mapping[str, str] | None = None) -> str | None:
    """Return the output of a quick Git command; None if it fails or takes longer than 10 s.

    Git uses only the repository in `folder` itself, never one in a folder above it.
    """
    own = {"GIT_CEILING_DIRECTORIES": str(folder.resolve().parent), **(env or {})}
    try:
        result = subprocess.run(
            ["git", *SAFE_OPTIONS, *words],
            cwd=folder,
            env=environment(None, own),
            capture_output=True,
            timeout=_QUERY_SECONDS,
            umask=UMASK,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return result.stdout.decode("utf-8", "replace").strip() if result.returncode == 0 else None


def run(
    words: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    control: RunControl,
    *,
    on_progress: Callable[[str], None] | None = None,
) -> ProcessResult:
    """Run Git to its end; `on_progress` is called with each update of a progress line."""
    try:
        process = Process(
            ["git", *SAFE_OPTIONS, *words],
            cwd=folder,
            env=env,
            control=control,
            name=f"git {words[0]}",
            rewrites=on_progress is not None,
        )
    except FileNotFoundError as missing:
        raise ScarError(
            "sync_failed",
            f"There is no folder {folder}",
            "Make it on the worker's host, or correct the path in the projects file.",
        ) from missing
    return process.run(stdout=_ignore_line, stderr=on_progress or _ignore_line)


def transfer_failed(
    what: str, result: ProcessResult, folder: Path, repository: GitUrl
) -> ScarError:
    """Return why Git could not transfer a repository, derived from its output."""
    lines = tuple(line for line in result.tail if "%" not in line)[-_LINES:]
    output = "\n".join(result.tail)
    if _DISK_FULL.search(output):
        return disk_full(str(folder))
    if _REDIRECT.search(output):
        hint = "It has moved: use its new address. SCAR follows no server to another."
        return ScarError("not_found", f"{what}: {repository.name} is not there", hint)
    if _NOT_FOUND.search(output):
        return ScarError(
            "not_found",
            f"{what}: {repository.name} is not there, or SCAR may not read it",
            "Check the address. A private repository needs SCAR_GITHUB_TOKEN (https, GitHub) or "
            "a key of the worker's user (ssh).",
            lines=lines,
        )
    return ScarError(
        "sync_failed",
        f"{what}: Git ended with code {result.code}",
        f"The lines are Git's. Check that the worker's host reaches {repository.host}.",
        lines=lines,
    )


def _ignore_line(_line: str) -> None:
    """Ignore a line of Git's output; the last ones are in `ProcessResult.tail`."""
