from __future__ import annotations

import json
from pathlib import Path

import pytest

from scar.access import Actor, Role
from scar.errors import ScarError
from scar.projects import Project
from scar.registration.registry import create_access
from scar.settings import Settings

SETTINGS = Settings.load(
    {
        "SCAR_TELEGRAM_USERS": "1:admin,2:operator,3:viewer",
        "SCAR_GITHUB_USERS": "OctoCat:operator",
        "SCAR_API_TOKENS": "ci:operator:first:secret,phone:viewer:sécond",
    },
    dotenv=None,
)
ACCESS = create_access(SETTINGS)
SHOP = Project(
    name="shop",
    workspace=Path("/w/shop"),
    production=Path("/p/shop"),
    compose_project="shop",
    containers=("web",),
    roles={
        Role.VIEWER: ("telegram:1", "telegram:9"),
        Role.OPERATOR: ("telegram:3", "github:HubOt"),
        Role.ADMIN: ("api:phone",),
    },
)


def actor(frontend: str, id: str) -> Actor:
    return Actor(frontend, id, "A Name")


def test_roles_are_ordered_and_parsed_from_words() -> None:
    assert Role.VIEWER < Role.OPERATOR < Role.ADMIN
    assert [f"{role}" for role in Role] == ["viewer", "operator", "admin"]
    assert [Role.parse(str(role)) for role in Role] == list(Role)
    for word in ("Admin", "owner", "", "1"):
        with pytest.raises(ValueError, match="unknown role"):
            Role.parse(word)


@pytest.mark.parametrize(
    ("frontend", "id", "anywhere", "in_shop"),
    [
        ("telegram", "1", Role.ADMIN, Role.ADMIN),
        ("telegram", "2", Role.OPERATOR, Role.OPERATOR),
        ("telegram", "3", Role.VIEWER, Role.OPERATOR),
        ("telegram", "9", None, Role.VIEWER),
        ("telegram", "4", None, None),
        ("telegram", "ci", None, None),
        ("github", "octocat", Role.OPERATOR, Role.OPERATOR),
        ("github", "OCTOCAT", Role.OPERATOR, Role.OPERATOR),
        ("github", "hubot", None, Role.OPERATOR),
        ("github", "1", None, None),
        ("api", "ci", Role.OPERATOR, Role.OPERATOR),
        ("api", "phone", Role.VIEWER, Role.ADMIN),
        ("web", "phone", Role.VIEWER, Role.VIEWER),
        ("api", "1", None, None),
        ("console", "root", Role.ADMIN, Role.ADMIN),
        ("schedule", "push", Role.OPERATOR, Role.OPERATOR),
        ("", "1", None, None),
    ],
)
def test_the_role_is_the_higher_of_the_global_and_the_projects_one(
    frontend: str, id: str, anywhere: Role | None, in_shop: Role | None
) -> None:
    assert ACCESS.role_of(actor(frontend, id), None) == anywhere
    assert ACCESS.role_of(actor(frontend, id), SHOP) == in_shop


def test_an_unknown_person_is_told_only_the_id_to_add() -> None:
    with pytest.raises(ScarError) as caught:
        ACCESS.require(actor("telegram", "12345"), Role.VIEWER, SHOP)
    assert caught.value.code == "unauthorized"
    assert caught.value.message == "You are not known here. Your id is telegram:12345."
    assert caught.value.hint == "An admin can add 12345:viewer to SCAR_TELEGRAM_USERS."
    assert "shop" not in caught.value.message + caught.value.hint


def test_a_person_whose_role_is_too_low_is_told_which_one_is_needed() -> None:
    with pytest.raises(ScarError) as caught:
        ACCESS.require(actor("telegram", "2"), Role.ADMIN, SHOP)
    assert caught.value.code == "forbidden"
    assert caught.value.message == "You are an operator here; this needs an admin."
    assert "SCAR_TELEGRAM_USERS" in caught.value.hint


def test_require_returns_the_actual_role_of_a_person() -> None:
    assert ACCESS.require(actor("telegram", "1"), Role.VIEWER, None) is Role.ADMIN
    assert ACCESS.require(actor("telegram", "2"), Role.OPERATOR, None) is Role.OPERATOR


def test_a_hostile_id_cannot_break_the_refusal_into_several_lines() -> None:
    with pytest.raises(ScarError) as caught:
        ACCESS.require(actor("github", "x\n\u202e" + "y" * 5000), Role.VIEWER, None)
    assert (caught.value.message + caught.value.hint).isprintable()
    assert len(caught.value.message) < 200


def test_an_api_token_identifies_its_client() -> None:
    assert ACCESS.actor_of_token("first:secret") == Actor("api", "ci", "ci")
    client = ACCESS.actor_of_token("sécond", frontend="web")
    assert client == Actor("web", "phone", "phone")
    assert client is not None
    assert client.role is Role.VIEWER
    for wrong in ("", "first", "first:secret ", "FIRST:SECRET", "sécond\n", "\udcff", "x" * 10**6):
        assert ACCESS.actor_of_token(wrong) is None


def test_without_api_tokens_no_client_is_known() -> None:
    assert create_access(Settings()).actor_of_token("") is None


@pytest.mark.parametrize("role", [None, *Role])
def test_an_actor_is_equal_after_a_round_trip_through_json(role: Role | None) -> None:
    actor = Actor("telegram", "1", "Ada <b>", role)
    copy = Actor.from_json(json.loads(json.dumps(actor.to_json())))
    assert (copy, copy.name, copy.role) == (actor, "Ada <b>", role)


def test_actors_are_the_same_person_by_front_end_and_id() -> None:
    assert Actor("telegram", "1", "Ada", Role.ADMIN) == Actor("telegram", "1", "Ada L.")
    assert Actor("telegram", "1", "Ada") != Actor("github", "1", "Ada")
