"""Extended attributes and POSIX ACLs of what a deploy replaces."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, seen, write
from tests.support.filesystems import fill as fill
from tests.support.filesystems import mount as mount
from workers.files.attributes import set_attributes
from workers.files.compare import compare
from workers.files.stat_cache import StatCache
from workers.files.undo import Undo

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
PERSON = 1234


def acl(person: int) -> bytes:
    """Return an ACL that gives `PERSON` these bits (linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    rows = [(1, 6, nobody), (2, person, PERSON), (4, 4, nobody), (16, 6, nobody), (32, 4, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)


def attributes(root: Path) -> dict[str, dict[str, bytes]]:
    """Return the attributes of everything that has any."""
    values = {}
    for path in root.rglob("*"):
        held = {n: os.getxattr(path, n, follow_symlinks=False)
                for n in os.listxattr(path, follow_symlinks=False)}  # fmt: skip
        if held:
            values[str(path.relative_to(root))] = held
    return values


def test_extended_attributes_survive_a_deploy_and_its_revert(scene: FilesScene) -> None:
    write(scene.production, {"file": "old"})
    write(scene.workspace, {"file": "new"})
    file = scene.production / "file"
    os.setxattr(file, "user.note", b"mine")
    _, _, undo = scene.prepare()
    scene.apply(undo)
    assert file.read_text() == "new"
    assert os.getxattr(file, "user.note") == b"mine"
    scene.revert(undo)
    assert file.read_text() == "old"
    assert os.getxattr(file, "user.note") == b"mine"


def test_an_acl_survives_and_does_not_undo_the_new_mode(scene: FilesScene) -> None:
    write(scene.production, {"run": "old"})
    write(scene.workspace, {"run": "new"})
    (scene.workspace / "run").chmod(0o755)
    os.setxattr(scene.production / "run", ACCESS, acl(4))
    before = seen(scene.production), attributes(scene.production)
    _, _, undo = scene.prepare()
    scene.apply(undo)
    assert (scene.production / "run").stat().st_mode & 0o777 == 0o755
    assert ACCESS in os.listxattr(scene.production / "run")
    assert scene.plan()[1].none
    assert scene.revert(undo) == []
    assert (seen(scene.production), attributes(scene.production)) == before


def test_a_file_without_an_acl_inherits_none_when_it_is_replaced(scene: FilesScene) -> None:
    write(scene.workspace, {"d/changed": "old", "d/gone": "old"})
    scene.deploy()
    os.setxattr(scene.production / "d", DEFAULT, acl(7))
    before = seen(scene.production), attributes(scene.production)
    write(scene.workspace, {"d/changed": "new", "d/fresh": "new"})
    (scene.workspace / "d/gone").unlink()
    _, _, undo = scene.prepare()
    scene.apply(undo)
    now = attributes(scene.production)
    assert "d/changed" not in now
    assert now["d/fresh"].keys() == {ACCESS}, "a new file inherits from its folder"
    scene.revert(undo)
    assert (seen(scene.production), attributes(scene.production)) == before


def test_removed_folders_are_restored_with_their_attributes(scene: FilesScene) -> None:
    write(scene.workspace, {"d/inner/file": "old", "kept": "x"})
    scene.deploy()
    os.setxattr(scene.production / "d", DEFAULT, acl(7))
    os.setxattr(scene.production / "d/inner", ACCESS, acl(6))
    os.setxattr(scene.production / "d/inner", "user.note", b"mine")
    before = seen(scene.production), attributes(scene.production)
    (scene.workspace / "d/inner/file").unlink()
    _, _, undo = scene.prepare()
    scene.apply(undo)
    assert not (scene.production / "d").exists()
    scene.revert(undo)
    assert (seen(scene.production), attributes(scene.production)) == before


def test_files_are_deployed_to_a_filesystem_without_extended_attributes(
    mount: Callable[..., Path],
) -> None:
    """ramfs has none: neither reading nor setting them raises."""
    scene = FilesScene(mount("", "ramfs"))
    file = scene.production / "file"
    write(scene.production, {"file": "old"})
    write(scene.workspace, {"file": "new"})
    assert Undo.of("job", str(scene.production), scene.plan()[1]).attributes == {}
    handle = os.open(file, os.O_RDONLY)
    try:
        set_attributes(handle, {"user.note": "bWluZQ=="})
        with pytest.raises(OSError, match="not supported"):
            os.setxattr(handle, "user.note", b"mine")
    finally:
        os.close(handle)


def test_an_undo_record_without_extended_attributes_can_be_read(scene: FilesScene) -> None:
    write(scene.production, {"file": "old"})
    write(scene.workspace, {"file": "new"})
    scene.prepare()
    text = scene.undo_path.read_text()
    assert ',"attributes":{}' in text
    scene.undo_path.write_text(text.replace(',"attributes":{}', ""))
    undo = Undo.load(scene.undo_path)
    assert undo is not None
    assert undo.attributes == {}


CAPABILITY = "security.capability"
ALL_CAPABILITIES = struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0, 0)


def test_a_folder_swapped_for_a_link_lends_its_attributes_to_no_file(
    scene: FilesScene, tmp_path: Path
) -> None:
    write(scene.production, {"d/file": "old"})
    write(scene.workspace, {"d/file": "new"})
    write(tmp_path / "roots", {"file": "old"})
    os.setxattr(tmp_path / "roots/file", CAPABILITY, ALL_CAPABILITIES)
    os.setxattr(tmp_path / "roots/file", "user.note", b"of root")
    changes = scene.plan()[1]
    (scene.production / "d").rename(scene.production / "away")
    (scene.production / "d").symlink_to(tmp_path / "roots")
    with pytest.raises(ScarError, match="d"):
        Undo.of("job", str(scene.production), changes)


def test_a_file_swapped_for_another_lends_its_attributes_to_no_file(scene: FilesScene) -> None:
    write(scene.production, {"file": "old"})
    write(scene.workspace, {"file": "new"})
    changes = scene.plan()[1]
    write(scene.production, {"other": "odd"})
    os.setxattr(scene.production / "other", "user.note", b"mine")
    (scene.production / "other").rename(scene.production / "file")
    with pytest.raises(ScarError, match="changed while it was being deployed"):
        Undo.of("job", str(scene.production), changes)


def test_a_capability_is_never_given_back(scene: FilesScene) -> None:
    write(scene.production, {"file": "old"})
    write(scene.workspace, {"file": "new"})
    os.setxattr(scene.production / "file", CAPABILITY, ALL_CAPABILITIES)
    os.setxattr(scene.production / "file", "user.note", b"mine")
    undo = scene.prepare()[2]
    scene.apply(undo)
    scene.revert(undo)
    assert attributes(scene.production) == {"file": {"user.note": b"mine"}}


@pytest.mark.parametrize(("owner", "mode"), [(0, 0o755), (PERSON, 0o6755)])
def test_setuid_is_given_back_only_to_the_owner_of_production(
    scene: FilesScene, owner: int, mode: int
) -> None:
    os.chown(scene.production, PERSON, PERSON)
    write(scene.production, {"file": "old"})
    os.chown(scene.production / "file", owner, owner)
    (scene.production / "file").chmod(0o6755)
    write(scene.workspace, {"file": "new"})
    undo = scene.prepare()[2]
    scene.apply(undo)
    scene.revert(undo)
    status = (scene.production / "file").stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (owner, mode)


class Swapping(StatCache):
    """Swaps a folder for a link while production is compared."""

    def __init__(self, folder: Path, target: Path) -> None:
        super().__init__()
        self._folder, self._target = folder, target

    def digest_of(self, path: str, status: os.stat_result) -> str | None:
        if not self._folder.is_symlink():
            self._folder.rename(self._folder.with_name("away"))
            self._folder.symlink_to(self._target)
        return super().digest_of(path, status)


def test_a_folder_swapped_while_production_is_compared_is_not_followed(
    scene: FilesScene, tmp_path: Path
) -> None:
    write(scene.production, {"d/b": "-> a"})
    write(scene.workspace, {"d/b": "new"})
    write(tmp_path / "roots", {"b": "-> secret"})
    cache = Swapping(scene.production / "d", tmp_path / "roots")
    changes = compare(scene.scan(), str(scene.production), None, cache)
    assert [entry and entry.digest for entry in changes.before.values()] == ["a"]
