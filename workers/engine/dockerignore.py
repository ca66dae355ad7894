"""Which files of a build context Docker sends to the builder.

The rules are those of moby/patternmatcher (`ignorefile.ReadAll`, `Pattern.compile`,
`MatchesUsingParentResults`), which differ from .gitignore's: a pattern is anchored at the context's
root, `**` crosses folders, and a file is out when a folder above it is, unless a later `!` line
matches the file or a folder above it.
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
    """The patterns of one `.dockerignore`; `project_invalid` where Docker refuses one."""

    def __init__(self, text: str) -> None:
        self._patterns = [_compile(line) for line in _lines(text)]

    def ignores(self, path: str) -> bool:
        """Whether the file at `path` (relative to the context, with `/`) stays behind."""
        above = [False] * len(self._patterns)
        ignored = False
        for end in [*(at for at, char in enumerate(path) if char == "/"), len(path)]:
            ignored, above = self._verdict(path[:end], above)
        return ignored

    def _verdict(self, path: str, above: list[bool]) -> tuple[bool, list[bool]]:
        """Whether one path is out, and which patterns matched it, given those that matched its
        folder. A pattern that could not change the verdict is not asked and counts as no match,
        for what lies below as well: so does the builder.
        """
        ignored = False
        matched = list(above)
        for number, pattern in enumerate(self._patterns):
            if not above[number] and pattern.exception == ignored:
                matched[number] = pattern.expression.fullmatch(path) is not None
            if matched[number]:
                ignored = not pattern.exception
        return ignored, matched


def _lines(text: str) -> list[str]:
    found = []
    for line in text.removeprefix("\ufeff").split("\n"):
        if line.startswith("#") or not (pattern := line.strip()):
            continue
        exception = pattern.startswith("!")
        pattern = pattern[1:].strip() if exception else pattern
        if pattern:
            pattern = _clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern[0] == "/" else pattern
        found.append("!" + pattern if exception else pattern)
    return found


def _clean(path: str) -> str:
    """Go's filepath.Clean; Python keeps a leading double slash."""
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
    found, at = "", 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*" and pattern[at : at + 1] == "*":
            at += 1
            at += pattern[at : at + 1] == "/"
            anything = at == len(pattern) or (at == 2 and _is_suffix(pattern))
            found += ".*" if anything else "(?:.*/)?"
        elif char == "*":
            found += "[^/]*"
        elif char == "?":
            found += "[^/]"
        elif char == "\\":
            if at == len(pattern):
                raise re.error("nothing to escape")
            found += re.escape(pattern[at])
            at += 1
        elif char == "[":
            inside = re.match(r"\^?(?:\\.|[^\]\\])+\]", pattern[at:], re.DOTALL)
            if not inside:
                raise re.error("no closing bracket")
            found += "[" + inside[0].replace("[", "\\[")
            at += inside.end()
        else:
            found += re.escape(char)
    return found


def _is_suffix(pattern: str) -> bool:
    """`**name`, without another wildcard, is what a path ends with: it also matches `my-name`."""
    return pattern[2:3] != "/" and not re.search(r"[*?\\\[\]]", pattern[2:])


def _refused(line: str) -> ScarError:
    return ScarError(
        "project_invalid",
        f"The pattern '{line}' in .dockerignore is not one Docker understands",
        "Correct the line: `docker build` refuses it as well.",
    )
