"""Filters log lines: those that contain all of some words, in any order and case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LineFilter:
    """Accepts lines that contain each of `words`; without words, every line. It is applied to
    masked lines, so that nobody can search for a secret by its value.
    """

    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> LineFilter:
        """Return the filter for the words of a text."""
        return cls(tuple(text.casefold().split()))

    def takes(self, line: str) -> bool:
        """Return whether a line has all words."""
        if not self.words:
            return True
        folded = line.casefold()
        return all(word in folded for word in self.words)
