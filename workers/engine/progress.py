"""What `docker compose` reports while it works, as events.

Compose 2.29 and later print JSON lines with `--progress json`: BuildKit's solve status
(vertexes, logs in base64) while building, container states otherwise. Older ones print BuildKit's
plain form (`#12 [web 3/7] RUN make`). Both are understood in one stream, and a line that is
neither is taken as what it is, a line of output.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import Any

from workers.engine.text import LineSplitter, plain


@dataclass(frozen=True)
class BuildStep:
    """A step of a build ended or became known: `done` of `total`, over all services."""

    done: int
    total: int


@dataclass(frozen=True)
class BuildOutput:
    """A line that a build step printed. `step` is the step's name, such as `[web 3/7] RUN make`."""

    step: str
    line: str


@dataclass(frozen=True)
class ContainerState:
    """Compose did something to a container, network or volume: `Container po-web-1`, `Started`."""

    subject: str
    state: str


@dataclass(frozen=True)
class Message:
    """Compose's own words; `error` where it gave up because of it."""

    text: str
    error: bool


Event = BuildStep | BuildOutput | ContainerState | Message


@dataclass(frozen=True)
class FailedStep:
    """The build step that failed, and the service it was building, as far as it is named."""

    service: str
    step: str
    reason: str


# `[web stage-2 3/7] RUN make`, `[3/7] RUN make`; not `[web internal] load build context`.
_STEP = re.compile(
    r"\[(?:(?P<where>[^\]]*?) +)?(?P<number>\d+)/(?P<count>\d+)\] (?P<what>.*)", re.S
)
_PLAIN = re.compile(r"#(?P<number>\d+) (?P<rest>.*)", re.S)
_PLAIN_OUTPUT = re.compile(r"\d+\.\d+ (?P<line>.*)", re.S)


class Progress:
    """Reads one run's lines; remembers which steps there are and which one failed."""

    def __init__(self) -> None:
        self.failed: FailedStep | None = None
        self.errors: list[str] = []
        self.output: list[str] = []
        """The last lines that the build printed."""
        self._steps: dict[str, str] = {}
        self._job_log: set[str] = set()
        self._logs: dict[tuple[str, int], LineSplitter] = {}

    def feed(self, line: str) -> list[Event]:
        """The events in one line of output; never fails, whatever the line is."""
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            if isinstance(found, dict):
                return self._json(found)
        return self._plain(line)

    def end(self) -> list[Event]:
        """The last lines of steps that printed no line break."""
        return [
            self._printed(step, line)
            for (step, _), splitter in self._logs.items()
            for line in splitter.end()
        ]

    def _json(self, found: dict[str, Any]) -> list[Event]:
        events: list[Event] = []
        before = (len(self._job_log), len(self._steps))
        for vertex in _dicts(found.get("vertexes")):
            self._vertex(vertex)
        if (len(self._job_log), len(self._steps)) != before:
            events.append(BuildStep(len(self._job_log), len(self._steps)))
        for log in _dicts(found.get("logs")):
            events += self._log(log)
        if "message" in found:
            text = str(found["message"]).strip()
            if found.get("error"):
                self.errors.append(text)
            events.append(Message(text, bool(found.get("error"))))
        elif isinstance(found.get("id"), str) and (
            state := found.get("status") or found.get("text")
        ):
            events.append(ContainerState(found["id"], str(state)))
        return events

    def _vertex(self, vertex: dict[str, Any]) -> None:
        digest, name = str(vertex.get("digest")), plain(str(vertex.get("name", "")))
        if _STEP.match(name):
            self._steps.setdefault(digest, name)
            if vertex.get("completed") and not vertex.get("error"):
                self._job_log.add(digest)
        if reason := str(vertex.get("error") or ""):
            self._fail(name, reason)

    def _log(self, log: dict[str, Any]) -> list[Event]:
        try:
            data = base64.b64decode(str(log.get("data", "")), validate=True)
        except (binascii.Error, ValueError):
            return []
        step, stream = str(log.get("vertex")), 2 if log.get("stream") == 2 else 1
        splitter = self._logs.setdefault((step, stream), LineSplitter())
        return [self._printed(step, line) for line in splitter.feed(data)]

    def _printed(self, step: str, line: str) -> BuildOutput:
        self.output = [*self.output[-99:], line]
        return BuildOutput(self._steps.get(step, ""), line)

    def _plain(self, line: str) -> list[Event]:
        found = _PLAIN.fullmatch(line)
        if not found:
            return [Message(line, error=False)] if line.strip() else []
        step, rest = found["number"], found["rest"]
        if _STEP.match(rest) and step not in self._steps:
            self._steps[step] = rest
            return [BuildStep(len(self._job_log), len(self._steps))]
        if rest == "CACHED" or rest.startswith("DONE"):
            if step in self._steps and step not in self._job_log:
                self._job_log.add(step)
                return [BuildStep(len(self._job_log), len(self._steps))]
            return []
        if rest.startswith("ERROR"):
            self._fail(self._steps.get(step, ""), rest.removeprefix("ERROR").lstrip(": "))
        elif printed := _PLAIN_OUTPUT.fullmatch(rest):
            return [self._printed(step, printed["line"])]
        return []

    def _fail(self, name: str, reason: str) -> None:
        # The first failure is the cause; what else was building is then called off.
        if self.failed is None and "context canceled" not in reason:
            step = _STEP.match(name)
            inside = re.match(r"\[([^\]]*)\]", name)
            where = (step["where"] if step else inside[1] if inside else "") or ""
            self.failed = FailedStep(where.split(" ")[0], name, plain(reason))


def _dicts(found: object) -> list[dict[str, Any]]:
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
