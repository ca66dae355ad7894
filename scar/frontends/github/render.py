"""A document as a GitHub comment: Markdown that nothing in it can break, of 65,536 characters.

Markdown is GitHub's (GFM, https://github.github.com/gfm/): a comment's line ends are kept, a list
of ours may look like one. What else would be taken for markup is escaped.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

from scar.document import Code, Document, Line

LONGEST = 65_536
MARK = "<!-- scar"
"""What every comment of SCAR's holds."""

_ROOM = 60_000
_FOLDED = 15
_WORD_JOINER = "\u2060"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_REFERENCE = re.compile(r"@(?=[\w-])|#(?=\d)|\bGH-(?=\d)|://|\bwww\.(?=\S)", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\*\[\]|~$]|(?<![^\W_])_+|_+(?![^\W_])")
_ITEM = r"(?:[-+]|\d{1,9}[.)])[ \t]"
_BLOCK = rf"{_ITEM}[ \t]+|#{{1,6}}(?:\s|$)|`{{3}}|=+\s*$|-[ \t-]*$|\+{{2,}}\s*$"
_LEADING = re.compile(rf"^(?= {{0,3}}(?:{_ITEM})*(?:{_BLOCK}))", re.MULTILINE)
"""Headings, rules, fences and indented code, those that stand behind an item's mark, too."""
_INDENT = re.compile(r"^(?= {4}| *\t)[ \t]+", re.MULTILINE)


def to_markdown(document: Document, outcome: Mapping[str, Any] | None = None) -> str:
    """The comment; `outcome` is what programs are told, where nobody sees it."""
    parts = [_block(block) for block in document.blocks]
    offers = [button for button in document.buttons if button.command]
    if offers:
        parts.append("Comment to go on:")
        # A backtick of the label's would pair with one of the command's, and lay that bare.
        labels = [_text(button.label.replace("\n", " ")).replace("`", "'") for button in offers]
        commands = [_code_span(button.command) for button in offers]
        parts += [f"- {label}: {said}" for label, said in zip(labels, commands, strict=True)]
    hidden = _hidden(outcome)
    if document.attachment is not None:
        room = LONGEST - sum(map(len, parts)) - len(parts) - len(hidden) - 3
        parts.append(_file(document.attachment.name, document.attachment.text, room))
    return "\n".join([*parts, "", hidden])


def fit(document: Document) -> Document:
    """The document as one comment holds it: of a code block that is too long, the last lines."""
    if len(to_markdown(Document(document.blocks, document.buttons))) <= _ROOM:
        return document
    room = _ROOM // max(1, len(document.blocks))
    blocks = tuple(_shortened(block, room) for block in document.blocks)
    return Document(blocks, document.buttons, document.attachment)


def _shortened(block: Line | Code, room: int) -> Line | Code:
    if len(_block(block)) <= room:
        return block
    text = block.text[-room:]
    while True:  # escaped, it is longer
        text = text[len(text) // 3 :]
        note = f"✂️ Of {len(block.text)} characters, the last {len(text)} follow; "
        cut = type(block)(f"{note}the API has all of it.\n{text}")
        if len(_block(cut)) <= room or not text:
            return cut


def _block(block: Line | Code) -> str:
    if isinstance(block, Line):
        return _text(block.text)
    lines = block.text.count("\n") + 1
    fenced = _fenced(block.text)
    return _details(f"{lines} lines", fenced) if lines > _FOLDED else fenced


def _file(name: str, text: str, room: int) -> str:
    """What other front-ends send as a file: folded, and as much of its end as there is room for."""
    shown = _details(name, _fenced(text))
    kept = text[-max(room - 500, 1) :]
    while len(shown) > room and kept:
        lines = kept.partition("\n")[2] or kept
        left_out = text.count("\n") - lines.count("\n")
        cut = f"{name}: its last lines; {left_out} before them do not fit, the API has all of it"
        shown = _details(cut, _fenced(lines))
        kept = kept[len(kept) // 3 + 1 :]
    return shown


def _details(summary: str, content: str) -> str:
    head = html.escape(_CONTROLS.sub("\ufffd", summary).replace("\n", " "), quote=False)
    return f"\n<details><summary>{head}</summary>\n\n{content}\n\n</details>\n"


def _fenced(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    clean = _unhidden(text)
    longest = max(map(len, re.findall(r"`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n{fence}text\n{clean}\n{fence}\n"


def _code_span(text: str | None) -> str:
    clean = _unhidden(text or "").replace("\n", " ")
    return "`" + clean.replace("`", "'") + "`"


def _unhidden(text: str) -> str:
    """What looks like the hidden outcome where nothing is escaped does so no more."""
    return _CONTROLS.sub("\ufffd", text).replace("<!--", f"<{_WORD_JOINER}!--")


def _text(text: str) -> str:
    """Text that shows as it is: no markup, no mention, no reference."""
    shown = _CONTROLS.sub("\ufffd", text)
    shown = _REFERENCE.sub(lambda found: found[0] + _WORD_JOINER, shown)
    shown = _SPECIAL.sub(lambda found: "".join(f"\\{c}" for c in found[0]), shown)
    shown = html.escape(shown, quote=False)
    shown = _INDENT.sub(lambda found: "\u00a0" * len(found[0]), shown)
    return _LEADING.sub(_WORD_JOINER, shown)


def _hidden(outcome: Mapping[str, Any] | None) -> str:
    """A comment of HTML, which ends at `-->` and nowhere else: nothing in it can be that."""
    if outcome is None:
        return f"{MARK} -->"
    text = json.dumps(outcome, separators=(",", ":"), sort_keys=True)
    for character in "<>-&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"{MARK}: {text} -->"


def first_words(body: str) -> str | None:
    """What a comment says to SCAR: its first line, or all of it where it is an instruction.

    None where that line quotes or shows code, and of what SCAR wrote itself.
    """
    text = body.strip("\r\n")
    if MARK in body or text.startswith((">", "```", "~~~", "<!--", "    ", "\t")):
        return None
    first, _, _ = text.partition("\n")
    return text.strip() if first.lstrip().startswith("@") else first.strip()
