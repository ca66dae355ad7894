"""Renders a document as a Telegram message: escaped HTML of at most 4,096 units.

Telegram counts the text without its markup, in UTF-16 code units (Bot API, "sendMessage" and
"MessageEntity").
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from scar.document import Attachment, Code, Document, Line

LONGEST = 4096
_HEAD = 1000
_CUT = Line("✂️ The whole is in the file.")
_EMPTY = "(nothing)"
_BETWEEN = " · "
_WORD_JOINER = "\u2060"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FOLDED = 5
"""The number of line breaks from which folded code is sent as an expandable quote."""

_LIVE = re.compile(r"(?<![\w/<>@]/)(?<=/)(?=\w)|(?<=@)(?=\w)")
_MENTION = re.compile(r"@(?=\w)")

_Piece = tuple[int, "Line | Code"]


def units(text: str) -> int:
    """Return the length of a text in UTF-16 code units, as Telegram counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def beginning(text: str, room: int) -> str:
    """Return the beginning of a plain text, cut to `room` UTF-16 code units."""
    return _shown(text).encode("utf-16-le")[: 2 * room].decode("utf-16-le", "ignore")


def to_html(document: Document) -> str:
    """Return the document as Telegram's HTML: escaped lines, code in `<pre>`, and long code that is
    folded in a quote that a tap expands.
    """
    text = "\n".join(_marked(block) for block in document.blocks)
    links = [
        f'<a href="{html.escape(one.url)}">{html.escape(one.label)}</a>' for one in document.links
    ]
    return "\n".join([text if text.strip() else _EMPTY, *([_BETWEEN.join(links)] if links else [])])


def _marked(block: Line | Code) -> str:
    text = html.escape(_inert(block), quote=False)
    if isinstance(block, Line) or not text.strip():
        return text
    if _is_quote(block):
        return f"<blockquote expandable>{text}</blockquote>"
    return f"<pre>{text}</pre>"


def _is_quote(block: Line | Code) -> bool:
    return isinstance(block, Code) and block.folded and block.text.count("\n") >= _FOLDED


def to_plain(document: Document) -> str:
    """Return the document as plain text: what `to_html` displays, without its markup."""
    text = "\n".join(_inert(block) for block in document.blocks)
    return "\n".join([text if text.strip() else _EMPTY, *_linked(document)])


def _linked(document: Document) -> list[str]:
    """Return the links as plain lines."""
    return [f"{link.label}: {link.url}" for link in document.links]


def fit(document: Document) -> Document:
    """Return a document that fits into one message: its first and last lines, with the full text as
    an attached file.

    A document that already fits is returned unchanged.
    """
    if units(to_plain(document)) <= LONGEST:
        return document
    pieces = [
        (number, Code(line) if isinstance(block, Code) else Line(line))
        for number, block in enumerate(document.blocks)
        for line in block.text.split("\n")
    ]
    head = _take(pieces, _HEAD)
    links = sum(units(line) + 1 for line in _linked(document))
    room = LONGEST - 2 - units(_inert(_CUT.text)) - _length(head) - links
    tail = _take(reversed(pieces[len(head) :]), room)[::-1]
    return replace(
        document,
        blocks=(*_joined(head), _CUT, *_joined(tail)),
        attachment=_whole(document),
    )


def _whole(document: Document) -> Attachment:
    if document.attachment is None:
        return Attachment("scar.txt", _shown(document.text) + "\n")
    return replace(
        document.attachment,
        text=f"{_shown(document.text)}\n\n{document.attachment.text}",
    )


def _take(pieces: Iterable[_Piece], room: int) -> list[_Piece]:
    """Return as many of the first lines as fit into `room` units; if the first line does not
    fit, its beginning.
    """
    taken: list[_Piece] = []
    for number, block in pieces:
        needed = units(_inert(block)) + 1
        if needed > room:
            if not taken:
                taken.append((number, replace(block, text=_beginning(block, room - 2) + "…")))
            break
        room -= needed
        taken.append((number, block))
    return taken


def _beginning(block: Line | Code, room: int) -> str:
    kept: list[str] = []
    for character in block.text:
        room -= units(_inert(replace(block, text=character + "a"))) - 1
        if room < 0:
            break
        kept.append(character)
    return "".join(kept)


def _length(pieces: list[_Piece]) -> int:
    return sum(units(_inert(block)) + 1 for _, block in pieces)


def _joined(pieces: list[_Piece]) -> Iterable[Line | Code]:
    """Join lines again into the blocks to which they belonged."""
    for _, group in groupby(pieces, key=lambda piece: piece[0]):
        lines = [block for _, block in group]
        yield replace(lines[0], text="\n".join(line.text for line in lines))


def _inert(block: Line | Code | str) -> str:
    """Return a block's text changed so that Telegram makes no mention of it and refuses no
    character.
    """
    text = _shown(block if isinstance(block, str) else block.text)
    if isinstance(block, Code):
        # Unlike in code, Telegram turns commands and names in a quote into links.
        return _LIVE.sub(_WORD_JOINER, text) if _is_quote(block) else text
    return _MENTION.sub("@" + _WORD_JOINER, text)


def _shown(text: str) -> str:
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return _CONTROLS.sub("\ufffd", whole)
