"""What went wrong: with a request, or with a job."""

from __future__ import annotations

from marshmallow import Schema, fields

from scar.api.schemas.fields import text


class ProblemSchema(Schema):
    """RFC 9457, with SCAR's code and what to do."""

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
    """Why a job did not succeed, or does not begin."""

    code = text()
    message = text()
    hint = text()
    lines = fields.List(fields.String())
