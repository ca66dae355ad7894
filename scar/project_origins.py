"""The origin repository of each project's workspace, as the workers report it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from redis import Redis

from scar.redis_client import redis_errors

_KEY = "scar:repositories"


class ProjectOrigins:
    """`host/owner/name` by project, on Redis.

    A project whose workspace has no origin, or was cloned from a folder of its host, has none.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def report(self, origins: Mapping[str, str | None]) -> None:
        """Record the origins that a worker read from its host's workspaces, by project; None
        removes a project's record."""
        with redis_errors():
            pipe = self._redis.pipeline()
            for project, origin in origins.items():
                if origin:
                    pipe.hset(_KEY, project, origin)
                else:
                    pipe.hdel(_KEY, project)
            pipe.execute()

    def known(self) -> dict[str, str]:
        """Return the known origins by project."""
        with redis_errors():
            return cast("dict[str, str]", self._redis.hgetall(_KEY))


def same_repository(origin: str, full_name: str) -> bool:
    """Return whether the origin `host/owner/name` is the repository `full_name` (`owner/name`)."""
    return origin.partition("/")[2].lower() == full_name.lower()
