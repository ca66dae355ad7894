"""What of a workspace is deployed, and what is left out by name."""

from __future__ import annotations

import marshal
import os
import socket
import struct
import time
import zlib
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, write
from workers.files.scan import hashed, scan
from workers.files.stat_cache import TICK_NS, StatCache, _loaded


def test_git_and_bytecode_are_never_deployed(scene: FilesScene) -> None:
    write(
        scene.workspace,
        {
            ".git/config": "", "sub/.git": "gitdir: x", "a.pyc": "", "p/__pycache__/a": "",
            "foo.pyc/kept": "", "q/__pycache__": "a file", "log/x.log": "", "log/keep.log": "",
            "kept": "", "empty": None,
        },
    )  # fmt: skip
    entries = scan(str(scene.workspace), ("*.log", "!keep.log"), StatCache()).entries
    assert set(entries) == {"foo.pyc/kept", "q/__pycache__", "log/keep.log", "kept"}


@pytest.mark.parametrize(
    ("links", "inside"),
    [
        ({"l": "-> a"}, True),
        ({"d/l": "-> ../a"}, True),
        ({"l": "-> missing/deep"}, True),
        ({"l": "-> l"}, True),
        ({"l": "-> m", "m": "-> l"}, True),
        ({"d/up": "-> ..", "d/l": "-> up/a"}, True),
        ({"l": "-> /etc/passwd"}, False),
        ({"l": "-> ../outside"}, False),
        ({"l": "-> d/../../outside"}, False),
        ({"d/e/up": "-> ../..", "l": "-> d/e/up/../outside"}, False),
        ({"m": "-> d", "l": "-> m/../../outside"}, False),
    ],
)
def test_links_are_carried_as_links_and_those_that_lead_out_are_named(
    scene: FilesScene, links: dict[str, str | bytes | None], inside: bool
) -> None:
    write(scene.workspace, {"a": "x", "d/e/f": "x", **links})
    seen = scan(str(scene.workspace), (), StatCache())
    assert {seen.entries[path].kind for path in links} == {"link"}
    assert seen.outward == (() if inside else ("l",))


def test_a_link_to_the_interpreter_is_deployed_as_a_link(scene: FilesScene) -> None:
    write(scene.workspace, {".venv/bin/python3": "-> /usr/bin/python3", "app.py": "1"})
    scene.deploy()
    assert os.readlink(scene.production / ".venv/bin/python3") == "/usr/bin/python3"
    assert scene.plan()[1].none
    (scene.workspace / ".venv/bin/python3").unlink()
    scene.deploy()
    assert not os.path.lexists(scene.production / ".venv/bin/python3")
    assert Path("/usr/bin/python3").exists()


@pytest.mark.parametrize("kind", ["named pipe", "socket", "device"])
def test_special_files_are_left_out_and_named(
    scene: FilesScene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scene.workspace)
    if kind == "named pipe":
        os.mkfifo("x\ny")
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind("x\ny")
    else:
        os.mknod("x\ny", 0o20666, os.makedev(1, 3))
    write(scene.workspace, {"a": "x"})
    seen = scan(str(scene.workspace), (), StatCache())
    assert (set(seen.entries), seen.special) == ({"a"}, ("x\ny",))


def test_folders_nested_too_deep_are_refused(scene: FilesScene) -> None:
    write(scene.workspace, {"d/" * 210 + "x": ""})
    with pytest.raises(ScarError, match="nested more than 200 folders deep"):
        scene.scan()


def test_an_edit_that_keeps_size_and_modification_time_is_noticed(scene: FilesScene) -> None:
    cache = StatCache()
    write(scene.workspace, {"a": "one", "b": "b"})
    before = scan(str(scene.workspace), (), cache).entries
    (scene.workspace / "a").write_text("two")
    os.utime(scene.workspace / "a", ns=(before["a"].mtime, before["a"].mtime))
    after = scan(str(scene.workspace), (), cache).entries
    assert before["a"].digest != after["a"].digest
    assert before["b"] == after["b"]
    (scene.workspace / "b").unlink()
    assert set(scan(str(scene.workspace), (), cache).entries) == {"a"}


@pytest.fixture
def cached(scene: FilesScene, tmp_path: Path) -> Path:
    """The file of a cache that knows all of a workspace."""
    write(scene.workspace, {f"{n}\udcff": f"{n}" for n in range(10)})
    time.sleep(2 * TICK_NS / 1e9)
    cache = StatCache()
    scan(str(scene.workspace), (), cache)
    cache.save(tmp_path / "cache")
    return tmp_path / "cache"


def _reads(scene: FilesScene, cache: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how many files a scan with that cache reads."""
    paths: list[str] = []

    def counting(handle: int, name: str, path: str) -> tuple[os.stat_result, str, int]:
        paths.append(path)
        return hashed(handle, name, path)

    monkeypatch.setattr("workers.files.scan.hashed", counting)
    _loaded.clear()
    scan(str(scene.workspace), (), StatCache.load(cache))
    return len(paths)


def test_unchanged_files_are_not_read_again_by_the_next_process(
    scene: FilesScene, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _reads(scene, cached, monkeypatch) == 0
    (scene.workspace / "3\udcff").write_text("new")
    assert _reads(scene, cached, monkeypatch) == 1


def test_the_stat_cache_is_read_once_unless_another_process_writes_it(cached: Path) -> None:
    _loaded.clear()
    first = StatCache.load(cached)
    assert StatCache.load(cached) is first
    os.utime(cached)
    assert StatCache.load(cached) is not first


def test_a_damaged_stat_cache_is_ignored_and_replaced(
    scene: FilesScene, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = cached.read_bytes()
    flipped = content[:-70] + bytes([content[-70] ^ 1]) + content[-69:]
    for damage in (b"", b"\0" * 100, content[: len(content) // 2], b"x" + content, flipped):
        cached.write_bytes(damage)
        assert _reads(scene, cached, monkeypatch) == 10
        cache = StatCache.load(cached)
        scan(str(scene.workspace), (), cache)
        cache.save(cached)
        assert _reads(scene, cached, monkeypatch) == 0


def test_a_stat_cache_of_an_earlier_version_is_ignored_and_replaced(
    scene: FilesScene, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one wrote blocks of `marshal`, each behind a magic, its length and its checksum."""
    body = marshal.dumps({"0\udcff": ((1, 2, 3, 4, 5), ("file", 420, 1, 1, "0" * 64, 0, 0))})
    cached.write_bytes(struct.pack("<4sII", b"SCI2", len(body), zlib.crc32(body)) + body)
    assert _reads(scene, cached, monkeypatch) == 10
