"""As whom an agent works: the owner of the workspace, never root."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from scar.errors import ScarError
from workers.files.failures import file_errors

NOBODY = 65534
_NEEDED = {"CAP_KILL": 5, "CAP_SETGID": 6, "CAP_SETUID": 7}


@dataclass(frozen=True)
class Identity:
    """A user. `handed_over`: root owns the workspace, whose files become this user's meanwhile."""

    uid: int
    gid: int
    name: str
    home: Path
    handed_over: bool

    def environment(self, path: str, run: str) -> dict[str, str]:
        """All that the agent is given of an environment; `run` marks what belongs to its run."""
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


def require_power() -> None:
    """A worker that cannot take another identity must not lend an agent its own, which reaches
    the Docker Engine and SCAR's keys: `forbidden`."""
    status = Path("/proc/self/status").read_text()
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    lacking = [name for name, bit in _NEEDED.items() if not held >> bit & 1]
    if os.geteuid() != 0 or lacking:
        what = f"lacks {', '.join(lacking)}" if os.geteuid() == 0 else "does not run as root"
        raise ScarError(
            "forbidden",
            f"The worker {what}: it can give an agent no identity but its own, which reaches the "
            "Docker Engine and SCAR's keys",
            "Run this host's worker as root, in a container with cap_add: [KILL, SETGID, SETUID].",
        )


def identity_for(workspace: Path, homes: Path) -> Identity:
    """Who works in `workspace`; `homes` has a home for whoever has none of their own."""
    with file_errors(str(workspace)):
        owner = os.stat(workspace)
    uid = owner.st_uid or NOBODY
    try:
        known = pwd.getpwuid(uid)
    except KeyError:
        name, gid, home = f"user{uid}", owner.st_gid, None
    else:
        name, gid, home = known.pw_name, known.pw_gid, Path(known.pw_dir)
    if home is None or not _is_own(home, uid):
        home = homes / str(uid)
        with file_errors(str(home)):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            homes.chmod(0o711)
            os.chown(home, uid, gid or NOBODY, follow_symlinks=False)
    return Identity(uid, gid or NOBODY, name, home, handed_over=owner.st_uid == 0)


def _is_own(home: Path, uid: int) -> bool:
    try:
        return home.is_dir() and home.stat().st_uid == uid
    except OSError:
        return False
