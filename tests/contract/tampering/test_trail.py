"""Changes of the audit trail are detected."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import pytest
from redis import Redis

from scar.access import Actor
from scar.bootstrap import Services
from scar.errors import ScarError
from scar.jobs.locks import Locks
from scar.jobs.trail import AnchorFile, Trail, TrailEntry
from tests.contract.tampering.records import (
    Ask,
)


@pytest.mark.usefixtures("worker")
def test_an_edited_removed_added_or_moved_audit_line_is_detected(
    services: Services, redis: Redis
) -> None:
    for number in range(5):
        services.audit.write(Actor("telegram", "1", "Olga"), f"act{number}", "accepted")
    assert services.audit.problem() is None
    rows = cast("list[tuple[str, dict[str, str]]]", redis.xrange("scar:audit"))
    lines = [fields["line"] for _, fields in rows]
    edited = lines[2].replace("act2", "act9")
    moved = [lines[0], lines[2], lines[1], *lines[3:]]
    for attack in (
        [*lines[:2], edited, *lines[3:]],
        [*lines[:2], *lines[3:]],
        lines[:-1],
        lines[1:],
        [*lines, lines[-1]],
        moved,
        [],
    ):
        redis.delete("scar:audit")
        for line in attack:
            redis.xadd("scar:audit", {"line": line})
        assert services.audit.problem() is not None, attack


@pytest.mark.usefixtures("worker")
def test_a_host_detects_an_audit_trail_that_was_shortened_with_its_end(
    services: Services, redis: Redis
) -> None:
    for number in range(5):
        services.audit.write(Actor("telegram", "1", "Olga"), f"act{number}", "accepted")
        if number == 2:
            cut = cast("str", redis.get("scar:audit:tip"))
    seen = cast("str", redis.get("scar:audit:tip"))
    rows = cast("list[tuple[str, dict[str, str]]]", redis.xrange("scar:audit"))
    for id, _ in rows[3:]:
        redis.xdel("scar:audit", id)
    redis.set("scar:audit:tip", cut)
    assert services.audit.problem() is None, "without an anchor nobody can know"
    assert services.audit.problem(seen) is not None


@pytest.mark.usefixtures("worker")
def test_an_unsigned_audit_line_is_reported_as_such(services: Services, redis: Redis) -> None:
    services.audit.write(Actor("telegram", "1", "Olga"), "act", "accepted")
    redis.xadd("scar:audit", {"line": "x", "actor": "telegram:1", "outcome": "accepted"})
    assert [entry.actor for entry in services.audit.recent()] == ["?", "telegram:1"]


@pytest.mark.parametrize("value", [b"\xff", b"9" * 5000, "99999999 é".encode()])
def test_a_malformed_end_of_the_audit_trail_stops_nothing(
    ask: Ask, services: Services, redis: Redis, value: bytes
) -> None:
    redis.set("scar:audit:tip", value)
    state = services.settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    (state / "audit-tip").write_bytes(value)
    anchor = AnchorFile(state, services.signatures)
    with contextlib.suppress(ScarError):  # nothing else may end the thread that asks
        anchor.follow(redis)
    with contextlib.suppress(ScarError):
        ask("status")
    assert anchor.read() == ""


@pytest.mark.parametrize("line", ["refusal", {"n": 2}, {"prev": ""}, {"n": 2, "prev": 5}], ids=str)
def test_a_signed_line_outside_of_the_chain_does_not_stop_readers_of_the_trail(
    services: Services, redis: Redis, line: Any
) -> None:
    olga, state = Actor("telegram", "1", "Olga"), services.settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    anchor = AnchorFile(state, services.signatures)
    services.audit.write(olga, "act", "accepted")
    anchor.follow(redis)
    seen = anchor.read()
    if line == "refusal":  # signed, and on Redis for everybody to copy
        services.audit.write_refusal(olga, "restart", "refused: forbidden")
        ((_, fields),) = cast("list[tuple[str, dict[str, str]]]", redis.xrange("scar:refusals"))
        sealed = fields["line"]
    else:
        sealed = services.signatures.seal("audit", line)
    redis.xadd("scar:audit", {"line": sealed})
    anchor.follow(redis)
    assert anchor.read() == seen
    assert services.audit.problem(seen) is not None


def test_audit_lines_of_an_earlier_version_do_not_count_as_tampering(
    services: Services, redis: Redis
) -> None:
    redis.xadd("scar:audit", {"actor": "telegram:1", "action": "deploy", "outcome": "accepted"})
    for number in range(3):
        services.audit.write(Actor("telegram", "1", "Olga"), f"act{number}", "accepted")
    assert services.audit.problem() is None
    redis.xadd("scar:audit", {"actor": "telegram:1", "action": "deploy", "outcome": "accepted"})
    assert services.audit.problem() is not None


def test_a_host_detects_an_audit_trail_that_was_shortened_and_has_grown_again(
    services: Services, redis: Redis
) -> None:
    state = services.settings.state_dir
    state.mkdir(parents=True, exist_ok=True)
    anchor = AnchorFile(state, services.signatures)
    olga = Actor("telegram", "1", "Olga")
    for number in range(5):
        services.audit.write(olga, f"act{number}", "accepted")
        if number == 2:
            cut = cast("str", redis.get("scar:audit:tip"))
    anchor.follow(redis)
    for id, _ in cast("list[tuple[str, Any]]", redis.xrange("scar:audit"))[3:]:
        redis.xdel("scar:audit", id)
    redis.set("scar:audit:tip", cut)
    for number in range(9):
        services.audit.write(olga, f"later{number}", "accepted")
        anchor.follow(redis)
    assert services.audit.problem(anchor.read()) is not None
    redis.set("scar:audit:tip", "999999999999999 " + "0" * 64)
    before = anchor.read()
    anchor.follow(redis)
    assert anchor.read() == before, "an end that no line has is not kept"


def test_a_script_repeated_after_a_lost_reply_writes_one_audit_line(
    services: Services, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Redis client repeats a script if the connection breaks before its reply."""
    trail = Trail(redis, services.signatures)
    append = trail._append

    def twice(args: list[str]) -> Any:
        append(args=args)
        return append(args=args)

    monkeypatch.setattr(trail, "_append", twice)
    trail.append(TrailEntry("telegram:1", "Olga", "act"))
    assert redis.xlen("scar:audit") == 1
    locks = Locks(redis, services.signatures)
    script = locks._scripts["lock"]

    def lock_twice(args: list[str]) -> Any:
        script(args=args)
        return script(args=args)

    monkeypatch.setattr(locks, "_scripts", {"lock": lock_twice})
    olga = Actor("telegram", "1", "Olga")
    assert locks.acquire("shop", olga, "moving").reason == "moving"
    released = locks.release("shop", olga)
    assert released is not None
    assert released.reason == "moving"
