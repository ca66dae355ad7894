"""What `/metrics` counts, and that what is watched by its names exists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from redis import Redis

from scar.alerts.alert import Alert
from scar.alerts.alert_book import AlertBook
from scar.api.app import create_app
from scar.bootstrap import Services, bootstrap
from scar.errors import ScarError
from scar.jobs.counters import KEY, Counters, read_counters
from scar.jobs.record import Job
from scar.jobs.signing import Signatures
from tests.support.acting_worker import ActingWorker

Ask = Callable[..., Job]
MONITORING = Path(__file__).parents[2] / "docs/monitoring"


def metrics(services: Services) -> str:
    """Ask an API in this process."""
    application = create_app(bootstrap(services.settings, "api"))
    answer = application.test_client().get("/metrics")
    assert answer.status_code == 200
    return answer.text


def test_the_end_of_each_job_is_counted_once_and_its_wait_too(
    ask: Ask, worker: ActingWorker, services: Services, redis: Redis
) -> None:
    done, failed, waits = ask("status"), ask("logs"), ask("stats")
    worker.finish(done.id, {"project": "shop"})
    worker.fail(failed.id, ScarError("docker_unavailable", "It is away", "Start it."))
    services.job_service.cancel(waits.request.requested_by, waits.id)
    with pytest.raises(ScarError):
        services.job_service.cancel(waits.request.requested_by, waits.id)
    counted = read_counters(redis)
    ends = {words: value for words, value in counted.items() if words[0] == "jobs_ended"}
    assert ends == {
        ("jobs_ended", "status", "succeeded"): 1,
        ("jobs_ended", "logs", "failed"): 1,
        ("jobs_ended", "stats", "cancelled"): 1,
    }
    text = metrics(services)
    assert 'scar_jobs_ended_total{kind="logs",state="failed"} 1.0' in text
    assert "scar_queue_wait_seconds_count 2.0" in text


def test_times_and_messages_are_counted_and_unknown_labels_are_not_shown(
    services: Services, redis: Redis
) -> None:
    counters = Counters(redis)
    for seconds in (0.05, 3, 3, 1000):
        counters.observe_step("building", seconds)
    counters.observe_step("restarting:shop-web-1", 1)
    counters.observe_step("a name of somebody", 1)
    counters.add("messages", "telegram", "sent")
    counters.add("jobs_ended", "a kind that nobody knows", "failed")
    counters.flush()
    redis.hset(KEY, "no list", "no number")
    text = metrics(services)
    for line in (
        'scar_step_seconds_bucket{le="0.1",step="building"} 1.0',
        'scar_step_seconds_bucket{le="2.5",step="building"} 1.0',
        'scar_step_seconds_bucket{le="5",step="building"} 3.0',
        'scar_step_seconds_bucket{le="+Inf",step="building"} 4.0',
        'scar_step_seconds_sum{step="building"} 1006.05',
        'scar_step_seconds_count{step="restarting"} 1.0',
        'scar_messages_total{front_end="telegram",outcome="sent"} 1.0',
    ):
        assert line in text.splitlines()
    assert "somebody" not in text
    assert "nobody" not in text


def test_alerts_are_counted_by_their_rule_and_state(services: Services, redis: Redis) -> None:
    book = AlertBook(redis, Signatures.of(services.settings, "worker:default"))
    for number, closed_at in enumerate((None, None, 5)):
        id = f"a{number}"
        about = ("default", "shop", "web", "web", "exited", "critical", "has exited", "Why", 1, 2)
        book.put(replace(Alert(id, id, *about), closed_at=closed_at))
    text = metrics(services)
    assert 'scar_alerts{rule="exited",state="open"} 2.0' in text
    assert 'scar_alerts{rule="exited",state="recovered"} 1.0' in text
    assert "shop" not in text


def test_a_malformed_hash_of_counters_does_not_keep_a_job_from_ending(
    ask: Ask, worker: ActingWorker, redis: Redis
) -> None:
    redis.set(KEY, "spoilt")
    job = ask("status")
    worker.finish(job.id, {"project": "shop"})
    assert worker.state(job.id) == "succeeded"


def test_every_name_in_the_dashboard_and_the_rules_is_a_metric(services: Services) -> None:
    known = set(re.findall(r"^# TYPE (\S+)", metrics(services), re.MULTILINE))
    dashboard = json.loads((MONITORING / "dashboard.json").read_text())
    rules = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]
    expressions += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    documented = (MONITORING / "README.md").read_text()
    for name in re.findall(r"scar_\w+", " ".join([*expressions, documented])):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert {base, name} & known, f"{name} is no metric"
    undocumented = {name for name in known if not name.endswith("_created")} - set(
        re.findall(r"scar_\w+", documented)
    )
    assert not undocumented
