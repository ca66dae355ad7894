"""What a deploy of files does to production, rule by rule."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable, Iterator

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, contents, go_on, seen, write
from workers.files.apply import apply
from workers.files.undo import Undo


def test_a_missing_production_folder_is_made_and_removed_by_the_revert(scene: FilesScene) -> None:
    scene.production.rmdir()
    write(scene.workspace, {"a/b": "x"})
    _, _, undo = scene.prepare()
    assert not scene.production.exists()
    scene.apply(undo)
    assert contents(scene.production) == {"a/b": b"x"}
    assert scene.revert(undo) == []
    assert not scene.production.exists()
    assert scene.revert(undo) == []


def test_an_unchanged_workspace_has_no_changes_to_deploy(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "x", "b/c": "y", "l": "-> a"})
    scene.deploy()
    _, changes = scene.plan()
    assert changes.none
    assert changes.drift == changes.kept == ()


def test_files_with_hostile_names_are_deployed(scene: FilesScene) -> None:
    names = ["-rf", "a\nb", "\udcff\udcfe", "n" * 255, " ", "*", "\u00e9", "e\u0301", ".scar-x"]
    write(scene.workspace, {f"{name}/{name}": name.encode(errors="surrogateescape").hex()
                           for name in names})  # fmt: skip
    scene.deploy()
    assert contents(scene.production) == contents(scene.workspace)
    assert len(contents(scene.production)) == len(names)


def test_deployed_files_have_the_right_times_modes_and_owners(scene: FilesScene) -> None:
    write(scene.production, {"old": "x"}, mode=0o600)
    os.chown(scene.production / "old", 33, 44)
    os.chown(scene.production, 55, 66)
    write(scene.workspace, {"old": "y", "new/file": "z"})
    (scene.workspace / "old").chmod(0o6755)
    scene.deploy()
    now, was = seen(scene.production), seen(scene.workspace)
    assert now["old"][1:5] == (0o755, b"y", 33, 44)
    assert now["new/file"][3:5] == (55, 66)
    assert now["new"][1:5] == (0o755, b"", 55, 66)
    assert (now["old"][5], now["new/file"][5]) == (was["old"][5], was["new/file"][5])


def test_a_changed_executable_bit_is_deployed(scene: FilesScene) -> None:
    write(scene.workspace, {"run": "x"})
    scene.deploy()
    (scene.workspace / "run").chmod(0o755)
    changes = scene.deploy()
    assert (changes.changed, changes.drift) == (("run",), ())
    assert (scene.production / "run").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("release", [True, False])
@pytest.mark.parametrize("same", [True, False])
def test_an_env_file_in_production_is_replaced_only_if_a_release_brought_it(
    scene: FilesScene, release: bool, same: bool
) -> None:
    """What no release brought stays, and stays ours to leave alone, even where both are alike."""
    write(scene.workspace, {"conf/.env": "ours"})
    if release:
        scene.deploy()
    write(scene.production, {"conf/.env": "ours" if same else "theirs"})
    changes = scene.deploy()
    assert changes.left_alone == (() if release else ("conf/.env",))
    shutil.rmtree(scene.workspace / "conf")
    scene.deploy()
    assert (scene.production / "conf/.env").exists() is not release


def test_a_file_changed_by_hand_is_reported_and_a_copy_kept_permanently(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "one", "b": "one", "c": "one"})
    scene.deploy()
    write(scene.production, {"a": "by hand", "b": "by hand too", "theirs": "t"})
    write(scene.workspace, {"a": "two", "theirs": "ours"})
    (scene.workspace / "b").unlink()
    changes = scene.deploy()
    assert (changes.drift, changes.kept) == (("a", "b"), ("theirs",))
    for _ in range(3):
        write(scene.workspace, {"c": f"{_}"})
        scene.deploy()
        scene.objects.sweep([scene.last or {}])
    assert {b"by hand", b"by hand too", b"t"} <= scene.stored()
    assert b"one" not in scene.stored()


def test_a_folder_with_foreign_files_is_not_removed(scene: FilesScene) -> None:
    write(scene.workspace, {"pkg/a.py": "x", "pkg/sub/b.py": "y"})
    scene.deploy()
    write(scene.production, {"pkg/__pycache__/a.pyc": "cache"})
    shutil.rmtree(scene.workspace / "pkg")
    scene.deploy()
    assert contents(scene.production) == {"pkg/__pycache__/a.pyc": b"cache"}
    assert not (scene.production / "pkg/sub").exists()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"d": "file"}, {"d/upload": "x"}),
        ({"d": "file"}, {"d/empty/link": "-> ../nowhere"}),
        ({"d": "file"}, {"d/to-folder": "-> /etc"}),
        ({"d/a": "file"}, {"d": "x"}),
        ({"d/a/b": "file"}, {"d": "-> /etc"}),
        ({".env/a": "file"}, {".env": "x"}),
    ],
)
def test_a_deploy_is_refused_if_it_would_replace_a_folder_or_link_that_scar_did_not_create(
    scene: FilesScene, ours: dict[str, str | bytes | None], theirs: dict[str, str | bytes | None]
) -> None:
    write(scene.workspace, ours)
    write(scene.production, theirs)
    before = seen(scene.production)
    with pytest.raises(ScarError) as caught:
        scene.deploy()
    assert caught.value.code == "sync_failed"
    assert seen(scene.production) == before


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"x": "file"}, {"x/a/b": "inner"}),
        ({"x/a/b": "inner", "x/c": "c"}, {"x": "file"}),
        ({"x": "-> y", "y/a": "a"}, {"x/a": "a", "y/a": "a"}),
        ({"x/a": "a", "y/a": "a"}, {"x": "-> y", "y/a": "a"}),
        ({"x": "file", "y": "y"}, {"x": "-> y", "y": "y"}),
        ({"x": "-> y", "y": "y"}, {"x": "file", "y": "y"}),
        ({"x/y": "file"}, {"x/y/z": "deeper"}),
        ({"Case": "a"}, {"case": "a"}),
    ],
)
def test_a_file_that_becomes_a_folder_or_link_can_be_reverted(
    scene: FilesScene, first: dict[str, str | bytes | None], second: dict[str, str | bytes | None]
) -> None:
    write(scene.workspace, first)
    scene.deploy()
    before = seen(scene.production)
    shutil.rmtree(scene.workspace)
    write(scene.workspace, second)
    _, changes, undo = scene.prepare()
    assert changes.drift == ()
    scene.apply(undo)
    assert contents(scene.production) == contents(scene.workspace)
    assert scene.revert(undo) == []
    assert seen(scene.production) == before


def test_a_deploy_does_not_write_through_hard_links(scene: FilesScene) -> None:
    write(scene.production, {"a": "old"})
    os.link(scene.production / "a", scene.production / "twin")
    write(scene.workspace, {"a": "new"})
    scene.deploy()
    assert contents(scene.production) == {"a": b"new", "twin": b"old"}


def test_a_pipe_in_production_is_refused_by_name(scene: FilesScene) -> None:
    os.mkfifo(scene.production / "p")
    write(scene.workspace, {"p": "x"})
    with pytest.raises(ScarError, match="neither a file nor a link"):
        scene.plan()


def test_a_cancelled_deploy_leaves_no_file_behind(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1", "b/c": "2"})
    _, _, undo = scene.prepare()
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise ScarError("cancelled", "called off", "")

    reports: list[tuple[int, int]] = []
    with pytest.raises(ScarError, match="called off"):
        _apply(undo, scene, reports, check)
    assert contents(scene.production) == {}
    calls = 10
    _apply(undo, scene, reports, go_on)
    assert reports[-1] == (2, 2)


def _apply(
    undo: Undo, scene: FilesScene, reports: list[tuple[int, int]], check: Callable[[], None]
) -> None:
    apply(undo, scene.objects, scene.index, lambda *t: reports.append(t), check)


def test_an_edit_right_after_the_deploy_is_noticed(scene: FilesScene) -> None:
    """Same size, and as near in time as can be."""
    for round in range(20):
        write(scene.workspace, {"a": f"{round:04}"})
        scene.deploy()
        (scene.production / "a").write_text("hand")
        _, changes = scene.plan()
        assert changes.drift == ("a",)


@pytest.fixture
def _few_file_descriptors() -> Iterator[None]:
    """Let this process open 300 more files than it has open now."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = max(int(name) for name in os.listdir("/proc/self/fd")) + 300
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("_few_file_descriptors")
def test_a_tree_with_many_folders_needs_few_file_descriptors(scene: FilesScene) -> None:
    write(scene.workspace, {f"{n}/x/{n}": "x" for n in range(350)})
    scene.deploy()
    assert len(contents(scene.production)) == 350
    _, _, undo = scene.prepare()
    shutil.rmtree(scene.workspace)
    scene.workspace.mkdir()
    assert len(scene.deploy().removed) == 350
    assert seen(scene.production) == {}
    assert undo.after == {}


def test_what_production_and_a_build_get_does_not_depend_on_the_umask(scene: FilesScene) -> None:
    write(scene.workspace, {"d/e/file": "x"})
    scene.production.rmdir()
    before = os.umask(0o077)
    try:
        tree, _, undo = scene.prepare()
        scene.apply(undo)
        scene.objects.link_tree(tree, scene.state / "build/made")
    finally:
        os.umask(before)
    for root in (scene.production, scene.state / "build/made"):
        modes = [(root / path).stat().st_mode & 0o777 for path in (".", "d", "d/e", "d/e/file")]
        assert modes == [0o755, 0o755, 0o755, 0o644]
