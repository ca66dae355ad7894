"""Matches one pattern of a `.dockerignore` in time proportional to the lengths of pattern and path.

The pattern is a non-deterministic automaton whose states are the bits of one integer: all states
advance together with each character (Baeza-Yates and Gonnet, "A new approach to text searching",
1992), so there is no backtracking. The builder's own matcher, Go's `regexp`, is linear as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_MOST_STEPS = 4096


def _never(_char: str) -> bool:
    return False


def _always(_char: str) -> bool:
    return True


def _no_slash(char: str) -> bool:
    return char != "/"


@dataclass(frozen=True)
class _Token:
    """A place in a pattern. `accepts` says which characters lead to the next place, `stays` which
    ones stay at this place; `skips` are the distances to places that are reached without a
    character.
    """

    accepts: Callable[[str], bool] = _never
    stays: Callable[[str], bool] = _never
    skips: tuple[int, ...] = ()


_ANYTHING = _Token(stays=_always, skips=(1,))
_NAME_PART = _Token(stays=_no_slash, skips=(1,))
# `**/` is `(?:.*/)?`: past both places at once, or any characters and a slash.
_FOLDERS = (_Token(skips=(1, 2)), _Token(accepts="/".__eq__, stays=_always))


class Glob:
    """A pattern as Docker reads it, without `!` in front. Raises `re.error` for an invalid one.

    `start` is the state before the first character; `advance` gives the one after some more text.
    """

    def __init__(self, pattern: str) -> None:
        self._tokens = _tokens(pattern)
        self._accept = 1 << len(self._tokens)
        self._masks: dict[str, tuple[int, int]] = {}
        self._steps: dict[tuple[int, str], int] = {}
        self._skips = [
            (size, sum(1 << at for at, token in enumerate(self._tokens) if size in token.skips))
            for size in (1, 2)
        ]
        self.start = self._skip(1)

    def advance(self, state: int, text: str) -> int:
        """Return the state after `text`; 0 where nothing that follows can match any more."""
        for char in text:
            if not state:
                return 0
            after = self._steps.get((state, char))
            state = self._step(state, char) if after is None else after
        return state

    def accepts(self, state: int) -> bool:
        """Return whether the text that led to the state matches the whole pattern."""
        return bool(state & self._accept)

    def _step(self, state: int, char: str) -> int:
        moves, stays = self._masks.get(char) or self._masks_of(char)
        after = self._skip((state & moves) << 1 | state & stays)
        if len(self._steps) >= _MOST_STEPS:
            self._steps.clear()
        self._steps[state, char] = after
        return after

    def _skip(self, state: int) -> int:
        """Add the places that can be reached without a character."""
        while True:
            more = state
            for size, places in self._skips:
                more |= (more & places) << size
            if more == state:
                return state
            state = more

    def _masks_of(self, char: str) -> tuple[int, int]:
        moves = sum(1 << at for at, token in enumerate(self._tokens) if token.accepts(char))
        stays = sum(1 << at for at, token in enumerate(self._tokens) if token.stays(char))
        self._masks[char] = moves, stays
        return moves, stays


def _tokens(pattern: str) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(pattern):
        more, length = _translate(pattern, at)
        # A star after an equal one has no effect, so it is dropped.
        if more != tuple(tokens[-len(more) :]) or not more[0].skips:
            tokens += more
        at += length
    return tokens


def _translate(pattern: str, at: int) -> tuple[tuple[_Token, ...], int]:
    """Return the tokens for what stands at `at`, and its length."""
    char, rest = pattern[at], pattern[at + 1 :]
    if char == "*" and rest.startswith("*"):
        length = 3 if rest.startswith("*/") else 2
        end = at + length
        anything = end == len(pattern) or (end == 2 and _is_suffix(pattern))
        return ((_ANYTHING,) if anything else _FOLDERS), length
    if char == "*":
        return (_NAME_PART,), 1
    if char == "?":
        return (_Token(accepts=_no_slash),), 1
    if char == "\\":
        if not rest:
            raise re.error("nothing to escape")
        return (_Token(accepts=rest[0].__eq__),), 2
    if char == "[":
        members = re.match(r"\^?(?:\\.|[^\]\\])+\]", rest, re.DOTALL)
        if not members:
            raise re.error("no closing bracket")
        expression = re.compile("[" + members[0].replace("[", "\\["), re.DOTALL)
        return (_Token(accepts=lambda other: bool(expression.fullmatch(other))),), 1 + members.end()
    return (_Token(accepts=char.__eq__),), 1


def _is_suffix(pattern: str) -> bool:
    """Return whether the pattern is `**name` without another wildcard: it matches `my-name`."""
    return pattern[2:3] != "/" and not re.search(r"[*?\\\[\]]", pattern[2:])
