"""Determines which of a project's files an image is built from, and a digest of them."""

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

FileDigests = Mapping[str, tuple[int, str]]
"""A folder's files: relative path with `/` → mode bits, and digest of the content (of the target
for a symbolic link)."""

ReadFile = Callable[[str], bytes | None]
"""A function that returns the content of one of those files, following links; None for a broken
link.
"""


@dataclass(frozen=True)
class BuildInputs:
    """The inputs of one image's build.

    `files` are relative paths, sorted. `digest` covers the build section of the Compose file and
    the files' contents. `outside` names inputs that are not among the project's files, such as a
    URL or a folder elsewhere; with any of these, equal digests prove nothing, and the builder's
    cache must decide. A base image that was replaced under the same name is not detected.
    """

    files: tuple[str, ...]
    digest: str
    outside: tuple[str, ...] = ()


def build_inputs(build: Build, root: str, tree: FileDigests, read: ReadFile) -> BuildInputs:
    """Return the build inputs of one service.

    `root` is the absolute path of the folder whose files are in `tree`, the project's folder for
    Compose.
    """
    files: set[str] = set()
    outside: list[str] = []
    contexts = [build.context, *build.additional_contexts.values()]
    for number, context in enumerate(contexts):
        inside = _relative(context, root)
        if inside is None:
            outside.append(context)
        else:
            dockerfile = build.dockerfile if number == 0 else ""
            files |= _context_files(inside, dockerfile, tree, read)
    if not build.dockerfile_inline:
        dockerfile = posixpath.join(build.context, build.dockerfile)
        inside = _relative(dockerfile, root)
        if inside is None and build.context not in outside:
            outside.append(dockerfile)
        elif inside in tree:
            files.add(str(inside))
    # BuildKit keeps secrets and SSH keys out of an image's cache key; so does this digest.
    return BuildInputs(tuple(sorted(files)), _digest(build, root, files, tree), tuple(outside))


def _context_files(context: str, dockerfile: str, tree: FileDigests, read: ReadFile) -> set[str]:
    """Return the files of a build context that its ignore file does not exclude."""
    prefix = "" if context == "." else context + "/"
    # BuildKit prefers an ignore file next to the Dockerfile, named after it.
    own = posixpath.normpath(prefix + dockerfile + ".dockerignore") if dockerfile else ""
    ignore_file = next((name for name in (own, prefix + ".dockerignore") if name in tree), None)
    text = read(ignore_file) if ignore_file else None
    ignore = DockerIgnore((text or b"").decode("utf-8", "replace"))
    return {
        path
        for path in tree
        if path.startswith(prefix) and not ignore.ignores(path.removeprefix(prefix))
    }


def _relative(path: str, root: str) -> str | None:
    """Return `path` relative to `root` (`.` for itself); None for a URL or a path elsewhere."""
    if _URL.match(path) or not path.startswith("/"):
        return None
    normal = PurePosixPath(posixpath.normpath(path))
    home = PurePosixPath(posixpath.normpath(root))
    return str(normal.relative_to(home)) if normal.is_relative_to(home) else None


def _digest(build: Build, root: str, files: set[str], tree: FileDigests) -> str:
    # The build section has absolute paths, but the image does not depend on where the folder is.
    section = json.dumps(build.raw, sort_keys=True)
    home = json.dumps(posixpath.normpath(root))[1:-1]
    section = re.sub(re.escape(home) + r'(?=[/"])', ".", section)
    digest = hashlib.sha256(section.encode())
    for path in sorted(files):
        mode, content = tree[path]
        name = path.encode("utf-8", "surrogateescape")
        executable = b"x" if mode & 0o111 else b"-"
        digest.update(b"\0".join((b"", name, executable, content.encode())))
    return digest.hexdigest()
