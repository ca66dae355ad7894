"""Decodes the Engine's log streams into lines.

The Engine stores a line as one or more messages, each a timestamp, a space and text. A long line is
split into messages with 16 KiB of text, which all have the line's timestamp.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime

from workers.engine.text import LINE_BYTES, decode

_MESSAGE_BYTES = 16384
_HEADER = struct.Struct(">BxxxL")


@dataclass(frozen=True)
class LogLine:
    """A log line. `at` is a time in RFC 3339, UTC, with nine decimals, so that it sorts as text."""

    at: str
    stream: str
    text: str

    @property
    def time(self) -> datetime:
        """The time `at`, rounded down to a microsecond."""
        return datetime.fromisoformat(self.at[:26] + "+00:00")


class MultiplexedLog:
    """Decodes the log of a container without a terminal: frames with an 8-byte header (stream,
    length) and one message each.

    See "Stream format" in the Engine API's `ContainerAttach`. `messages` counts the frames read.
    """

    def __init__(self) -> None:
        self.messages = 0
        self._rest = b""
        self._stdout, self._stderr = _LineAssembler("stdout"), _LineAssembler("stderr")

    def feed(self, chunk: bytes) -> list[LogLine]:
        """Return the lines that the next bytes complete, of both streams, in the order in which
        they end.
        """
        buffer = self._rest + chunk
        start, size = 0, len(buffer)
        lines: list[LogLine] = []
        while size >= (body := start + _HEADER.size):
            number, length = _HEADER.unpack_from(buffer, start)
            if size < body + length:
                break
            start = body + length
            self.messages += 1
            (self._stderr if number == 2 else self._stdout).feed(buffer[body:start], lines)
        self._rest = buffer[start:]
        return lines

    def end(self) -> list[LogLine]:
        """Return the last line of each stream, if it has no line break."""
        return [*self._stdout.end(), *self._stderr.end()]


class TerminalLog:
    """Decodes the log of a container with a terminal: messages without frames."""

    def __init__(self) -> None:
        self.messages = 0
        self._rest = b""
        self._assembler = _LineAssembler("stdout")

    def feed(self, chunk: bytes) -> list[LogLine]:
        """Return the lines that the next bytes complete."""
        buffer = self._rest + chunk
        lines: list[LogLine] = []
        while (end := _message_end(buffer)) > 0:
            self.messages += 1
            self._assembler.feed(buffer[:end], lines)
            buffer = buffer[end:]
        self._rest = buffer
        return lines

    def end(self) -> list[LogLine]:
        """Return the last line, if it has no line break."""
        lines: list[LogLine] = []
        if self._rest:
            self.messages += 1
            self._assembler.feed(self._rest, lines)
        return [*lines, *self._assembler.end()]


def log_decoder(*, tty: bool) -> MultiplexedLog | TerminalLog:
    """Return the decoder for a container with (`tty`) or without a terminal."""
    return TerminalLog() if tty else MultiplexedLog()


class _LineAssembler:
    """Joins the messages of one stream to lines; keeps at most `LINE_BYTES` of one line."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._timestamp = b""
        self._text = bytearray()
        self._cut = 0

    def feed(self, message: bytes, lines: list[LogLine]) -> None:
        """Append the log lines that a message of the Engine completes."""
        timestamp, _, text = message.partition(b" ")
        if self._timestamp and timestamp != self._timestamp:
            lines.append(self._take())
        self._timestamp = timestamp
        room = LINE_BYTES - len(self._text)
        self._text += text[:room]
        self._cut += max(0, len(text) - room)
        if text.endswith(b"\n"):
            lines.append(self._take())

    def end(self) -> list[LogLine]:
        """Return the log's last line if it has no line break."""
        return [self._take()] if self._timestamp else []

    def _take(self) -> LogLine:
        text = decode(bytes(self._text))
        if self._cut:
            text += f" [... {self._cut} bytes of this line cut]"
        line = LogLine(self._timestamp.decode("ascii", "replace"), self._stream, text)
        self._timestamp, self._cut = b"", 0
        self._text.clear()
        return line


def _message_end(buffer: bytes) -> int:
    """Return where the first message in a terminal's log ends; 0 if more bytes are needed to tell.

    A message ends at a line break, or after `_MESSAGE_BYTES` if the same timestamp follows.
    """
    text = buffer.find(b" ") + 1
    line_break = buffer.find(b"\n") + 1
    full = text + _MESSAGE_BYTES
    if text and (not line_break or line_break > full) and len(buffer) >= full + text:
        return full if buffer[full : full + text] == buffer[:text] else line_break or full
    return line_break if line_break <= full or len(buffer) >= full + text else 0
