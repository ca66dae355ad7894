"""Chooses the user that a coding agent runs as: the owner of the workspace, never root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.files.failures import file_errors

NOBODY = 65534
"""User and group `nobody`, used in place of root."""

_NEEDED = {"CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}
"""Capabilities and their bits, from linux/capability.h."""


@dataclass(frozen=True)
class Identity:
    """The user for an agent. With `needs_handover`, root owns the workspace, so its files must
    change owner during the run.
    """

    uid: int
    gid: int
    name: str
    home: Path
    needs_handover: bool

    def environment(self, path: str, run: str) -> dict[str, str]:
        """Return all environment variables of the agent.

        `path` is the worker's PATH. `run` is the id by which the run's processes can be recognised
        later.
        """
        return {
            "PATH": f"{path}:{self.home}/.local/bin",
            "HOME": str(self.home),
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "AGENT_RUN": run,
        }


def require_privileges() -> None:
    """Raise `forbidden` if this worker cannot switch to another user.

    The agent would otherwise run as the worker's user, which reaches the Docker Engine and SCAR's
    keys. The effective capabilities are `CapEff` in /proc/self/status, see proc_pid_status(5).
    """
    status = Path("/proc/self/status").read_text()
    effective = int(status.partition("CapEff:")[2].split()[0], 16)
    lacking = [name for name, bit in _NEEDED.items() if not effective >> bit & 1]
    if os.geteuid() != 0 or lacking:
        what = f"lacks {', '.join(lacking)}" if os.geteuid() == 0 else "does not run as root"
        raise ScarError(
            "forbidden",
            f"The worker {what}: it can give an agent no identity but its own, which reaches the "
            "Docker Engine and SCAR's keys",
            "Run this host's worker as root, in a container with cap_add: [KILL, SETGID, SETUID].",
        )


def identity_for(workspace: Path, homes: Path) -> Identity:
    """Return the user for a workspace: its owner, or `nobody` if root owns it.

    If the user has no home folder of its own, one is created in `homes`, named after the uid.
    """
    with file_errors(str(workspace)):
        owner = os.stat(workspace)
    uid = owner.st_uid or NOBODY
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        name, gid, home = f"user{uid}", owner.st_gid, None
    else:
        name, gid, home = account.pw_name, account.pw_gid, Path(account.pw_dir)
    if home is None or not _is_owned_by(home, uid):
        home = _make_home(homes, uid, gid or NOBODY)
    return Identity(uid, gid or NOBODY, name, home, needs_handover=owner.st_uid == 0)


def _make_home(homes: Path, uid: int, gid: int) -> Path:
    home = homes / str(uid)
    with file_errors(str(home)):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        homes.chmod(0o711)
        os.chown(home, uid, gid, follow_symlinks=False)
    return home


def _is_owned_by(home: Path, uid: int) -> bool:
    try:
        return home.is_dir() and home.stat().st_uid == uid
    except OSError:
        return False
