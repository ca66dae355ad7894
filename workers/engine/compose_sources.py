"""Finds and checks the files that Docker Compose would read for a project, before Compose is run.
`docker compose config` opens whatever `env_file`, `include`, `extends` and `label_file` name, on
this host or another, and their content ends up in the environment of containers. Only files in the
two folders of the project are read; others are refused while the job is checked.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from scar.errors import ScarError
from workers.engine.compose_variables import UnknownVariable, fill_in
from workers.engine.compose_yaml import documents

_MOST_FILES = 500
_NOTHING = "/dev/null"
_REMOTE = re.compile(r"[\w+.-]+://|git@|github\.com/|[\w.-]+@[\w.-]+:")


class ProjectFiles(Protocol):
    """The files of a project, by their paths relative to its folder.

    Methods raise `project_invalid` where a link on the way leaves the project's folders.
    """

    def locate(self, path: str) -> str:
        """Return the path without links."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, None where there is none."""


@dataclass(frozen=True)
class ProjectRules:
    """Which files a project may name. `roots` are the absolute paths of its folders, all of which
    Compose sees as the one folder that it is given. `remote` permits files of other hosts.
    `reserved` are variables whose values do not come from `.env`.
    """

    roots: tuple[str, ...]
    remote: bool
    reserved: Collection[str] = ()


@dataclass
class ComposeSources:
    """`contents` are the files that Compose reads, by their path relative to the project's folder,
    None for those that are not there; `remote` are the ones on other hosts.
    """

    contents: dict[str, bytes | None] = field(default_factory=dict, repr=False)
    remote: list[str] = field(default_factory=list)

    def digest(self, context: Sequence[object]) -> str | None:
        """Return a digest that changes whenever the output of `docker compose config` could change.

        It covers the content of all files, and the JSON of `context`. None if a file is on another
        host, since Compose must then be run.
        """
        if self.remote:
            return None
        digest = hashlib.sha256(json.dumps([sorted(self.contents), *context]).encode())
        for _, text in sorted(self.contents.items()):
            digest.update(hashlib.sha256(text).digest() if text is not None else b"-")
        return digest.hexdigest()


def compose_sources(
    names: Sequence[str], files: ProjectFiles, rules: ProjectRules
) -> ComposeSources:
    """Return every file that Compose reads for a project with the Compose files `names`. Raises
    `project_invalid` if a file names one that is not permitted, or is not valid YAML.
    """
    search = _Search(files, rules)
    search.read(".env")
    for name in names:
        search.add_compose_file(_Name(".env", "COMPOSE_FILE", ""), name, base="")
    return search.sources


@dataclass(frozen=True)
class _Name:
    """The place where a path occurs: the file, the key, and the folder that it is relative to."""

    file: str
    key: str
    base: str
    main: bool = True


