"""Groups everything about alerts that a front-end or the API reads and writes."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from scar.alerts.alert_book import AlertBook
from scar.alerts.alert_chats import AlertChats
from scar.alerts.hosts_away import HostsAway
from scar.alerts.mute_book import MuteBook
from scar.jobs.signing import Signatures


@dataclass(frozen=True)
class AlertDesk:
    """The alerts, the mutes, the chats that receive alerts, and the hosts without a worker."""

    book: AlertBook
    mutes: MuteBook
    chats: AlertChats
    hosts: HostsAway

    @classmethod
    def of(cls, redis: Redis, signatures: Signatures) -> AlertDesk:
        """Return the desk of one part of SCAR, which signs with `signatures`."""
        return cls(
            AlertBook(redis, signatures),
            MuteBook(redis, signatures),
            AlertChats(redis, signatures),
            HostsAway(redis),
        )
