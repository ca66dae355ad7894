"""The marshmallow schema of one entry of the projects file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from scar.errors import nearest
from scar.json_object import JsonObject
from scar.projects import folders
from scar.role import Role
from scar.settings.front_end import front_end_settings

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
NAME_PATTERN = r"(?![0-9]+$)[a-z0-9][a-z0-9._-]{0,63}"
"""A project's name, for JSON Schema too: one of digits only would be taken for a number."""

NAME_WORDS = "a project's name: [a-z0-9][a-z0-9._-]*, at most 64 long and not digits alone"
FOLDER_PATTERN = r"/(?!(?:.*/)?\.\.(?:/|$))[^\u0000-\u001f\u007f-\u009f]{1,4094}"
"""An absolute path without a `..` and without control characters, for JSON Schema too."""

_COMPOSE_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_CLIENT = r"(?:api|web):[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# A subset of the names that git-check-ref-format(1) allows.
_BRANCH = re.compile(r"(?![-/.])(?!.*(\.\.|//|@\{))[^\s~^:?*\[\\\x00-\x1f\x7f]{1,200}(?<![./])")
_LONGEST_QUOTE = 64
_LONGEST_TEXT = 4096

_MOST_STARS = 3
"""pathspec tries every way to share a path among the stars: with 12 it does not come to an end."""


def is_name(text: str) -> bool:
    """Return whether `text` is a valid name of a project."""
    return not any(name_problems(text))


def name_problems(name: str) -> Iterator[str]:
    """Yield the reasons why `name` is not a valid project name."""
    if not NAME.fullmatch(name):
        yield f"{quoted(name)}: is not a project's name: [a-z0-9][a-z0-9._-]*, at most 64 long"
    elif name.isdecimal():
        yield f"{quoted(name)}: a name of digits only would be taken for a number of lines"


