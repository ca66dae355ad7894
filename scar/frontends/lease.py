"""A lease on Redis: of several processes of a front-end, one works and the others wait."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import structlog
from redis import Redis

from scar.errors import ScarError
from scar.redis_client import redis_errors

_TTL_MS = 5000
_RENEWED_SECONDS = 1.0
_log = structlog.get_logger(__name__)

# KEYS: the lease. ARGV: the process, milliseconds. Takes or renews it; returns 0 if another process
# has it. A lease that expires later than that was not written by this script, and is taken over.
_TAKE = """
local holder = redis.call('GET', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
local is_held = left >= 0 and left <= tonumber(ARGV[2])
if holder and holder ~= ARGV[1] and is_held then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class Lease:
    """The lease of a front-end's `name`. It expires five seconds after its holder was killed."""

    def __init__(self, redis: Redis, name: str, *, seconds: float = _RENEWED_SECONDS) -> None:
        self._redis = redis
        self._name = name
        self._key = f"scar:lease:{name}"
        self._holder = uuid4().hex
        self._seconds = seconds

    def take(self) -> bool:
        """Take or renew the lease; return False if another process has it."""
        with redis_errors():
            return bool(self._redis.eval(_TAKE, 1, self._key, self._holder, _TTL_MS))

    def release(self) -> None:
        """Give the lease up, if this process has it."""
        with redis_errors():
            self._redis.eval(_RELEASE, 1, self._key, self._holder)

    async def wait(self) -> None:
        """Return once this process has the lease; log once that it waits."""
        is_said = False
        while not await self._try():
            if not is_said:
                _log.warning(f"another `scar {self._name}` runs; waiting until it ends")
                is_said = True
            await asyncio.sleep(self._seconds)

    async def keep(self) -> None:
        """Renew the lease until cancelled. Raises `conflict` once another process has it, which
        happens after Redis was unreachable for longer than the lease lasts.
        """
        while True:
            await asyncio.sleep(self._seconds)
            if not await self._try(otherwise=True):
                raise ScarError(
                    "conflict",
                    f"Another `scar {self._name}` has taken over",
                    "One is enough: this one ends.",
                )

    async def _try(self, *, otherwise: bool = False) -> bool:
        try:
            return await asyncio.to_thread(self.take)
        except ScarError as error:
            _log.warning("lease not renewed", reason=error.message)
            return otherwise
