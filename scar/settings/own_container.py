"""The container that this process runs in, if it runs in one."""

from __future__ import annotations

import re
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
# The Engine mounts `hostname` and `resolv.conf` of its own folder of the container.
_FOLDER = re.compile(r"/containers/([0-9a-f]{64})/(?:hostname|hosts|resolv\.conf) /etc/")


def own_container_id(mounts: Path = _MOUNTS) -> str | None:
    """Return the id of this process's container, from proc_pid_mountinfo(5); None outside of one.

    The host name is not used, since it can be configured.
    """
    try:
        text = mounts.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    match = _FOLDER.search(text)
    return match[1] if match else None
