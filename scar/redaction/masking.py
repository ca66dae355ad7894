"""Masks known secrets, and text that looks like one, such as API tokens and private keys."""

from __future__ import annotations

import re
from collections.abc import Iterable

from scar.redaction.blocks import BlockMasker
from scar.redaction.known_values import mask_known
from scar.redaction.pairs import mask_pairs
from scar.redaction.phrases import mask_phrases
from scar.redaction.tokens import MASK, mask_tokens

# A truncated key is masked up to the end of the text. The group is not possessive because Python
# before 3.11.5 matches possessive groups wrongly (gh-106052). It cannot backtrack for long: what
# follows it is optional.
_PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]+|-(?!----))*"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?"
)


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Return `text` with `***` in place of each of `secrets` and of anything that looks like a
    secret.

    A secret is masked as it is, as other programs write it (JSON, HTML, URLs, Base64, hexadecimal),
    and each long line of it by itself. One of fewer than 6 characters is not masked: it would hit
    ordinary words.
    """
    text = mask_known(text, tuple(secrets))
    if "-----" in text:
        text = _PEM.sub(MASK, text)
    blocks = BlockMasker()
    if "\n" not in text:
        return _mask_forms(blocks.line(text))
    return _mask_forms("\n".join(map(blocks.line, text.split("\n"))))


class LineMasker:
    """Masks a text that comes line by line.

    A key or a block of YAML is masked on each of its lines: the lines before are remembered.
    """

    def __init__(self) -> None:
        self._blocks = BlockMasker()

    def mask(self, line: str, secrets: Iterable[str] = ()) -> str:
        """Return the next line as `mask` would."""
        return _mask_forms(self._blocks.line(mask_known(line, tuple(secrets))))


def _mask_forms(text: str) -> str:
    return mask_pairs(mask_phrases(mask_tokens(text)))
