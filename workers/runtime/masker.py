"""Text from outside, made fit to be shown: without secrets and control characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scar.errors import ScarError
from scar.redaction import LineMasker, clean, mask


class Masker:
    """Replaces the secrets of one job. `more_secrets` returns those that are looked up only when
    output of a container is shown, because each lookup costs calls of the Engine.
    """

    def __init__(
        self, secrets: Iterable[str], more_secrets: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._secrets = tuple(secrets)
        self._more_secrets = more_secrets
        self._lines = LineMasker()

    def hide(self, values: Iterable[str]) -> None:
        """Mask further values from here on."""
        self._secrets = (*self._secrets, *values)

    def text(self, raw: str) -> str:
        """Return the text without secrets and control characters."""
        return mask(clean(raw), self._secrets)

    def line(self, raw: str) -> str:
        """Return the next line of a log or of what a program prints, in the same way: a secret that
        began on a line before is masked to its end.
        """
        return self._lines.mask(clean(raw), self._secrets)

    def error(self, error: ScarError) -> ScarError:
        """Return the error as it may be shown: it can hold log lines and what other programs
        printed, and a container may print what its environment holds.
        """
        if error.lines:
            self.hide(self._more_secrets())
        lines = LineMasker()
        masked = tuple(lines.mask(clean(line), self._secrets) for line in error.lines)
        return ScarError(error.code, self.text(error.message), self.text(error.hint), lines=masked)
