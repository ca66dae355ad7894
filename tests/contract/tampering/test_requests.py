"""A worker does what a person asked for and confirmed, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor, Role
from scar.bootstrap import Services, bootstrap
from scar.errors import ScarError
from scar.jobs.claim import Claim, SignedRequest
from scar.jobs.record import JobState
from scar.jobs.signing import Signatures, sealed_content
from scar.keys.key_store import key_pair, trusted_keys
from scar.settings import Settings
from tests.contract.tampering.records import (
    FORGED,
    TAMPERED,
    Ask,
    forge,
    key_of,
    record_of,
)
from tests.support.acting_worker import ActingWorker
from workers.runner import Runner
from workers.runtime.verification import Forged


@pytest.mark.usefixtures("worker")
def test_a_yes_to_one_job_does_not_run_another(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    answered, other = ask("restart", confirmed=True), None
    confirmation = record_of(redis, answered)["confirmation"]
    services.job_service.cancel(answered.request.requested_by, answered.id)
    other = ask("deploy")
    redis.hset(key_of(other), mapping={"state": "queued", "confirmation": confirmation})
    wake(other.id)
    refused = services.job_service.get(other.id)
    assert refused.error is not None
    assert "given to something else" in refused.error.message
    assert not runner.job_log.begun(other.id)


@pytest.mark.usefixtures("worker")
def test_a_host_refuses_jobs_for_a_project_of_another_host(
    ask: Ask, services: Services, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    path = services.projects.path
    entries = json.loads(path.read_text())
    entries["shop"]["host"] = "far"
    path.write_text(json.dumps(entries))
    wake(job.id)
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "its project is on host 'far'" in refused.error.message
    assert not runner.job_log.begun(job.id)


@pytest.mark.usefixtures("worker")
def test_a_confirmation_that_is_too_old_is_refused(
    ask: Ask, services: Services, redis: Redis, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    content = json.loads(record_of(redis, job)["confirmation"].partition(" ")[2])
    old = services.signatures.seal("confirmation", {**content, "at": content["at"] - 16 * 60_000})
    redis.hset(key_of(job), "confirmation", old)
    wake(job.id)
    refused = services.job_service.get(job.id)
    assert refused.error is not None
    assert "too long ago" in refused.error.message
    assert not runner.job_log.begun(job.id)


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("missing", ["by", "at", "plan", "voucher"])
def test_a_confirmation_that_lacks_a_part_is_refused(
    ask: Ask, services: Services, runner: Runner, missing: str
) -> None:
    job = ask("restart", confirmed=True)
    claim = runner.ledger.claim(job.id, "test", "nonce")
    assert claim is not None
    content = dict(sealed_content(claim.signed.confirmation))
    del content[missing]
    frontend = {"by": {**content.get("by", {}), "frontend": "api"}} if missing == "voucher" else {}
    sealed = services.signatures.seal("confirmation", {**content, **frontend})
    signed = replace(claim.signed, confirmation=sealed)
    with pytest.raises(Forged):
        runner.verification.verify(replace(claim, signed=signed))


def test_a_request_that_claims_to_need_no_confirmation_is_refused(
    ask: Ask, services: Services, runner: Runner, wake: Callable[[str], None]
) -> None:
    job = ask("restart", confirmed=True)
    request = {**job.request.to_json(), "id": FORGED, "asks": False, "changes": False}
    text = json.dumps(request)
    signature = services.signatures.sign("request", text)
    record = {**record_of(services.redis, job), "request": text, "signature": signature}
    services.redis.hset(f"scar:job:{FORGED}", mapping=cast("dict[Any, Any]", record))
    wake(FORGED)
    assert not runner.job_log.begun(FORGED)


@pytest.mark.parametrize("frontend", ["api", "github", "console", "schedule", "web", "service"])
def test_a_front_end_cannot_sign_for_the_people_of_another_front_end(
    ask: Ask, services: Services, frontend: str, runner: Runner, wake: Callable[[str], None]
) -> None:
    forge(services, ask("status"), Actor(frontend, "root", "root", Role.ADMIN))
    with pytest.raises(ScarError, match=TAMPERED):
        services.ledger.get(FORGED)
    wake(FORGED)
    assert not runner.job_log.begun(FORGED)
    assert services.redis.hget(f"scar:job:{FORGED}", "state") == "failed"


def test_the_worker_checks_the_role_that_a_front_end_claims(
    ask: Ask, services: Services, runner: Runner, wake: Callable[[str], None]
) -> None:
    forge(services, ask("restart", confirmed=True), Actor("telegram", "77", "Eve", Role.ADMIN))
    wake(FORGED)
    assert not runner.job_log.begun(FORGED)
    refused = services.job_service.get(FORGED)
    assert refused.error is not None
    assert "telegram:77 may not restart here" in refused.error.message


def test_a_worker_does_not_act_on_a_request_signed_with_a_retired_key(
    tmp_path: Path, ask: Ask, services: Services, runner: Runner
) -> None:
    own = Settings(state_dir=tmp_path / "own")
    telegram, worker = (Signatures.of(own, part) for part in ("telegram", "worker:default"))
    request = ask("status").request
    text = json.dumps(request.to_json())
    signed = SignedRequest(text, telegram.sign("request", text), "")
    claim = Claim(request.id, "run", signed, 1, 1, "")
    verification = replace(runner.verification, signatures=worker)
    assert verification.verify(claim)[0] == request
    trusted_keys(own).retire(key_pair(own, "telegram").public.id)
    with pytest.raises(Forged, match="was retired"):
        verification.verify(claim)
    runner.job_log.begin(request.id, signed)
    assert verification.verify(claim)[0] == request, "one that has begun is brought to its end"
    assert services.ledger.get(request.id) is not None


def test_a_job_log_entry_is_not_looked_for_outside_its_folder(
    ask: Ask, services: Services, tmp_path: Path, runner: Runner, wake: Callable[[str], None]
) -> None:
    """Who can write a file on the host must not have it taken for a job that began here."""
    request = {**ask("restart").request.to_json(), "asks": False, "id": str(tmp_path / "planted")}
    signed = {"request": json.dumps(request), "signature": "none", "confirmation": ""}
    (tmp_path / "planted").write_text(json.dumps({"signed": signed, "begun_at": 1}))
    record = {**record_of(services.redis, next(services.ledger.recent())), **signed}
    record["state"] = "queued"
    key = f"scar:job:{request['id']}"
    services.redis.hset(key, mapping=cast("dict[Any, Any]", record))
    wake(request["id"])
    assert services.redis.hget(key, "state") == "queued"
    assert not runner.job_log.begun(request["id"])


def test_a_persons_yes_must_name_the_plan_and_an_api_clients_is_for_the_present_plan(
    ask: Ask, services: Services, worker: ActingWorker, redis: Redis
) -> None:
    job, olga = ask("restart"), Actor("telegram", "1", "Olga")
    client = Actor("api", "test", "test")
    for actor in (olga, client):
        with pytest.raises(ScarError, match="has no plan yet"):
            services.job_service.confirm(actor, job.id, "yes")
    worker.plan(job.id, "a" * 64)
    with pytest.raises(ScarError, match="does not say to which plan"):
        services.job_service.confirm(olga, job.id, "yes")
    api = bootstrap(services.settings, "api")
    assert api.job_service.confirm(client, job.id, "yes").state is JobState.QUEUED
    assert sealed_content(record_of(redis, job)["confirmation"])["plan"] == "a" * 64
