"""Bringing a workspace's files to production: SCAR beside rsync, in turns, on the same trees.

`python -m tests.bench.sync` prints the rows; `rows()` is for the whole table. SCAR's time includes
what rsync does not do: reading the stat caches from the disk (but in the rows "in memory"), keeping
the replaced contents, the undo record, and syncing (rsync leaves that to the kernel).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from workers.files.apply import apply, stage
from workers.files.compare import Changes, compare
from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.scan import scan
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

FILES = 20_000
FOLDERS = 400
ROUNDS = 7
NO_CHANGE = 1.5
"""The highest ratio to rsync's time that is wanted where nothing changed."""
CHANGED = 2.0
"""The same where one file in a hundred did."""

Row = tuple[str, float, float, float, float]
Act = Callable[[], object]


def rows(rounds: int = ROUNDS, files: int = FILES) -> list[Row]:
    """Return name, SCAR's seconds, rsync's, their ratio, and the highest wanted; medians."""
    with tempfile.TemporaryDirectory(prefix="scar-bench-") as folder:
        return _measured(Path(folder), rounds, files)


def _measured(folder: Path, rounds: int, files: int) -> list[Row]:
    ours, theirs = _Scar(folder / "scar"), _Rsync(folder / "rsync")
    for side in (ours, theirs):
        _make_tree(side.workspace, files)
        side.deploy()
        side.deploy()
    in_memory = _Scar(folder / "scar", keeps_caches=True)

    def edit(round: int) -> None:
        for side in (ours, theirs):
            _edit(side.workspace, round)

    def edit_more(round: int) -> None:
        edit(round + rounds)

    plan = _row(rounds, "files: plan", NO_CHANGE, ours.plan, theirs.plan)
    same = _row(rounds, "files: no change", NO_CHANGE, ours.deploy, theirs.deploy)
    in_memory.deploy()
    name = "files: no change, caches in memory"
    same_in_memory = _row(rounds, name, NO_CHANGE, in_memory.deploy, theirs.deploy)
    saves = theirs.deploy_with_backup
    some = _row(rounds, "files: 1 % changed", CHANGED, ours.deploy, saves, edit)
    in_memory.deploy()
    name = "files: 1 % changed, caches in memory"
    some_in_memory = _row(rounds, name, CHANGED, in_memory.deploy, saves, edit_more)
    return [plan, same, same_in_memory, some, some_in_memory]


def _nothing(_round: int) -> None:
    """Edit nothing before a round."""


def _row(
    rounds: int,
    name: str,
    limit: float,
    ours: Act,
    theirs: Act,
    prepare: Callable[[int], None] = _nothing,
) -> Row:
    times: tuple[list[float], list[float]] = ([], [])
    for round in range(rounds):
        prepare(round)
        for side, act in enumerate((ours, theirs)):
            begun = time.perf_counter()
            act()
            times[side].append(time.perf_counter() - begun)
    scar, rsync = median(times[0]), median(times[1])
    return name, scar, rsync, scar / rsync, limit


def _make_tree(root: Path, files: int) -> None:
    for number in range(FOLDERS):
        folder = root / f"package{number // 20}" / f"module{number}"
        folder.mkdir(parents=True)
        for file in range(files // FOLDERS):
            (folder / f"file{file}.py").write_text(f"# {number} {file}\n" + "x = 1\n" * (file * 7))


def _edit(root: Path, round: int) -> None:
    """Change one file in a hundred, others in each round."""
    for number in range(FOLDERS):
        if number % 2 == round % 2:
            file = root / f"package{number // 20}" / f"module{number}" / f"file{round % 50}.py"
            file.write_text(f"# {number} edited in round {round}\n" * 20)


class _Scar:
    def __init__(self, folder: Path, *, keeps_caches: bool = False) -> None:
        self.workspace, self.production = folder / "workspace", folder / "production"
        self._state = folder / "state"
        self._store = ContentStore(self._state / "objects")
        self._last: dict[str, Entry] = {}
        self._keeps_caches = keeps_caches

    def plan(self) -> tuple[dict[str, Entry], Changes, StatCache, StatCache]:
        here, there = self._load()
        production = str(self.production)
        tree = scan(str(self.workspace), (), here).entries
        return tree, compare(tree, production, self._last, there), here, there

    def deploy(self) -> None:
        tree, changes, here, there = self.plan()
        if not changes.none:
            undo = Undo.of("bench", str(self.production), changes)
            stage(str(self.workspace), str(self.production), undo, self._store, _go_on)
            undo.save(self._state / "undo.json")
            apply(undo, self._store, there, _report, _go_on)
        here.save(self._state / "workspace.cache")
        there.save(self._state / "production.cache")
        self._last = tree

    def _load(self) -> tuple[StatCache, StatCache]:
        paths = self._state / "workspace.cache", self._state / "production.cache"
        if not self._keeps_caches:
            for path in paths:
                if path.exists():
                    os.utime(path)  # as if another process had written it: it is read again
        return StatCache.load(paths[0]), StatCache.load(paths[1])


class _Rsync:
    def __init__(self, folder: Path) -> None:
        self.workspace, self.production = folder / "workspace", folder / "production"
        self._backup = folder / "backup"

    def plan(self) -> None:
        self._run("-n", "-i")

    def deploy(self) -> None:
        self._run()

    def deploy_with_backup(self) -> None:
        self._run("--backup", f"--backup-dir={self._backup}")

    def _run(self, *options: str) -> None:
        command = ["rsync", "-a", "--delete", *options, f"{self.workspace}/", f"{self.production}/"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _go_on() -> None:
    """Never cancel."""


def _report(_done: int, _total: int) -> None:
    """Ignore progress."""


def main() -> None:
    """Print the rows."""
    for name, ours, other, ratio, limit in rows():
        print(f"{name:40} {ours:7.3f} s {other:7.3f} s  × {ratio:.2f}  (at most {limit})")


if __name__ == "__main__":
    main()
