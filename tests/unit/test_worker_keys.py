"""`scar doctor` compares the keys of a worker with those that are trusted here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from scar.cli.checks.worker_keys import compare_keys
from scar.jobs.signing import Signatures
from scar.keys.key_pair import KeyPair
from scar.keys.trusted_keys import TrustedKeys
from tests.support.job_context import settings_in
from workers.heartbeat import Heartbeat

Place = tuple[Signatures, TrustedKeys]
Install = Callable[[str], Place]


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """A part with a key of its own, which it trusts."""

    def make(part: str, secret: str | None = None) -> Place:
        own = KeyPair.generate(part) if secret is None else KeyPair.derive(part, secret)
        trusted = TrustedKeys(tmp_path / part, secret)
        if secret is None:
            trusted.add(own.public)
        return Signatures(own, trusted), trusted

    return make


def told(worker: Signatures, here: TrustedKeys) -> list[str]:
    heartbeat = {"keys": json.dumps(worker.known_keys())}
    return [finding.detail for finding in compare_keys("far", heartbeat, here)]


def test_doctor_reports_keys_that_one_side_does_not_trust_until_they_are_added(
    install: Install,
) -> None:
    (worker, at_worker), (_, here) = install("worker:far"), install("telegram")
    id, own = at_worker.all()[0].public, here.all()[0].public
    assert told(worker, here) == [
        f"signs with the key {id.id}, which is not known here: what it says is refused",
        "does not know the key of telegram: it refuses what that asks for",
    ]
    here.add(id)
    at_worker.add(own)
    assert told(worker, here) == []
    here.retire(id.id)
    assert told(worker, here) == [f"signs with the key {id.id}, which is retired here"]


def test_doctor_reports_a_worker_with_another_secret_key(install: Callable[..., Place]) -> None:
    worker, _ = install("worker:far", "the secret of the worker")
    assert told(worker, install("telegram", "the secret of the worker")[1]) == []
    assert len(told(worker, install("telegram", "the secret of this one")[1])) == 1


def test_doctor_ignores_a_worker_that_reports_no_keys(install: Install) -> None:
    _, here = install("telegram")
    assert list(compare_keys("far", {}, here)) == []
    assert list(compare_keys("far", {"keys": "[1]"}, here)) == []


def test_an_unreadable_trusted_key_does_not_stop_the_heartbeat(
    install: Install, tmp_path: Path
) -> None:
    worker, trusted = install("worker:far")
    heartbeat = Heartbeat(settings_in(tmp_path), worker, 1)
    assert "keys" in heartbeat._describe({"version": "1"})
    (trusted.folder / f"{'0' * 16}.json").write_text("{")
    about = heartbeat._describe({"version": "1"})
    assert (about["host"], "keys" in about) == ("default", False)
