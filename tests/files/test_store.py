"""The store of contents, and disks that are full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, contents, go_on, seen, write
from tests.support.filesystems import fill as fill
from tests.support.filesystems import mount as mount
from workers.files.apply import stage
from workers.files.undo import Undo


def test_a_full_disk_is_reported_before_anything_is_written(mount: Callable[[str], Path]) -> None:
    folder = mount("size=8m")
    scene = FilesScene(folder)
    write(scene.production, {"a": "old"})
    write(scene.workspace, {"a": "x" * 1_000_000, "b": "y" * 900_000})
    fill(folder, 2_500_000)
    before = seen(folder)
    with pytest.raises(ScarError) as caught:
        scene.prepare()
    assert caught.value.code == "disk_full"
    assert str(folder) in caught.value.message
    assert "needed" in caught.value.message
    assert seen(folder) == before


def test_too_few_inodes_are_reported_before_anything_is_written(
    mount: Callable[[str], Path],
) -> None:
    folder = mount("size=8m,nr_inodes=100")
    scene = FilesScene(folder)
    write(scene.workspace, {f"{n}": f"{n}" for n in range(40)})
    before = seen(folder)
    with pytest.raises(ScarError) as caught:
        scene.prepare()
    assert caught.value.code == "disk_full"
    assert seen(folder) == before


def test_a_disk_that_fills_up_during_a_deploy_leaves_production_unchanged(
    mount: Callable[[str], Path],
) -> None:
    """Somebody else fills the disk after the plan: production stays as it is."""
    folder = mount("size=16m")
    scene = FilesScene(folder)
    old = {"a": "a" * 1_500_000, "b": "b" * 1_500_000}
    write(scene.workspace, dict(old))
    scene.deploy()
    before = seen(scene.production)
    write(scene.workspace, {"a": "A" * 1_500_000, "b": "B" * 1_500_000})
    _, _, undo = scene.prepare()
    fill(folder, 2_000_000)
    with pytest.raises(ScarError) as caught:
        scene.apply(undo)
    assert caught.value.code == "disk_full"
    assert seen(scene.production) == before
    (folder / "ballast").unlink()
    scene.apply(undo)
    fill(folder, 2_000_000)
    # No room for both beside each other: they are brought back one after the other.
    assert scene.revert(undo) == []
    assert seen(scene.production) == before


def test_files_are_deployed_when_store_and_production_are_on_two_filesystems(
    mount: Callable[[str], Path], tmp_path: Path
) -> None:
    scene = FilesScene(tmp_path / "here")
    scene.production = mount("size=4m")
    write(scene.production, {"data/x": "theirs"})
    write(scene.workspace, {"a": "1", "data/new": "2"})
    _, _, undo = scene.prepare()
    before = seen(scene.production)
    scene.apply(undo)
    assert contents(scene.production) == {"a": b"1", "data/new": b"2", "data/x": b"theirs"}
    scene.revert(undo)
    assert seen(scene.production) == before


def test_files_are_deployed_to_and_removed_from_a_mounted_folder_of_production(
    mount: Callable[[str], Path],
) -> None:
    folder = mount("size=4m")
    scene = FilesScene(folder / "scene")
    inner = scene.production / "data"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", inner], check=True)
    try:
        write(scene.workspace, {"data/x/y": "1", "a": "1"})
        scene.deploy()
        assert contents(scene.production) == {"a": b"1", "data/x/y": b"1"}
        (scene.workspace / "data/x/y").unlink()
        scene.deploy()
        assert contents(inner) == {}
    finally:
        subprocess.run(["umount", inner], check=True)


def test_a_workspace_file_that_changes_after_the_plan_fails_the_deploy(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1", "b": "1"})
    _, changes = scene.plan()
    write(scene.workspace, {"b": "2"})
    undo = Undo.of("job", str(scene.production), changes)
    with pytest.raises(ScarError, match=r"'.*/b' changed while it was being deployed"):
        stage(str(scene.workspace), undo.root, undo, scene.objects, go_on)
    assert scene.stored() == set()


def test_a_damaged_stored_copy_is_dropped_and_stored_again(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "content"})
    _, _, undo = scene.prepare()
    for path in (scene.state / "objects").rglob("*.644"):
        path.write_bytes(b"spoiled")
    with pytest.raises(ScarError, match="was damaged and is dropped"):
        scene.apply(undo)
    assert contents(scene.production) == {}
    scene.deploy()
    assert contents(scene.production) == {"a": b"content"}


@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_the_only_copy_of_a_file_is_not_deleted_when_its_damage_is_reported(
    scene: FilesScene, damage: str
) -> None:
    write(scene.workspace, {"a": "old a", "b": "old b"})
    scene.deploy()
    write(scene.workspace, {"a": "new a", "b": "new b"})
    _, _, undo = scene.prepare()
    scene.apply(undo)
    copy = scene.objects_of(b"old a")[0]
    if damage == "changed":
        copy.write_bytes(b"old !")
    else:
        copy.unlink()
    for _ in range(2):
        with pytest.raises(
            ScarError, match=r"'.*/a' cannot be brought back: .*\.644 is "
        ) as caught:
            scene.revert(undo)
        assert str(copy) in caught.value.message
        assert contents(scene.production) == {"a": b"new a", "b": b"old b"}
    if damage == "changed":
        assert copy.read_bytes() == b"old !"  # a person may still mend it
    write(scene.production, {"a": "old a"})
    assert scene.revert(undo) == []


def test_an_edit_whose_stored_copy_is_damaged_is_stored_again_before_a_revert(
    scene: FilesScene,
) -> None:
    write(scene.workspace, {"a": "one", "b": "by hand"})
    scene.deploy()
    write(scene.workspace, {"a": "two"})
    _, _, undo = scene.prepare()
    scene.apply(undo)
    for copy in scene.objects_of(b"by hand"):
        copy.write_bytes(b"BY HAND")
    write(scene.production, {"a": "by hand"})
    assert scene.revert(undo) == ["a"]
    assert b"by hand" in scene.stored()


def test_the_first_error_is_reported_if_cleaning_up_the_store_fails_too(scene: FilesScene) -> None:
    """The first error is reported, not the one of the cleaning up."""
    write(scene.workspace, {"a": "1", "b": "2"})
    _, changes = scene.plan()
    undo = Undo.of("job", str(scene.production), changes)

    def freeze(flag: str) -> None:
        subprocess.run(["chattr", flag, *(scene.state / "objects").rglob("*.644")], check=True)

    def check() -> None:
        if scene.stored():
            freeze("+i")
            raise ScarError("cancelled", "called off", "")

    try:
        with pytest.raises(ScarError, match="called off"):
            stage(str(scene.workspace), undo.root, undo, scene.objects, check)
        with pytest.raises(ScarError, match="cannot be worked on: Operation not permitted"):
            scene.objects.sweep([])
    finally:
        freeze("-i")


def test_an_error_is_reported_if_a_file_is_in_place_of_a_store_folder(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1"})
    entry = scene.scan()["a"]
    place = scene.state / "objects" / entry.digest[:2]
    place.parent.mkdir(parents=True)
    place.write_text("a file where a folder was")
    with pytest.raises(ScarError, match="cannot be worked on: Not a directory"):
        scene.prepare()


def test_a_truncated_file_in_the_store_counts_as_missing(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "content"})
    scene.prepare()
    for path in (scene.state / "objects").rglob("*.644"):
        path.write_bytes(b"")
    scene.deploy()
    assert contents(scene.production) == {"a": b"content"}


def test_the_build_context_has_the_stored_contents(scene: FilesScene, tmp_path: Path) -> None:
    write(scene.workspace, {"a/b": "x", "run": "y", "l": "-> a/b"})
    (scene.workspace / "run").chmod(0o755)
    scene.deploy()
    assert scene.last is not None
    scene.objects.link_tree(scene.last, tmp_path / "build")
    assert contents(tmp_path / "build") == contents(scene.workspace)
    assert os.access(tmp_path / "build" / "run", os.X_OK)


def test_a_sweep_of_the_store_keeps_the_contents_of_the_given_manifests(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1", "b": "2"})
    tree, _, _ = scene.prepare()
    stray = scene.state / "objects" / "00" / "x.1.new"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("left by a killed writer")
    scene.objects.sweep([{"a": tree["a"]}])
    assert scene.stored() == {b"1"}
    assert scene.objects.holds(tree["a"])
    assert not scene.objects.holds(tree["b"])
