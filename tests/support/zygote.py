"""Forks a child for each line read, which waits to be traced and then acts on a site.

Lines: `apply STATE` or `revert STATE` or `stage STATE WORKSPACE`. Answers with the child's pid, and
later with its wait status. Started once, so that a kill at each of hundreds of system calls costs
a fork and not a start of Python.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from scar.errors import ScarError
from tests.support.files_scene import go_on, untold
from workers.files.apply import apply, revert, stage
from workers.files.content_store import ContentStore
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

ENDS = {"disk_full": 3, "sync_failed": 4}


def act(what: str, state: Path, workspace: str) -> int:
    undo = Undo.load(state / "undo.json")
    assert undo is not None
    objects = ContentStore(state / "objects")
    try:
        if what == "apply":
            apply(undo, objects, StatCache(), untold, go_on)
        elif what == "revert":
            revert(undo, objects, StatCache())
        else:
            stage(workspace, undo.root, undo, objects, go_on)
            undo.save(state / "undo.json")
    except ScarError as error:
        return ENDS[error.code]
    return 0


def main() -> None:
    for line in sys.stdin:
        what, state, *more = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGSTOP)
            os._exit(act(what, Path(state), *(more or [""])))
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main()
