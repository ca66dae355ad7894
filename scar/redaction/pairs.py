"""Masks values whose name looks secret, as in `password=...` or `"token": "..."`."""

from __future__ import annotations

import re

from scar.redaction.secret_names import looks_secret, may_name_a_secret
from scar.redaction.tokens import MASK

# `NAME=`, `NAME: `, `"name": `, `\"name\":`, `--name ` up to the start of the value.
_PAIR = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)"
    r"(?:(?P<quote>\\{0,4}[\"'])?[ \t]{0,40}+(?P<sign>=>|:=|==?|:)[ \t]{0,40}+"
    r"|[ \t]{1,4}(?=[^\s-]))"
)
_QUOTED = re.compile(r"(?P<open>(?P<slashes>\\{0,4})[\"'`])")
_PLAIN = re.compile(r"\S++")
_JSON_PLAIN = re.compile(r"\[[^\]\n]*+\]?|[^\s,}\]{]++")
_QUERY_PLAIN = re.compile(r"[^\s&#\"'<>\\]++")
_HEADER = re.compile(
    r"(?i)(?:(?:bearer|basic|token|digest|negotiate|apikey)[ \t]{1,4}+)?[^\s\"'\\]++"
)
_CLOSE = {
    '"': re.compile(r"(?:[^\"\\\n]|\\[^\n])*+"),
    "'": re.compile(r"(?:[^'\\\n]|\\[^\n])*+"),
    "`": re.compile(r"(?:[^`\\\n]|\\[^\n])*+"),
}
_CLOSE_ESCAPED = {quote: re.compile(rf"[^{quote}\\\n]*+") for quote in _CLOSE}
_NO_SECRET = re.compile(r"(?i)(?:null|none|nil|true|false|undefined|yes|no|[|>][+-]?)?[,;.)\]}]*+")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?[,;.)\]}]*+")
_WORD = re.compile(r"[a-z]{1,20}[,;.:]?")
# In `"mysql:password=hunter2";` the end belongs to the text around it.
_AFTER_QUOTE = re.compile(r"\\{0,4}[\"'`][,;:)\]}>\\]{0,8}\Z")
_LONGEST_AFTER_QUOTE = 16


def mask_pairs(text: str) -> str:
    """Return `text` with `NAME=***` for each value whose name looks secret.

    The search for the next name continues after the whole value, so that no text is scanned twice.
    """
    if not may_name_a_secret(text):
        return text
    parts: list[str] = []
    done = 0
    for pair in _PAIR.finditer(text):
        if pair.start() < done or not looks_secret(pair["name"]):
            continue
        if pair["sign"] is None and not pair["name"].startswith("--"):
            continue
        start, end = _value_span(text, pair)
        if end > start and not _is_harmless(pair, text[start:end]):
            parts += [text[done:start], MASK]
            done = end
    return "".join([*parts, text[done:]])


def _value_span(text: str, pair: re.Match[str]) -> tuple[int, int]:
    """Return where the value of `pair` begins and ends, without its quotes."""
    quote = _QUOTED.match(text, pair.end())
    if quote:
        closing = _CLOSE_ESCAPED if quote["slashes"] else _CLOSE
        quoted = closing[quote["open"][-1]].match(text, quote.end())
        return quote.end(), quoted.end() if quoted else quote.end()
    plain = _plain_pattern(text, pair).match(text, pair.end())
    if plain is None or pair["quote"]:
        return pair.end(), plain.end() if plain else pair.end()
    around = _AFTER_QUOTE.search(
        text, max(pair.end() + 1, plain.end() - _LONGEST_AFTER_QUOTE), plain.end()
    )
    return pair.end(), around.start() if around else plain.end()


def _plain_pattern(text: str, pair: re.Match[str]) -> re.Pattern[str]:
    """Return the pattern of an unquoted value, which depends on where `pair` stands: a header,
    JSON, a URL query or plain text.
    """
    if pair["name"].lower().endswith("authorization"):
        return _HEADER
    if pair["quote"]:
        return _JSON_PLAIN
    if text[pair.start() - 1 : pair.start()] in ("?", "&"):
        return _QUERY_PLAIN
    return _PLAIN


def _is_harmless(pair: re.Match[str], value: str) -> bool:
    """Return whether a value is not a secret: null, a count of tokens, or an ordinary word after
    `token: `.
    """
    if value == MASK or _NO_SECRET.fullmatch(value):
        return True
    if "token" not in pair["name"].lower():
        return False
    prose = pair["sign"] == ":" and pair[0].endswith(" ") and not pair["quote"]
    return bool(_NUMBER.fullmatch(value) or (prose and _WORD.fullmatch(value)))