class _Search:
    def __init__(self, files: ProjectFiles, rules: ProjectRules) -> None:
        self._files = files
        self._rules = rules
        self._seen: set[tuple[str, str]] = set()
        self.sources = ComposeSources()

    def read(self, path: str) -> bytes | None:
        """Return a file's content, and add it to the result."""
        contents = self.sources.contents
        if path not in contents:
            if len(contents) >= _MOST_FILES:
                raise ScarError(
                    "project_invalid",
                    f"The Compose file names more than {_MOST_FILES} files",
                    "Name fewer with `include`, `extends` and `env_file`.",
                )
            contents[path] = self._files.read(path)
        return contents[path]

    def add_compose_file(
        self, at: _Name, value: object, base: str | None, *, main: bool = True
    ) -> None:
        """Read a Compose file and all files that it names. `base` is the folder of its relative
        paths; None for the file's own folder.
        """
        path = self._inside(at, value)
        if path is None:
            return
        base = posixpath.dirname(path) if base is None else base
        text = self.read(path)
        if text is None or (path, base) in self._seen:
            return
        self._seen.add((path, base))
        for document in documents(path, text):
            if isinstance(document, Mapping):
                self._add_document(document, path, base, main)

    def _add_document(self, root: Mapping[Any, Any], file: str, base: str, main: bool) -> None:
        for entry in _listed(root.get("include")):
            self._include(entry, _Name(file, "include", base, main))
        for service in _mapping(root.get("services")).values():
            values = _mapping(service)
            for key in ("env_file", "label_file"):
                at = _Name(file, key, base, main)
                for entry in _listed(values.get(key)):
                    self._read_named(at, entry.get("path") if isinstance(entry, Mapping) else entry)
            if "file" in (extends := _mapping(values.get("extends"))):
                at = _Name(file, "extends", base, main)
                self.add_compose_file(at, extends["file"], None, main=False)
        for key in ("secrets", "configs"):
            for definition in _mapping(root.get(key)).values():
                if "file" in (values := _mapping(definition)):
                    self._require_inside(_Name(file, key, base, main), values["file"])

    def _include(self, entry: object, at: _Name) -> None:
        values = entry if isinstance(entry, Mapping) else {"path": entry}
        folder = values.get("project_directory")
        base = None if folder is None else self._inside(at, folder)
        for path in _listed(values.get("path")):
            if base is None and (first := self._inside(at, path)) is not None:
                base = posixpath.dirname(first)
            self.add_compose_file(at, path, base or "", main=False)
        if "env_file" not in values:
            self.read(posixpath.normpath(posixpath.join(base or "", ".env")))
        for path in _listed(values.get("env_file")):
            self._read_named(at, path)

    def _read_named(self, at: _Name, value: object) -> None:
        path = None if value == _NOTHING else self._inside(at, value)
        if path is not None:
            self.read(path)

    def _require_inside(self, at: _Name, value: object) -> None:
        """Check the path of a file that Compose does not read itself, but mounts."""
        path = self._inside(at, value)
        if path is not None:
            self._files.locate(path)

    def _inside(self, at: _Name, value: object) -> str | None:
        """Return a path relative to the project's folder; None where it is on another host."""
        if not isinstance(value, str):
            raise _refused(at, str(value), "which is no path", "Correct it.")
        path = self._filled_in(at, value)
        if _REMOTE.match(path):
            if not self._rules.remote:
                raise _refused(at, path, "which is on another host", _REMOTE_HINT)
            self.sources.remote.append(path)
            return None
        for root in self._rules.roots:
            if path == root or path.startswith(f"{root}/"):
                path = path.removeprefix(root).lstrip("/") or "."
                break
        else:
            path = posixpath.join(at.base, path)
        path = posixpath.normpath(path)
        if path.startswith(("/", "~")) or path == ".." or path.startswith("../"):
            raise _refused(at, value, "which is outside of the project's folders", _OUTSIDE_HINT)
        return path

    def _filled_in(self, at: _Name, value: str) -> str:
        if "$" not in value:
            return value
        try:
            if not at.main:
                raise UnknownVariable
            return fill_in(value, self.read(".env") or b"", self._rules.reserved)
        except UnknownVariable:
            hint = "Write the path out, or set the variable once as NAME=value in `.env`."
            raise _refused(at, value, "which cannot be checked", hint) from None


_REMOTE_HINT = (
    'Copy it into the workspace, or set "remote_includes": true for this project in the projects '
    "file."
)


_OUTSIDE_HINT = (
    "Put it into the workspace or into production: SCAR reads nothing else for a project."
)


def leads_outside(path: str, target: str) -> ScarError:
    """Return the error for a link that leads out of the project's folders."""
    return ScarError(
        "project_invalid",
        f"Compose would read {path[:100]!r}, which is a link out of the project's folders, to "
        f"{target[:100]!r}",
        _OUTSIDE_HINT,
    )


def _refused(at: _Name, path: str, why: str, hint: str) -> ScarError:
    return ScarError(
        "project_invalid", f"{at.file[:100]}: `{at.key}` names {path[:100]!r}, {why}", hint
    )


def _listed(value: object) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif value not in (None, ""):
        yield value


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
