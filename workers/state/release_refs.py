"""Reads what an alert shows of a release: its time, author and commit, without the list of
files.
"""

from __future__ import annotations

from pathlib import Path

from scar.alerts.alert import ReleaseRef
from scar.json_object import JsonObject
from workers.files.durable import read_json
from workers.state.releases import Releases

_HINT = "Remove that file: the release is forgotten then, and the one before it counts instead."


def release_refs(folder: Path, most: int) -> tuple[ReleaseRef, ...]:
    """Return the newest releases of the project whose state is in `folder`, newest first.

    They are not cached, since a release with many files is large and rarely needed.
    """
    newest = Releases(folder).ids()[::-1][:most]
    return tuple(read_json(folder / "releases" / f"{id}.json", _ref_of, _HINT) for id in newest)


def _ref_of(document: JsonObject) -> ReleaseRef:
    commit = document["commit"]
    return ReleaseRef(
        id=str(document["id"]),
        at=int(document["at"]),
        by=str(document["by"]),
        commit=str(commit) if commit else None,
    )
