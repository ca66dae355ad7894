"""Masks secrets that take several lines: private keys, and blocks of YAML.

A `BlockMasker` is given the lines one by one, as a program prints them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from scar.redaction.secret_names import looks_secret
from scar.redaction.tokens import MASK

_SHORTEST_BODY = 64
_ENDS_A_NAME = (":", "|", ">", "-", "+", " ")
_KEY = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_BEGIN = re.compile(rf"-----BEGIN {_KEY}")
_END = re.compile(rf"-----END {_KEY}")
# A line of a key whose beginning was not seen: RFC 7468 breaks at 64 characters, OpenSSH at 70,
# MIME at 76. Digests and hashes are of one case, or of another length.
_BODY_ALONE = re.compile(
    r"(?<![A-Za-z0-9+/=_.:@-])(?=[A-Za-z0-9+/]*?[a-z])(?=[A-Za-z0-9+/]*?[A-Z])"
    r"(?=[A-Za-z0-9+/]*?[0-9])(?:[A-Za-z0-9+/]{64}|[A-Za-z0-9+/]{70}|[A-Za-z0-9+/]{76})"
    r"(?=\\[nr]|[\"']?[,;]?\s*\Z)"
)
_BODY = re.compile(
    r"(?:[^\n]{0,200}[|\]Z:>][ \t]+)?(?:[A-Za-z0-9+/]{20,80}={0,2}|[A-Za-z0-9+/]{1,80}==?)"
    r"|\s{0,40}[A-Za-z0-9+/]{1,80}={0,2}|\s{0,40}"
    r"|\s{0,40}(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): [^\n]*"
)
_TAIL = re.compile(r"[A-Za-z0-9+/]{64}[\"',;\s]{0,8}\Z")
_LONGEST_TAIL = 90
_YAML = re.compile(
    r"(?P<margin>[+\- ]?[ \t]*(?:-[ \t]+)?)[\"']?(?P<name>[\w.-]{1,200})[\"']?[ \t]*:[ \t]*"
    r"(?P<scalar>[|>][+\-0-9]{0,2})?[ \t]*(?:#[^\n]*)?"
)
_MAPPING = re.compile(r"[+\- ]?[ \t]*(?:-[ \t]+)?[\"']?[\w.-]{1,200}[\"']?[ \t]*:(?:[ \t]|\Z)")
_ITEM = re.compile(r"[+\- ]?[ \t]*(?:-[ \t]+)?")
_MARGIN = re.compile(r"[+\- ]?([ \t]*)")
_LONGEST_KEY_LINE = 400


@dataclass(frozen=True)
class _Block:
    """A name without a value on its line. A `scalar` (`|`, `>`) lasts as long as lines are indented
    deeper; else the value is the next line, or a list.
    """

    indent: int
    scalar: bool


class BlockMasker:
    """Masks a text line by line, remembering the block to which the next line may belong."""

    def __init__(self) -> None:
        self._in_key = False
        self._block: _Block | None = None

    def line(self, line: str) -> str:
        """Return the line, masked if it is part of a secret that began on an earlier line."""
        line = self._without_key(line)
        if self._block:
            return self._block_line(line, self._block)
        if line[-1:] in _ENDS_A_NAME:
            self._open_block(line)
        return line

    def _without_key(self, line: str) -> str:
        if self._in_key or "-----" in line:
            return self._key_line(line)
        if len(line) < _SHORTEST_BODY or not _may_be_body(line):
            return line
        masked = _BODY_ALONE.sub(MASK, line)
        self._in_key = masked != line
        return masked

    def _key_line(self, line: str) -> str:
        begin = _BEGIN.search(line)
        *_, end = (None, *_END.finditer(line))
        if end:
            self._in_key = False
            before = line[: begin.start()] if begin and begin.start() < end.start() else ""
            return f"{before}{MASK}{self._without_key(line[end.end() :])}"
        if begin:
            self._in_key = True
            return line[: begin.start()] + MASK
        if self._in_key and len(line) <= _LONGEST_KEY_LINE and _BODY.fullmatch(line):
            return MASK if line.strip() else line
        self._in_key = False
        return line

    def _block_line(self, line: str, block: _Block) -> str:
        if not line.strip():
            return line
        if self._indent(line) <= block.indent or (not block.scalar and _MAPPING.match(line)):
            self._block = None
            return self.line(line)
        item = _ITEM.match(line)
        assert item is not None
        if not block.scalar and "-" not in item[0][1:]:
            self._block = None
        return line[: item.end()] + MASK

    def _open_block(self, line: str) -> None:
        opened = _YAML.fullmatch(line)
        if opened is None or not looks_secret(opened["name"]):
            return
        scalar = opened["scalar"] is not None
        if scalar or not opened["name"].lower().endswith("secrets"):  # names, in a Compose file
            self._block = _Block(self._indent(line), scalar)

    @staticmethod
    def _indent(line: str) -> int:
        margin = _MARGIN.match(line)
        return len(margin[1]) if margin else 0


def _may_be_body(line: str) -> bool:
    """Return, as a quick check, whether the line ends with a long word or contains an escaped line
    end.
    """
    return "\\" in line or _TAIL.search(line, max(0, len(line) - _LONGEST_TAIL)) is not None
