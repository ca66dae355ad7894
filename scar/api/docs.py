"""Serves the OpenAPI document at `/openapi.json`, and at `/docs` an HTML page of it without
external assets.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape

from flask import Flask, Response

from scar.api.errors import codes
from scar.json_object import JsonObject

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code { font: 0.9em ui-monospace, monospace }
h3 { margin: 2rem 0 0.25rem } h3 code { font-weight: 600 }
table { border-collapse: collapse } td, th { padding: 0.15rem 1rem 0.15rem 0; text-align: left;
vertical-align: top }
.quiet { opacity: 0.7 }
"""
_CSP = (
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)


def register(app: Flask, spec: JsonObject) -> None:
    """Register the routes `/openapi.json` and `/docs` for the OpenAPI document `spec`."""
    text = json.dumps(spec, separators=(",", ":")).encode()
    page = "".join(_page(spec)).encode()

    @app.get("/openapi.json")
    def openapi() -> Response:
        return Response(text, mimetype="application/json")

    @app.get("/docs")
    def docs() -> Response:
        response = Response(page, content_type="text/html; charset=utf-8")
        response.headers["Content-Security-Policy"] = _CSP
        return response


def _page(spec: JsonObject) -> Iterator[str]:
    info = spec["info"]
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])}'
    yield f'</title><meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    yield f"<h1>{escape(info['title'])}</h1><p>{escape(info['description'])}</p>"
    yield '<p><a href="/openapi.json">openapi.json</a> says the same to programs.</p>'
    for tag in spec["tags"]:
        yield f"<h2>{escape(tag['name'])}</h2><p>{escape(tag['description'])}</p>"
        for path, operations in spec["paths"].items():
            for method, operation in operations.items():
                if isinstance(operation, Mapping) and tag["name"] in operation["tags"]:
                    yield from _operation(spec, path, method, operations, operation)
    yield "<h2>schemas</h2>"
    for name, schema in spec["components"]["schemas"].items():
        yield f'<h3 id="schema-{escape(name)}"><code>{escape(name)}</code></h3>'
        yield from _fields(schema)
    yield "<h2>errors</h2><p>Each is <code>application/problem+json</code> (RFC 9457).</p><table>"
    for code, status in codes().items():
        yield f'<tr id="{escape(code)}"><td><code>{escape(code)}</code><td>{int(status)}'
    yield "</table></html>"


def _operation(
    spec: JsonObject,
    path: str,
    method: str,
    shared: JsonObject,
    operation: JsonObject,
) -> Iterator[str]:
    yield f"<h3><code>{method.upper()} {escape(path)}</code></h3>"
    yield f"<p>{escape(operation.get('summary', ''))}"
    if operation.get("security") == []:
        yield ' <span class="quiet">(open to all)</span>'
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}"
    parameters = [*shared.get("parameters", ()), *operation.get("parameters", ())]
    if parameters:
        yield "<table>"
        for parameter in parameters:
            yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{parameter['in']}"
            yield f"<td>{_kind(parameter['schema'])}<td>{escape(parameter.get('description', ''))}"
        yield "</table>"
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield f"<p>Body: {_kind(content['schema'])}"
    yield "<table>"
    for status, answered in operation["responses"].items():
        if "$ref" in answered:
            answered = spec["components"]["responses"][answered["$ref"].rpartition("/")[2]]
        kinds = ", ".join(
            f"{_kind(content.get('schema', {}))} <code>{escape(media)}</code>"
            for media, content in answered.get("content", {}).items()
        )
        yield f"<tr><td>{escape(str(status))}<td>{escape(answered['description'])}<td>{kinds}"
    yield "</table>"


def _fields(schema: JsonObject) -> Iterator[str]:
    if "oneOf" in schema:
        yield f"<p>{_kind(schema)}"
    yield "<table>"
    for name, field in schema.get("properties", {}).items():
        needed = "" if name in schema.get("required", ()) else "optional"
        yield f"<tr><td><code>{escape(name)}</code><td>{_kind(field)}<td>{needed}"
        yield f"<td>{escape(field.get('description', ''))}"
    yield "</table>"


def _kind(schema: JsonObject) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    for choices in ("anyOf", "oneOf"):
        if choices in schema:
            return " or ".join(_kind(choice) for choice in schema[choices])
    if "enum" in schema:
        return " | ".join(escape(str(value)) for value in schema["enum"] if value is not None)
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    kind = schema.get("type", "anything")
    return escape(" or ".join(kind) if isinstance(kind, list) else str(kind))
