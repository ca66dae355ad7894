"""The journal of a project: torn and damaged lines, a full disk, a power cut."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.filesystems import fill as fill
from tests.support.filesystems import mount as mount
from workers.state.journal import Journal


@pytest.mark.parametrize("torn", [b'{"what": "sta', b'{"what": "sta\n', b"\0\0\0\n", b"\xff"])
def test_a_torn_last_line_is_ignored_and_overwritten(tmp_path: Path, torn: bytes) -> None:
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


def test_compensation_can_be_journalled_on_a_full_disk(mount: Callable[[str], Path]) -> None:
    folder = mount("size=1m")
    journal = Journal(folder)
    journal.begin("one")
    fill(folder, 0)
    journal.write("putting back", {"much": "x" * 100_000})  # fits into what is reserved
    with pytest.raises(ScarError) as full:
        journal.write("more", {"much": "x" * 1_000_000})
    assert full.value.code == "disk_full"
    journal.write("ended")
    whats = [record["what"] for record in Journal(folder).records]
    assert whats == ["begun", "putting back", "ended"]


def test_a_job_does_not_begin_without_room_for_its_journal(mount: Callable[[str], Path]) -> None:
    folder = mount("size=1m")
    fill(folder, 40_000)
    with pytest.raises(ScarError) as full:
        Journal(folder).begin("one")
    assert full.value.code == "disk_full"
    assert not Journal(folder).open


def journal_with_a_damaged_line(folder: Path, *whats: str) -> None:
    """Write a journal whose whole line `applying` cannot be read."""
    journal = Journal(folder)
    journal.begin("one")
    for what in ("applying", *whats):
        journal.write(what)
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"applying"', b'"appl\0ing"'))


def test_a_damaged_journal_of_an_unfinished_job_is_an_error(tmp_path: Path) -> None:
    """Without the line `applying`, production would count as not touched."""
    journal_with_a_damaged_line(tmp_path, "starting")
    with pytest.raises(ScarError, match=r"journal\.jsonl' is damaged") as caught:
        Journal(tmp_path)
    assert caught.value.code == "sync_failed"
    assert "remove the file" in caught.value.hint


def test_a_damaged_journal_of_an_ended_job_is_ignored(tmp_path: Path) -> None:
    journal_with_a_damaged_line(tmp_path, "ended")
    journal = Journal(tmp_path)
    assert not journal.open
    journal.begin("two")
    assert Journal(tmp_path).job == "two"


def test_a_new_journal_and_its_folder_are_synced(tmp_path: Path) -> None:
    """After a power cut the journal of the last job must not be back."""
    code = "import sys; from pathlib import Path; from workers.state.journal import Journal; "
    code += "Journal(Path(sys.argv[1])).begin('one')"
    log = tmp_path / "strace"
    subprocess.run(
        ["strace", "-y", "-e", "trace=fsync", "-o", log, sys.executable, "-c", code, tmp_path],
        check=True,
    )
    synced = re.findall(r"fsync\(\d+<(.*)>\)", log.read_text())
    assert synced == [str(tmp_path), f"{tmp_path}/journal.jsonl"]
