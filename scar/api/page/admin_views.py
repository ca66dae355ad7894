"""The screens for admins: the audit trail, the hosts, the projects file."""

from __future__ import annotations

import re
from itertools import islice
from typing import cast

from flask import request
from flask.typing import ResponseReturnValue

from scar.access import Role
from scar.api.auth import require
from scar.api.context import context
from scar.api.hosts import hosts_of
from scar.api.page.rendering import page
from scar.commands.audit import by_job
from scar.json_object import JsonObject
from scar.redaction import mask
from scar.redis_client import redis_errors

_MOST = 200
_STREAM_ID = re.compile(r"[0-9]{1,15}-[0-9]{1,6}")


def audit() -> ResponseReturnValue:
    """The audit trail, newest first: who asked for what, and what came of it."""
    require(Role.ADMIN)
    before = request.args.get("before", "")
    top = before if _STREAM_ID.fullmatch(before) else None
    trail = context().services.audit.recent(before=top, batch=_MOST + 1)
    entries = list(islice(trail, _MOST + 1))
    following = entries[_MOST - 1].id if len(entries) > _MOST else None
    return page("audit.html", jobs=by_job(entries[:_MOST]), following=following)


def hosts() -> ResponseReturnValue:
    """The hosts of the projects and of the workers that live."""
    require(Role.ADMIN)
    services = context().services
    names = {project.host for project in services.projects.projects.values()}
    with redis_errors():
        names |= cast("set[str]", services.redis.smembers("scar:hosts"))
    return page("hosts.html", hosts=hosts_of(services.redis, names))


def projects_file() -> ResponseReturnValue:
    """The projects file as in force, and what is wrong with it."""
    require(Role.ADMIN)
    projects = context().services.projects
    entries = {name: _entry(project.to_json()) for name, project in projects.projects.items()}
    return page("projects_file.html", path=projects.path, entries=entries, problem=projects.problem)


def _entry(fields: JsonObject) -> dict[str, str]:
    return {name: mask(str(value)) for name, value in fields.items() if value not in (None, [], {})}
