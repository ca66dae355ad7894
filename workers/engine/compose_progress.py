"""Parses the output of `docker compose build`, `pull` and `up` into events.

With `--progress json`, Compose 2.29 and later prints JSON lines: BuildKit's SolveStatus (vertexes,
and logs in base64) during a build, otherwise the states of containers, networks and volumes.
Earlier versions print BuildKit's plain format (`#12 [web 3/7] RUN make`). The parser accepts both
in one stream; any other line becomes a message.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from scar.json_object import JsonObject
from workers.engine.text import LineSplitter, plain


@dataclass(frozen=True)
class BuildStep:
    """The number of build steps changed: `done` of `total`, over all services."""

    done: int
    total: int


@dataclass(frozen=True)
class BuildOutput:
    """A line of output of a build step. `step` is the step's name, such as `[web 3/7] RUN make`."""

    step: str
    line: str


@dataclass(frozen=True)
class ResourceState:
    """The state of a container, network or volume, such as `Started` for `Container po-web-1`."""

    resource: str
    state: str


@dataclass(frozen=True)
class ComposeMessage:
    """A line printed by Compose itself. `error` is True if Compose ended because of it."""

    text: str
    error: bool


ComposeEvent = BuildStep | BuildOutput | ResourceState | ComposeMessage


@dataclass(frozen=True)
class FailedStep:
    """The build step that failed. `service` is empty if the step's name does not contain it."""

    service: str
    step: str
    reason: str


# Matches `[web stage-2 3/7] RUN make` and `[3/7] RUN make`, not `[web internal] load build
# context`.
_STEP = re.compile(r"\[(?:(?P<stage>[^\]]*?) +)?\d+/\d+\] .*", re.S)
_BRACKETS = re.compile(r"\[([^\]]*)\]")
_PLAIN = re.compile(r"#(?P<number>\d+) (?P<rest>.*)", re.S)
_PLAIN_OUTPUT = re.compile(r"\d+\.\d+ (?P<line>.*)", re.S)
_KEPT_LINES = 100


class ProgressParser:
    """Parses the output of one command; keeps its steps, its errors and the step that failed."""

    def __init__(self) -> None:
        self.failed: FailedStep | None = None
        self.errors: list[str] = []
        self.output: list[str] = []
        """The last lines of output of build steps."""
        self._steps: dict[str, str] = {}
        self._done: set[str] = set()
        self._logs: dict[tuple[str, int], LineSplitter] = {}

    def feed(self, line: str) -> list[ComposeEvent]:
        """Parse one line, which may be any text, and return its events."""
        if line.startswith("{"):
            try:
                status = json.loads(line)
            except (ValueError, RecursionError):
                status = None
            if isinstance(status, dict):
                return self._json(status)
        return self._plain(line)

    def end(self, *, succeeded: bool) -> list[ComposeEvent]:
        """Return events for the output of steps that did not end in a line break, and for steps
        of whose end a command that succeeded has not told: Compose may leave out the last.
        """
        events: list[ComposeEvent] = [
            self._printed(step, line)
            for (step, _), splitter in self._logs.items()
            for line in splitter.end()
        ]
        if succeeded and len(self._done) < len(self._steps):
            self._done.update(self._steps)
            events.append(self._step())
        return events

    def _json(self, status: JsonObject) -> list[ComposeEvent]:
        before = (len(self._done), len(self._steps))
        for vertex in _dicts(status.get("vertexes")):
            self._vertex(vertex)
        events: list[ComposeEvent] = []
        if (len(self._done), len(self._steps)) != before:
            events.append(self._step())
        for log in _dicts(status.get("logs")):
            events += self._log(log)
        if "message" in status:
            events.append(self._message(status))
        elif isinstance(status.get("id"), str) and (
            state := status.get("status") or status.get("text")
        ):
            events.append(ResourceState(status["id"], str(state)))
        return events

    def _vertex(self, vertex: JsonObject) -> None:
        digest, name = str(vertex.get("digest")), plain(str(vertex.get("name", "")))
        if _STEP.match(name):
            self._steps.setdefault(digest, name)
            if vertex.get("completed") and not vertex.get("error"):
                self._done.add(digest)
        if reason := str(vertex.get("error") or ""):
            self._fail(name, reason)

    def _log(self, log: JsonObject) -> list[ComposeEvent]:
        try:
            data = base64.b64decode(str(log.get("data", "")), validate=True)
        except (binascii.Error, ValueError):
            return []
        step, stream = str(log.get("vertex")), 2 if log.get("stream") == 2 else 1
        splitter = self._logs.setdefault((step, stream), LineSplitter())
        return [self._printed(step, line) for line in splitter.feed(data)]

    def _message(self, status: JsonObject) -> ComposeMessage:
        message = ComposeMessage(str(status["message"]).strip(), bool(status.get("error")))
        if message.error:
            self.errors.append(message.text)
        return message

    def _step(self) -> BuildStep:
        return BuildStep(len(self._done), len(self._steps))

    def _printed(self, step: str, line: str) -> BuildOutput:
        self.output = [*self.output[1 - _KEPT_LINES :], line]
        return BuildOutput(self._steps.get(step, ""), line)

    def _plain(self, line: str) -> list[ComposeEvent]:
        match = _PLAIN.fullmatch(line)
        if not match:
            return [ComposeMessage(line, error=False)] if line.strip() else []
        step, rest = match["number"], match["rest"]
        if _STEP.match(rest) and step not in self._steps:
            self._steps[step] = rest
            return [self._step()]
        if rest == "CACHED" or rest.startswith("DONE"):
            if step in self._steps and step not in self._done:
                self._done.add(step)
                return [self._step()]
            return []
        if rest.startswith("ERROR"):
            self._fail(self._steps.get(step, ""), rest.removeprefix("ERROR").lstrip(": "))
        elif output := _PLAIN_OUTPUT.fullmatch(rest):
            return [self._printed(step, output["line"])]
        return []

    def _fail(self, name: str, reason: str) -> None:
        # The first failure is the cause; afterwards BuildKit cancels steps that run in parallel.
        if self.failed is None and "context canceled" not in reason:
            step, brackets = _STEP.match(name), _BRACKETS.match(name)
            stage = (step["stage"] if step else brackets[1] if brackets else "") or ""
            self.failed = FailedStep(stage.split(" ")[0], name, plain(reason))


def _dicts(value: object) -> list[JsonObject]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
