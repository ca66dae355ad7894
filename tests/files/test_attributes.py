"""Extended attributes and POSIX ACLs of what a deploy replaces."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from workers.files.undo import Undo, set_attributes

from .test_store import mount as mount
from .trees import Site, seen, write

ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
PERSON = 1234


def acl(person: int) -> bytes:
    """An ACL that gives `PERSON` these bits, as the kernel writes it (linux/posix_acl_xattr.h)."""
    nobody = 0xFFFFFFFF
    rows = [(1, 6, nobody), (2, person, PERSON), (4, 4, nobody), (16, 6, nobody), (32, 4, nobody)]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row) for row in rows)


def attributes(root: Path) -> dict[str, dict[str, bytes]]:
    """The attributes of everything that has any."""
    found = {}
    for path in root.rglob("*"):
        held = {n: os.getxattr(path, n, follow_symlinks=False)
                for n in os.listxattr(path, follow_symlinks=False)}  # fmt: skip
        if held:
            found[str(path.relative_to(root))] = held
    return found


def test_attributes_come_back(site: Site) -> None:
    write(site.production, {"file": "old"})
    write(site.workspace, {"file": "new"})
    file = site.production / "file"
    os.setxattr(file, "user.note", b"mine")
    _, _, undo = site.prepare()
    site.apply(undo)
    assert file.read_text() == "new"
    assert os.getxattr(file, "user.note") == b"mine"
    site.revert(undo)
    assert file.read_text() == "old"
    assert os.getxattr(file, "user.note") == b"mine"


def test_an_acl_comes_back_and_does_not_undo_the_new_mode(site: Site) -> None:
    write(site.production, {"run": "old"})
    write(site.workspace, {"run": "new"})
    (site.workspace / "run").chmod(0o755)
    os.setxattr(site.production / "run", ACCESS, acl(4))
    before = seen(site.production), attributes(site.production)
    _, _, undo = site.prepare()
    site.apply(undo)
    assert (site.production / "run").stat().st_mode & 0o777 == 0o755
    assert ACCESS in os.listxattr(site.production / "run")
    assert site.plan()[1].none
    assert site.revert(undo) == []
    assert (seen(site.production), attributes(site.production)) == before


def test_what_had_no_acl_gets_none_from_its_folder(site: Site) -> None:
    write(site.workspace, {"d/changed": "old", "d/gone": "old"})
    site.deploy()
    os.setxattr(site.production / "d", DEFAULT, acl(7))
    before = seen(site.production), attributes(site.production)
    write(site.workspace, {"d/changed": "new", "d/fresh": "new"})
    (site.workspace / "d/gone").unlink()
    _, _, undo = site.prepare()
    site.apply(undo)
    found = attributes(site.production)
    assert "d/changed" not in found
    assert found["d/fresh"].keys() == {ACCESS}, "a new file is what its folder makes of it"
    site.revert(undo)
    assert (seen(site.production), attributes(site.production)) == before


def test_folders_that_went_come_back_with_theirs(site: Site) -> None:
    write(site.workspace, {"d/inner/file": "old", "kept": "x"})
    site.deploy()
    os.setxattr(site.production / "d", DEFAULT, acl(7))
    os.setxattr(site.production / "d/inner", ACCESS, acl(6))
    os.setxattr(site.production / "d/inner", "user.note", b"mine")
    before = seen(site.production), attributes(site.production)
    (site.workspace / "d/inner/file").unlink()
    _, _, undo = site.prepare()
    site.apply(undo)
    assert not (site.production / "d").exists()
    site.revert(undo)
    assert (seen(site.production), attributes(site.production)) == before


def test_a_filesystem_without_attributes(mount: Callable[..., Path]) -> None:
    """ramfs has none: neither asking nor setting may stop anything."""
    site = Site(mount("", "ramfs"))
    file = site.production / "file"
    write(site.production, {"file": "old"})
    write(site.workspace, {"file": "new"})
    assert Undo.of("job", str(site.production), site.plan()[1]).attributes == {}
    handle = os.open(file, os.O_RDONLY)
    try:
        set_attributes(handle, {"user.note": "bWluZQ=="}, security=True)
        with pytest.raises(OSError, match="not supported"):
            os.setxattr(handle, "user.note", b"mine")
    finally:
        os.close(handle)


def test_a_record_of_a_version_that_kept_none(site: Site) -> None:
    write(site.production, {"file": "old"})
    write(site.workspace, {"file": "new"})
    site.prepare()
    text = site.undo_path.read_text()
    assert ',"attributes":{}' in text
    site.undo_path.write_text(text.replace(',"attributes":{}', ""))
    undo = Undo.load(site.undo_path)
    assert undo is not None
    assert undo.attributes == {}
