"""Removes escape sequences and control characters."""

from __future__ import annotations

import re

# ECMA-48 escape sequences: CSI with parameters, then strings (OSC, DCS, SOS, PM, APC) up to their
# end, then short sequences. An incomplete sequence is removed as far as it goes.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x00-\x08\x0a-\x1f\x7f-\x9f]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*+[0-~]"
)
# C0 and C1 controls except \t, \n and \r, the byte order mark, bidirectional controls (the "Trojan
# Source" attack), and two separators that some programs treat as line ends.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ufeff]"
)
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    """Return `text` as a terminal would display it, without invisible characters.

    Removes colours and other escape sequences, control characters except line feed and tab, and
    bidirectional controls. A line that a progress bar overwrote with carriage returns is reduced to
    its last state. A lone surrogate becomes U+FFFD.
    """
    if text.isprintable():
        return text
    text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    text = without_surrogates(text)
    if "\r" not in text:
        return text
    return "\n".join(_last_state(line) for line in text.split("\n"))


def without_surrogates(text: str) -> str:
    """Return the text with U+FFFD for each lone surrogate; of the same length."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _last_state(line: str) -> str:
    states = [state for state in line.split("\r") if state]
    return states[-1] if states else ""
