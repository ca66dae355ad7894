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

    `finishing` runs what must not end between a send and its record.
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
        """Write down that something was refused."""
        outcome = f"refused: {code}"
        await asyncio.to_thread(self.services.audit.write_refusal, actor, action, outcome)