def quoted(value: object) -> str:
    """Return a value for an error message: one printable line of at most 64 characters."""
    text = repr(value) if str(value).isprintable() else ascii(value)
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _matches(pattern: re.Pattern[str], what: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not pattern.fullmatch(value):
            raise ValidationError(f"{quoted(value)} is not {what}")

    return check


def _require_printable(value: str) -> None:
    if not value.strip() or not value.isprintable() or len(value) > _LONGEST_TEXT:
        raise ValidationError(
            f"{quoted(value)} is empty, too long or holds a character that cannot be seen"
        )


def _require_ignore_pattern(value: str) -> None:
    from pathspec import GitIgnoreSpec  # slow to import, and few entries exclude anything

    _require_printable(value)
    names = value.split("/")
    if max(name.count("*") for name in names) > _MOST_STARS or names.count("**") > _MOST_STARS:
        raise ValidationError(
            f"{quoted(value)} has more than {_MOST_STARS} `*` in one name, or `**` in all: use"
            " several patterns"
        )
    try:
        GitIgnoreSpec.from_lines([value])
    except ValueError as error:
        raise ValidationError(f"{quoted(value)} is not a gitignore pattern") from error


def _require_distinct(values: list[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ValidationError(f"{quoted(value)} is there twice")


class _FolderField(fields.String):
    """An absolute path; loads as a `Path`."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        _require_printable(text)
        try:
            return folders.absolute(text)
        except ValueError as error:
            raise ValidationError(f"{quoted(text)} {error}") from error


class _FlagField(fields.Field[bool]):
    """A JSON boolean; marshmallow's own field also accepts texts such as "yes" and numbers."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("is not true or false")
        return value


class _ServicesField(fields.Field[bool | list[str]]):
    """A JSON boolean, for all or none, or a list of names of services."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool | list[str]:
        if isinstance(value, bool):
            return value
        if not isinstance(value, list):
            raise ValidationError("is not true, false or a list of services")
        for name in value:
            if not isinstance(name, str) or not _CONTAINER.fullmatch(name):
                raise ValidationError(f"{quoted(name)} is not a service's name")
        _require_distinct(value)
        return value


def _distinct_list(check: Callable[[str], None], **options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=check), validate=_require_distinct, **options)


_require_container = _matches(_CONTAINER, "a container's name")


class _AutoDeploySchema(Schema):
    branch = fields.String(required=True, validate=_matches(_BRANCH, "a branch's name"))


class _FoldersAndContainers(Schema):
    """The fields of a projects-file entry whose validation does not depend on the installed
    front-ends.
    """

    workspace = _FolderField(required=True)
    production = _FolderField(required=True)
    compose_project = fields.String(
        validate=_matches(_COMPOSE_PROJECT, "a Compose project's name: [a-z0-9][a-z0-9_-]*")
    )
    containers = _distinct_list(_require_container)
    primary_container = fields.String(validate=_require_container, allow_none=True)
    auto_detect = _FlagField()
    host = fields.String(validate=_matches(NAME, "a host's name: [a-z0-9][a-z0-9._-]*"))
    # `exclude` is an attribute of marshmallow's `Schema`, so the field has another name.
    excluded = fields.List(
        fields.String(validate=_require_ignore_pattern), data_key="exclude", attribute="exclude"
    )
    health_timeout = fields.Integer(strict=True, validate=validate.Range(1, 86_400))
    keep_releases = fields.Integer(strict=True, validate=validate.Range(1, 1000))
    auto_deploy = fields.Nested(_AutoDeploySchema, allow_none=True)
    remote_includes = _FlagField()
    zero_downtime = _ServicesField(allow_none=True)
    bake = fields.String(
        validate=validate.OneOf(("undo", "off"), error="is not undo or off"), allow_none=True
    )

    @validates_schema(skip_on_field_errors=False)
    def _require_containers(self, data: JsonObject, **_: Any) -> None:
        """Require at least one container unless `auto_detect` is set, and the primary container
        to be listed.
        """
        containers = data.get("containers")
        primary = data.get("primary_container")
        if data.get("auto_detect"):
            return
        if containers == []:
            raise ValidationError("names none; name some, or set auto_detect", "containers")
        if primary and containers and primary not in containers:
            known = f" {', '.join(containers)}.{nearest(primary, containers)}"
            raise ValidationError(
                f"{quoted(primary)} is not among the containers{known}", "primary_container"
            )

    @validates_schema(skip_on_field_errors=False)
    def _require_fit_folders(self, data: JsonObject, **_: Any) -> None:
        """Refuse a production folder that is a system folder or overlaps the workspace."""
        production, workspace = data.get("production"), data.get("workspace")
        if production is None:
            return
        if reason := folders.not_for_production(production):
            raise ValidationError(f"{quoted(str(production))} {reason}", "production")
        if workspace is not None:
            _require_apart(workspace, production)


def _require_apart(workspace: Path, production: Path) -> None:
    if folders.inside(production, workspace) and folders.inside(workspace, production):
        raise ValidationError("is the workspace as well", "production")
    if folders.inside(production, workspace):
        raise ValidationError(f"is inside the workspace {workspace}", "production")
    if folders.inside(workspace, production):
        raise ValidationError(f"is inside the production folder {production}", "workspace")


@cache
def entry_schema() -> Schema:
    """Return the schema of an entry, with the formats of people and chats that the front-ends
    accept.

    Missing fields stay missing, since `Project.from_json` has the defaults.
    """
    kinds = front_end_settings().items()
    people = [rf"{name}:(?:{kind.person_id.pattern})" for name, kind in kinds if kind.person_id]
    chats = [rf"{name}:(?:{kind.chat_id.pattern})" for name, kind in kinds if kind.chat_id]
    require_person = _matches(
        re.compile("|".join([*people, _CLIENT])),
        "a person such as telegram:12345, github:octocat or api:ci",
    )
    require_chat = _matches(
        re.compile("|".join(chats)), "a chat such as telegram:-100123 or telegram:-100123/7"
    )
    roles = Schema.from_dict({str(role): _distinct_list(require_person) for role in Role})
    return _FoldersAndContainers.from_dict(
        {
            "alerts": _distinct_list(require_chat, allow_none=True),
            "roles": fields.Nested(roles, allow_none=True),
            "protected": _distinct_list(_require_container),
            "agent": fields.String(validate=_require_printable, allow_none=True),
        }
    )()
