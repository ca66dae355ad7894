"""Schemas of errors: of a failed request, and of a failed job."""

from __future__ import annotations

from marshmallow import Schema, fields

from scar.api.schemas.fields import text


class ProblemSchema(Schema):
    """An RFC 9457 problem document, with the members `code` and `hint`."""

    type = text()
    title = text()
    status = fields.Integer(required=True)
    detail = text(description="What happened, to what")
    code = text(description="Stable, for programs")
    hint = text(description="What to do")
    lines = fields.List(fields.String())
    errors = fields.Dict()
    job = fields.Dict()


class ErrorSchema(Schema):
    """The error of a job that failed, or that no worker has started yet."""

    code = text()
    message = text()
    hint = text()
    lines = fields.List(fields.String())
