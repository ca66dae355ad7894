"""What `/openapi.json` says of a kind's arguments is what the server takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import pytest

from scar.api.app import create_app
from scar.bootstrap import bootstrap
from scar.commands import job_commands
from scar.errors import ScarError
from scar.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from scar.projects import Project, ProjectsFile

CASES: list[tuple[str, dict[str, Any], bool]] = [
    ("project_add", {"name": "shop"}, True),
    ("project_add", {"name": "shop", "production": "/srv/shop"}, True),
    ("project_add", {"name": "shop", "production": "/srv/Лавка 1"}, True),
    ("project_add", {"name": "20"}, False),
    ("project_add", {"name": "Shop"}, False),
    ("project_add", {"name": "shop\n"}, False),
    ("project_add", {"name": "shop", "production": "srv/shop"}, False),
    ("project_add", {"name": "shop", "production": "/srv/../etc"}, False),
    ("project_add", {"name": "shop", "more": 1}, False),
    ("project_add", {}, False),
    ("agent", {"instruction": "修好首页"}, True),
    ("agent", {"instruction": "look 👀"}, True),
    ("agent", {"instruction": " \n\u200e"}, False),
    ("agent", {"instruction": "\x1b[31m"}, False),
    ("agent", {"instruction": "x" * 8001}, False),
    ("logs", {"lines": 5000, "container": "web"}, True),
    ("logs", {"lines": 5001}, False),
    ("logs", {"lines": True}, False),
    ("logs", {"container": ""}, False),
    ("rollback", {"release": "01JAAAAAAAAAAAAAAAAAAAAAAA"}, True),
    ("rollback", {"release": "no id"}, False),
    ("status", {"deep": 1}, False),
]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    nowhere = Settings(redis_url="redis://127.0.0.1:1", secret_key="for no signature at all")
    answer = create_app(bootstrap(nowhere, "api")).test_client().get("/openapi.json")
    schemas: dict[str, Any] = answer.get_json()["components"]["schemas"]
    return schemas


def allows(described: dict[str, Any], kind: str, args: dict[str, Any]) -> bool:
    """Return whether the document allows the arguments, as far as the cases need JSON Schema."""
    schema = described[job_commands()[kind].schema.__name__]
    known = schema["properties"]
    if not args.keys() <= known.keys() or not set(schema.get("required", ())) <= args.keys():
        return False
    return all(_fits(known[name], value) for name, value in args.items())


def _fits(field: dict[str, Any], value: Any) -> bool:
    if isinstance(value, str):
        fits_length = field.get("minLength", 0) <= len(value) <= field.get("maxLength", 10_000)
        return fits_length and bool(re.search(field.get("pattern", ""), value))
    return not isinstance(value, bool) and field["minimum"] <= value <= field["maximum"]


@pytest.mark.parametrize(("kind", "args", "right"), CASES)
def test_the_schema_and_the_server_agree(
    described: dict[str, Any], kind: str, args: dict[str, Any], right: bool
) -> None:
    assert allows(described, kind, args) is right
    if right:
        assert job_commands()[kind].arguments(args)
    else:
        with pytest.raises(ScarError) as refused:
            job_commands()[kind].arguments(args)
        assert refused.value.code == "invalid_request"


def test_a_mention_without_an_instruction_is_answered_with_an_example() -> None:
    nothing = cast("ProjectsFile", None)
    with pytest.raises(ScarError, match="@scar takes an instruction"):
        job_commands()["agent"].parse((), nothing, cast("Callable[[], Project]", None))


def test_each_kind_has_a_body_of_its_own(described: dict[str, Any]) -> None:
    bodies = {choice["$ref"].rpartition("/")[2] for choice in described["Submit"]["oneOf"]}
    kinds = [described[body]["properties"]["kind"]["enum"] for body in bodies]
    assert sorted(kind for [kind] in kinds) == sorted(job_commands())
    assert described["SubmitProjectAdd"]["required"] == ["kind", "args"]
