"""The three roles, weakest first."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """What a person may ask for; each role may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Role:
        """The role that `viewer`, `operator` or `admin` names; anything else is a ValueError."""
        for role in cls:
            if str(role) == word:
                return role
        raise ValueError(f"unknown role: use {', '.join(str(role) for role in cls)}")
