"""Texts as Telegram keeps them: HTML read into entities, lengths in UTF-16 units.

The rules and the words of the errors are those of tdlib's `parse_html` and `fix_formatted_text`
(td/telegram/MessageEntity.cpp) as the Bot API shows them.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

from .rules import ApiError

Entity = dict[str, Any]

_NAMES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_TOKEN = re.compile(r"<|&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_START = re.compile(
    r"<([A-Za-z][A-Za-z-]*)((?:\s+[A-Za-z-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[\w.-]+))?)*)\s*>"
)
_ATTRIBUTE = re.compile(r"([A-Za-z-]+)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([\w.-]+)))?")
_END = re.compile(r"</([A-Za-z-]*)\s*>")
_CONTROL = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f]")
_COMMAND = re.compile(r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/@])")
_MENTION = re.compile(r"(?<![\w`@/])@[A-Za-z][A-Za-z0-9_]{2,31}\b(?!@)")


def units(text: str) -> int:
    """The length of a text in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


@dataclass
class _Open:
    tag: str
    attributes: dict[str, str]
    start: int


@dataclass
class _Reader:
    source: str
    text: str = ""
    entities: list[Entity] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)

    def read(self) -> tuple[str, list[Entity]]:
        at = 0
        while (match := _TOKEN.search(self.source, at)) is not None:
            self.text += self.source[at : match.start()]
            if match.group() != "<":
                self.text += html.unescape(match.group())
                at = match.end()
            elif self.source.startswith("</", match.start()):
                at = self._end(match.start())
            else:
                at = self._start(match.start())
        self.text += self.source[at:]
        if self.open:
            tag = self.open[-1].tag
            raise _error(f'Can\'t find end tag corresponding to start tag "{tag}"')
        return self.text, self.entities

    def _byte(self, at: int) -> int:
        return len(self.source[:at].encode())

    def _start(self, at: int) -> int:
        match = _START.match(self.source, at)
        if match is None:
            name = re.match(r"[^\s>/]*", self.source[at + 1 :])
            tag = (name.group() if name else "").lower()
            if tag not in _NAMES:
                raise _error(f'Unsupported start tag "{tag}" at byte offset {self._byte(at)}')
            raise _error(f"Unclosed start tag at byte offset {self._byte(at)}")
        tag = match.group(1).lower()
        attributes = {
            name.lower(): html.unescape(double or single or bare)
            for name, double, single, bare in _ATTRIBUTE.findall(match.group(2))
        }
        if tag not in _NAMES:
            raise _error(f'Unsupported start tag "{tag}" at byte offset {self._byte(at)}')
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise _error(f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(at)}')
        self.open.append(_Open(tag, attributes, units(self.text)))
        return match.end()

    def _end(self, at: int) -> int:
        match = _END.match(self.source, at)
        if match is None:
            raise _error(f"Unclosed end tag at byte offset {self._byte(at)}")
        if not self.open:
            raise _error(f"Unexpected end tag at byte offset {self._byte(at)}")
        last = self.open.pop()
        if match.group(1).lower() not in ("", last.tag):
            raise _error(
                f"Unmatched end tag at byte offset {self._byte(at)}, "
                f'expected "</{last.tag}>", found "</{match.group(1)}>"'
            )
        self._close(last)
        return match.end()

    def _close(self, last: _Open) -> None:
        length = units(self.text) - last.start
        if length == 0:
            return
        entity: Entity = {"type": _NAMES[last.tag], "offset": last.start, "length": length}
        if last.tag == "a":
            if not last.attributes.get("href"):
                return
            entity["url"] = last.attributes["href"]
        elif last.tag == "blockquote" and "expandable" in last.attributes:
            entity["type"] = "expandable_blockquote"
        elif last.tag == "code" and self._in_pre(last):
            return
        self.entities.append(entity)

    def _in_pre(self, code: _Open) -> bool:
        return bool(self.open) and self.open[-1].tag == "pre" and "class" in code.attributes


def _error(what: str) -> ApiError:
    return ApiError(400, f"Bad Request: can't parse entities: {what}")


def read_html(source: str) -> tuple[str, list[Entity]]:
    """The text and entities of Telegram's HTML; `ApiError` 400 where it cannot be read."""
    text, entities = _Reader(_cleaned(source)).read()
    return trimmed(text, entities)


def read_plain(source: str) -> tuple[str, list[Entity]]:
    """A text without markup."""
    return trimmed(_cleaned(source), [])


def trimmed(text: str, entities: list[Entity]) -> tuple[str, list[Entity]]:
    """Text without white space at its ends, its entities cut to it, and those found in it."""
    dropped = units(text) - units(text.lstrip())
    text = text.strip()
    length = units(text)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - dropped, 0)
        end = min(entity["offset"] - dropped + entity["length"], length)
        if end > start:
            kept.append({**entity, "offset": start, "length": end - start})
    kept += [marked for marked in found_in(text) if not _inside_code(marked, kept)]
    return text, sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


def found_in(text: str) -> list[Entity]:
    """Commands and mentions, which Telegram marks by itself."""
    return [
        {
            "type": kind,
            "offset": units(text[: match.start()]),
            "length": units(match.group()),
        }
        for kind, pattern in (("bot_command", _COMMAND), ("mention", _MENTION))
        for match in pattern.finditer(text)
    ]


def _inside_code(marked: Entity, entities: list[Entity]) -> bool:
    end = marked["offset"] + marked["length"]
    return any(
        entity["type"] in ("code", "pre", "text_link")
        and entity["offset"] < end
        and marked["offset"] < entity["offset"] + entity["length"]
        for entity in entities
    )


def _cleaned(text: str) -> str:
    return _CONTROL.sub(" ", text.replace("\r", ""))
