"""The body of `POST /jobs`, as `/openapi.json` describes it: one schema for each kind of job."""

from __future__ import annotations

from typing import Any

from apispec import APISpec

from scar.commands import job_commands
from scar.commands.job_command import JobCommand
from scar.json_object import JsonObject

_BODY = "Submit"


def describe_submit(spec: APISpec) -> None:
    """Replace the description of the body: which arguments there are, and whether there is a
    project, follows from the kind. The same schemas check them (`JobCommand.arguments`).
    """
    schemas: dict[str, Any] = spec.components.schemas
    base = schemas[_BODY]["properties"]
    choices = []
    for kind, command in job_commands().items():
        arguments = command.schema.__name__
        if arguments not in schemas:
            spec.components.schema(arguments, schema=command.schema)
        name = f"{_BODY}{_camel(kind)}"
        spec.components.schema(name, _body(base, command, arguments, schemas[arguments]))
        choices.append({"$ref": f"#/components/schemas/{name}"})
    schemas[_BODY] = {"oneOf": choices}


def _body(
    base: JsonObject, command: JobCommand, arguments: str, described: JsonObject
) -> dict[str, Any]:
    properties = {
        **base,
        "kind": {"type": "string", "enum": [command.kind]},
        "args": {"$ref": f"#/components/schemas/{arguments}"},
    }
    if not command.for_project:
        properties["project"] = {"type": "null"}
    required = ["kind", *(["args"] if described.get("required") else [])]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _camel(kind: str) -> str:
    return "".join(part.capitalize() for part in kind.split("_"))
