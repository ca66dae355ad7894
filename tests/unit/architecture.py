"""The source of `scar` and `workers` as the architecture's tests read it, and the layer table."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Layer:
    """Rooms that do not import each other: a module may import its own and every layer below."""

    name: str
    modules: tuple[str, ...]


SCAR = (
    Layer("JSON and files", ("scar.json_object", "scar.atomic_file")),
    Layer("words", ("scar", "scar.errors", "scar.role", "scar.document", "scar.redaction")),
    Layer("plans and results", ("scar.jobs.results",)),
    Layer("pictures", ("scar.charts",)),
    Layer("settings", ("scar.settings",)),
    Layer("keys", ("scar.keys",)),
    Layer("edges", ("scar.redis_client", "scar.git_url", "scar.log")),
    Layer("projects", ("scar.projects", "scar.project_origins")),
    Layer("access", ("scar.access",)),
    Layer("registration", ("scar.registration",)),
    Layer("jobs", ("scar.jobs",)),
    Layer("alerts", ("scar.alerts",)),
    Layer("audit", ("scar.audit",)),
    Layer("commands", ("scar.commands",)),
    Layer("service", ("scar.job_service", "scar.client")),
    Layer("bootstrap", ("scar.bootstrap",)),
    Layer("chat", ("scar.chat",)),
    Layer("front-ends and API", ("scar.frontends", "scar.api")),
    Layer("shell", ("scar.cli",)),
)
WORKERS = (
    Layer("diversion", ("workers.diversion",)),
    Layer("engine and files", ("workers", "workers.engine", "workers.files")),
    Layer("runtime", ("workers.runtime",)),
    Layer("state", ("workers.state",)),
    Layer("agent", ("workers.agent",)),
    Layer("git", ("workers.git",)),
    Layer("deployment", ("workers.deployment",)),
    Layer("handlers", ("workers.facts", "workers.operations")),
    Layer("registry", ("workers.registry",)),
    Layer("running", ("workers.runner", "workers.reconciler")),
    Layer("watching", ("workers.watch",)),
    Layer("heartbeat", ("workers.heartbeat",)),
    Layer("application", ("workers.celery",)),
)
"""Both tables go from the lowest layer up."""

SHARED = SCAR[: [layer.name for layer in SCAR].index("alerts") + 1]
"""What `workers` may import of `scar`."""

DOCKER = ("workers.engine", "scar.cli.docker")
"""Where docker-py is imported and the docker command is run."""

PROCESSES = (
    "scar.cli.diversion_try",
    "scar.cli.docker",
    "scar.cli.supervisor",
    "workers.agent",
    "workers.engine.diverter_process",
    "workers.engine.process",
    "workers.engine.supervisor",
    "workers.git",
)
"""Where processes are started."""

BANNED_WORDS = ("util", "helper", "common", "misc", "manager")


@dataclass(frozen=True)
class Module:
    """One file of the source."""

    name: str
    path: Path

    @functools.cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @functools.cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Every node of its syntax tree."""
        return tuple(ast.walk(ast.parse(self.text)))

    @functools.cached_property
    def imports(self) -> frozenset[str]:
        """The full name of everything that it imports, in functions too."""
        return frozenset(self._imported())

    def _imported(self) -> Iterator[str]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                yield from (f"{base}.{alias.name}" for alias in node.names)

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        up = node.level - (self.path.name == "__init__.py")
        package = self.name.split(".")
        return ".".join([*package[: len(package) - up], *([node.module] if node.module else [])])


def _name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


_PATHS = sorted(path for part in ("scar", "workers") for path in (ROOT / part).rglob("*.py"))
MODULES = {_name_of(path): Module(_name_of(path), path) for path in _PATHS}


def module_of(name: str) -> str | None:
    """Return the project's module that an imported name is, or is in."""
    if name in MODULES:
        return name
    parent = name.rpartition(".")[0]
    return parent if parent in MODULES else None


def is_in(module: str, prefixes: Sequence[str]) -> bool:
    """Return whether a module is one of `prefixes` or below one."""
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def room_of(module: str, layers: Sequence[Layer]) -> tuple[int, str] | None:
    """Return the layer's number and the longest entry of the table that a module is in."""
    rooms = [
        (number, prefix)
        for number, layer in enumerate(layers)
        for prefix in layer.modules
        if module == prefix or (module.startswith(f"{prefix}.") and "." in prefix)
    ]
    return max(rooms, key=lambda room: len(room[1]), default=None)
