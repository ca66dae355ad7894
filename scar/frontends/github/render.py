"""Renders a document as a GitHub comment: escaped Markdown of at most 65,536 characters.

The dialect is GitHub Flavored Markdown (https://github.github.com/gfm/); comments keep their line
breaks. Lists in a document are rendered as lists, all other markup is escaped.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace

from scar.document import Code, Document, Line
from scar.json_object import JsonObject

LONGEST = 65_536
MARK = "<!-- scar"
"""The beginning of the hidden block in every comment that SCAR writes."""

_ROOM = 60_000
_FOLDED = 15
_WORD_JOINER = "\u2060"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_REFERENCE = re.compile(r"@(?=[\w-])|#(?=\d)|\bGH-(?=\d)|://|\bwww\.(?=\S)", re.IGNORECASE)
_SPECIAL = re.compile(r"[\\*\[\]|~$]|(?<![^\W_])_+|_+(?![^\W_])")
_ITEM = r"(?:[-+]|\d{1,9}[.)])[ \t]"
_BLOCK = rf"{_ITEM}[ \t]+|#{{1,6}}(?:\s|$)|`{{3}}|=+\s*$|-[ \t-]*$|\+{{2,}}\s*$"
_LEADING = re.compile(rf"^(?= {{0,3}}(?:{_ITEM})*(?:{_BLOCK}))", re.MULTILINE)
"""Headings, rules, fences and indented code, also behind the mark of a list item."""
_INDENT = re.compile(r"^(?= {4}| *\t)[ \t]+", re.MULTILINE)


def to_markdown(document: Document, outcome: JsonObject | None = None) -> str:
    """Return the comment's Markdown; `outcome` is added as JSON in a hidden block, for programs."""
    parts = [_block(block) for block in document.blocks]
    offers = [button for button in document.buttons if button.command]
    if offers:
        parts.append("Comment to go on:")
        # A backtick in the label could end the code span of the command, so it is replaced.
        labels = [_text(button.label.replace("\n", " ")).replace("`", "'") for button in offers]
        commands = [_code_span(button.command) for button in offers]
        parts += [f"- {label}: {code}" for label, code in zip(labels, commands, strict=True)]
    if document.links:
        parts.append(
            "\n" + " · ".join(f"[{_text(one.label)}](<{one.url}>)" for one in document.links)
        )
    hidden = _hidden(outcome)
    if document.attachment is not None:
        room = LONGEST - sum(map(len, parts)) - len(parts) - len(hidden) - 3
        parts.append(_file(document.attachment.name, document.attachment.text, room))
    return "\n".join([*parts, "", hidden])


def fit(document: Document) -> Document:
    """Return a document that fits into one comment: only the end of each overlong block is kept."""
    if len(to_markdown(replace(document, attachment=None))) <= _ROOM:
        return document
    room = _ROOM // max(1, len(document.blocks))
    blocks = tuple(_shortened(block, room) for block in document.blocks)
    return replace(document, blocks=blocks)


def _shortened(block: Line | Code, room: int) -> Line | Code:
    if len(_block(block)) <= room:
        return block
    text = block.text[-room:]
    while True:  # escaping makes the text longer
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
    """Return an attachment as a folded block, with as much of its end as fits into `room`
    characters.
    """
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
    """Return a code block whose fence has more backticks than any run of backticks in the text."""
    clean = _inert_code(text)
    longest = max(map(len, re.findall(r"`+", clean)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"\n{fence}text\n{clean}\n{fence}\n"


def _code_span(text: str | None) -> str:
    clean = _inert_code(text or "").replace("\n", " ")
    return "`" + clean.replace("`", "'") + "`"


def _inert_code(text: str) -> str:
    """Return text for a code block in which nothing can be mistaken for the hidden block."""
    return _CONTROLS.sub("\ufffd", text).replace("<!--", f"<{_WORD_JOINER}!--")


def _text(text: str) -> str:
    """Return text escaped so that GitHub displays it literally, without markup, mentions or
    references.
    """
    shown = _CONTROLS.sub("\ufffd", text)
    shown = _REFERENCE.sub(lambda match: match[0] + _WORD_JOINER, shown)
    shown = _SPECIAL.sub(lambda match: "".join(f"\\{c}" for c in match[0]), shown)
    shown = html.escape(shown, quote=False)
    shown = _INDENT.sub(lambda match: "\u00a0" * len(match[0]), shown)
    return _LEADING.sub(_WORD_JOINER, shown)


def _hidden(outcome: JsonObject | None) -> str:
    """Return the hidden block: an HTML comment, escaped so that the outcome cannot contain its
    end `-->`.
    """
    if outcome is None:
        return f"{MARK} -->"
    text = json.dumps(outcome, separators=(",", ":"), sort_keys=True)
    for character in "<>-&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f"{MARK}: {text} -->"


def first_words(body: str) -> str | None:
    """Return the part of a comment that is addressed to SCAR: its first line, or the whole text if
    it is an instruction for the coding agent.

    None if the first line is a quotation or code, and for comments that SCAR itself wrote.
    """
    text = body.strip("\r\n")
    if MARK in body or text.startswith((">", "```", "~~~", "<!--", "    ", "\t")):
        return None
    first, _, _ = text.partition("\n")
    return text.strip() if first.lstrip().startswith("@") else first.strip()
