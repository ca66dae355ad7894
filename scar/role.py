"""The roles: viewer, operator and admin."""

from __future__ import annotations

from enum import IntEnum


class Role(IntEnum):
    """The roles, from the weakest to the strongest. Each role includes the permissions of those
    before it.
    """

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def with_article(self) -> str:
        """`a viewer`, `an operator`, `an admin`."""
        return f"{'a' if self is Role.VIEWER else 'an'} {self}"

    @classmethod
    def parse(cls, word: str) -> Role:
        """Return the role named `viewer`, `operator` or `admin`; raise `ValueError` for another
        word.
        """
        for role in cls:
            if str(role) == word:
                return role
        raise ValueError(f"unknown role: use {', '.join(str(role) for role in cls)}")
