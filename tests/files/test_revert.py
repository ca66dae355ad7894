"""Production that somebody else changes meanwhile, and bringing back what was there."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, contents, seen, write
from workers.files.durable import sync_device

NOBODY = 65534


@contextmanager
def _as_nobody(scene: FilesScene) -> Iterator[None]:
    """Give everything to the user nobody, so that the caller may become that user."""
    folders = [p for p in scene.state.parents if p.is_relative_to(Path(tempfile.gettempdir()))]
    modes = {folder: folder.stat().st_mode for folder in folders}
    for folder in folders:
        folder.chmod(folder.stat().st_mode | 0o111)
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", scene.state.parent], check=True)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder, mode in modes.items():
            folder.chmod(mode)


@contextmanager
def _immutable(path: Path) -> Iterator[None]:
    subprocess.run(["chattr", "+i", path], check=True)
    try:
        yield
    finally:
        os.seteuid(0)
        subprocess.run(["chattr", "-i", path], check=True)


def test_an_immutable_file_fails_the_deploy_and_all_is_reverted(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1", "b": "1", "c": "1"})
    scene.deploy()
    before = seen(scene.production)
    write(scene.workspace, {"a": "2", "b": "2", "d": "2"})
    (scene.workspace / "c").unlink()
    _, _, undo = scene.prepare()
    immutable = scene.production / "b"
    subprocess.run(["chattr", "+i", immutable], check=True)
    try:
        with pytest.raises(ScarError, match=r"'.*/b' cannot be worked on: Operation not permitted"):
            scene.apply(undo)
        assert scene.revert(undo) == []
        assert seen(scene.production) == before
    finally:
        subprocess.run(["chattr", "-i", immutable], check=True)


def test_a_file_edited_after_the_plan_fails_the_deploy(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1", "b": "1"})
    scene.deploy()
    write(scene.workspace, {"a": "2", "b": "2"})
    _, _, undo = scene.prepare()
    write(scene.production, {"b": "by hand"})
    before = seen(scene.production)
    with pytest.raises(ScarError, match="changed while it was being deployed"):
        scene.apply(undo)
    assert seen(scene.production) == before


def test_a_file_edited_just_before_its_rename_fails_the_deploy(
    scene: FilesScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(scene.workspace, {"a": "1", "b": "1"})
    scene.deploy()
    before = seen(scene.production)
    write(scene.workspace, {"a": "2", "b": "2"})
    _, _, undo = scene.prepare()

    def and_somebody(handle: int) -> None:
        sync_device(handle)
        (scene.production / "b").write_text("by hand")

    monkeypatch.setattr("workers.files.transition.sync_device", and_somebody)
    with pytest.raises(ScarError, match="changed while it was being deployed"):
        scene.apply(undo)
    monkeypatch.undo()
    assert scene.revert(undo) == ["b"]
    assert b"by hand" in scene.stored()
    assert seen(scene.production) == before


def test_edits_made_before_a_revert_are_kept_in_the_store(scene: FilesScene) -> None:
    write(scene.workspace, {"a": "1", "gone": "1", "d": "file"})
    scene.deploy()
    before = seen(scene.production)
    (scene.workspace / "gone").unlink()
    (scene.workspace / "d").unlink()
    write(scene.workspace, {"a": "2", "new/x": "2", "d/x": "2"})
    _, _, undo = scene.prepare()
    scene.apply(undo)
    write(scene.production, {"a": "hand a", "new/x": "hand x", "gone": "hand gone"})
    assert sorted(scene.revert(undo)) == ["a", "gone", "new/x"]
    assert seen(scene.production) == before
    scene.objects.sweep([])
    assert {b"hand a", b"hand x", b"hand gone"} <= scene.stored()
    assert scene.revert(undo) == []


def test_one_path_that_cannot_be_reverted_does_not_stop_the_others(scene: FilesScene) -> None:
    """A file that somebody put in the way is kept."""
    write(scene.workspace, {"a": "1", "d": "file"})
    scene.deploy()
    (scene.workspace / "d").unlink()
    write(scene.workspace, {"a": "2", "d/x": "2"})
    _, _, undo = scene.prepare()
    scene.apply(undo)
    write(scene.production, {"d/upload": "theirs"})
    for _ in range(2):
        with pytest.raises(ScarError, match=r"Directory not empty|Not a directory"):
            scene.revert(undo)
        assert contents(scene.production) == {"a": b"1", "d/upload": b"theirs"}
    shutil.rmtree(scene.production / "d")
    scene.revert(undo)
    assert contents(scene.production) == {"a": b"1", "d": b"file"}


def test_a_path_without_permission_does_not_stop_a_revert(scene: FilesScene) -> None:
    """A folder that cannot be removed, and a file that cannot be read."""
    write(scene.workspace, {"a": "1", "secret": "1", "d/x": "1"})
    scene.deploy()
    write(scene.workspace, {"a": "2", "secret": "2", "d/new/y": "2"})
    _, _, undo = scene.prepare()
    scene.apply(undo)
    (scene.production / "secret").write_text("theirs")
    with _as_nobody(scene), _immutable(scene.production / "d"):
        (scene.production / "secret").chmod(0)
        os.chown(scene.production / "secret", 0, 0)
        os.seteuid(NOBODY)
        for _ in range(2):
            with pytest.raises(ScarError, match=r"'.*/secret' cannot be worked on: Permission"):
                scene.revert(undo)
        os.seteuid(0)
        assert contents(scene.production) == {"a": b"1", "secret": b"theirs", "d/x": b"1"}


def test_a_folder_replaced_by_a_link_is_not_written_through(
    scene: FilesScene, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    write(outside, {"a": "1", "b": "theirs"})
    write(scene.workspace, {"d/a": "1", "d/gone": "1"})
    scene.deploy()
    write(scene.workspace, {"d/a": "2", "d/new": "2"})
    (scene.workspace / "d/gone").unlink()
    _, _, undo = scene.prepare()
    (scene.production / "d").rename(scene.production / "moved")
    (scene.production / "d").symlink_to(outside)
    before = seen(outside)
    with pytest.raises(ScarError) as caught:
        scene.apply(undo)
    assert caught.value.code == "sync_failed"
    with pytest.raises(ScarError):
        scene.revert(undo)
    assert seen(outside) == before
    with pytest.raises(ScarError, match="symbolic link in production"):
        scene.plan()
    (scene.production / "d").unlink()
    (scene.production / "moved").rename(scene.production / "d")
    assert scene.revert(undo) == []
    assert contents(scene.production) == {"d/a": b"1", "d/gone": b"1"}


def test_a_link_that_a_folder_replaces_comes_back(scene: FilesScene) -> None:
    write(scene.workspace, {"a/a/x": "1", "a/b/y": "2", "b": "-> a"})
    scene.deploy()
    before = seen(scene.production)
    shutil.rmtree(scene.workspace)
    scene.workspace.mkdir()
    # Behind the link b, a/a is a folder and a/b too: neither stands at b/a or b/b.
    write(scene.workspace, {"b/a": "a file", "b/b/z": "3"})
    _, _, undo = scene.prepare()
    scene.apply(undo)
    assert contents(scene.production) == {"b/a": b"a file", "b/b/z": b"3"}
    assert scene.revert(undo) == []
    assert seen(scene.production) == before
