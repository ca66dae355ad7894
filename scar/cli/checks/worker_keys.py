"""Compares the keys that a worker has with those of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from scar.keys.key_store import WORKER, worker_part
from scar.keys.trusted_keys import TrustedKeys
from scar.registration.spec import Finding


def compare_keys(
    host: str, heartbeat: Mapping[str, str], trusted: TrustedKeys
) -> Iterator[Finding]:
    """Yield the keys that a worker signs with and this machine does not accept, and the reverse.

    `heartbeat` is the worker's hash on Redis; it is not signed, so the findings are only hints.
    """
    try:
        keys = json.loads(heartbeat["keys"])
        own, accepted = str(keys["own"]), {str(id) for id in keys["accepted"]}
    except (LookupError, TypeError, ValueError):
        return  # a worker of an earlier version, or one that has just ended
    part, subject = worker_part(host), f"worker of '{host}'"
    known = trusted.get(part, own)
    if known is None or known.retired:
        yield Finding(
            subject,
            f"signs with the key {own}, which is "
            + ("retired here" if known else "not known here: what it says is refused"),
            f"`scar keys` on its host shows it; `scar keys add {part} KEY` here adds it. With "
            "SCAR_SECRET_KEY, set the same one on both.",
        )
    if trusted.derive:
        return  # with derived keys, nothing is signed with the keys in the folder
    here = [key.public for key in trusted.all() if not key.retired]
    speaks = [key for key in here if not key.part.startswith(f"{WORKER}:")]
    lacking = sorted({key.part for key in speaks} - {k.part for k in speaks if k.id in accepted})
    if lacking:
        yield Finding(
            subject,
            f"does not know the key of {', '.join(lacking)}: it refuses what that asks for",
            "`scar keys` here shows it; `scar keys add PART KEY` on the worker's host adds it.",
        )
