"""What a container or a build printed, as text that is safe to show.

Terminal control sequences are taken out, since nothing that shows the text is a terminal;
every other character stays. Bytes that are not UTF-8 become U+FFFD.
"""

from __future__ import annotations

import re

LINE_BYTES = 1024 * 1024
"""A single line longer than this is cut, and says so."""

# ECMA-48: CSI (colours, cursor), then OSC/DCS/APC/PM/SOS strings, then the short escapes.
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(line: str) -> str:
    """One line without escape sequences, control characters and its line break.

    A carriage return rewrites the line on a terminal: what a person would see last is kept.
    """
    shown = _ESCAPE.sub("", line).rstrip("\r\n")
    shown = shown.rsplit("\r", 1)[-1]
    return _CONTROL.sub("", shown)


def decode(raw: bytes) -> str:
    """`plain` of a whole line of bytes."""
    return plain(raw.decode("utf-8", "replace"))


class LineSplitter:
    """Turns a stream of bytes into whole lines, holding at most `LINE_BYTES` of one line.

    Lines are cut as bytes and decoded whole, so a character that arrives in two pieces stays one.
    With `rewrites`, a carriage return ends a line as well.
    """

    def __init__(self, *, rewrites: bool = False) -> None:
        self._rewrites = rewrites
        self._held = bytearray()
        self._cut = 0

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completes."""
        lines = []
        if self._rewrites:
            chunk = chunk.replace(b"\r", b"\n")
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self._hold(piece)
            lines.append(self._take())
        self._hold(rest)
        return lines

    def end(self) -> list[str]:
        """The last line, where it had no line break."""
        return [self._take()] if self._held or self._cut else []

    def _hold(self, piece: bytes) -> None:
        room = LINE_BYTES - len(self._held)
        self._held += piece[:room]
        self._cut += max(0, len(piece) - room)

    def _take(self) -> str:
        line = decode(bytes(self._held))
        if self._cut:
            line += f" [... {self._cut} bytes of this line cut]"
        self._held.clear()
        self._cut = 0
        return line
