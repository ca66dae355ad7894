"""Which lines of a log are wanted: those with all of some words, in any order and case."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LineFilter:
    """Takes lines that have each of `words`; all where there is no word.

    It is used on masked lines: whoever asks for a secret by its value finds nothing.
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
