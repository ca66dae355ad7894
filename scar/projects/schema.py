"""The rules of the projects file, and the words for breaking them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema
from pathspec import GitIgnoreSpec

from scar.errors import nearest
from scar.projects import folders
from scar.projects.project import Project
from scar.role import Role

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_COMPOSE_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_CONTAINER = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}")
_CHAT = re.compile(r"telegram:-?[1-9][0-9]{0,19}(/[1-9][0-9]{0,19})?")
_PERSON = re.compile(
    r"telegram:[1-9][0-9]{0,19}|github:[A-Za-z0-9][A-Za-z0-9-]{0,38}|"
    r"(api|web):[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
)
_BRANCH = re.compile(r"(?![-/.])(?!.*(\.\.|//|@\{))[^\s~^:?*\[\\\x00-\x1f\x7f]{1,200}(?<![./])")
_UNKNOWN = "Unknown field."
_SHOWN = 64


def read(text: str) -> tuple[dict[str, Project], list[str]]:
    """The projects of a projects file's text in their order, and every rule that it breaks.

    A problem begins with the project and the field, or with line and column.
    """
    try:
        found = json.loads(text, object_pairs_hook=_Entries, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return {}, [f"line {error.lineno}, column {error.colno}: {error.msg}"]
    except RecursionError:
        return {}, ["it is nested too deeply"]
    except ValueError as error:
        return {}, [f"a value is no JSON number: {error}"]
    if not isinstance(found, _Entries):
        return {}, ["it has to be a JSON object from project name to project"]
    projects: dict[str, Project] = {}
    problems = [f"{_quoted(name)}: is there twice" for name in found.twice]
    for name, entry in found.items():
        project, wrong = _project(name, entry)
        problems += wrong
        if project:
            projects[name] = project
    return projects, problems + list(_shared(projects))


def is_name(text: str) -> bool:
    """Whether a project could be called so."""
    return not any(_name_problems(text))


class _Entries(dict[str, Any]):
    """A JSON object that remembers which names it had twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        times = Counter(name for name, _ in pairs)
        self.twice = [name for name, count in times.items() if count > 1]


def _no_constant(word: str) -> Any:
    raise ValueError(word)


def _quoted(value: object) -> str:
    """A value of the file as an error shows it: one line of at most 64 characters."""
    shown = ascii(value) if not str(value).isprintable() else repr(value)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def _matches(pattern: re.Pattern[str], what: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not pattern.fullmatch(value):
            raise ValidationError(f"{_quoted(value)} is not {what}")

    return check


def _printable(value: str) -> None:
    if not value.strip() or not value.isprintable() or len(value) > 4096:
        raise ValidationError(
            f"{_quoted(value)} is empty, too long or holds a character that cannot be seen"
        )


def _pattern(value: str) -> None:
    _printable(value)
    try:
        GitIgnoreSpec.from_lines([value])
    except ValueError as error:
        raise ValidationError(f"{_quoted(value)} is not a gitignore pattern") from error


def _once(values: list[str]) -> None:
    for value, count in Counter(values).items():
        if count > 1:
            raise ValidationError(f"{_quoted(value)} is there twice")


class _Folder(fields.String):
    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, *args, **kwargs)
        _printable(text)
        try:
            return folders.absolute(text)
        except ValueError as error:
            raise ValidationError(f"{_quoted(text)} {error}") from error


class _Flag(fields.Field[bool]):
    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("is not true or false")
        return value


def _names(*checks: Callable[[str], None], **options: Any) -> fields.List[Any]:
    return fields.List(fields.String(validate=list(checks)), validate=_once, **options)


_container = _matches(_CONTAINER, "a container's name")
_person = _matches(_PERSON, "a person such as telegram:12345, github:octocat or api:ci")


class _AutoDeploySchema(Schema):
    branch = fields.String(required=True, validate=_matches(_BRANCH, "a branch's name"))


class _RolesSchema(Schema):
    viewer = _names(_person)
    operator = _names(_person)
    admin = _names(_person)


