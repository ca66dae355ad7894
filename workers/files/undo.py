"""The record of a change to production's files, from which it can be made or unmade.

It is on the disk before the first file is touched, and says for every path what stands there
before and what will stand there after. Making and unmaking are then the same thing in two
directions: bring each path to the one or the other, wherever it is now.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from workers.files.compare import Changes
from workers.files.failures import file_errors
from workers.files.manifest import Entry, dump, load


@dataclass(frozen=True)
class Undo:
    """`root` is the production folder, `job` names the temporary files; `made` are the folders
    that did not exist before, outermost first."""

    job: str
    root: str
    before: dict[str, Entry | None]
    after: dict[str, Entry | None]
    made: tuple[str, ...]

    @classmethod
    def of(cls, job: str, root: str, changes: Changes) -> Undo:
        """The record for `changes`, made before any of them."""
        made: dict[str, None] = {}
        for path, entry in changes.after.items():
            folder = os.path.dirname(path)
            while entry is not None and folder not in made:
                if os.path.isdir(os.path.join(root, folder)):
                    break
                made[folder] = None
                folder = os.path.dirname(folder)
        return cls(job, root, changes.before, changes.after, tuple(sorted(made)))

    def save(self, path: Path) -> None:
        """Writes the record, whole and synced."""
        content = {
            "job": self.job,
            "root": self.root,
            "before": dump(self.before),
            "after": dump(self.after),
            "made": self.made,
        }
        write_synced(path, json.dumps(content))

    @classmethod
    def load(cls, path: Path) -> Undo | None:
        """The record kept at `path`, if there is one."""
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        return cls(
            found["job"],
            found["root"],
            load(found["before"]),
            load(found["after"]),
            tuple(found["made"]),
        )


def write_synced(path: Path, text: str) -> None:
    """Puts `text` at `path`: beside, synced, renamed, and the folder synced."""
    with file_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        with beside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
