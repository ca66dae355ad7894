"""Bringing a workspace's files to production: SCAR beside rsync, in turns, on the same trees.

`python -m tests.bench.sync` prints the rows; `rows()` is for the whole table. SCAR's time includes
what rsync does not do: reading the indexes from the disk, keeping the replaced contents, the record
to undo it all, and syncing (`rsync` leaves that to the kernel).
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

Row = tuple[str, float, float, float, float]


def rows(rounds: int = ROUNDS, files: int = FILES) -> list[Row]:
    """Name, SCAR's seconds, rsync's, their ratio, and the highest ratio allowed; medians."""
    with tempfile.TemporaryDirectory(prefix="scar-bench-") as folder:
        return _measured(Path(folder), rounds, files)


def _measured(folder: Path, rounds: int, files: int) -> list[Row]:
    ours, theirs = _Scar(folder / "scar"), _Rsync(folder / "rsync")
    for side in (ours, theirs):
        _make_tree(side.workspace, files)
        side.deploy()
        side.deploy()
    result = [_row(rounds, "files: plan", 1.5, ours.plan, theirs.plan, _nothing)]
    result.append(_row(rounds, "files: no change", 1.5, ours.deploy, theirs.deploy, _nothing))
    with_memory = _Scar(folder / "scar", remembers=True)
    with_memory.deploy()
    result.append(
        _row(
            rounds,
            "files: no change, index in memory",
            1.5,
            with_memory.deploy,
            theirs.deploy,
            _nothing,
        )
    )

    def edit(round: int) -> None:
        for side in (ours, theirs):
            _edit(side.workspace, round)

    result.append(
        _row(rounds, "files: 1 % changed", 2.0, ours.deploy, theirs.deploy_with_backup, edit)
    )
    with_memory = _Scar(folder / "scar", remembers=True)
    with_memory.deploy()
    result.append(
        _row(
            rounds,
            "files: 1 % changed, index in memory",
            2.0,
            with_memory.deploy,
            theirs.deploy_with_backup,
            lambda round: edit(round + rounds),
        )
    )
    return result


def _row(
    rounds: int,
    name: str,
    target: float,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    prepare: Callable[[int], None],
) -> Row:
    times: tuple[list[float], list[float]] = ([], [])
    for round in range(rounds):
        prepare(round)
        for side, act in enumerate((ours, theirs)):
            begun = time.perf_counter()
            act()
            times[side].append(time.perf_counter() - begun)
    scar, rsync = median(times[0]), median(times[1])
    return name, scar, rsync, scar / rsync, target


def _nothing(_round: int) -> None:
    """For rounds before which nothing is edited."""


def _make_tree(root: Path, files: int) -> None:
    for number in range(FOLDERS):
        folder = root / f"package{number // 20}" / f"module{number}"
        folder.mkdir(parents=True)
        for file in range(files // FOLDERS):
            (folder / f"file{file}.py").write_text(f"# {number} {file}\n" + "x = 1\n" * (file * 7))


def _edit(root: Path, round: int) -> None:
    """Changes one file in a hundred, others in each round."""
    for number in range(FOLDERS):
        if number % 2 == round % 2:
            file = root / f"package{number // 20}" / f"module{number}" / f"file{round % 50}.py"
            file.write_text(f"# {number} edited in round {round}\n" * 20)


class _Scar:
    def __init__(self, folder: Path, *, remembers: bool = False) -> None:
        self.workspace, self.production = folder / "workspace", folder / "production"
        self._state = folder / "state"
        self._objects = ContentStore(self._state / "objects")
        self._last: dict[str, Entry] = {}
        self._remembers = remembers

    def plan(self) -> tuple[dict[str, Entry], Changes, StatCache, StatCache]:
        here, there = self._load()
        production = str(self.production)
        tree = scan(str(self.workspace), (), here)
        return tree, compare(tree, production, self._last, there), here, there

    def deploy(self) -> None:
        tree, changes, here, there = self.plan()
        if not changes.none:
            undo = Undo.of("bench", str(self.production), changes)
            stage(str(self.workspace), str(self.production), undo, self._objects, _go_on)
            undo.save(self._state / "undo.json")
            apply(undo, self._objects, there, _untold, _go_on)
        here.save(self._state / "workspace.index")
        there.save(self._state / "production.index")
        self._last = tree

    def _load(self) -> tuple[StatCache, StatCache]:
        paths = self._state / "workspace.index", self._state / "production.index"
        if not self._remembers:
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
    """Nobody calls a benchmark off."""


def _untold(_done: int, _total: int) -> None:
    """Nobody watches a benchmark."""


def main() -> None:
    """Prints the rows."""
    for name, ours, other, ratio, target in rows():
        print(f"{name:40} {ours:7.3f} s {other:7.3f} s  × {ratio:.2f}  (at most {target})")


if __name__ == "__main__":
    main()
