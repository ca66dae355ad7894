"""The store of contents, and disks that are full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.files.apply import stage
from workers.files.undo import Undo

from .trees import Site, contents, go_on, seen, write


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mounts a small filesystem."""
    mounted: list[Path] = []

    def make(options: str, kind: str = "tmpfs") -> Path:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        subprocess.run(["mount", "-t", kind, "-o", options or "rw", "none", folder], check=True)
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def _fill(folder: Path, leave: int) -> None:
    room = os.statvfs(folder)
    with (folder / "ballast").open("wb") as file:
        file.write(b"x" * max(0, room.f_bavail * room.f_frsize - leave))


def test_no_room_is_told_before_anything_is_written(mount: Callable[[str], Path]) -> None:
    folder = mount("size=8m")
    site = Site(folder)
    write(site.production, {"a": "old"})
    write(site.workspace, {"a": "x" * 1_000_000, "b": "y" * 900_000})
    _fill(folder, 2_500_000)
    before = seen(folder)
    with pytest.raises(ScarError) as caught:
        site.prepare()
    assert caught.value.code == "disk_full"
    assert str(folder) in caught.value.message
    assert "needs" in caught.value.message
    assert seen(folder) == before


def test_no_inodes_is_told_too(mount: Callable[[str], Path]) -> None:
    folder = mount("size=8m,nr_inodes=100")
    site = Site(folder)
    write(site.workspace, {f"{n}": f"{n}" for n in range(40)})
    before = seen(folder)
    with pytest.raises(ScarError) as caught:
        site.prepare()
    assert caught.value.code == "disk_full"
    assert seen(folder) == before


def test_room_that_goes_while_it_is_used(mount: Callable[[str], Path]) -> None:
    """Filled by somebody else after the plan: production stays, and SCAR gives its part back."""
    folder = mount("size=16m")
    site = Site(folder)
    old = {"a": "a" * 1_500_000, "b": "b" * 1_500_000}
    write(site.workspace, dict(old))
    site.deploy()
    before = seen(site.production)
    write(site.workspace, {"a": "A" * 1_500_000, "b": "B" * 1_500_000})
    _, _, undo = site.prepare()
    _fill(folder, 2_000_000)
    with pytest.raises(ScarError) as caught:
        site.apply(undo)
    assert caught.value.code == "disk_full"
    assert seen(site.production) == before
    (folder / "ballast").unlink()
    site.apply(undo)
    _fill(folder, 2_000_000)
    # No room for both beside each other: they are brought back one after the other.
    assert site.revert(undo) == []
    assert seen(site.production) == before


def test_store_and_production_on_two_filesystems(
    mount: Callable[[str], Path], tmp_path: Path
) -> None:
    site = Site(tmp_path / "here")
    site.production = mount("size=4m")
    write(site.production, {"data/x": "theirs"})
    write(site.workspace, {"a": "1", "data/new": "2"})
    _, _, undo = site.prepare()
    before = seen(site.production)
    site.apply(undo)
    assert contents(site.production) == {"a": b"1", "data/new": b"2", "data/x": b"theirs"}
    site.revert(undo)
    assert seen(site.production) == before


def test_a_folder_of_production_that_is_a_mount(mount: Callable[[str], Path]) -> None:
    folder = mount("size=4m")
    site = Site(folder / "site")
    inner = site.production / "data"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", inner], check=True)
    try:
        write(site.workspace, {"data/x/y": "1", "a": "1"})
        site.deploy()
        assert contents(site.production) == {"a": b"1", "data/x/y": b"1"}
        (site.workspace / "data/x/y").unlink()
        site.deploy()
        assert contents(inner) == {}
    finally:
        subprocess.run(["umount", inner], check=True)


def test_a_workspace_that_changes_after_the_plan(site: Site) -> None:
    write(site.workspace, {"a": "1", "b": "1"})
    _, changes = site.plan()
    write(site.workspace, {"b": "2"})
    undo = Undo.of("job", str(site.production), changes)
    with pytest.raises(ScarError, match=r"'.*/b' changed while it was being deployed"):
        stage(str(site.workspace), undo.root, undo, site.objects, go_on)
    assert site.stored() == set()


