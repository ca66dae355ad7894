"""Makes text from outside fit to be shown: without control characters and secrets.

`clean` has to run before `mask`: an escape sequence in the middle of a password would hide the
password from `mask`. Both take time in proportion to the length of the text, whatever it contains:
no pattern can be made to read the same place again and again.
"""

from __future__ import annotations

from scar.redaction.cleaning import clean
from scar.redaction.masking import LineMasker, mask
from scar.redaction.secret_names import secret_values
from scar.redaction.tokens import MASK

__all__ = ["MASK", "LineMasker", "clean", "mask", "secret_values"]
