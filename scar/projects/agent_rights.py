"""Checks whether a coding agent could write the projects file, and thereby make anybody an
admin.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from scar.projects import folders

_NOBODY = 65534
"""The user as whom an agent runs if root owns the workspace."""


def problems(file: Path, workspaces: Iterable[Path]) -> list[str]:
    """Return why agents in these workspaces are refused, one sentence for each user.

    An agent runs as the owner of its workspace. Workspaces that are not there are left out.
    """
    sentences: dict[str, None] = {}
    for workspace in workspaces:
        if folders.inside(file, workspace):
            sentences[f"{file} is in the workspace {workspace}"] = None
            continue
        try:
            owner = os.stat(workspace)
        except OSError:
            continue
        uid, gid = _user(owner)
        for name in {file: None, folders.resolved(file): None}:
            place = folders.writable_place(name, uid, gid)
            if place is not None:
                sentences[f"{place} can be written by user {uid}, who owns {workspace}"] = None
                break
    return list(sentences)


def _user(owner: os.stat_result) -> tuple[int, int]:
    uid = owner.st_uid or _NOBODY
    try:
        gid = pwd.getpwuid(uid).pw_gid
    except KeyError:
        gid = owner.st_gid
    return uid, gid or _NOBODY


REMEDY = (
    "A coding agent there is refused: it could make anybody an admin. Give the file and every "
    "folder above it to root (chown root, chmod go-w), or set SCAR_PROJECTS_FILE to another place."
)