def test_damage_in_the_store_is_found_and_mended(site: Site) -> None:
    write(site.workspace, {"a": "content"})
    _, _, undo = site.prepare()
    for path in (site.state / "objects").rglob("*.644"):
        path.write_bytes(b"spoiled")
    with pytest.raises(ScarError, match="was damaged and is dropped"):
        site.apply(undo)
    assert contents(site.production) == {}
    site.deploy()
    assert contents(site.production) == {"a": b"content"}


@pytest.mark.parametrize("damage", ["changed", "removed"])
def test_damage_to_the_only_copy_is_told_and_not_made_worse(site: Site, damage: str) -> None:
    write(site.workspace, {"a": "old a", "b": "old b"})
    site.deploy()
    write(site.workspace, {"a": "new a", "b": "new b"})
    _, _, undo = site.prepare()
    site.apply(undo)
    copy = site.objects_of(b"old a")[0]
    if damage == "changed":
        copy.write_bytes(b"old !")
    else:
        copy.unlink()
    for _ in range(2):
        with pytest.raises(
            ScarError, match=r"'.*/a' cannot be brought back: .*\.644 is "
        ) as caught:
            site.revert(undo)
        assert str(copy) in caught.value.message
        assert contents(site.production) == {"a": b"new a", "b": b"old b"}
    if damage == "changed":
        assert copy.read_bytes() == b"old !"  # a person may still make something of it
    write(site.production, {"a": "old a"})
    assert site.revert(undo) == []


def test_a_damaged_copy_of_what_somebody_just_wrote_is_not_relied_on(site: Site) -> None:
    write(site.workspace, {"a": "one", "b": "by hand"})
    site.deploy()
    write(site.workspace, {"a": "two"})
    _, _, undo = site.prepare()
    site.apply(undo)
    for copy in site.objects_of(b"by hand"):
        copy.write_bytes(b"BY HAND")
    write(site.production, {"a": "by hand"})
    assert site.revert(undo) == ["a"]
    assert b"by hand" in site.stored()


def test_a_store_that_cannot_be_written_to_any_more(site: Site) -> None:
    """What went wrong is told, not what giving back met."""
    write(site.workspace, {"a": "1", "b": "2"})
    _, changes = site.plan()
    undo = Undo.of("job", str(site.production), changes)

    def freeze(flag: str) -> None:
        subprocess.run(["chattr", flag, *(site.state / "objects").rglob("*.644")], check=True)

    def check() -> None:
        if site.stored():
            freeze("+i")
            raise ScarError("cancelled", "called off", "")

    try:
        with pytest.raises(ScarError, match="called off"):
            stage(str(site.workspace), undo.root, undo, site.objects, check)
        with pytest.raises(ScarError, match="cannot be worked on: Operation not permitted"):
            site.objects.sweep([])
    finally:
        freeze("-i")


def test_a_store_that_is_not_as_it_was_made(site: Site) -> None:
    write(site.workspace, {"a": "1"})
    entry = site.scan()["a"]
    place = site.state / "objects" / entry.digest[:2]
    place.parent.mkdir(parents=True)
    place.write_text("a file where a folder was")
    with pytest.raises(ScarError, match="cannot be worked on: Not a directory"):
        site.prepare()


def test_cut_short_in_the_store_counts_as_missing(site: Site) -> None:
    write(site.workspace, {"a": "content"})
    site.prepare()
    for path in (site.state / "objects").rglob("*.644"):
        path.write_bytes(b"")
    site.deploy()
    assert contents(site.production) == {"a": b"content"}


def test_a_build_reads_what_is_stored(site: Site, tmp_path: Path) -> None:
    write(site.workspace, {"a/b": "x", "run": "y", "l": "-> a/b"})
    (site.workspace / "run").chmod(0o755)
    site.deploy()
    assert site.last is not None
    site.objects.link_tree(site.last, tmp_path / "build")
    assert contents(tmp_path / "build") == contents(site.workspace)
    assert os.access(tmp_path / "build" / "run", os.X_OK)


def test_a_sweep_leaves_what_is_named(site: Site) -> None:
    write(site.workspace, {"a": "1", "b": "2"})
    tree, _, _ = site.prepare()
    stray = site.state / "objects" / "00" / "x.1.new"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("left by a killed writer")
    site.objects.sweep([{"a": tree["a"]}])
    assert site.stored() == {b"1"}
    assert site.objects.holds(tree["a"])
    assert not site.objects.holds(tree["b"])
