"""Stores the plan that a question showed, to determine what has changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from scar.errors import ScarError
from scar.json_object import JsonObject
from workers.deployment.plan import Plan
from workers.files.durable import read_json, write_synced
from workers.files.failures import shown
from workers.runtime.context import JobContext

_KEPT = 10
_NAMED = 5
_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ShownPlan:
    """The plan that a job's question showed, in the project's state folder. It may be lost."""

    context: JobContext

    def save(self, plan: Plan) -> None:
        """Store the plan; the plans of the last ten jobs are kept. If that fails, a later question
        cannot say what has changed.
        """
        try:
            write_synced(self._path, json.dumps(plan.relied_upon, separators=(",", ":")))
            for old in sorted(self._path.parent.glob("*.json"))[:-_KEPT]:
                old.unlink(missing_ok=True)
        except (ScarError, OSError) as error:
            _log.warning("plan not kept", job=self.context.request.id, reason=str(error))

    def changes_until(self, plan: Plan) -> tuple[str, ...]:
        """Return the differences between the plan that was shown and `plan`, one sentence each."""
        try:
            if not self._path.exists():
                return ()
            before = read_json(self._path, dict, "")
        except ScarError as error:
            _log.warning("plan not read", job=self.context.request.id, reason=error.message)
            return ()
        # As JSON has it, where a tuple is a list.
        now = json.loads(json.dumps(plan.relied_upon))
        return tuple(_sentences(before, now, plan))

    @property
    def _path(self) -> Path:
        return self.context.folder / "shown" / f"{self.context.request.id}.json"


def _sentences(before: JsonObject, now: JsonObject, plan: Plan) -> list[str]:
    workspace, production = _changed_files(before, now, plan)
    ids = ({name: id for name, id, _ in side["containers"]} for side in (before, now))
    containers = _different(*ids)
    sentences = [
        f"{what} changed while you were reading: {_names(names)}"
        for what, names in (
            ("The workspace", workspace),
            ("Production", {*production, *_different(before["relied_on"], now["relied_on"])}),
            ("The containers", containers),
        )
        if names
    ]
    if not sentences and before != now:
        sentences.append("What is built or restarted changed while you were reading")
    return sentences


def _changed_files(before: JsonObject, now: JsonObject, plan: Plan) -> tuple[set[str], set[str]]:
    """Return the files that changed in the workspace and in production since `before`.

    A file that is in only one of the plans was the same in both folders at the time of the other.
    Comparing its contents with those in the other plan or the last release shows which folder
    changed.
    """
    workspace = _different(before["after"], now["after"])
    production = {
        path
        for path in before["before"].keys() & now["before"].keys()
        if before["before"][path] != now["before"][path]
    }
    released = plan.last.files if plan.last else {}
    for path in list(workspace):
        if path not in before["after"]:
            there, known = plan.changes.before[path], released.get(path)
            by_hand = known is not None and not known.same_content(there)
        elif path not in now["after"]:
            entry, was = plan.files.get(path), before["after"][path]
            by_hand = (entry and [entry.digest, entry.mode]) == was
        else:
            continue
        if by_hand:
            workspace.discard(path)
            production.add(path)
    return workspace, production


def _different(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    missing = object()
    return {
        name
        for name in before.keys() | now.keys()
        if before.get(name, missing) != now.get(name, missing)
    }


def _names(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _NAMED} more" if len(ordered) > _NAMED else ""
    return ", ".join(shown(name) for name in ordered[:_NAMED]) + more
