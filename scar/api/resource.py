"""flask-smorest with type annotations, a strict JSON parser, and RFC 9457 error responses."""

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
    """Reading a request's body exceeded its deadline: HTTP status 408."""

    description = "The body of the request did not arrive in time"


class StrictParser(FlaskParser):
    """Parses request bodies as UTF-8 JSON by RFC 8259, and refuses fields that the schema does
    not name.
    """

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
    }

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002
        """Return the parsed body, which the schema validates afterwards."""
        if not is_json_request(req):
            raise UnsupportedMediaType("The body is not said to be JSON")
        return strict_json(read_body())


def read_body() -> bytes:
    """Return the raw body of the current request; respond 408 if it is not received in time, 413
    if it is too large.
    """
    with context().body_deadline():
        return request.get_data(cache=True)


def strict_json(body: bytes) -> Any:
    """Parse JSON. Responds 400 to anything else, and to NaN, infinity, lone surrogates and
    duplicate names in an object.
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
    """The routes of one resource: flask-smorest's `Blueprint` with type annotations."""

    ARGUMENTS_PARSER = StrictParser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Register a view function for the URL `rule`."""
        return cast("Callable[[View], View]", super().route(rule, **options))

    def arguments(self, schema: type[Schema], **options: Any) -> Callable[[View], View]:
        """Validate a part of the request with `schema`, and pass it to the view as an argument."""
        return cast("Callable[[View], View]", super().arguments(schema, **options))

    def response(
        self,
        status_code: int,
        schema: type[Schema] | JsonObject | None = None,
        content_type: str = JSON,
        **options: Any,
    ) -> Callable[[View], View]:
        """Document a response in OpenAPI; the view itself returns a finished `Response`."""
        options["content_type"] = content_type
        return cast("Callable[[View], View]", super().response(status_code, schema, **options))

    def alt_response(
        self, status_code: int, content_type: str = JSON, **options: Any
    ) -> Callable[[View], View]:
        """Document a further response in OpenAPI; `response` names one that several routes
        share.
        """
        options["content_type"] = content_type
        return cast("Callable[[View], View]", super().alt_response(status_code, **options))

    def doc(self, **options: Any) -> Callable[[View], View]:
        """Add an attribute, such as `deprecated`, to a view's entry in OpenAPI."""
        return cast("Callable[[View], View]", super().doc(**options))


class ScarApi(Api):  # type: ignore[misc]
    """flask-smorest's `Api`, changed to describe error responses as problem documents.

    Its content type is used for errors alone, since `Resource` sets that of every other response.
    """

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_RESPONSE_CONTENT_TYPE = PROBLEM


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """Return a JSON response. In the names of `headers`, underscores stand for hyphens."""
    text = json.dumps(body, separators=(",", ":"))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, status, named, mimetype=JSON)
