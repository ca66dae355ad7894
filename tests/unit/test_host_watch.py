"""The lock of the one process of a host that watches it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from workers.watch.host_watch import _take_lock


def test_a_lock_that_cannot_be_taken_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(fcntl, "lockf", fail)
    with pytest.raises(OSError, match="No locks available"):
        _take_lock(tmp_path / "lock")
    assert os.listdir("/proc/self/fd") == before
