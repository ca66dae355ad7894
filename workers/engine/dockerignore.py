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


@dataclass(frozen=True)
class _Pattern:
    expression: re.Pattern[str]
    exception: bool


class DockerIgnore:
    """The patterns of a `.dockerignore` file. The constructor raises `project_invalid` for a
    pattern that Docker refuses.
    """

    def __init__(self, text: str) -> None:
        self._patterns = [_compile(line) for line in _lines(text)]

    def ignores(self, path: str) -> bool:
        """Return whether the file at `path` (relative to the context, with `/`) is excluded."""
        parent_matches = [False] * len(self._patterns)
        ignored = False
        for end in [*(at for at, char in enumerate(path) if char == "/"), len(path)]:
            ignored, parent_matches = self._match(path[:end], parent_matches)
        return ignored

    def _match(self, path: str, parent_matches: list[bool]) -> tuple[bool, list[bool]]:
        """Return whether a path is excluded, and which patterns match the path or its parent.

        As in Docker, a pattern that cannot change the result is skipped and counts as not matching,
        for paths below this one too.
        """
        ignored = False
        matches = list(parent_matches)
        for number, pattern in enumerate(self._patterns):
            if not parent_matches[number] and pattern.exception == ignored:
                matches[number] = pattern.expression.fullmatch(path) is not None
            if matches[number]:
                ignored = not pattern.exception
        return ignored, matches


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
        return _Pattern(re.compile(_expression(pattern), re.DOTALL), exception)
    except re.error as wrong:
        raise _refused(line) from wrong


def _expression(pattern: str) -> str:
    """Translate a pattern to a regular expression; raise `re.error` if it is invalid."""
    expression, at = "", 0
    while at < len(pattern):
        part, length = _translate(pattern, at)
        expression += part
        at += length
    return expression


def _translate(pattern: str, at: int) -> tuple[str, int]:
    """Return the regular expression for the pattern's token at `at`, and the token's length."""
    char, rest = pattern[at], pattern[at + 1 :]
    if char == "*" and rest.startswith("*"):
        length = 3 if rest.startswith("*/") else 2
        end = at + length
        anything = end == len(pattern) or (end == 2 and _is_suffix(pattern))
        return ".*" if anything else "(?:.*/)?", length
    if char == "*":
        return "[^/]*", 1
    if char == "?":
        return "[^/]", 1
    if char == "\\":
        if not rest:
            raise re.error("nothing to escape")
        return re.escape(rest[0]), 2
    if char == "[":
        members = re.match(r"\^?(?:\\.|[^\]\\])+\]", rest, re.DOTALL)
        if not members:
            raise re.error("no closing bracket")
        return "[" + members[0].replace("[", "\\["), 1 + members.end()
    return re.escape(char), 1


def _is_suffix(pattern: str) -> bool:
    """Return whether the pattern is `**name` without another wildcard, which also matches
    `my-name`.
    """
    return pattern[2:3] != "/" and not re.search(r"[*?\\\[\]]", pattern[2:])


def _refused(line: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"The pattern '{line}' in .dockerignore is not one Docker understands",
        "Correct the line: `docker build` refuses it as well.",
    )
