"""Connects to Redis, and translates the errors of redis-py into `ScarError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis import BlockingConnectionPool, Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError
from redis.retry import Retry

from scar.errors import ScarError

_CONNECTIONS = 64


def connect(url: str, *, timeout: float = 2.0, retries: int = 1) -> Redis:
    """Return a client whose calls end within about four times `timeout` seconds, even if Redis
    hangs.

    Calls are retried, because every write of SCAR is a script that may run twice. One retry is
    enough, since redis-py also retries each connection: with two, a Redis that hangs blocked a call
    for ten times its timeout. With no retries, calls end within `timeout`. If all 64 connections of
    the client are in use, a call first waits up to three times `timeout` for one: the end of a job
    that many wait for wakes all of them at once.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=_CONNECTIONS,
        timeout=3 * timeout,
        decode_responses=True,
        protocol=2,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, 2.0),
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), retries),
    )
    return Redis.from_pool(pool)


def redis_time_ms(redis: Redis) -> int:
    """Return the time by Redis' clock, with which heartbeats are compared, in milliseconds."""
    with redis_errors():
        seconds, microseconds = redis.time()
    return int(seconds * 1000 + microseconds // 1000)


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise exceptions of redis-py in the block as `ScarError`."""
    try:
        yield
    except OutOfMemoryError as error:
        raise _full("memory", str(error)) from error
    except ResponseError as error:
        if str(error).startswith("MISCONF"):
            raise _full("disk", str(error)) from error
        raise _unavailable(str(error)) from error
    except (RedisError, UnicodeDecodeError) as error:
        # A value that is no text was not written by SCAR.
        raise _unavailable(type(error).__name__) from error


def _full(what: str, words: str) -> ScarError:
    return ScarError(
        "disk_full",
        f"Redis takes no writes, its {what} is full: {words}",
        f"Free room on the {what} of Redis; it takes writes again by itself.",
    )


def _unavailable(why: str) -> ScarError:
    return ScarError(
        "redis_unavailable",
        f"Redis cannot take this now ({why})",
        "Check that Redis runs, that its disk is not full, and that SCAR_REDIS_URL is right.",
    )
