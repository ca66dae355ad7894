"""Records and notes on disk: torn lines and damaged copies."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.files_scene import FilesScene, seen, write
from tests.support.filesystems import fill as fill
from tests.support.filesystems import mount as mount
from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.records import add_record, read_records
from workers.files.scan import scan
from workers.files.stat_cache import StatCache


def entry(objects: ContentStore, folder: Path, content: str) -> Entry:
    """Put a content into the store."""
    scene = FilesScene(folder)
    write(scene.workspace, {"file": content})
    stored = scene.scan()["file"]
    objects.put(str(scene.workspace / "file"), stored)
    return stored


def test_copies_of_hand_made_files_survive_an_incomplete_record_of_them(tmp_path: Path) -> None:
    objects = ContentStore(tmp_path / "objects")
    first = entry(objects, tmp_path / "1", "first")
    second = entry(objects, tmp_path / "2", "second")
    objects.keep("one", {"file": first})
    notes = tmp_path / "objects" / "handmade.jsonl"
    with notes.open("ab") as file:
        file.write(b'{"job": "two", "fil')
    objects.keep("three", {"file": second})
    objects.sweep([])
    assert objects.holds(first)
    assert objects.holds(second)


@pytest.mark.parametrize(
    "note", [b"damaged by the disk\n", b'{"job": "one", "fil\xffs": {}}\n', b'{"files": 7}\n']
)
@pytest.mark.parametrize("later", [0, 1])
def test_no_stored_content_is_deleted_while_a_record_of_hand_made_files_is_damaged(
    tmp_path: Path, note: bytes, later: int
) -> None:
    objects = ContentStore(tmp_path / "objects")
    first = entry(objects, tmp_path / "1", "first")
    notes = tmp_path / "objects" / "handmade.jsonl"
    notes.write_bytes(note)
    for _ in range(later):
        objects.keep("two", {"file": first._replace(digest="0" * 64)})
    objects.sweep([])
    assert objects.holds(first)
    objects.keep("three", {"file": first})
    assert notes.read_bytes().startswith(note)


def test_a_deploy_replaces_a_damaged_stored_copy_of_the_file_it_overwrites(tmp_path: Path) -> None:
    scene = FilesScene(tmp_path)
    write(scene.production, {"file": "by hand"})
    write(scene.workspace, {"file": "new"})
    old = seen(scene.production)
    objects = scene.objects
    held = scan(str(scene.production), (), StatCache()).entries["file"]
    objects.put(str(scene.production / "file"), held)
    Path(objects.path_of(held)).write_text("BY HAND")  # the same length
    _, _, undo = scene.prepare()
    scene.apply(undo)
    scene.revert(undo)
    assert seen(scene.production) == old


def test_records_are_read_in_the_order_and_form_in_which_they_were_added(tmp_path: Path) -> None:
    path = tmp_path / "records"
    assert read_records(path) == []
    for number in range(3):
        add_record(path, {"number": number})
    assert read_records(path) == [{"number": 0}, {"number": 1}, {"number": 2}]
