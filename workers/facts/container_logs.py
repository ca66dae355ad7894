"""Finds the container whose log a job reads, and formats the log's lines."""

from __future__ import annotations

from scar.errors import ScarError
from scar.redaction import secret_values
from workers.engine.container import Container
from workers.engine.log_lines import LogLine
from workers.runtime.context import JobContext
from workers.runtime.project_secrets import project_secrets
from workers.state.primary_container import containers_of


def container_to_read(context: JobContext) -> Container:
    """Return the container that the request names, or the project's primary one.

    From this call on, the job's masker also hides the secrets in the container's environment, since
    its log may contain them. Raises `container_not_found`.
    """
    containers = containers_of(context)
    name = context.request.args.get("container")
    container = containers.named(name) if name else containers.main()
    context.masker.hide(secret_values(context.containers.inspect(container.id).environment))
    return container


def hide_secrets_of(context: JobContext, container_id: str) -> None:
    """Make the job's masker hide the secrets of a container that has replaced another. Its
    environment may differ, and so may the project's `.env` files.
    """
    context.masker.hide(project_secrets(context.project))
    try:
        context.masker.hide(secret_values(context.containers.inspect(container_id).environment))
    except ScarError as error:
        if error.code != "container_not_found":  # a container that is gone logs nothing more
            raise


def stamp(line: LogLine) -> str:
    """Return the timestamp that precedes a log line in a message."""
    return f"[{line.at[:10]} {line.at[11:19]}]"
