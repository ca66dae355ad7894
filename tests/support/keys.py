"""The keys of parts that a test speaks for, and the tokens of front-ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from scar.access import Actor
from scar.client import TokenSource
from scar.jobs.signing import Signatures
from scar.jobs.voucher import issue
from scar.keys.key_pair import KeyPair
from scar.keys.trusted_keys import TrustedKeys
from scar.settings import Settings


def signatures_of(part: str, secret: str) -> Signatures:
    """Return the signatures of a part whose key is derived from `secret`, as all others are."""
    return Signatures(KeyPair.derive(part, secret), TrustedKeys(Path("/nowhere"), secret))


def front_end_token(
    settings: Settings, actor: Actor, *, part: str = "", late: float = 0.0
) -> TokenSource:
    """Return what makes tokens for the API, by default with the key of the actor's own front-end,
    dated `late` seconds before now.
    """
    signatures = Signatures.of(settings, part or actor.frontend)

    def token(method: str, path: str, body: Any) -> str:
        return issue(signatures, actor, method, path, body, time.time() - late)

    return token
