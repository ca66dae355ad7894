"""Files of SCAR's own that the disk has damaged."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar.errors import ScarError
from workers.files.manifest import Entry
from workers.files.undo import Undo
from workers.state.downtime_history import UNKNOWN, DowntimeHistory
from workers.state.releases import Release, ReleasedService, Releases

DAMAGE = [b"", b"\0" * 40, b'{"id": "a", "fi', b"[]", b"{}", b"\xff\xfe", b"7"]


def release(id: str) -> Release:
    file = Entry("file", 0o644, 1, 1, "0" * 64, 0, 0)
    service = ReleasedService("image", None, None, "")
    return Release(id, 1, "me", None, False, 1.0, None, None, {"web": service}, {"file": file}, {})


@pytest.mark.parametrize("content", DAMAGE)
def test_the_error_names_a_damaged_release_file(tmp_path: Path, content: bytes) -> None:
    releases = Releases(tmp_path)
    releases.save(release("a"))
    releases.save(release("b"))
    (tmp_path / "releases" / "b.json").write_bytes(content)
    with pytest.raises(ScarError, match=r"releases/b\.json' is damaged") as caught:
        releases.latest()
    assert caught.value.code == "sync_failed"
    (tmp_path / "releases" / "b.json").unlink()  # as the hint says
    assert releases.latest() == release("a")


@pytest.mark.parametrize("content", DAMAGE)
def test_the_error_names_a_damaged_undo_record(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "undo.json"
    path.write_bytes(content)
    with pytest.raises(ScarError, match=r"undo\.json' is damaged") as caught:
        Undo.load(path)
    assert caught.value.code == "sync_failed"


@pytest.mark.parametrize("content", [*DAMAGE, b'{"deploy": ["x"]}', b'{"deploy": 3}'])
def test_damaged_downtimes_are_measured_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "downtimes.json"
    path.write_bytes(content)
    downtimes = DowntimeHistory(tmp_path)
    assert downtimes.estimate("deploy") == UNKNOWN
    downtimes.add("deploy", 1.5)
    assert downtimes.estimate("deploy") == "1-2 seconds"


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A folder on a filesystem that has no room."""
    folder = tmp_path / "full"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", folder], check=True)
    (folder / "ballast").write_bytes(b"x" * 4096)
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_deploy_does_not_fail_if_its_downtime_cannot_be_stored(full: Path) -> None:
    with pytest.raises(OSError, match="No space") as caught:
        (full / "more").write_text("x")
    assert caught.value.errno == errno.ENOSPC
    (full / "more").unlink()
    DowntimeHistory(full).add("deploy", 1.5)
    assert os.listdir(full) == ["ballast"]
