"""The handler of `follow`, which reports new log lines as they are written."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import sleep

from scar.errors import ScarError
from scar.jobs.line_filter import LineFilter
from scar.jobs.results.follow import FollowResult
from scar.jobs.time_span import seconds_of_any
from scar.json_object import JsonObject
from workers.engine.container import Container
from workers.engine.followed_log import FollowedLog
from workers.engine.log_position import LogPosition, shifted
from workers.engine.shared_logs import SharedLogs, relay_socket
from workers.facts.container_logs import container_to_read, hide_secrets_of, stamp
from workers.runtime.context import JobContext
from workers.runtime.handlers import ReadJob
from workers.state.releases import Releases

_SECONDS = 600.0
_RETRY_SECONDS = 1.0
_CHECK_SECONDS = 0.2
_RELEASE_LETTERS = 10
"""How many characters of a release's id are shown."""
_ALIVE = ("running", "restarting", "paused")


@dataclass(frozen=True)
class FollowState:
    """The state that is stored with the reported lines: the position behind them, their number, and
    when the job began, in seconds since the epoch.
    """

    position: LogPosition
    count: int
    begun_at: float

    def to_json(self) -> JsonObject:
        """Return the state as JSON."""
        at = self.position
        position = (at.container, at.at, at.count, at.behind)
        return {"position": position, "count": self.count, "begun_at": self.begun_at}

    @classmethod
    def from_json(cls, document: JsonObject) -> FollowState:
        """Read `to_json`."""
        return cls(LogPosition(*document["position"]), document["count"], document["begun_at"])


class Follow(ReadJob[FollowResult]):
    """Follows the log of the primary container, or of the container that the request names.

    If its worker is killed, the next one continues after the last reported line.
    """

    kind = "follow"

    def answer(self, context: JobContext) -> FollowResult:
        """Report lines as output until ten minutes are over or the job is cancelled."""
        container = container_to_read(context)
        shared = SharedLogs(relay_socket(context.settings.state_dir))
        log = FollowedLog(context.engine, context.containers, container.name, shared)
        state = _state_before(context)
        if state is None:
            if container.state not in _ALIVE:
                raise _stopped(container, context.project.name)
            state = _begin(context, container, log.now())
        with context.steps.step("following", "Following", detail=container.name):
            return FollowResult(container.name, follow_lines(context, log, container.name, state))


def _state_before(context: JobContext) -> FollowState | None:
    """Return the state that an earlier attempt has reached. Waits while it cannot be read, since
    without it lines would be lost or repeated.
    """
    while True:
        try:
            kept = context.position_before()
            return FollowState.from_json(kept) if kept else None
        except ScarError as error:
            if error.code == "tampered":
                raise
            context.check()
            sleep(_RETRY_SECONDS)


def _begin(context: JobContext, container: Container, now: str) -> FollowState:
    span = context.request.args.get("since")
    back = timedelta(seconds=seconds_of_any(span)) if span else timedelta()
    state = FollowState(LogPosition(container.id, shifted(now, -back)), 0, context.wall())
    context.steps.log_position(state.to_json())
    return state


def follow_lines(context: JobContext, log: FollowedLog, name: str, state: FollowState) -> int:
    """Report a container's lines until the time is over; return how many there were."""
    check = partial(_check, context, state.begun_at + _SECONDS)
    takes = LineFilter.of(context.request.args.get("grep", "")).takes
    count = state.count
    with suppress(TimeoutError):
        for lines in log.lines(state.position, check=check):
            texts = [_replaced(context, name)] if lines.replaced else []
            if lines.replaced:
                hide_secrets_of(context, lines.position.container)
            for known in lines.before:
                context.masker.line(known.text)  # a key may go on from these
            masked = ((line, context.masker.line(line.text)) for line in lines.new)
            texts += [f"{stamp(line)} {text}" for line, text in masked if takes(text)]
            if texts:
                count += len(texts) - lines.replaced
                while not context.steps.await_room(_CHECK_SECONDS):
                    check()
                kept = FollowState(lines.position, count, state.begun_at)
                context.steps.log_lines(texts, kept.to_json())
    return count


def _replaced(context: JobContext, name: str) -> str:
    ids = Releases(context.folder).ids()
    release = f" ({ids[-1][:_RELEASE_LETTERS]})" if ids else ""
    return f"── {name} was replaced{release} ──"


def _stopped(container: Container, project: str) -> ScarError:
    """Return the error for a stopped container, which logs nothing."""
    return ScarError(
        "conflict",
        f"Container '{container.name}' does not run: it is {container.state}",
        f"/docker_logs {project}/{container.name} shows its last lines, /docker_restart {project} "
        "starts it.",
    )


def _check(context: JobContext, deadline: float) -> None:
    context.check()
    if context.wall() > deadline:
        raise TimeoutError


HANDLER = Follow()
