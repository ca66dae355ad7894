"""One check of `scar doctor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from scar.registration.spec import Finding
from scar.settings import Settings


@dataclass(frozen=True)
class Check:
    """`run` yields findings; it is skipped if a check that it `needs` has found an error."""

    name: str
    run: Callable[[Settings], Iterator[Finding]]
    needs: tuple[str, ...] = ()
