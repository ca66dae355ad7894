"""Plans and results as workers write them and programs read them: their keys do not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COUNTS = {"added": 1, "changed": 0, "removed": 0}
DEPLOY_COUNTS = {**COUNTS, "drift": 1, "kept": 0}
FILES = {"added": ["app.py"], "changed": [], "removed": []}
PRIMARY = {"name": "shop-web-1", "state": "running", "uptime_seconds": 0}
ENTRY = {
    "workspace": "/workspace/shop",
    "production": "/srv/production/shop",
    "compose_project": "shop",
    "auto_detect": True,
}
PLANNED = {
    "workspace": "/workspace/shop",
    "production": "/srv/shop",
    "nothing": False,
    "counts": DEPLOY_COUNTS,
    "files": FILES,
    "drift": ["page"],
    "kept": [],
    "left_alone": [".env"],
    "outward": [".venv/bin/python3 -> /usr/bin/python3"],
    "special": ["run/app.sock"],
    "build": ["web"],
    "restart": ["web"],
    "release": None,
    "commit": None,
    "dirty": False,
    "downtime": "0-2 seconds",
    "notices": [],
    "hash": "a" * 64,
}
DEPLOYED = {
    "nothing": False,
    "release": "01JAAAAAAAAAAAAAAAAAAAAAAA",
    "restored": None,
    "commit": None,
    "counts": DEPLOY_COUNTS,
    "built": [],
    "restarted": ["web"],
    "downtime_seconds": 1.25,
    "seconds": 12.5,
    "kept": ["page"],
    "notices": [],
    "primary": PRIMARY,
}
CONTAINER = {
    "name": "shop-web-1",
    "service": "web",
    "primary": True,
    "state": "running",
    "health": "healthy",
    "uptime_seconds": 12,
    "exit_code": None,
    "ports": ["8001→8000/tcp"],
    "image": "shop-web",
    "old_version": False,
}
NOT_THERE = {**CONTAINER, "state": "not found", "ports": []} | dict.fromkeys(
    ("service", "health", "uptime_seconds", "exit_code", "image")
)
STATUS = {
    "project": "shop",
    "lock": None,
    "containers": [CONTAINER, NOT_THERE],
    "production": "/srv/shop",
    "workspace": "/workspace/shop",
    "old_version": True,
    "workspace_dirty": False,
    "notices": [],
}
LOCK = {"project": "*", "by": "Ada (telegram)", "reason": "sale", "since": "2026-01-31T12:00:00.1Z"}
USAGE = {
    "name": "shop-web-1",
    "cpu_percent": 0.5,
    "memory": 1,
    "memory_limit": 2,
    "network_received": 3,
    "network_sent": 4,
    "disk_read": 5,
    "disk_written": 6,
    "processes": 7,
}
SERIES = {
    "name": "shop-web-1",
    "cpu": [0.5, None, 1.5],
    "memory": [1, None, 2],
    "network_received": [3, None, 4],
    "network_sent": [3, None, 4],
    "disk_read": [5, None, 6],
    "disk_written": [5, None, 6],
}
USAGE_OVER_TIME = {
    "project": "shop",
    "containers": [USAGE],
    "history": {
        "start": 1_790_000_000_000,
        "step_seconds": 10,
        "containers": [SERIES],
        "marks": [{"at": 1_790_000_010_000, "kind": "deploy", "text": "Ada (telegram)"}],
    },
}
RELEASE = {
    "id": "01JAAAAAAAAAAAAAAAAAAAAAAA",
    "at": "2026-01-31T12:00:00.000Z",
    "by": "Ada (telegram)",
    "commit": None,
    "dirty": False,
    "seconds": 12.5,
    "downtime": None,
    "restored": None,
    "services": ["web"],
    "files": 3,
}
KEPT = {
    "path": "page",
    "job": "01JAAAAAAAAAAAAAAAAAAAAAAA",
    "at": "2026-01-31T12:00:00.000Z",
    "size": 3,
    "command": "cp /state/objects/ab/cd /srv/shop/page",
}
BROUGHT_BACK = {
    "path": "page",
    "production": "/srv/shop",
    "at": "2026-01-31T12:00:00.000Z",
    "size": 3,
    "nothing": False,
    "replaces": True,
    "keeps": False,
    "hash": "a" * 64,
}
CLONED = {
    "name": "shop",
    "folder": "/workspace/shop",
    "repository": "github.com/acme/shop",
    "branch": "main",
    "commit": None,
    "entry": ENTRY,
    "notices": ["It is empty: there is no commit in it."],
}
WORKED = {
    "workspace": "/workspace/shop",
    "counts": COUNTS,
    "files": FILES,
    "diff": "",
    "not_in_diff": [],
    "notices": [],
    "output": ["the end"],
    "seconds": None,
}
DISCARDED = {
    "workspace": "/workspace/shop",
    "counts": COUNTS,
    "files": FILES,
    "left": [],
    "hash": "a" * 64,
}

PLANS: list[tuple[str, Mapping[str, Any]]] = [
    ("deploy", PLANNED),
    ("deploy", {**PLANNED, "changed": True}),
    ("rollback", {**PLANNED, "release": "01JAAAAAAAAAAAAAAAAAAAAAAA", "downtime": None}),
    (
        "restart",
        {"containers": ["web"], "protected": [], "downtime": "10-30 seconds", "hash": "a"},
    ),
    ("agent", {"hash": "a"}),
    ("kept_restore", BROUGHT_BACK),
    ("agent_discard", DISCARDED),
    ("clone", {"url": "https://github.com/acme/shop", "hash": "a"}),
    ("project_add", {"name": "shop", "entry": ENTRY, "file": "/p.json", "hash": "a"}),
    (
        "project_add",
        {"name": "shop", "entry": {**ENTRY, "host": "far"}, "file": "/p.json", "hash": "a"},
    ),
]
RESULTS: list[tuple[str, Mapping[str, Any]]] = [
    ("deploy", DEPLOYED),
    ("deploy", {**DEPLOYED, "downtime_seconds": None, "primary": None, "commit": "f00"}),
    ("deploy", {"nothing": True, "primary": PRIMARY}),
    ("deploy", {"nothing": False, "release": "01J"}),
    (
        "deploy",
        {
            "nothing": False,
            "release": "01J",
            "restored": None,
            "downtime_seconds": 0.0,
            "primary": None,
        },
    ),
    ("deploy", {"production_state": "Production was not touched."}),
    ("rollback", {**DEPLOYED, "restored": "01JAAAAAAAAAAAAAAAAAAAAAAA"}),
    ("restart", {"restarted": ["web"], "failed": [], "downtime_seconds": None}),
    ("restart", {"production_state": "It is between old and new."}),
    ("diff", PLANNED),
    ("status", STATUS),
    ("status", {**STATUS, "lock": LOCK}),
    ("logs", {"container": "web", "count": 1, "lines": ["[2026] x"], "notices": []}),
    ("follow", {"container": "web", "count": 0}),
    ("stats", {"project": "shop", "containers": [USAGE]}),
    ("stats", USAGE_OVER_TIME),
    ("history", {"project": "shop", "releases": [RELEASE]}),
    ("kept", {"project": "shop", "files": [KEPT]}),
    ("kept", {"project": "shop", "files": [{**KEPT, "number": 1}]}),
    ("kept_restore", {"path": "page", "nothing": False}),
    ("kept_restore", {"production_state": "Production was not touched."}),
    ("agent", WORKED),
    ("agent_discard", DISCARDED),
    ("clone", CLONED),
    ("clone", {**CLONED, "branch": None, "commit": "f00", "entry": None}),
    ("project_add", {"name": "shop", "file": "/p.json"}),
]
