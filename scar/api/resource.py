"""flask-smorest with types, a strict JSON parser and problem documents."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

from flask import Request, Response, request
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema
from webargs import core
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.exceptions import BadRequest, RequestTimeout, UnsupportedMediaType

from scar.api.context import context
from scar.api.errors import PROBLEM
from scar.api.schemas.problems import ProblemSchema
from scar.json_object import JsonObject

JSON = "application/json"

View = TypeVar("View", bound=Callable[..., Any])


class SlowBodyError(RequestTimeout):
    """The body of a request took too long: 408."""

    description = "The body of the request did not arrive in time"


class StrictParser(FlaskParser):
    """Takes JSON as RFC 8259 has it, in UTF-8, and refuses what no schema names."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
    }

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002
        """Return the body's content, before it is checked by a schema."""
        if not is_json_request(req):
            raise UnsupportedMediaType("The body is not said to be JSON")
        return strict_json(read_body())


def read_body() -> bytes:
    """Return the body of this request; 408 where it does not arrive in time, 413 if it is large."""
    with context().body_deadline():
        return request.get_data(cache=True)


def strict_json(body: bytes) -> Any:
    """Parse a JSON text; 400 for any other, and for NaN, infinity, lone surrogates and a name that
    occurs twice in an object.
    """
    if not body:
        return core.missing
    try:
        content = json.loads(
            body.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_unique_names,
        )
        if b"\\u" in body:
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise BadRequest(f"The body is not JSON: {reason}") from error
    return content


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _unique_names(pairs: list[tuple[str, Any]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name is there twice")
    return members


class Resource(Blueprint):  # type: ignore[misc]
    """The routes of one resource: flask-smorest's Blueprint with types."""

    ARGUMENTS_PARSER = StrictParser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Register a view."""
        return cast("Callable[[View], View]", super().route(rule, **options))

    def arguments(self, schema: type[Schema], **options: Any) -> Callable[[View], View]:
        """Hand a part of the request, checked by `schema`, to the view."""
        return cast("Callable[[View], View]", super().arguments(schema, **options))

    def response(
        self,
        status_code: int,
        schema: type[Schema] | JsonObject | None = None,
        content_type: str = JSON,
        **options: Any,
    ) -> Callable[[View], View]:
        """Document an answer; views return a `Response` of their own."""
        options["content_type"] = content_type
        return cast("Callable[[View], View]", super().response(status_code, schema, **options))

    def alt_response(
        self, status_code: int, content_type: str = JSON, **options: Any
    ) -> Callable[[View], View]:
        """Document another answer; `response` names one that all routes share."""
        options["content_type"] = content_type
        return cast("Callable[[View], View]", super().alt_response(status_code, **options))

    def doc(self, **options: Any) -> Callable[[View], View]:
        """Add to the documentation of a view."""
        return cast("Callable[[View], View]", super().doc(**options))


class ScarApi(Api):  # type: ignore[misc]
    """flask-smorest's Api, which describes errors as problem documents.

    The content type is that of errors alone: `Resource` gives one to every other answer.
    """

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_RESPONSE_CONTENT_TYPE = PROBLEM


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """Make a JSON answer; `headers` with underscores for hyphens."""
    text = json.dumps(body, separators=(",", ":"))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, status, named, mimetype=JSON)
