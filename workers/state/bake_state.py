"""Stores how a project's containers behaved before and after its last deploy. It is on disk, so
that a restarted worker continues a bake, and undoes nothing twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from scar.errors import ScarError
from scar.jobs.bake import Bake
from scar.json_object import JsonObject
from workers.files.durable import read_json, write_synced

_MINUTES = 60
_EVENTS = 100
_CONTAINERS = 200
_DAY = 86_400
_HINT = "Remove that file: what was seen before the next deploy is then not known."
_log = structlog.get_logger(__name__)


@dataclass
class ContainerHistory:
    """A container, known by its name, since `since`: when it ended unasked and when its health
    check began to fail (seconds since the epoch), and the error lines of the last hour's minutes
    (beginning, count). `down` says that it should run and does not, since `down_since`.
    """

    since: float
    deaths: list[float] = field(default_factory=list)
    flaps: list[float] = field(default_factory=list)
    minutes: list[tuple[int, int]] = field(default_factory=list)
    down: bool = False
    down_since: float = 0.0

    def forget_old(self, now: float) -> None:
        """Drop old data: events are kept for a day (at most a hundred), minutes for an hour and the
        duration of a bake.
        """
        self.since = max(self.since, now - _DAY)
        self.deaths = [at for at in self.deaths if at > now - _DAY][-_EVENTS:]
        self.flaps = [at for at in self.flaps if at > now - _DAY][-_EVENTS:]
        self.minutes = self.minutes[-2 * _MINUTES :]

    @property
    def last_at(self) -> float:
        """When something of the container was noted last, or the day before which all is forgotten;
        in seconds since the epoch.
        """
        latest = (self.deaths[-1:], self.flaps[-1:], [at for at, _ in self.minutes[-1:]])
        return max(self.since, self.down_since, *(at for moments in latest for at in moments))


@dataclass
class BakeState:
    """The histories of a project's containers by name, and its last bake. `asked` says that the job
    that undoes the deploy was submitted.
    """

    histories: dict[str, ContainerHistory] = field(default_factory=dict)
    bake: Bake | None = None
    asked: bool = False

    def history(self, container: str, now: float) -> ContainerHistory:
        """Return a container's history; a new one that begins now if there is none."""
        return self.histories.setdefault(container, ContainerHistory(now))

    def forget_old(self, now: float) -> None:
        """Forget what is old of each container, and every container of which nothing was noted for
        a day, but for those that are down. Two hundred are kept at most, the latest.
        """
        for name, history in list(self.histories.items()):
            if history.last_at < now - _DAY and not history.down:
                del self.histories[name]
            history.forget_old(now)
        latest = sorted(self.histories, key=lambda name: self.histories[name].last_at)
        for name in latest[:-_CONTAINERS]:
            del self.histories[name]


class BakeFile:
    """The file `bake.json` in the project's state folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bake.json"

    def load(self) -> BakeState:
        """Read the state; a damaged file counts as empty."""
        if not self._path.exists():
            return BakeState()
        try:
            return read_json(self._path, _parse, _HINT)
        except ScarError as error:
            _log.warning("bake begun anew", reason=error.message)
            return BakeState()

    def saved_at(self) -> float:
        """Return when the state was last saved, in seconds since the epoch; 0 if it was never
        saved.
        """
        try:
            return self._path.stat().st_mtime
        except OSError:
            return 0.0

    def save(self, state: BakeState) -> None:
        """Write the state, synced; raises `disk_full` or `sync_failed`."""
        document = {
            "histories": {name: asdict(history) for name, history in state.histories.items()},
            "bake": state.bake.to_json() if state.bake else None,
            "asked": state.asked,
        }
        write_synced(self._path, json.dumps(document))


def _parse(document: JsonObject) -> BakeState:
    histories = {
        name: ContainerHistory(
            **{**history, "minutes": [(int(at), int(count)) for at, count in history["minutes"]]}
        )
        for name, history in document["histories"].items()
    }
    bake = Bake.from_json(document["bake"]) if document["bake"] else None
    return BakeState(histories, bake, bool(document["asked"]))
