"""Random histories of a workspace and its production, beside a model of what must come of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scar.errors import ScarError
from tests.support.files_scene import FilesScene, Seen, clear, contents, seen, write

NAMES = st.sampled_from(["a", "b", "-c", "d\n", "\udcff", ".env", "é"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CONTENTS = st.sampled_from(["one", "two", "three", "", "-> a", "-> nowhere"])


def _fits(files: dict[str, str]) -> dict[str, str]:
    """Without the paths that go through another path."""
    return {
        path: text
        for path, text in files.items()
        if not any(path.startswith(other + "/") for other in files)
    }


TREES = st.dictionaries(PATHS, CONTENTS, max_size=8).map(_fits)
STEPS = st.lists(
    st.tuples(TREES, TREES, st.sets(PATHS, max_size=2), st.sampled_from(["keep", "undo", "cut"])),
    min_size=1,
    max_size=4,
)


def _bytes(files: dict[str, str]) -> dict[str, bytes]:
    return {path: os.fsencode(text.removeprefix("-> ")) for path, text in files.items()}


def _by_hand(production: Path, edits: dict[str, str], gone: set[str]) -> None:
    """What people and containers do: never a change of a file into a folder, or back."""
    for path, text in edits.items():
        place = production / path
        parents = list(place.parents)[: path.count("/")]
        if any(p.is_symlink() or p.is_file() for p in parents) or _is_folder(place):
            continue
        if os.path.lexists(place):
            place.unlink()
        write(production, {path: text})
    for path in gone:
        place = production / path
        if os.path.lexists(place) and not _is_folder(place):
            place.unlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _inodes(root: Path) -> dict[str, int]:
    return {path: os.lstat(root / path).st_ino for path in contents(root)}


def _expected(
    there: dict[str, bytes], wanted: dict[str, bytes], brought: set[str]
) -> dict[str, bytes]:
    """The model: what no release brought stays, and `.env` of it even against the workspace."""
    result = {path: text for path, text in there.items() if path not in brought}
    for path, text in wanted.items():
        own = path in there and path not in brought
        if not (own and path.rpartition("/")[2] == ".env"):
            result[path] = text
    return result


def _clash(there: dict[str, bytes], files: dict[str, str]) -> bool:
    """Whether a path of the one is a folder of the other."""
    return any(
        one.startswith(other + "/") or other.startswith(one + "/")
        for one in there
        for other in files
    )


def _deploy(scene: FilesScene, brought: set[str], files: dict[str, str], then: str) -> set[str]:
    """One deploy against the model; what the releases have brought by then."""
    before: Seen = seen(scene.production)
    there, inodes = contents(scene.production), _inodes(scene.production)
    try:
        tree, changes, undo = scene.prepare()
    except ScarError:  # something foreign where a file and a folder would change places
        assert seen(scene.production) == before
        assert _clash(there, files)
        return brought
    scene.apply(undo)
    wanted = _expected(there, _bytes(files), brought)
    now = contents(scene.production)
    assert now == wanted
    untouched = {path for path in there if path not in changes.after}
    assert {path: inodes[path] for path in untouched} == {
        path: inode for path, inode in _inodes(scene.production).items() if path in untouched
    }
    replaced = {path for path in there if now.get(path) != there[path] and path not in brought}
    texts = {there[path] for path in replaced if before[path][0] == "file"}
    assert texts <= scene.stored()
    if then != "keep":
        assert scene.revert(undo) == []
        assert seen(scene.production) == before
        if then == "undo":
            assert scene.revert(undo) == []
            assert seen(scene.production) == before
            return brought
        scene.apply(undo)
        assert contents(scene.production) == wanted
    left = set(changes.left_alone)
    scene.last = {path: entry for path, entry in tree.items() if path not in left}
    scene.objects.sweep([scene.last])
    assert texts <= scene.stored()
    return set(scene.last)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(STEPS)
def test_random_deploys_reverts_and_edits_leave_the_files_that_the_model_predicts(
    steps: list[tuple[dict[str, str], dict[str, str], set[str], str]],
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="scar-model-"))
    try:
        scene = FilesScene(folder)
        brought: set[str] = set()
        for files, edits, gone, then in steps:
            clear(scene.workspace)
            write(scene.workspace, files)
            _by_hand(scene.production, edits, gone)
            brought = _deploy(scene, brought, files, then)
            assert [p for p in seen(scene.production) if ".scar-" in p] == []
    finally:
        shutil.rmtree(folder)
