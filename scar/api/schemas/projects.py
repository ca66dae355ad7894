"""Schemas of `/projects`, and of the queries of the routes below it."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from scar.api.schemas.fields import JOB_ID, ClosedSchema, Number, cursor, page, text
from scar.api.schemas.problems import ErrorSchema
from scar.commands.stats import time_field
from scar.jobs.results.history import ReleaseRow
from scar.jobs.results.json_record import schema_of


class ReleasesQuery(ClosedSchema):
    """Query of `/projects/{name}/releases`: how many releases."""

    limit = Number(load_default=50, validate=validate.Range(1, 200))
    cursor = fields.String(validate=validate.Regexp(JOB_ID))


class LogsQuery(ClosedSchema):
    """Query of `/projects/{name}/logs`: how many lines, of which container."""

    lines = Number(validate=validate.Range(1, 5000))
    container = fields.String(validate=validate.Length(1, 128))


class StatsQuery(ClosedSchema):
    """Query of `/projects/{name}/stats`: over which time, besides now."""

    since = time_field()


class FollowQuery(ClosedSchema):
    """Query of `/projects/{name}/logs/follow`: which container."""

    container = fields.String(validate=validate.Length(1, 128))


class ProjectSchema(Schema):
    """An entry of the projects file, with defaults filled in."""

    name = text()
    workspace = text()
    production = text()
    compose_project = text()
    containers = fields.List(fields.String(), required=True)
    primary_container = text(none=True)
    auto_detect = fields.Boolean(required=True)
    host = text()
    # `exclude` is an attribute of marshmallow's `Schema`, so the field has another name.
    excluded = fields.List(fields.String(), required=True, data_key="exclude")
    health_timeout = fields.Integer(required=True)
    keep_releases = fields.Integer(required=True)
    auto_deploy = fields.Dict(required=True, allow_none=True)
    alerts = fields.List(fields.String(), required=True)
    roles = fields.Dict(required=True)
    protected = fields.List(fields.String(), required=True)
    agent = text(none=True)
    remote_includes = fields.Boolean(required=True)
    # True, false, or a list of services; null where the entry does not say.
    zero_downtime = fields.Raw(required=True, allow_none=True)
    bake = text(none=True)


class ProjectAnswerSchema(ProjectSchema):
    """A project, and the error in the projects file if it has one."""

    problem = fields.Nested(ErrorSchema, required=True, allow_none=True)


ProjectsPage = page(
    "ProjectsPage",
    fields.Nested(ProjectSchema),
    cursor(),
    problem=fields.Nested(ErrorSchema, required=True, allow_none=True),
)
ReleasesPage = page("ReleasesPage", fields.Nested(schema_of(ReleaseRow)), cursor())
