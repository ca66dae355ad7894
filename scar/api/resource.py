"""flask-smorest's Blueprint with types, a strict JSON reader and problem documents."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

from flask import Request, Response
from flask_smorest import Api, Blueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema
from webargs import core
from webargs.flaskparser import FlaskParser, is_json_request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from scar.api import errors
from scar.api.schemas.problems import ProblemSchema

View = TypeVar("View", bound=Callable[..., Any])


class StrictParser(FlaskParser):
    """Takes JSON as RFC 8259 has it, in UTF-8, and refuses what no schema names."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": RAISE,
    }

    def _raw_load_json(self, req: Request) -> Any:
        if not is_json_request(req):
            raise UnsupportedMediaType("The body is not said to be JSON")
        return strict_json(req.get_data(cache=True))


def strict_json(body: bytes) -> Any:
    """The content of a JSON text; 400 for what is none, NaN, infinite or lone surrogates."""
    if not body:
        return core.missing
    try:
        found = json.loads(
            body.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_once,
        )
        if b"\\u" in body:
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise BadRequest(f"The body is not JSON: {reason}") from error
    return found


def _no_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


class Resource(Blueprint):  # type: ignore[misc]
    """The routes of one resource."""

    ARGUMENTS_PARSER = StrictParser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """Registers a view."""
        return cast("Callable[[View], View]", super().route(rule, **options))

    def arguments(self, schema: type[Schema], **options: Any) -> Callable[[View], View]:
        """Hands a part of the request, checked by `schema`, to the view."""
        return cast("Callable[[View], View]", super().arguments(schema, **options))

    def response(
        self, status_code: int, schema: type[Schema] | dict[str, Any] | None = None, **options: Any
    ) -> Callable[[View], View]:
        """Documents an answer; views return a `Response` of their own."""
        return cast("Callable[[View], View]", super().response(status_code, schema, **options))

    def alt_response(self, status_code: int, **options: Any) -> Callable[[View], View]:
        """Documents another answer."""
        return cast("Callable[[View], View]", super().alt_response(status_code, **options))

    def doc(self, **options: Any) -> Callable[[View], View]:
        """Adds to the documentation of a view."""
        return cast("Callable[[View], View]", super().doc(**options))


class ScarApi(Api):  # type: ignore[misc]
    """flask-smorest's Api whose errors are problem documents."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        self.DEFAULT_RESPONSE_CONTENT_TYPE = errors.PROBLEM
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = Api.DEFAULT_RESPONSE_CONTENT_TYPE

    def _register_error_handlers(self) -> None:
        errors.register(self._app)


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """A JSON answer; `headers` with underscores for hyphens."""
    found = Response(json.dumps(body, separators=(",", ":")), status, mimetype="application/json")
    for name, value in headers.items():
        found.headers[name.replace("_", "-")] = value
    return found
