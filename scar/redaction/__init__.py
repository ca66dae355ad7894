"""Removes control characters and masks secrets in text from outside, before it is displayed.

`clean` must run before `mask`: an escape sequence in the middle of a password would hide the
password from `mask`. Both take time linear in the text's length, since no pattern can backtrack
over the same text repeatedly.
"""

from __future__ import annotations

from scar.redaction.cleaning import clean
from scar.redaction.masking import LineMasker, mask
from scar.redaction.secret_names import secret_values
from scar.redaction.tokens import MASK

__all__ = ["MASK", "LineMasker", "clean", "mask", "secret_values"]
