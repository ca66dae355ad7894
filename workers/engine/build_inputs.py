"""What an image is built from, as far as the project's own files tell."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from workers.engine.compose_config import Build
from workers.engine.dockerignore import DockerIgnore

_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|git@|github\.com/|docker-image:|service:|target:)")

Tree = Mapping[str, tuple[int, str]]
"""A folder's files: relative path with `/` → mode bits, digest of the content (of the target for a
symbolic link)."""

Read = Callable[[str], bytes]
"""The content of a file of the tree."""


@dataclass(frozen=True)
class BuildInputs:
    """`files` are relative to the tree, sorted. The same `digest` means the same build section and
    the same content. `outside` names inputs that the tree does not hold (a URL, a folder beside
    it): where it is not empty an equal digest proves nothing, and the builder's cache decides.
    A base image that was replaced under its name is not seen either.
    """

    files: tuple[str, ...]
    digest: str
    outside: tuple[str, ...] = ()


def build_inputs(build: Build, root: str, tree: Tree, read: Read) -> BuildInputs:
    """The inputs of one service. `root` is the absolute path that `tree` is relative to, the one
    Compose was given as the project's folder.
    """
    files: set[str] = set()
    outside: list[str] = []
    contexts = [build.context, *build.additional_contexts.values()]
    for number, context in enumerate(contexts):
        inside = _inside(context, root)
        if inside is None:
            outside.append(context)
        else:
            dockerfile = build.dockerfile if number == 0 else ""
            files |= _sent(inside, dockerfile, tree, read)
    if not build.dockerfile_inline:
        dockerfile = posixpath.join(build.context, build.dockerfile)
        inside = _inside(dockerfile, root)
        if inside is None and build.context not in outside:
            outside.append(dockerfile)
        elif inside in tree:
            files.add(str(inside))
    # Secrets and SSH keys are no part of an image's cache key in BuildKit, nor here.
    return BuildInputs(tuple(sorted(files)), _digest(build, root, files, tree), tuple(outside))


def _sent(context: str, dockerfile: str, tree: Tree, read: Read) -> set[str]:
    """The files of a context that its ignore file lets through."""
    prefix = "" if context == "." else context + "/"
    # BuildKit prefers an ignore file that is named after the Dockerfile and lies beside it.
    named = posixpath.normpath(prefix + dockerfile + ".dockerignore") if dockerfile else ""
    found = next((name for name in (named, prefix + ".dockerignore") if name in tree), None)
    ignore = DockerIgnore(read(found).decode("utf-8", "replace") if found else "")
    return {
        path
        for path in tree
        if path.startswith(prefix) and not ignore.ignores(path.removeprefix(prefix))
    }


def _inside(path: str, root: str) -> str | None:
    """`path` relative to `root` (`.` for itself); None where it is a URL or lies elsewhere."""
    if _URL.match(path) or not path.startswith("/"):
        return None
    normal = PurePosixPath(posixpath.normpath(path))
    home = PurePosixPath(posixpath.normpath(root))
    return str(normal.relative_to(home)) if normal.is_relative_to(home) else None


def _digest(build: Build, root: str, files: set[str], tree: Tree) -> str:
    # The section holds absolute paths: where the folder lies is no part of what is built.
    section = json.dumps(build.raw, sort_keys=True)
    home = json.dumps(posixpath.normpath(root))[1:-1]
    section = re.sub(re.escape(home) + r'(?=[/"])', ".", section)
    found = hashlib.sha256(section.encode())
    for path in sorted(files):
        mode, content = tree[path]
        executable = "x" if mode & 0o111 else "-"
        found.update(
            b"\0".join(
                (
                    b"",
                    path.encode("utf-8", "surrogateescape"),
                    executable.encode(),
                    content.encode(),
                )
            )
        )
    return found.hexdigest()
