"""Masks a job's secrets, and removes control characters, in text that will be displayed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scar.errors import ScarError
from scar.redaction import LineMasker, clean, mask


class Masker:
    """Masks the secrets of one job.

    `more_secrets` returns further secrets, those in containers' environments. It is called only if
    an error with log lines is displayed, because it queries the Engine.
    """

    def __init__(
        self, secrets: Iterable[str], more_secrets: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._secrets = tuple(secrets)
        self._more_secrets = more_secrets
        self._lines = LineMasker()

    def hide(self, values: Iterable[str]) -> None:
        """Add secret values that `text` and `error` mask from now on."""
        self._secrets = (*self._secrets, *values)

    def text(self, raw: str) -> str:
        """Return the text with secrets masked and control characters removed."""
        return mask(clean(raw), self._secrets)

    def line(self, raw: str) -> str:
        """Return the next line of a log or a program's output in the same way. A secret that began
        on an earlier line is masked up to its end.
        """
        return self._lines.mask(clean(raw), self._secrets)

    def error(self, error: ScarError) -> ScarError:
        """Return the error with secrets masked in its message, hint and log lines.

        The secrets of the containers' environments are masked too if the error has log lines, since
        containers may print them.
        """
        if error.lines:
            self.hide(self._more_secrets())
        lines = LineMasker()
        masked = tuple(lines.mask(clean(line), self._secrets) for line in error.lines)
        return ScarError(error.code, self.text(error.message), self.text(error.hint), lines=masked)
