"""Writes `scar/redaction/betterleaks.toml` anew from a newer release of the rules.

    .venv/bin/pip install kingfisher-secret-scanner==1.5.0
    .venv/bin/python -m tests.support.betterleaks > scar/redaction/betterleaks.toml

The rules are those of Betterleaks (MIT), the successor of Gitleaks by the same author, as the
package of MongoDB's Kingfisher carries them. Taken over is each rule that knows a secret by its own
form. Left out are those that need a word near the value (`scar.redaction.pairs` masks these by the
variable's name), those that depend on the file's name, and those of ids and addresses.
"""

from __future__ import annotations

import importlib
import itertools
import re
import tempfile
from collections.abc import Iterator
from re import _constants as opcodes
from re import _parser as parser
from typing import Any

_HEADER = """\
# Forms of tokens, by what they begin with. Written by tests/support/betterleaks.py; do not edit.
# Tokens that no rule here knows are in own_tokens.toml.
#
# The patterns are derived from the rules of Betterleaks, https://github.com/betterleaks/betterleaks
#
# MIT License. Copyright (c) 2026 Zachary Rice
#
# Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
# associated documentation files (the "Software"), to deal in the Software without restriction,
# including without limitation the rights to use, copy, modify, merge, publish, distribute,
# sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
# furnished to do so, subject to the following conditions:
#
# The above copyright notice and this permission notice shall be included in all copies or
# substantial portions of the Software.
#
# THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
# NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
# NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
# DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT
# OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""
_SHORTEST_START, _LONGEST_START = 3, 12
_MOST_STARTS = 100
_TAIL = r"""(?:\\?['"\x60]|[\s;]|\\[nr]|$)"""
_NEEDS_A_WORD = re.compile(r"\[\\w\.-\]\{0,|\{0,(?:16|20|24|32|40|50)\}")
_NO_TOKEN = re.compile(
    r"-(?:url|host|domain|id)(?:\.\d+)?$|^curl-|^jwt-base64$|^private-key$|connection-string|^gcp-(?:a"
    r"pplication|service)|^clickhouse|publi[sc]|credential-uri|^kubernetes|feature-flag-client|client-sdk|cookie$"
)


def rules() -> Iterator[tuple[str, list[str], str]]:
    """Yield id, beginnings and pattern of each rule that is taken over."""
    native: Any = importlib.import_module("kingfisher_sdk._native")
    with tempfile.TemporaryDirectory() as cache:
        all_rules = native.Rules([], True, "low", cache_dir=cache)
    for row in all_rules.metadata():
        rule = all_rules.detail(row["id"])
        source, _, name = rule["id"].partition(".")
        if source != "betterleaks" or rule["confidence"] != "high" or rule["path"]:
            continue
        if _NO_TOKEN.search(name) and "webhook" not in name:
            continue
        if _NEEDS_A_WORD.search(rule["detection_regex"]):
            continue
        pattern = in_python(rule["detection_regex"])
        begin = starts(pattern)
        if begin:
            yield name, begin, pattern


def in_python(pattern: str) -> str:
    """Return a pattern of Go in Python's syntax, without the test of what follows the token: text
    that is cut off, or a comma, must not keep a token from being masked.
    """
    pattern = pattern.removesuffix(_TAIL).replace("[[:alnum:]]", "[A-Za-z0-9]")
    pattern = pattern.replace(r"\z", r"\Z").removeprefix(r"\b").replace(r"\x60", "`")
    if pattern.startswith("(?i)"):
        return f"(?i:{pattern[4:].removeprefix(chr(92) + 'b').replace('(?i)', '')})"
    depth, at, ends = 0, pattern.find("(?i)"), len(pattern)
    if at < 0:
        return pattern
    for index in range(at + 4, len(pattern)):
        depth += {"(": 1, ")": -1}.get(pattern[index], 0)
        if depth < 0:
            ends = index
            break
    return f"{pattern[:at]}(?i:{pattern[at + 4 : ends]}){pattern[ends:]}"


def starts(pattern: str) -> list[str]:
    """Return what a match can begin with, in lower case; none where that is not a short list of
    three characters or more.
    """
    texts = {text[:_LONGEST_START].lower() for text in _beginnings(parser.parse(pattern))[0]}
    if len(texts) > _MOST_STARTS:
        return []
    if any(len(text) < _SHORTEST_START or not text[0].isalnum() for text in texts):
        return []
    return sorted(texts)


def _beginnings(tokens: Any) -> tuple[list[str], bool]:
    """Return what a sequence can begin with, and whether these are all of its texts."""
    texts = [""]
    for code, value in tokens:
        more, whole = _token(code, value)
        texts = [a + b for a, b in itertools.product(texts, more)]
        if not whole:
            return texts, False
    return texts, True


def _token(code: Any, value: Any) -> tuple[list[str], bool]:
    """Return the same for one token of a parsed pattern."""
    if code is opcodes.LITERAL:
        return [chr(value)], True
    if code is opcodes.AT:
        return [""], True
    if code is opcodes.SUBPATTERN:
        return _beginnings(value[3])
    if code is opcodes.BRANCH:
        branches = [_beginnings(branch) for branch in value[1]]
        return [text for texts, _ in branches for text in texts], all(w for _, w in branches)
    if code is opcodes.IN and all(kind is opcodes.LITERAL for kind, _ in value):
        return [chr(item) for _, item in value], True
    return [""], False


def _main() -> None:
    print(_HEADER, end="")
    for name, begin, pattern in rules():
        listed = ", ".join(f'"{text}"' for text in begin)
        print(f"\n[{name.replace('.', '-')}]\nstarts = [{listed}]\npattern = '''{pattern}'''")


if __name__ == "__main__":
    _main()
