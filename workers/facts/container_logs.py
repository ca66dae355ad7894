"""The container whose log a job reads, with the secrets of its environment masked."""

from __future__ import annotations

from scar.redaction import secret_values
from workers.engine.container import Container
from workers.engine.log_lines import LogLine
from workers.runtime.context import JobContext
from workers.state.primary_container import containers_of


def container_to_read(context: JobContext) -> Container:
    """Return the container that the request names, or the primary one.

    Raises `container_not_found`. What its environment holds is masked from here on.
    """
    containers = containers_of(context)
    name = context.request.args.get("container")
    container = containers.named(name) if name else containers.main()
    context.masker.hide(secret_values(context.containers.inspect(container.id).environment))
    return container


def stamp(line: LogLine) -> str:
    """Return what a line begins with where it is shown."""
    return f"[{line.time:%Y-%m-%d %H:%M:%S}]"
