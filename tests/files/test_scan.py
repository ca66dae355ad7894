"""What of a workspace is carried, and what is refused by name."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, write
from workers.files.scan import scan
from workers.files.stat_cache import StatCache


def test_what_is_never_carried(scene: FilesScene) -> None:
    write(
        scene.workspace,
        {
            ".git/config": "", "sub/.git": "gitdir: x", "a.pyc": "", "p/__pycache__/a": "",
            "foo.pyc/kept": "", "q/__pycache__": "a file", "log/x.log": "", "log/keep.log": "",
            "kept": "", "empty": None,
        },
    )  # fmt: skip
    found = scan(str(scene.workspace), ("*.log", "!keep.log"), StatCache())
    assert set(found) == {"foo.pyc/kept", "q/__pycache__", "log/keep.log", "kept"}


@pytest.mark.parametrize(
    ("links", "fine"),
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
def test_links_stay_inside(
    scene: FilesScene, links: dict[str, str | bytes | None], fine: bool
) -> None:
    write(scene.workspace, {"a": "x", "d/e/f": "x", **links})
    if fine:
        assert set(links) <= set(scene.scan())
    else:
        with pytest.raises(ScarError, match="symbolic link out of the workspace"):
            scene.scan()


@pytest.mark.parametrize("kind", ["named pipe", "socket", "device"])
def test_special_files_are_refused(
    scene: FilesScene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scene.workspace)
    if kind == "named pipe":
        os.mkfifo("x\ny")
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind("x\ny")
    else:
        os.mknod("x\ny", 0o20666, os.makedev(1, 3))
    with pytest.raises(ScarError) as caught:
        scene.scan()
    assert caught.value.message == rf"'x\ny' is a {kind}, which is never deployed"


def test_too_deep_is_refused(scene: FilesScene) -> None:
    write(scene.workspace, {"d/" * 210 + "x": ""})
    with pytest.raises(ScarError, match="nested more than 200 folders deep"):
        scene.scan()


def test_read_once_and_again_when_it_changes(scene: FilesScene) -> None:
    index = StatCache()
    write(scene.workspace, {"a": "one", "b": "b"})
    before = scan(str(scene.workspace), (), index)
    (scene.workspace / "a").write_text("two")
    os.utime(scene.workspace / "a", ns=(before["a"].mtime, before["a"].mtime))
    after = scan(str(scene.workspace), (), index)
    assert before["a"].digest != after["a"].digest
    assert before["b"] == after["b"]
    (scene.workspace / "b").unlink()
    assert set(scan(str(scene.workspace), (), index)) == {"a"}


def _entries(path: Path) -> dict[str, object]:
    return dict(StatCache.load(path).known)


def test_an_index_is_saved_by_what_changed(scene: FilesScene, tmp_path: Path) -> None:
    status = os.stat(scene.workspace)
    write(scene.workspace, {f"{n}": f"{n}" for n in range(100)})
    entry = scene.scan()["0"]
    path = tmp_path / "index"
    index = StatCache()
    for n in range(100):
        index.put(f"{n}\udcff", status, entry)
    index.save(path)
    whole = path.stat().st_size
    index.put("new", status, entry)
    index.forget("5\udcff")
    index.save(path)
    assert path.stat().st_size - whole < whole / 20
    assert _entries(path) == dict(index.known)
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        assert len(_entries(path)) == 100
    path.write_bytes(content[:-1])
    again = StatCache.load(path)
    again.put("newer", status, entry)
    again.save(path)
    assert "newer" in _entries(path)
    for spoilt in (b"", b"\0" * 100, content[: whole // 2], b"x" + content):
        path.write_bytes(spoilt)
        assert _entries(path) == {}
