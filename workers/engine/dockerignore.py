"""Decides which files of a build context `.dockerignore` excludes.

The rules are those of moby/patternmatcher (`ignorefile.ReadAll`, `Pattern.compile`,
`MatchesUsingParentResults`). They differ from those of .gitignore: a pattern is anchored at the
root of the context, `**` matches across folders, and a file is excluded together with its folder
unless a later `!` pattern matches the file or a folder above it.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

from scar.errors import ScarError
from workers.engine.glob import Glob


@dataclass(frozen=True)
class _Pattern:
    glob: Glob
    exception: bool


@dataclass(frozen=True)
class _PathState:
    """A file or folder, and what is known there: whether it is excluded, which patterns match it or
    a folder above it, and the state of each pattern after its path.
    """

    path: str
    ignored: bool
    matches: tuple[bool, ...]
    states: tuple[int, ...]


class DockerIgnore:
    """The patterns of a `.dockerignore` file. The constructor raises `project_invalid` for a
    pattern that Docker refuses.
    """

    def __init__(self, text: str) -> None:
        self._patterns = [_compile(line) for line in _lines(text)]
        nothing = (False,) * len(self._patterns)
        root = _PathState("", False, nothing, tuple(p.glob.start for p in self._patterns))
        self._above = [root]

    def ignores(self, path: str) -> bool:
        """Return whether the file at `path` (relative to the context, with `/`) is excluded.

        Folders are looked at once for all files in them that are asked for in a row.
        """
        while not path.startswith(self._above[-1].path):
            self._above.pop()
        place = self._above[-1]
        *folders, name = path[len(place.path) :].split("/")
        for folder in folders:
            place = self._enter(place, folder, "/")
            self._above.append(place)
        return self._enter(place, name, "").ignored

    def _enter(self, above: _PathState, name: str, slash: str) -> _PathState:
        """Return the place `name` in `above`.

        As in Docker, a pattern that cannot change the result is skipped and counts as not matching,
        for paths below this one too.
        """
        ignored = False
        matches: list[bool] = []
        states: list[int] = []
        for pattern, before, matched in zip(
            self._patterns, above.states, above.matches, strict=True
        ):
            state = pattern.glob.advance(before, name)
            if not matched and pattern.exception == ignored:
                matched = pattern.glob.accepts(state)
            if matched:
                ignored = not pattern.exception
            matches.append(matched)
            states.append(pattern.glob.advance(state, slash))
        return _PathState(above.path + name + slash, ignored, tuple(matches), tuple(states))


def _lines(text: str) -> list[str]:
    """Return the patterns of the text in normal form; exceptions keep their `!`."""
    lines = []
    for line in text.removeprefix("\ufeff").split("\n"):
        if line.startswith("#") or not (pattern := line.strip()):
            continue
        exception = pattern.startswith("!")
        pattern = pattern[1:].strip() if exception else pattern
        if pattern:
            pattern = _clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern[0] == "/" else pattern
        lines.append("!" + pattern if exception else pattern)
    return lines


def _clean(path: str) -> str:
    """Normalise a path like Go's filepath.Clean; Python's function would keep a leading double
    slash.
    """
    cleaned = posixpath.normpath(path)
    return cleaned[1:] if cleaned.startswith("//") else cleaned


def _compile(line: str) -> _Pattern:
    exception = line.startswith("!")
    pattern = line[1:] if exception else line
    if not pattern:
        raise _refused(line)
    try:
        return _Pattern(Glob(pattern), exception)
    except re.error as wrong:
        raise _refused(line) from wrong


def _refused(line: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"The pattern '{line}' in .dockerignore is not one Docker understands",
        "Correct the line: `docker build` refuses it as well.",
    )
