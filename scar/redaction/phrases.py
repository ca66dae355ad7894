"""Masks secrets that a program's own syntax marks: commands, SQL, XML, HTTP headers, addresses.

Each rule first searches for a short text that every match must contain, so that ordinary lines cost
almost nothing.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from scar.redaction.secret_names import looks_secret
from scar.redaction.tokens import MASK

_USERINFO = re.compile(r"(?<=://)([^\s:@/]*+):[^\s/\"'<>]*@")
_KEY_AS_USER = re.compile(r"(?<=://)[A-Za-z0-9_.~%-]{16,}+@(?=[A-Za-z0-9\[])")
_SHORTEST_KEY = 16
_BEARER = re.compile(r"(?i)(?<![A-Za-z0-9])(bearer[ \t]{1,4}+)[A-Za-z0-9._~+/=-]{16,}+")
_BASIC = re.compile(r"(?i)(?<![A-Za-z0-9])(basic[ \t]{1,4}+)([A-Za-z0-9+/]{8,}+={0,2})")

_USER_OPTION = re.compile(
    r"(?<![^\s\"'=(])((?:-u|-U|--user|--proxy-user)[ \t=]{0,4}+[\"']?[^\s:\"']{1,200}:)"
    r"(?![0-9]{1,6}(?![^\s\"']))[^\s\"']+"
)
_COOKIE_OPTION = re.compile(r"(?<![^\s(])((?:-b|--cookie)[ \t=]{1,4}+[\"']?)[^\s\"']+=[^\"'\n]+")
_PASSWORD_OPTIONS = {
    "mysql": r"-p(?=[^\s-])",
    "mariadb": r"-p(?=[^\s-])",
    "sshpass": r"-p[ \t]{0,4}",
    "redis-cli": r"-a[ \t]{1,4}",
    "valkey-cli": r"-a[ \t]{1,4}",
    "ldapsearch": r"-w[ \t]{1,4}",
    " login": r"-p[ \t]{1,4}",
}
_OPTION_OF = {
    program: re.compile(rf"(?<![^\s\"'])({option}[\"']?)[^\s\"']+")
    for program, option in _PASSWORD_OPTIONS.items()
}

_SQL = re.compile(
    r"(?i)(?<![\w-])((?:identified[ \t]{1,8}(?:with[ \t]{1,8}[\w\"'`]{1,60}[ \t]{1,8})?(?:by|as)"
    r"(?:[ \t]{1,8}password)?|password(?:[ \t]{1,8}for[ \t]{1,8}[^\s=]{1,200})?)"
    r"(?:[ \t]{1,8}=?|=)[ \t]{0,8}(?:(?:old_)?password[ \t]{0,4})?\(?[ \t]{0,8}(\\?))(['\"])"
)
_SQL_END = {
    "'": re.compile(r"(?:[^'\\\n]|''|\\[^\n])*+"),
    '"': re.compile(r"(?:[^\"\\\n]|\"\"|\\[^\n])*+"),
}

_ELEMENT = re.compile(r"<([\w:.-]{1,100}+)(?:\s[^<>]{0,500}+)?>([^<>]++)(?=</)")
_ATTRIBUTE = re.compile(
    r"(?i)((?:key|name|id)=([\"'])([\w.:-]{1,100}+)\2[^<>\n]{0,200}?\bvalue=)([\"'])([^\"'\n]++)"
)

_COOKIE = re.compile(
    r"(?i)(?<![\w-])(?:set-)?cookie2?(?:\\?[\"'])?[ \t]{0,4}[:=][ \t]{0,4}(?:\\?[\"'])?"
    r"(?=[^\s=;]{1,100}=)"
)
_COOKIE_PAIR = re.compile(r"([^\s=;,\"'\\]{1,100}=)([^\s;\"'\\]*+)((?:;[ \t]{0,4})?)")
_COOKIE_ATTRIBUTE = re.compile(r"(?i)(?:path|domain|expires|max-age|samesite|version|priority)=")


def mask_phrases(text: str) -> str:
    """Return `text` with `***` for each secret that such syntax marks."""
    if "://" in text:
        text = _KEY_AS_USER.sub(f"{MASK}@", _USERINFO.sub(_userinfo, text))
    if " -" in text or text.startswith("-"):
        text = _mask_options(text)
    if "<" in text:
        text = _ATTRIBUTE.sub(_attribute, _ELEMENT.sub(_element, text))
    lower = text.lower()
    if "bearer" in lower:
        text = _BEARER.sub(rf"\1{MASK}", text)
    if "basic " in lower:
        text = _BASIC.sub(_basic, text)
    if "identified" in lower or "password" in lower:
        text = _mask_spans(text, _SQL, _sql_end)
    if "cookie" in lower:
        text = _mask_cookies(text)
    return text


def _mask_options(text: str) -> str:
    if "curl" in text or "wget" in text:
        text = _USER_OPTION.sub(rf"\g<1>{MASK}", text)
        text = _COOKIE_OPTION.sub(rf"\g<1>{MASK}", text)
    for program, option in _OPTION_OF.items():
        if program in text:
            text = option.sub(rf"\g<1>{MASK}", text)
    return text


def _userinfo(userinfo: re.Match[str]) -> str:
    """Mask the password, and a user name that is long enough to be a key."""
    user = userinfo[1] if len(userinfo[1]) < _SHORTEST_KEY else MASK
    return f"{user}:{MASK}@"


def _basic(header: re.Match[str]) -> str:
    """Mask credentials (`user:password` in Base64); a word after "basic" stays."""
    try:
        decoded = base64.b64decode(header[2], validate=True)
    except ValueError:
        return header[0]
    return header[1] + MASK if b":" in decoded else header[0]


def _element(element: re.Match[str]) -> str:
    name, value = element[1].rpartition(":")[2], element[2]
    if not looks_secret(name) or not value.strip():
        return element[0]
    return element[0][: -len(value)] + MASK


def _attribute(attribute: re.Match[str]) -> str:
    if not looks_secret(attribute[3]):
        return attribute[0]
    return attribute[1] + attribute[4] + MASK


def _sql_end(text: str, phrase: re.Match[str]) -> int:
    end = _SQL_END[phrase[3]].match(text, phrase.end())
    return end.end() if end else phrase.end()


def _mask_spans(
    text: str, phrase: re.Pattern[str], end_of: Callable[[str, re.Match[str]], int]
) -> str:
    """Replace what follows each phrase, up to where `end_of` says."""
    parts: list[str] = []
    done = 0
    for hit in phrase.finditer(text):
        if hit.start() < done:
            continue
        end = end_of(text, hit)
        if end > hit.end():
            parts += [text[done : hit.end()], MASK]
            done = end
    return "".join([*parts, text[done:]])


def _mask_cookies(text: str) -> str:
    """Mask the values of cookies; names and attributes stay."""
    parts: list[str] = []
    done = 0
    for header in _COOKIE.finditer(text):
        if header.start() < done:
            continue
        parts.append(text[done : header.end()])
        done = header.end()
        while pair := _COOKIE_PAIR.match(text, done):
            public = _COOKIE_ATTRIBUTE.match(pair[1]) or not pair[2]
            parts.append(pair[0] if public else f"{pair[1]}{MASK}{pair[3]}")
            done = pair.end()
            if not pair[3]:
                break
    return "".join([*parts, text[done:]])
