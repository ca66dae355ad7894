"""Masks tokens of known kinds (such as API keys) by their form, anywhere in a text.

The kinds are data: `betterleaks.toml` is a public rule set, `own_tokens.toml` adds what it lacks.
One pass finds the fixed beginnings of all kinds, and a kind's pattern is tried only there: 200
kinds cost a line of ordinary log no more than 20.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ahocorasick_rs import AhoCorasick

from scar.redaction.cleaning import without_surrogates

MASK = "***"
"""The text that replaces a secret."""

_FILES = ("own_tokens.toml", "betterleaks.toml")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_LONG_SECOND_HALF = re.compile(r":[A-Za-z0-9_-]{30}")
_TELEGRAM_BOT = re.compile(r"(?<![0-9])[0-9]{6,12}:[A-Za-z0-9_-]{30,}+")


@dataclass(frozen=True)
class Rules:
    """The prefixes of tokens (lower case), the patterns of each, and the automaton that finds the
    prefixes.
    """

    starts: tuple[str, ...]
    patterns: tuple[tuple[str, ...], ...]
    automaton: AhoCorasick


def mask_tokens(text: str) -> str:
    """Return `text` with `***` for each token."""
    if _LONG_SECOND_HALF.search(text):
        text = _TELEGRAM_BOT.sub(MASK, text)
    parts: list[str] = []
    done = 0
    for start, end in _spans(text):
        parts += [text[done:start], MASK]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


def _spans(text: str) -> Iterator[tuple[int, int]]:
    kinds = rules()
    done = 0
    for start, number in _hits(kinds.automaton, _lower(text)):
        if start < done or text[start - 1 : start].isalnum():
            continue
        for pattern in kinds.patterns[number]:
            if token := _compiled(pattern).match(text, start):
                done = token.end()
                if not _is_identifier(token[0]):
                    yield start, done
                break


def _lower(text: str) -> str:
    """Return the text with lower-case letters of ASCII, of the same length."""
    return text.lower() if text.isascii() else without_surrogates(text).translate(_LOWER)


def _hits(automaton: AhoCorasick, lower: str) -> list[tuple[int, int]]:
    """Return the positions at which a token may begin, with the numbers of the prefixes found."""
    if not (hits := automaton.find_matches_as_indexes(lower, overlapping=True)):
        return []
    return sorted((start, number) for number, start, _ in hits)


def _is_identifier(token: str) -> bool:
    """Return whether a word is more likely a name than a token: lower-case letters alone, as in
    `sk-fade-in`.
    """
    return token.islower() and not any(char.isdigit() for char in token)


@cache
def rules() -> Rules:
    """Return the kinds of tokens; read at the first use."""
    by_start: dict[str, list[str]] = {}
    for name in _FILES:
        text = files("scar.redaction").joinpath(name).read_text("utf-8")
        for rule in tomllib.loads(text).values():
            for start in rule["starts"]:
                by_start.setdefault(start, []).append(rule["pattern"])
    patterns = tuple(map(tuple, by_start.values()))
    return Rules(tuple(by_start), patterns, AhoCorasick(by_start))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
