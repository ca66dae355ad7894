"""Parses Compose files before Docker Compose does: every plain value as text, tags ignored."""

from __future__ import annotations

import re
from typing import Any

import yaml

from scar.errors import ScarError

_MOST_PAIRS = 200_000
"""The maximum number of keys after merges (`<<`), since nested merges multiply."""

_MERGE = "tag:yaml.org,2002:merge"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A YAML loader that reads every plain value as text, and ignores Compose's tags such as
    `!reset`.
    """

    yaml_implicit_resolvers = {"<": [(_MERGE, re.compile(r"^<<$"))]}  # noqa: RUF012
    _pairs = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve the merges of a mapping; raise `YAMLError` if the result is too large."""
        super().flatten_mapping(node)
        self._pairs += len(node.value)
        if self._pairs > _MOST_PAIRS:
            raise yaml.YAMLError("its merges are too large")


def _untagged(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _untagged)


def documents(name: str, text: bytes) -> list[Any]:
    """Return the YAML documents of a Compose file, which Compose merges.

    Raises `project_invalid` if it is not valid YAML, since the files that it names could not be
    checked.
    """
    try:
        return list(yaml.load_all(text, _Loader))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or str(error)[:200] or "it cannot be read"
        raise ScarError(
            "project_invalid",
            f"{name}{where}: {why}",
            "Correct it: `docker compose config` in the workspace checks it.",
        ) from error
