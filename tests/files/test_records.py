"""Records on disk: torn lines, damaged copies, a disk that is full."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from scar.jobs.claim import SignedRequest
from scar.jobs.record import JobState
from scar.jobs.results.logs import LogTail
from tests.support.files_scene import FilesScene, seen, write
from workers.files.content_store import ContentStore
from workers.files.manifest import Entry
from workers.files.records import add_record, read_records
from workers.files.scan import scan
from workers.files.stat_cache import StatCache
from workers.runtime.outcome import Outcome
from workers.state.job_log import JobLog
from workers.state.journal import Journal

from .test_store import _fill as fill
from .test_store import mount as mount


@pytest.mark.parametrize("torn", [b'{"what": "sta', b'{"what": "sta\n', b"\0\0\0\n", b"\xff"])
def test_a_torn_line_swallows_nothing(tmp_path: Path, torn: bytes) -> None:
    journal = Journal(tmp_path)
    journal.begin("one")
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(torn)
    again = Journal(tmp_path)
    assert [record["what"] for record in again.records] == ["begun"]
    again.write("staged")
    again.write("ended")
    assert [record["what"] for record in Journal(tmp_path).records] == ["begun", "staged", "ended"]
    assert not Journal(tmp_path).open


def test_a_full_disk_breaks_no_journal(mount: Callable[[str], Path]) -> None:
    folder = mount("size=1m")
    journal = Journal(folder)
    journal.begin("one")
    fill(folder, 0)
    journal.write("putting back", {"much": "x" * 100_000})  # there is room kept for it
    with pytest.raises(ScarError) as full:
        journal.write("more", {"much": "x" * 1_000_000})
    assert full.value.code == "disk_full"
    journal.write("ended")
    whats = [record["what"] for record in Journal(folder).records]
    assert whats == ["begun", "putting back", "ended"]


def test_a_full_disk_lets_no_journal_begin(mount: Callable[[str], Path]) -> None:
    folder = mount("size=1m")
    fill(folder, 40_000)
    with pytest.raises(ScarError) as full:
        Journal(folder).begin("one")
    assert full.value.code == "disk_full"
    assert not Journal(folder).open


def journal_with_a_damaged_line(folder: Path, *whats: str) -> None:
    """The line that told of `applying` has its end, and cannot be read."""
    journal = Journal(folder)
    journal.begin("one")
    for what in ("applying", *whats):
        journal.write(what)
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"applying"', b'"appl\0ing"'))


def test_a_damaged_journal_is_not_guessed_from(tmp_path: Path) -> None:
    """Without `applying` it would say that production was not touched."""
    journal_with_a_damaged_line(tmp_path, "starting")
    with pytest.raises(ScarError, match=r"journal\.jsonl' is damaged") as found:
        Journal(tmp_path)
    assert found.value.code == "sync_failed"
    assert "remove the file" in found.value.hint


def test_a_damaged_journal_of_a_job_that_ended_is_in_nobodys_way(tmp_path: Path) -> None:
    journal_with_a_damaged_line(tmp_path, "ended")
    journal = Journal(tmp_path)
    assert not journal.open
    journal.begin("two")
    assert Journal(tmp_path).job == "two"


def test_a_new_file_of_records_has_its_name_on_the_disk(tmp_path: Path) -> None:
    """A power cut after `begin` must not bring the journal of before back, or none."""
    code = "import sys; from pathlib import Path; from workers.state.journal import Journal; "
    code += "Journal(Path(sys.argv[1])).begin('one')"
    log = tmp_path / "strace"
    subprocess.run(
        ["strace", "-y", "-e", "trace=fsync", "-o", log, sys.executable, "-c", code, tmp_path],
        check=True,
    )
    synced = re.findall(r"fsync\(\d+<(.*)>\)", log.read_text())
    assert synced == [str(tmp_path), f"{tmp_path}/journal.jsonl"]


def entry(objects: ContentStore, folder: Path, content: str) -> Entry:
    """A content that is in the store."""
    scene = FilesScene(folder)
    write(scene.workspace, {"file": content})
    found = scene.scan()["file"]
    objects.put(str(scene.workspace / "file"), found)
    return found


def test_what_a_person_made_survives_a_torn_note(tmp_path: Path) -> None:
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
def test_nothing_is_swept_while_a_note_cannot_be_read(
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


def test_a_damaged_backup_is_taken_in_again(tmp_path: Path) -> None:
    scene = FilesScene(tmp_path)
    write(scene.production, {"file": "by hand"})
    write(scene.workspace, {"file": "new"})
    old = seen(scene.production)
    objects = scene.objects
    held = scan(str(scene.production), (), StatCache())["file"]
    objects.put(str(scene.production / "file"), held)
    Path(objects.path_of(held)).write_text("BY HAND")  # the same length
    _, _, undo = scene.prepare()
    scene.apply(undo)
    scene.revert(undo)
    assert seen(scene.production) == old


def test_an_end_that_cannot_be_noted_leaves_nothing_half(mount: Callable[[str], Path]) -> None:
    folder = mount("size=1m")
    job_log = JobLog(folder)
    job_log.begin("one", SignedRequest("{}", "", ""))
    fill(folder, 0)
    with pytest.raises(ScarError) as full:
        job_log.end("one", Outcome(JobState.SUCCEEDED, LogTail("x" * 10_000, 0, (), ())))
    assert full.value.code == "disk_full"
    assert sorted(path.name for path in folder.iterdir()) == ["ballast", "one"]
    assert not job_log.ended("one")


def test_records_are_read_as_they_were_added(tmp_path: Path) -> None:
    path = tmp_path / "records"
    assert read_records(path) == []
    for number in range(3):
        add_record(path, {"number": number})
    assert read_records(path) == [{"number": 0}, {"number": 1}, {"number": 2}]
