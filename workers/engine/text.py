"""Makes the output of containers and builds safe to display.

Terminal control sequences are removed, since the text is not displayed on a terminal; all other
characters stay. Bytes that are not UTF-8 become U+FFFD.
"""

from __future__ import annotations

import re

LINE_BYTES = 1024 * 1024
"""Maximum length of a line in bytes; a longer line is cut, with a note at its end."""

SHOWN_BYTES = 16 * 1024
"""What is shown of a line; the Engine itself breaks lines there."""

# ECMA-48: CSI (colours, cursor), then OSC/DCS/APC/PM/SOS strings, then the short escapes.
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(line: str) -> str:
    """Return a line without escape sequences, control characters and its line break.

    Of parts separated by carriage returns, only the last is kept, as a terminal would display it.
    """
    if (text := line.rstrip("\r\n")).isprintable():  # as nearly every line is
        return text
    text = _ESCAPE.sub("", line).rstrip("\r\n")
    return _CONTROL.sub("", text.rsplit("\r", 1)[-1])


def decode(raw: bytes) -> str:
    """Decode the bytes of a complete line to `plain` text."""
    return plain(raw.decode("utf-8", "replace"))


def shortened(line: str) -> str:
    """Return a line as it is shown: a long one is cut, and says so.

    Cut only what was masked before: half a secret is not recognised.
    """
    if len(line) * 4 <= SHOWN_BYTES:
        return line
    raw = line.encode("utf-8", "replace")
    if len(raw) <= SHOWN_BYTES:
        return line
    start = raw[:SHOWN_BYTES].decode("utf-8", "ignore")
    return f"{start} [... {len(raw) - len(start.encode())} bytes of this line cut]"


class LineSplitter:
    """Splits a stream of bytes into lines; keeps at most `LINE_BYTES` of one line.

    Lines are decoded once complete, since a character may be split between two chunks. With
    `rewrites`, a carriage return also ends a line.
    """

    def __init__(self, *, rewrites: bool = False) -> None:
        self._rewrites = rewrites
        self._line = bytearray()
        self._cut = 0

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that `chunk`, the next bytes of the stream, completes."""
        lines = []
        if self._rewrites:
            chunk = chunk.replace(b"\r", b"\n")
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._append(end)
            lines.append(self._take())
        self._append(rest)
        return lines

    def end(self) -> list[str]:
        """Return the stream's last line if it has no line break."""
        return [self._take()] if self._line or self._cut else []

    def _append(self, part: bytes) -> None:
        room = LINE_BYTES - len(self._line)
        self._line += part[:room]
        self._cut += max(0, len(part) - room)

    def _take(self) -> str:
        line = decode(bytes(self._line))
        if self._cut:
            line += f" [... {self._cut} bytes of this line cut]"
        self._line.clear()
        self._cut = 0
        return line
