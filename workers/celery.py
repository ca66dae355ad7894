"""The Celery application of a worker: `celery -A workers worker -Q host.default`.

A message is only a wake-up for a job on Redis. Messages are therefore acknowledged early and never
prefetched; if one is lost, the sweeper notifies again. (With late acknowledgement, the worker of
Celery 5.7 ends if Redis becomes unavailable while a task runs.) Remote control is off, because it
would let anyone who can write to Redis stop workers.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Any, Protocol

from celery import Celery
from celery.signals import (
    worker_before_create_process,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)
from kombu import Queue

from scar.errors import ScarError
from scar.jobs.ledger import Ledger
from scar.jobs.queue import TASK, JobQueue, broker_settings, queue_of
from scar.jobs.signing import Signatures
from scar.jobs.slots import PROCESSES
from scar.jobs.sweeper import Sweeper
from scar.keys.key_store import worker_part
from scar.log import configure
from scar.projects import ProjectsFile
from scar.redis_client import connect
from scar.registration.registry import create_access
from scar.settings import Settings, SettingsError
from scar.settings.state_folder import keep_private
from workers.git.origin_reporter import OriginReporter
from workers.heartbeat import Heartbeat
from workers.reconciler import Reconciler
from workers.registry import handlers
from workers.runner import Runner
from workers.runtime.roles import Roles
from workers.runtime.wakeup_transport import use_in_this_process
from workers.watch.host_watch import HostWatch
from workers.watch.usage_sampler import UsageSampler

_HARD_LIMIT = 2 * 3600


class _Background(Protocol):
    """A thread of the worker's main process."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def _settings() -> Settings:
    try:
        return Settings.load()
    except ScarError as error:
        sys.exit(f"scar worker: {error.message}")


settings = _settings()
configure(settings)
use_in_this_process()
app = Celery("workers", set_as_current=False)
app.conf.update(
    broker_settings(settings.effective_redis_url, socket_timeout=30),
    task_acks_late=False,
    task_reject_on_worker_lost=False,
    worker_disable_prefetch=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=PROCESSES,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_soft_shutdown_timeout=25,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=4,
    broker_heartbeat=None,
    task_default_queue=queue_of(settings.host),
    task_queues=[Queue(queue_of(settings.host), routing_key=queue_of(settings.host))],
    task_create_missing_queues=False,
    task_time_limit=_HARD_LIMIT,
    task_soft_time_limit=_HARD_LIMIT - 300,
    enable_utc=True,
)

_runner: Runner | None = None
_background: list[_Background] = []


@app.task(name=TASK)
def run(id: str, signature: str) -> None:
    """Run the job with this id."""
    global _runner
    if _runner is None:
        _runner = Runner.of(settings)
    _runner.run(id, signature)


@worker_init.connect(weak=False)
def _keep_state_private(**_: Any) -> None:
    """Make the state folder private to this worker's user, before anything else starts."""
    try:
        keep_private(settings.state_dir)
    except SettingsError as error:
        print(f"scar worker: {error.message}", file=sys.stderr)
        sys.exit(os.EX_CONFIG)


@worker_before_create_process.connect(weak=False)
def _load_handlers(**_: Any) -> None:
    """Import modules before the fork, so that all pool processes share their memory.

    Without gc.freeze, a garbage collection in a pool process writes to the shared memory, which
    makes the kernel copy it. With it, an idle worker of five processes takes 150 MB (PSS); without
    it, one of three took 176.
    """
    handlers()
    gc.collect()
    gc.freeze()


@worker_process_init.connect(weak=False)
def _begin(**_: Any) -> None:
    """Create the connections of one pool process, since connections must not be shared across a
    fork.
    """
    global _runner
    _runner = Runner.of(settings)


@worker_ready.connect(weak=False)
def _start_background(**_: Any) -> None:
    """Start the background threads of the worker's main process."""
    url = settings.effective_redis_url
    signatures = Signatures.of(settings, worker_part(settings.host))
    queue, redis = JobQueue(url, signatures), connect(url)
    ledger = Ledger(redis, signatures)
    roles = Roles(create_access(settings), ProjectsFile.of(settings))
    _background.extend(
        (
            Heartbeat(settings, signatures, os.getpid()),
            OriginReporter(settings),
            Sweeper(ledger, queue),
            Reconciler(redis, signatures, queue, settings.state_dir, roles.may_lock),
            UsageSampler(settings),
            HostWatch(settings, redis, signatures, ledger),
        )
    )
    for thread in _background:
        thread.start()


@worker_shutting_down.connect(weak=False)
def _stop_background(**_: Any) -> None:
    for thread in _background:
        thread.stop()
