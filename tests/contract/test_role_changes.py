"""Changes of `roles` in the projects file are in the audit trail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scar.api.role_changes import RoleChanges
from scar.bootstrap import Services
from tests.support.waiting import eventually


def changes(services: Services) -> list[tuple[str, str]]:
    entries = services.audit.recent()
    return [(e.project, e.action) for e in entries if e.actor == "file:projects"]


def test_a_change_of_roles_is_in_the_audit_trail_once(services: Services) -> None:
    path: Path = services.projects.path
    document: dict[str, Any] = json.loads(path.read_text())
    first = RoleChanges(services.redis, services.projects, services.audit)
    second = RoleChanges(services.redis, services.projects, services.audit)
    first.look()
    assert changes(services) == [], "what was there at first is no change"
    document["shop"]["roles"] = {"admin": ["telegram:666"]}
    path.write_text(json.dumps(document))
    first.look()
    second.look()
    assert changes(services) == [("shop", "roles: +admin telegram:666")]
    path.write_text("{")
    second.look()
    document["shop"]["roles"] = {"viewer": ["telegram:666"]}
    path.write_text(json.dumps(document))
    second.look()
    change = ("shop", "roles: +viewer telegram:666, -admin telegram:666")
    assert changes(services)[0] == change


def test_malformed_roles_on_redis_do_not_stop_the_comparison(services: Services) -> None:
    services.redis.set("scar:roles", "nonsense")
    watching = RoleChanges(services.redis, services.projects, services.audit, interval=0.01)
    watching.start()
    try:
        eventually(lambda: services.redis.get("scar:roles") != "nonsense")
        services.redis.set("scar:roles", json.dumps({"shop": ["admin telegram:666"]}))
        eventually(lambda: changes(services))
    finally:
        watching.stop()
