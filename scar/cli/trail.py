"""`scar audit verify`: checks whether the audit trail was tampered with."""

from __future__ import annotations

from scar.audit import Audit
from scar.errors import ScarError
from scar.jobs.signing import Signatures
from scar.jobs.trail import AnchorFile
from scar.redis_client import connect
from scar.settings import Settings


def verify_trail(settings: Settings) -> None:
    """Raise `tampered` where a line of the trail was edited, removed, added or moved.

    On the host of a worker, what that worker has seen of the trail is compared as well.
    """
    signatures = Signatures.for_reading(settings)
    trail = Audit(connect(settings.effective_redis_url), signatures)
    problem = trail.problem(AnchorFile(settings.state_dir, signatures).read())
    if problem is not None:
        raise ScarError(
            "tampered",
            f"The audit trail was tampered with: {problem}",
            "Are the keys of all parts and hosts known here (`scar keys`)? Then somebody else "
            "writes to SCAR's Redis: keep a copy of it, and change its password.",
        )
