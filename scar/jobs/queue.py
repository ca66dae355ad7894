"""The Celery producer: notifies the workers of a host that a job on Redis can be claimed.

The Celery message is only a wake-up that contains the job's id. It may be lost, since the sweeper
notifies again, and may arrive twice, since a job is claimed only once.
"""

from __future__ import annotations

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from scar.jobs.ledger import QUEUE_PREFIX
from scar.jobs.signing import WAKEUP, Signatures
from scar.json_object import JsonObject

TASK = "scar.run"


def queue_of(host: str) -> str:
    """Return the name of the Celery queue on which the workers of `host` listen."""
    return f"host.{host}"


def broker_settings(url: str, *, socket_timeout: float) -> JsonObject:
    """Return the Celery settings that producer and worker share: JSON messages, and timeouts for
    Redis.
    """
    return {
        "broker_url": url if not url.startswith("unix://") else f"redis+socket://{url[7:]}",
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "result_backend": None,
        "task_ignore_result": True,
        "task_store_errors_even_if_ignored": False,
        "task_send_sent_event": False,
        "broker_transport_options": {
            "global_keyprefix": QUEUE_PREFIX,
            "socket_timeout": socket_timeout,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "retry_on_timeout": False,
            "health_check_interval": 10,
            "visibility_timeout": 300,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
        },
    }


class JobQueue:
    """Sends messages to the hosts' Celery queues."""

    def __init__(self, redis_url: str, signatures: Signatures) -> None:
        self._signatures = signatures
        self._app = Celery("scar.queue", set_as_current=False)
        self._app.conf.update(
            broker_settings(redis_url, socket_timeout=3),
            task_publish_retry=False,
            broker_connection_timeout=2,
            broker_pool_acquire_timeout=3,
        )

    def notify(self, host: str, id: str) -> bool:
        """Put the job's id on the host's queue; return False if Redis is unavailable.

        The job is not lost then, since the sweeper notifies again.
        """
        signature = self._signatures.sign(WAKEUP, f"{host}/{id}")
        try:
            self._app.send_task(
                TASK,
                args=[id, signature],
                queue=queue_of(host),
                ignore_result=True,
                retry=False,
            )
        except (OperationalError, RedisError, OSError):
            return False
        return True
