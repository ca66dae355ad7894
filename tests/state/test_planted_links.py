"""Links that somebody planted in the state folder make SCAR write to no file of theirs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.files.durable import write_synced
from workers.files.stat_cache import StatCache
from workers.state.host_lock import taken_if_free
from workers.state.journal import Journal
from workers.state.project_lock import project_lock


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_planted_as_a_lock_file_does_not_empty_its_target(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    theirs = tmp_path / "theirs.env"
    theirs.write_text("SECRET=1")
    link(theirs, tmp_path / "lock")
    with pytest.raises(ScarError, match="lock"), project_lock(tmp_path, lambda: None):
        pass
    with taken_if_free(tmp_path / "lock") as free:
        assert not free
    assert theirs.read_text() == "SECRET=1"


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_planted_as_a_journal_does_not_overwrite_its_target(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    theirs = tmp_path / "theirs.env"
    theirs.write_text("SECRET=1")
    for name in ("journal.jsonl", ".note.json.new", "cache.new"):
        link(theirs, tmp_path / name)
    cache = StatCache()
    cache.put("a", theirs.stat(), "digest")
    with pytest.raises(ScarError):
        Journal(tmp_path).begin("job")
    with pytest.raises(ScarError):
        write_synced(tmp_path / "note.json", "{}")
    with pytest.raises(ScarError):
        cache.save(tmp_path / "cache.index")
    assert theirs.read_text() == "SECRET=1"
