"""Finds secrets whose values are known, as they are and as other programs write them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

from ahocorasick_rs import AhoCorasick, MatchKind

from scar.redaction.cleaning import clean, without_surrogates
from scar.redaction.secret_names import can_be_masked
from scar.redaction.tokens import MASK

_LONG_LINE = 16
_SHORTEST_ENCODED = 8


def mask_known(text: str, secrets: tuple[str, ...]) -> str:
    """Return `text` with `***` for each form of the secrets, the longest where several begin.

    The forms: as it is, each long line of it, as JSON, HTML and URLs write it, in hexadecimal, and
    in Base64 at each of the three places where it can begin among other bytes (`user:password`).
    """
    automaton = _automaton(secrets)
    if automaton is None:
        return text
    parts: list[str] = []
    done = 0
    for _, start, end in automaton.find_matches_as_indexes(without_surrogates(text)):
        parts += [text[done:start], MASK]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


@lru_cache(maxsize=64)
def _automaton(secrets: tuple[str, ...]) -> AhoCorasick | None:
    """Return an Aho-Corasick automaton that finds all forms in one pass, in a time that does not
    depend on their number; a regular expression for 15 secrets takes ten times as long.
    """
    texts = {text for secret in secrets for text in _texts(secret)}
    forms = {form for text in texts for form in _written(text) if can_be_masked(form)}
    forms |= {form for text in filter(can_be_masked, texts) for form in _encoded(text)}
    return AhoCorasick(sorted(forms), MatchKind.LeftmostLongest) if forms else None


def _texts(secret: str) -> Iterator[str]:
    """Yield the secret as it is, as `clean` leaves it, and each long line of it."""
    secret = without_surrogates(secret)
    yield from (secret, secret.strip(), clean(secret))
    lines = (line.strip() for line in secret.splitlines())
    yield from (line for line in lines if len(line) >= _LONG_LINE)


def _written(text: str) -> Iterator[str]:
    """Yield the text as it is, and as JSON, HTML and URLs write it."""
    yield from (text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield html.escape(text)
    raw = text.encode()
    for quoted in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield quoted
        yield re.sub("%..", lambda code: code[0].lower(), quoted)


def _encoded(text: str) -> Iterator[str]:
    """Yield the text in hexadecimal and in Base64.

    Of Base64, the characters that depend on the text alone: those at both ends hold bits of what
    stands beside it.
    """
    raw = text.encode()
    yield from (raw.hex(), raw.hex().upper())
    for before in range(3):
        code = base64.b64encode(bytes(before) + raw).decode()
        own = code[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(own) >= _SHORTEST_ENCODED:
            yield from (own, own.replace("+", "-").replace("/", "_"))
            if code.endswith("="):  # nothing follows it: the last characters are known as well
                yield code[-(-before * 8 // 6) :]
