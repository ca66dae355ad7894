"""Masks known secrets, and text that looks like one, such as API tokens and private keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote

from scar.redaction.cleaning import clean
from scar.redaction.pairs import MASK, mask_pairs
from scar.redaction.secret_names import can_be_masked

_LONG_LINE = 16

_TOKENS = re.compile(
    r"(?<![0-9])[0-9]{6,12}:[A-Za-z0-9_-]{30,}+"  # Telegram bot tokens
    r"|(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9_]{16,}+"
    r"|(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,}+"
    r"|(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,}+"
    r"|(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9-]{10,}+"
    r"|(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{20,}+"
    r"|(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{10,}+"
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{4,}+\.[A-Za-z0-9_-]*+"  # JWT
)
_BEARER = re.compile(r"(?i)(?<![A-Za-z0-9])(bearer[ \t]{1,4}+)[A-Za-z0-9._~+/=-]{16,}+")
_USERINFO = re.compile(r"(?<=://)([^\s:@/]*+):[^\s/\"'<>]*@")
# A truncated key is masked up to the end of the text. The group is not possessive, because Python
# before 3.11.5 matches possessive groups wrongly (gh-106052). It cannot backtrack far, because the
# pattern after it is optional.
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]+|-(?!----))*"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with `***` in place of each of `secrets` and of anything that looks like a
    secret.

    A secret is masked in its plain form, in the forms in which JSON and URLs encode it, and in each
    of its long lines. Secrets of fewer than 6 characters are not masked, because ordinary words
    would match.
    """
    pattern = _pattern_of(tuple(secrets))
    if pattern is not None:
        text = pattern.sub(MASK, text)
    text = _PEM.sub(MASK, text)
    text = _TOKENS.sub(MASK, text)
    text = _USERINFO.sub(rf"\1:{MASK}@", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return mask_pairs(text)


@lru_cache(maxsize=64)
def _pattern_of(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return a pattern of all forms of the secrets, the longest first; None without any."""
    forms = {form for secret in secrets for text in _texts(secret) for form in _encodings(text)}
    masked = sorted(filter(can_be_masked, forms), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, masked))) if masked else None


def _texts(secret: str) -> Iterator[str]:
    """Yield the secret itself, the form in which `clean` leaves it, and each of its long lines."""
    yield from (secret, secret.strip(), clean(secret))
    lines = (line.strip() for line in secret.splitlines())
    yield from (line for line in lines if len(line) >= _LONG_LINE)


def _encodings(text: str) -> Iterator[str]:
    """Yield the text itself, its two JSON encodings (with and without ASCII escapes), and its
    URL encoding.
    """
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield quote(text.encode("utf-8", "surrogatepass"), safe="")
