"""Which repository each project's workspace is of, as the workers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from redis import Redis

from scar.jobs.connection import redis_errors

_KEY = "scar:repositories"


class ProjectOrigins:
    """`host/owner/name` by project, on Redis. Of a workspace that was cloned from a folder only the
    project is known, not which repository that is.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def tell(self, found: Mapping[str, str | None]) -> None:
        """What a worker saw in the workspaces of its host."""
        with redis_errors():
            pipe = self._redis.pipeline()
            for project, name in found.items():
                if name:
                    pipe.hset(_KEY, project, name)
                else:
                    pipe.hdel(_KEY, project)
            pipe.execute()

    def known(self) -> dict[str, str]:
        """The repository of every project of which it is known."""
        with redis_errors():
            return cast("dict[str, str]", self._redis.hgetall(_KEY))


def same_repository(origin: str, full_name: str) -> bool:
    """Whether `host/owner/name` is the repository that its own host calls `owner/name`."""
    return origin.partition("/")[2].lower() == full_name.lower()
