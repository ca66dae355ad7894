"""Text from outside, made fit to be shown: no control characters, no secrets.

`clean` first, then `mask`: a colour in the middle of a password would hide it from `mask`.
Both take time in proportion to the text, whatever it holds: no pattern here can be made to look
at the same place over and over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

MASK = "***"
"""What stands in place of a secret."""

SHORTEST = 6
"""Characters below which a value is not masked where it occurs: it would hit ordinary words."""

# ECMA-48: CSI with parameters, then the strings (OSC, DCS, SOS, PM, APC) up to their end, then
# the short sequences. A sequence that was cut off goes as far as it can be one.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x00-\x08\x0a-\x1f\x7f-\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*+[0-~]"
)
# C0 and C1 without \t, \n and \r, the byte order mark, the bidirectional controls (Trojan
# Source) and the two separators that some programs take for the end of a line.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")

_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|authorization"
    r"|(?:api|access|private|signing|encryption|app|master|session|ssh|license)[_.-]?key"
    r"|(?:^|[_.-])(?:pass|pwd|dsn|auth)(?:$|[_.-])",
    re.IGNORECASE,
)
_NOT_A_SECRET_NAME = re.compile(
    r"[_.-](?:file|path|dir|type|ttl|expiry|expires|expires_in|length|limit|count|algorithm|name)$",
    re.IGNORECASE,
)

_TOKENS = re.compile(
    r"(?<![0-9])[0-9]{6,12}:[A-Za-z0-9_-]{30,}+"  # Telegram's bots
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
# What is not dashes is not the end; a key that was cut off is masked as far as the text goes.
# Not possessive: Python before 3.11.5 loses its place in a possessive group (gh-106052). Nothing
# that follows must match, so there is nothing to go back for either.
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]+|-(?!----))*"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)

# `NAME=`, `NAME: `, `"name": `, `\"name\":`, `--name ` up to where the value begins.
_PAIR = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)"
    r"(?:(?P<quote>\\{0,4}[\"'])?[ \t]{0,40}+(?P<sign>=>|:=|==?|:)[ \t]{0,40}+"
    r"|[ \t]{1,4}(?=[^\s-]))"
)
_QUOTED = re.compile(r"(?P<open>(?P<slashes>\\{0,4})[\"'])")
_PLAIN = re.compile(r"\S++")
_JSON_PLAIN = re.compile(r"\[[^\]\n]*+\]?|[^\s,}\]{]++")
_QUERY_PLAIN = re.compile(r"[^\s&#\"'<>]++")
_HEADER = re.compile(
    r"(?i)(?:(?:bearer|basic|token|digest|negotiate|apikey)[ \t]{1,4}+)?[^\s\"'\\]++"
)
_CLOSE = {
    '"': re.compile(r"(?:[^\"\\\n]|\\[^\n])*+"),
    "'": re.compile(r"(?:[^'\\\n]|\\[^\n])*+"),
}
_CLOSE_ESCAPED = {'"': re.compile(r"[^\"\\\n]*+"), "'": re.compile(r"[^'\\\n]*+")}
_NO_SECRET = re.compile(r"(?i)(?:null|none|nil|true|false|undefined)?[,;.)\]}]*+")
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]+)?[,;.)\]}]*+")
_WORD = re.compile(r"[a-z]{1,20}[,;.:]?")


def clean(text: str) -> str:
    """`text` as a terminal would leave it, without anything that is not seen.

    Colours and other escape sequences, control characters but line feed and tab, and
    bidirectional controls are dropped. Of a line that a progress bar wrote over with carriage
    returns, the last state stays. A half surrogate becomes U+FFFD.
    """
    text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    text = _SURROGATES.sub("\ufffd", text)
    if "\r" not in text:
        return text
    return "\n".join(_last_state(line) for line in text.split("\n"))


def _last_state(line: str) -> str:
    states = [state for state in line.split("\r") if state]
    return states[-1] if states else ""


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` with `***` for each of `secrets` and for whatever looks like one.

    A secret of fewer than 6 characters is not looked for. It is found as it is, as JSON or a URL
    writes it, and each long line of it by itself.
    """
    known = _known(tuple(secrets))
    if known is not None:
        text = known.sub(MASK, text)
    text = _PEM.sub(MASK, text)
    text = _TOKENS.sub(MASK, text)
    text = _USERINFO.sub(rf"\1:{MASK}@", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    return _mask_pairs(text)


def secret_values(env: Mapping[str, str]) -> tuple[str, ...]:
    """The values in `env` that must not be shown, the longest first.

    Those of variables whose names look secret, and the password in any address.
    """
    found: set[str] = set()
    for name, value in env.items():
        if looks_secret(name) or name.upper().endswith("_KEY"):
            found.add(value)
        found |= set(_passwords(value))
    return tuple(
        sorted(
            (v for v in found if len(v) >= SHORTEST and v.strip("*")), key=lambda v: (-len(v), v)
        )
    )


def looks_secret(name: str) -> bool:
    """Whether a variable called `name` is likely to hold a secret."""
    return bool(_SECRET_NAME.search(name)) and not _NOT_A_SECRET_NAME.search(name)


def _passwords(value: str) -> Iterable[str]:
    if "://" not in value:
        return
    try:
        password = urlsplit(value).password
    except ValueError:
        return
    if password:
        yield password
        yield unquote(password)


@lru_cache(maxsize=64)
def _known(secrets: tuple[str, ...]) -> re.Pattern[str] | None:
    forms: set[str] = set()
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        for form in (
            secret,
            secret.strip(),
            clean(secret),
            *(line for line in lines if len(line) >= 16),
        ):
            as_json = json.dumps(form)[1:-1]
            as_text = json.dumps(form, ensure_ascii=False)[1:-1]
            url = quote(form.encode("utf-8", "surrogatepass"), safe="")
            forms |= {form, as_json, as_text, url}
    wanted = [form for form in forms if len(form) >= SHORTEST and form.strip("*")]
    if not wanted:
        return None
    return re.compile("|".join(re.escape(form) for form in sorted(wanted, key=len, reverse=True)))


def _mask_pairs(text: str) -> str:
    """`NAME=***` where NAME looks secret. Values are taken whole, so that no text is read twice."""
    parts: list[str] = []
    done = 0
    for pair in _PAIR.finditer(text):
        if pair.start() < done or not looks_secret(pair["name"]):
            continue
        if pair["sign"] is None and not pair["name"].startswith("--"):
            continue
        start, end = _value(text, pair)
        if end > start and not _harmless(pair, text[start:end]):
            parts += [text[done:start], MASK]
            done = end
    return "".join([*parts, text[done:]])


def _value(text: str, pair: re.Match[str]) -> tuple[int, int]:
    """Where the value of `pair` begins and ends, without its quotes."""
    at = pair.end()
    opened = _QUOTED.match(text, at)
    if opened:
        closing = _CLOSE_ESCAPED if opened["slashes"] else _CLOSE
        inner = closing[opened["open"][-1]].match(text, opened.end())
        return opened.end(), inner.end() if inner else opened.end()
    if pair["name"].lower().endswith("authorization"):
        pattern = _HEADER
    elif pair["quote"]:
        pattern = _JSON_PLAIN
    elif text[pair.start() - 1 : pair.start()] in ("?", "&"):
        pattern = _QUERY_PLAIN
    else:
        pattern = _PLAIN
    plain = pattern.match(text, at)
    return at, plain.end() if plain else at


def _harmless(pair: re.Match[str], value: str) -> bool:
    """Whether a value cannot be a secret: null, a count of tokens, a word after `token: `."""
    if value == MASK or _NO_SECRET.fullmatch(value):
        return True
    if "token" not in pair["name"].lower():
        return False
    prose = pair["sign"] == ":" and pair[0].endswith(" ") and not pair["quote"]
    return bool(_NUMBER.fullmatch(value) or (prose and _WORD.fullmatch(value)))
