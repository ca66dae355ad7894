"""Another process looks at production meanwhile; whatever befalls it, the plan is the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, contents, write
from workers.files import ahead
from workers.files.ahead import Ahead
from workers.files.compare import Changes
from workers.files.freshness import block, unblock
from workers.files.stat_cache import StatCache

FILES: dict[str, str | bytes | None] = {f"d{n % 3}/f{n}\udcff": f"{n}" for n in range(30)}


@pytest.fixture
def deployed(scene: FilesScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FilesScene:
    """A site whose production is known to an index on the disk, with what was changed since."""
    monkeypatch.setattr("workers.files.stat_cache._MANY", 1)
    write(scene.workspace, FILES)
    scene.deploy()
    scene.index.save(tmp_path / "index")
    (scene.production / "d0/f0\udcff").write_text("by hand")
    (scene.production / "d1/f1\udcff").unlink()
    write(scene.workspace, {"d2/new": "new"})
    return scene


def planned(scene: FilesScene, meanwhile: Callable[[Ahead], None] = lambda _: None) -> Changes:
    with scene.index.looking_ahead(str(scene.production)):
        looking = scene.index._ahead
        assert looking is not None
        meanwhile(looking)
        _, changes = scene.plan()
    assert looking.process.poll() is not None, "it is still there"
    assert scene.index._ahead is None
    return changes


def answered(looking: Ahead) -> None:
    """Lets it come to its end, and its answer be the one that counts."""
    found = looking.answer()
    assert found == {"d0/f0\udcff", "d1/f1\udcff"}
    looking.answer = lambda: found  # type: ignore[method-assign]


def test_its_answer_is_what_a_look_finds(deployed: FilesScene) -> None:
    assert planned(deployed, answered) == deployed.plan()[1]
    assert set(deployed.plan()[1].after) == {"d0/f0\udcff", "d1/f1\udcff", "d2/new"}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_killed_or_held_up_it_is_done_without(
    deployed: FilesScene, number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "_LONGEST_SECONDS", 0.2)
    os.mkfifo(tmp_path / "pipe")  # it will wait for a writer, so that the signal comes first
    assert deployed.index._kept is not None
    deployed.index._kept = tmp_path / "pipe", deployed.index._kept[1]

    def strike(looking: Ahead) -> None:
        os.kill(looking.process.pid, number)
        assert looking.answer() is None
        looking.answer = lambda: None  # type: ignore[method-assign]

    assert planned(deployed, strike) == deployed.plan()[1]


def test_where_no_process_can_be_had_it_is_done_without(
    deployed: FilesScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "missing"))
    with deployed.index.looking_ahead(str(deployed.production)):
        assert deployed.index._ahead is None
        _, changes = deployed.plan()
    assert set(changes.after) == {"d0/f0\udcff", "d1/f1\udcff", "d2/new"}


def test_it_has_ended_when_the_plan_fails(deployed: FilesScene) -> None:
    looking: list[Ahead] = []
    os.mkfifo(deployed.workspace / "pipe")
    with pytest.raises(ScarError, match="named pipe"):
        planned(deployed, looking.append)
    assert looking[0].process.poll() is not None


def test_an_index_that_somebody_else_wrote_is_not_taken_for_ours(
    deployed: FilesScene, tmp_path: Path
) -> None:
    other = StatCache(dict(deployed.index.known))
    other.forget("d2/f2\udcff")
    other.save(tmp_path / "index")

    def differs(looking: Ahead) -> None:
        assert looking.answer() is None
        looking.answer = lambda: None  # type: ignore[method-assign]

    assert planned(deployed, differs) == deployed.plan()[1]


def test_what_the_index_learnt_since_it_was_saved_is_looked_at(deployed: FilesScene) -> None:
    """The other process knows the index as it is on the disk."""
    path = "d0/f0\udcff"
    first = deployed.plan()[1].before[path]
    assert first is not None
    by_hand = deployed.production / path
    deployed.index.put(path, os.lstat(by_hand), first)
    write(deployed.workspace, {path: "by hand"})
    assert path not in planned(deployed, answered).after
    by_hand.write_text("by hand again")
    assert path in planned(deployed, answered).after


def test_a_link_in_place_of_a_folder_is_never_looked_through(deployed: FilesScene) -> None:
    """The files behind it are those of the index, to the inode."""
    (deployed.production / "d2").rename(deployed.production / "elsewhere")
    (deployed.production / "d2").symlink_to("elsewhere")
    before = contents(deployed.production)
    with pytest.raises(ScarError, match="is a symbolic link in production"):
        planned(deployed, answered)
    assert contents(deployed.production) == before


def test_a_torn_answer_is_none() -> None:
    whole = block(((1, 2, 3, 4, 5), ["a", "b\udcff"]))
    assert unblock(whole) == (((1, 2, 3, 4, 5), ["a", "b\udcff"]), len(whole))
    for cut in range(len(whole)):
        with pytest.raises(ValueError, match=r"torn|no head"):
            unblock(whole[:cut])
    with pytest.raises(ValueError, match="torn"):
        unblock(whole[:-1] + b"x")
