"""`ChatContext`: the front-end, services and clock that every part of the chat uses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from scar.access import Actor
from scar.bootstrap import Services
from scar.chat.finishing import Finishing
from scar.chat.front_end import EventSource, FrontEnd


@dataclass(frozen=True)
class ChatContext:
    """One front-end, the services behind it, and a `clock` that returns seconds since the epoch.

    `finishing` runs the code that must not be cancelled between sending a message and storing its
    record.
    """

    front_end: FrontEnd
    services: Services
    events: EventSource
    clock: Callable[[], float]
    finishing: Finishing = field(default_factory=Finishing)

    async def audit(self, actor: Actor, action: str, outcome: str) -> None:
        """Write an entry into the audit trail."""
        await asyncio.to_thread(self.services.audit.write, actor, action, outcome)

    async def audit_refusal(self, actor: Actor, action: str, code: str) -> None:
        """Write a refusal into the audit trail."""
        outcome = f"refused: {code}"
        await asyncio.to_thread(self.services.audit.write_refusal, actor, action, outcome)
