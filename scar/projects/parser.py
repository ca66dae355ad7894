"""Parses the text of a projects file, and describes every error in it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from scar.errors import nearest
from scar.json_object import JsonObject
from scar.projects import folders
from scar.projects.project import Project
from scar.projects.schema import NAME, entry_schema, name_problems, quoted
from scar.role import Role

_UNKNOWN = "Unknown field."
_MISSING = "Missing data for required field."


def parse_projects(text: str) -> tuple[dict[str, Project], list[str]]:
    """Return the valid projects in the file's order, and the problems of the others.

    A problem begins with the project and the field, or with line and column.
    """
    try:
        entries = json.loads(text, object_pairs_hook=_JsonObject, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        return {}, [f"line {error.lineno} column {error.colno}: {_json_mistake(error.msg)}"]
    except RecursionError:
        return {}, ["it is nested too deeply"]
    except ValueError as error:
        return {}, [f"a value is no JSON number: {error}"]
    if not isinstance(entries, _JsonObject):
        return {}, ["it has to be a JSON object from project name to project"]
    projects: dict[str, Project] = {}
    problems = [f"{quoted(name)}: is there twice" for name in entries.duplicates]
    for name, entry in entries.items():
        project, entry_problems = _parse_entry(name, entry)
        problems += entry_problems
        if project:
            projects[name] = project
    return projects, problems + list(_conflicts(projects))


class _JsonObject(dict[str, Any]):
    """A parsed JSON object that remembers which names occurred more than once."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(name for name, _ in pairs)
        self.duplicates = [name for name, count in counts.items() if count > 1]


_JSON_MISTAKES = {
    "Expecting ',' delimiter": "',' missing",
    "Expecting ':' delimiter": "':' missing",
    "Expecting value": "a value is missing",
    "Expecting property name enclosed in double quotes": "a name in double quotes is missing",
    "Illegal trailing comma before end of object": "a ',' too many",
    "Illegal trailing comma before end of array": "a ',' too many",
    "Extra data": "the file should have ended before this",
    "Unterminated string starting at": "this text has no '\"' at its end",
}


def _json_mistake(words: str) -> str:
    """Return what Python's json says in words that say what to mend."""
    return _JSON_MISTAKES.get(words, words[:1].lower() + words[1:])


def _refuse_constant(word: str) -> Any:
    """Refuse `NaN` and `Infinity`, which Python accepts but JSON does not allow."""
    raise ValueError(word)


def _parse_entry(name: str, entry: Any) -> tuple[Project | None, list[str]]:
    """Return the project of one entry, or its problems."""
    if not isinstance(entry, _JsonObject):
        return None, [*name_problems(name), f"{quoted(name)}: has to be a JSON object"]
    data: JsonObject = {}
    messages: Mapping[Any, Any] = {}
    try:
        data = entry_schema().load(entry)
    except ValidationError as error:
        messages = error.messages_dict
    problems = [
        *_duplicate_fields(entry),
        *_flatten(messages),
        *_missing_fields(name, entry),
    ]
    if (name_wrong := list(name_problems(name))) or problems:
        return None, name_wrong + [f"{quoted(name)}: {problem}" for problem in problems]
    return Project.from_json({**data, "name": name}), []


def _duplicate_fields(entry: _JsonObject) -> Iterator[str]:
    yield from (f"{_field_path(name)}: is there twice" for name in entry.duplicates)
    for name, value in entry.items():
        if isinstance(value, _JsonObject):
            for inner in value.duplicates:
                yield f"{_field_path(name)}.{_field_path(inner)}: is there twice"


def _missing_fields(name: str, entry: JsonObject) -> Iterator[str]:
    """Yield the fields that are missing, where another field or the project's name makes them
    required.
    """
    if "containers" not in entry and entry.get("auto_detect") is not True:
        yield "containers: is missing; or set auto_detect"
    if "compose_project" not in entry and "." in name and NAME.fullmatch(name):
        yield (
            "compose_project: is missing, and Compose does not take the project's name, which "
            "holds a '.'"
        )


def _flatten(messages: Mapping[Any, Any], parent: str = "") -> Iterator[str]:
    """Yield marshmallow's nested messages as flat texts, such as `containers[0]: what is wrong`."""
    for name, content in messages.items():
        if isinstance(name, int):
            path = f"{parent}[{name}]"
        elif name == "_schema":
            path = parent
        else:
            path = f"{parent}.{_field_path(name)}".lstrip(".")
        if isinstance(content, Mapping):
            yield from _flatten(content, path)
            continue
        for message in content:
            yield f"{path}: {_reword(str(message), str(name), parent)}"


def _field_path(name: object) -> str:
    return str(name) if re.fullmatch(r"[A-Za-z0-9_]{1,64}", str(name)) else quoted(name)


def _reword(message: str, name: str, parent: str) -> str:
    """Replace one of marshmallow's messages by the wording of this file's errors."""
    if message == _UNKNOWN:
        nested = {"auto_deploy": ["branch"], "roles": [str(role) for role in Role]}
        fields = [field.data_key or name for name, field in entry_schema().fields.items()]
        known = nested.get(parent, fields)
        return f"unknown field.{nearest(name, known) or ' Known are: ' + ', '.join(known) + '.'}"
    if message == _MISSING:
        return "is missing"
    return message[0].lower() + message[1:].rstrip(".")


def _conflicts(projects: Mapping[str, Project]) -> Iterator[str]:
    """Yield a problem for projects of one host that share a production folder or a Compose
    project.
    """
    productions: dict[tuple[str, Path], str] = {}
    compose_projects: dict[tuple[str, str], str] = {}
    for name, project in projects.items():
        folder = (project.host, folders.resolved(project.production))
        first = productions.setdefault(folder, name)
        if first != name:
            yield f"'{name}': production: is that of '{first}' as well"
        first = compose_projects.setdefault((project.host, project.compose_project), name)
        if first != name:
            yield f"'{name}': compose_project: is that of '{first}' as well"
