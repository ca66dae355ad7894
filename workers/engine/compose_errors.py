"""Derives the error from the output of a failed `docker compose`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scar.errors import ScarError
from workers.engine.compose_command import ComposeProject
from workers.engine.compose_progress import ProgressParser
from workers.engine.process import ProcessResult

_LINES = 30


def command_failed(verb: str, result: ProcessResult, progress: ProgressParser) -> ScarError:
    """Return the error of a failed `docker compose VERB`, with the message of Compose or the
    Engine.
    """
    reason = _last_line(progress.errors or list(result.tail))
    if unreachable := _engine_unreachable(reason):
        return unreachable
    hint = "The words are the Engine's. Correct the Compose file or free what it names, then retry."
    return ScarError("internal", f"`docker compose {verb}` failed: {reason}", hint)


def build_failed(
    result: ProcessResult, progress: ProgressParser, services: Sequence[str]
) -> ScarError:
    """Return `build_failed` with the service, the failed step and the last lines of the build's
    output.
    """
    printed = progress.errors or list(result.tail)
    reason = _last_line(printed)
    if unreachable := _engine_unreachable(reason):
        return unreachable
    failed = progress.failed
    service = _failed_service(reason, progress, services)
    of = f" of service '{service}'" if service else ""
    what = f" at step {failed.step}: {failed.reason}" if failed else f": {reason}"
    return ScarError(
        "build_failed",
        f"The build{of} failed{what}",
        "The lines are what the build printed last. Correct the Dockerfile or what it copies.",
        lines=tuple(progress.output[-_LINES:]) or tuple(printed[-_LINES:]),
    )


def project_refused(lines: Sequence[str], project: ComposeProject) -> ScarError:
    """Return `project_invalid` with the reason for which Compose refused the project's files."""
    reason = _last_line([_log_message(line) for line in lines])
    if unreachable := _engine_unreachable(reason):
        return unreachable
    files = ", ".join(str(file) for file in project.files)
    hint = f"Correct {files or project.folder}; `docker compose config -q` there checks it."
    return ScarError("project_invalid", f"Compose does not accept the project: {reason}", hint)


def _failed_service(reason: str, progress: ProgressParser, services: Sequence[str]) -> str:
    """Return the service whose build failed, as far as the output names it."""
    target = re.search(r"target ([^:\s]+): ", reason)
    # If only one service is built, the steps are named after build stages instead of the service.
    candidates = [
        target[1] if target else "",
        progress.failed.service if progress.failed else "",
        *services[:1],
    ]
    return next((name for name in candidates if name in services), "")


def _log_message(line: str) -> str:
    """Return the message of a line `time="..." level=warning msg="..."`; any other line is
    returned whole.
    """
    match = re.fullmatch(r'time=\S+ level=\w+ msg="(.*)"', line)
    return match[1] if match else line


def _last_line(texts: Sequence[str]) -> str:
    """Return the last line that is not blank, since Compose prints the cause at the end."""
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    return lines[-1][:1000] if lines else "it gave no reason"


def _engine_unreachable(reason: str) -> ScarError | None:
    if "permission denied" in reason and "docker" in reason and "socket" in reason:
        return ScarError(
            "docker_permission_denied",
            "Permission denied accessing the Docker socket",
            "Give the worker the group of the socket (`group_add` in docker-compose.yml).",
        )
    if "Cannot connect to the Docker daemon" in reason or "error during connect" in reason:
        return ScarError(
            "docker_unavailable",
            reason,
            "Start Docker on the host (`systemctl start docker`), then try again.",
        )
    return None
