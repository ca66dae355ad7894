"""A voucher that a front-end signs for an API request is valid for that request alone."""

from __future__ import annotations

from typing import Any

import pytest

from scar.access import Actor
from scar.jobs.voucher import Asked, Voucher, issue, job_id_of, vouches
from tests.support.keys import signatures_of

SECRET = "a secret that only the tests know"
SAM = Actor("console", "sam", "Sam")
AT = 1_800_000_000
RESTART = {"kind": "restart", "project": "shop", "confirm": "yes"}
API = signatures_of("api", SECRET)


def voucher(
    path: str, body: Any, *, method: str = "POST", part: str = "console", actor: Actor = SAM
) -> dict[str, Any]:
    token = issue(signatures_of(part, SECRET), actor, method, path, body, AT)
    return dict(Voucher(token, body).to_json())


def made(voucher: dict[str, Any] | None = None, **changes: Any) -> Asked:
    values: dict[str, Any] = {
        **{"what": "make", "actor": SAM, "at": AT * 1000, "kind": "restart", "project": "shop"},
        **{"args": {}, "changes": True, "id": job_id_of(voucher["token"]) if voucher else "01J"},
        **changes,
    }
    return Asked(**values)


def test_a_voucher_is_for_the_job_it_asks_for() -> None:
    good = voucher("/jobs", RESTART)
    assert vouches(API, good, made(good))
    assert not vouches(API, good, made()), "one token is one job"
    assert vouches(API, good, made(what="confirm", shown=None))
    left_out = voucher("/jobs", {"kind": "restart"})
    assert vouches(API, left_out, made(left_out)), "the API fills in the default project"


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "deploy"},
        {"project": "blog"},
        {"actor": Actor("console", "eve", "Eve")},
        {"actor": Actor("telegram", "sam", "Sam")},
        {"at": (AT + 300 + 61) * 1000},
        {"at": (AT - 61) * 1000},
        {"what": "cancel", "id": "01J"},
        {"what": "confirm", "shown": "a" * 64},
    ],
)
def test_a_voucher_is_refused_for_any_other_job(changes: dict[str, Any]) -> None:
    token = voucher("/jobs", RESTART)
    assert not vouches(API, token, made(token, **changes))


def test_an_argument_that_was_given_cannot_be_changed() -> None:
    lines = voucher("/jobs", {"kind": "logs", "project": "shop", "args": {"lines": 5}})
    assert vouches(API, lines, made(lines, kind="logs", args={"lines": 5}, changes=False))
    assert not vouches(API, lines, made(lines, kind="logs", args={"lines": 5000}, changes=False))


def test_a_body_that_was_exchanged_does_not_fit_its_token() -> None:
    exchanged = {**voucher("/jobs", {"kind": "status", "project": "shop"}), "body": RESTART}
    assert not vouches(API, exchanged, made(exchanged))


def test_an_answer_is_for_one_job_and_one_plan() -> None:
    yes = voucher("/jobs/01J/confirm", {"answer": "yes", "shown": "a" * 64})
    confirm: dict[str, Any] = {"what": "confirm", "id": "01J", "shown": "a" * 64}
    assert vouches(API, yes, made(**confirm))
    assert not vouches(API, yes, made(**{**confirm, "id": "01K"}))
    assert not vouches(API, yes, made(**{**confirm, "shown": "b" * 64}))
    assert not vouches(API, yes, made(what="cancel", id="01J"))
    no = voucher("/jobs/01J/confirm", {"answer": "no"})
    assert vouches(API, no, made(what="cancel", id="01J"))
    assert not vouches(API, no, made(**confirm))


def test_a_voucher_for_reading_is_valid_for_a_job_that_only_reads() -> None:
    looking = voucher("/projects/shop/status", None, method="GET")
    assert vouches(API, looking, made(looking, kind="status", changes=False))
    assert not vouches(API, looking, made(looking))
    assert not vouches(API, looking, made(looking, kind="logs", changes=False))
    assert not vouches(API, looking, made(looking, kind="status", project="blog", changes=False))


@pytest.mark.parametrize("part", ["api", "telegram", "worker:default"])
def test_only_the_front_end_of_the_person_can_vouch(part: str) -> None:
    if part.startswith("worker"):
        with pytest.raises(LookupError):
            voucher("/jobs", RESTART, part=part)
    else:
        assert not vouches(API, voucher("/jobs", RESTART, part=part), made())
    assert not vouches(API, None, made())
