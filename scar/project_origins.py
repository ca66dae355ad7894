"""The Git origin of each project's workspace; workers report it to Redis, front-ends read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from redis import Redis

from scar.redis_client import redis_errors

_KEY = "scar:repositories"


class ProjectOrigins:
    """A Redis hash from project name to the origin of its workspace, as `host/owner/name`.

    A project is missing from the hash if its workspace has no origin or was cloned from a local
    folder.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def report(self, origins: Mapping[str, str | None]) -> None:
        """Write the origins that a worker read from its host's workspaces, by project; None
        deletes a project's entry.
        """
        with redis_errors():
            pipe = self._redis.pipeline()
            for project, origin in origins.items():
                if origin:
                    pipe.hset(_KEY, project, origin)
                else:
                    pipe.hdel(_KEY, project)
            pipe.execute()

    def known(self) -> dict[str, str]:
        """Return the reported origins as `host/owner/name`, by project name."""
        with redis_errors():
            return cast("dict[str, str]", self._redis.hgetall(_KEY))


def same_repository(origin: str, full_name: str) -> bool:
    """Return whether `origin` (`host/owner/name`) is the GitHub repository `full_name`
    (`owner/name`), whatever its host.
    """
    return origin.partition("/")[2].lower() == full_name.lower()