class ProjectSchema(Schema):
    """One project, its defaults filled in by `_project`."""

    workspace = _Folder(required=True)
    production = _Folder(required=True)
    compose_project = fields.String(
        validate=_matches(_COMPOSE_PROJECT, "a Compose project's name: [a-z0-9][a-z0-9_-]*")
    )
    containers = _names(_container)
    primary_container = fields.String(validate=_container, allow_none=True)
    auto_detect = _Flag()
    host = fields.String(validate=_matches(_NAME, "a host's name: [a-z0-9][a-z0-9._-]*"))
    # `Schema.exclude` is marshmallow's own.
    excluded = fields.List(
        fields.String(validate=_pattern), data_key="exclude", attribute="exclude"
    )
    health_timeout = fields.Integer(strict=True, validate=validate.Range(1, 86_400))
    keep_releases = fields.Integer(strict=True, validate=validate.Range(1, 1000))
    auto_deploy = fields.Nested(_AutoDeploySchema, allow_none=True)
    alerts = _names(
        _matches(_CHAT, "a chat such as telegram:-100123 or telegram:-100123/7"), allow_none=True
    )
    roles = fields.Nested(_RolesSchema, allow_none=True)
    protected = _names(_container)
    agent = fields.String(validate=_printable, allow_none=True)

    @validates_schema(skip_on_field_errors=False)
    def _containers(self, data: dict[str, Any], **_: Any) -> None:
        containers = data.get("containers")
        primary = data.get("primary_container")
        if data.get("auto_detect"):
            return
        if containers == []:
            raise ValidationError("names none; name some, or set auto_detect", "containers")
        if primary and containers and primary not in containers:
            known = f" {', '.join(containers)}.{nearest(primary, containers)}"
            raise ValidationError(
                f"{_quoted(primary)} is not among the containers{known}", "primary_container"
            )

    @validates_schema(skip_on_field_errors=False)
    def _folders(self, data: dict[str, Any], **_: Any) -> None:
        production, workspace = data.get("production"), data.get("workspace")
        if production is None:
            return
        if reason := folders.not_for_production(production):
            raise ValidationError(f"{_quoted(str(production))} {reason}", "production")
        if workspace is None:
            return
        if folders.inside(production, workspace) and folders.inside(workspace, production):
            raise ValidationError("is the workspace as well", "production")
        if folders.inside(production, workspace):
            raise ValidationError(f"is inside the workspace {workspace}", "production")
        if folders.inside(workspace, production):
            raise ValidationError(f"is inside the production folder {production}", "workspace")


_schema = ProjectSchema()
_FIELDS = [field.data_key or name for name, field in _schema.fields.items()]


def _project(name: str, entry: Any) -> tuple[Project | None, list[str]]:
    """The project of one entry, or what is wrong with it."""
    problems = list(_name_problems(name))
    if not isinstance(entry, _Entries):
        return None, [*problems, f"{_quoted(name)}: has to be a JSON object"]
    problems += [f"{_quoted(name)}: {path}: is there twice" for path in _twice(entry)]
    wrong: Mapping[Any, Any] = {}
    try:
        data = _schema.load(entry)
    except ValidationError as error:
        wrong = error.messages_dict
        data = {}
    problems += [f"{_quoted(name)}: {said}" for said in _flat(wrong)]
    if "containers" not in entry and entry.get("auto_detect") is not True:
        problems.append(f"{_quoted(name)}: containers: is missing; or set auto_detect")
    if "compose_project" not in entry and "." in name and _NAME.fullmatch(name):
        problems.append(
            f"{_quoted(name)}: compose_project: is missing, and Compose does not take the "
            "project's name, which holds a '.'"
        )
    if problems:
        return None, problems
    return Project.from_json({**data, "name": name}), []


def _name_problems(name: str) -> Iterator[str]:
    if not _NAME.fullmatch(name):
        yield f"{_quoted(name)}: is not a project's name: [a-z0-9][a-z0-9._-]*, at most 64 long"
    elif name.isdecimal():
        yield f"{_quoted(name)}: a name of digits only would be taken for a number of lines"


def _twice(entry: _Entries) -> Iterator[str]:
    yield from map(_field, entry.twice)
    for name, value in entry.items():
        if isinstance(value, _Entries):
            yield from (f"{_field(name)}.{_field(inner)}" for inner in value.twice)


def _flat(wrong: Mapping[Any, Any], above: str = "") -> Iterator[str]:
    """marshmallow's nested messages as `containers[0]: what`."""
    for name, said in wrong.items():
        if isinstance(name, int):
            path = f"{above}[{name}]"
        elif name == "_schema":
            path = above
        else:
            path = f"{above}.{_field(name)}".lstrip(".")
        if isinstance(said, Mapping):
            yield from _flat(said, path)
            continue
        for sentence in said:
            yield f"{path}: {_words(str(sentence), str(name), above)}"


def _field(name: object) -> str:
    return str(name) if re.fullmatch(r"[A-Za-z0-9_]{1,64}", str(name)) else _quoted(name)


def _words(sentence: str, name: str, above: str) -> str:
    if sentence == _UNKNOWN:
        nested = {"auto_deploy": ["branch"], "roles": [str(role) for role in Role]}
        known = nested.get(above, _FIELDS)
        return f"unknown field.{nearest(name, known) or ' Known are: ' + ', '.join(known) + '.'}"
    if sentence == "Missing data for required field.":
        return "is missing"
    return sentence[0].lower() + sentence[1:].rstrip(".")


def _shared(projects: Mapping[str, Project]) -> Iterator[str]:
    """Two projects that would write the same folder or run the same Compose project."""
    productions: dict[tuple[str, Path], str] = {}
    compose_projects: dict[tuple[str, str], str] = {}
    for name, project in projects.items():
        folder = (project.host, folders.resolved(project.production))
        other = productions.setdefault(folder, name)
        if other != name:
            yield f"'{name}': production: is that of '{other}' as well"
        other = compose_projects.setdefault((project.host, project.compose_project), name)
        if other != name:
            yield f"'{name}': compose_project: is that of '{other}' as well"
