"""The diverting program as a container, which says why it cannot, or that it can."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from docker.errors import NotFound

from workers.engine.connection import Engine
from workers.engine.diverter_container import ContainerDiverter


class OneContainer:
    """The Engine's API for a program that has ended."""

    def __init__(self, output: bytes) -> None:
        self._output = output
        self.labels: dict[str, str] | None = None

    @contextmanager
    def api(self) -> Iterator[OneContainer]:
        yield self

    def create_host_config(self, **_: Any) -> None:
        pass

    def create_container(self, *_: Any, labels: dict[str, str], **__: Any) -> dict[str, str]:
        self.labels = labels
        return {"Id": "1"}

    def start(self, _: str) -> None:
        pass

    def inspect_container(self, _: str) -> dict[str, Any]:
        if self.labels is None:
            raise NotFound("gone")
        return {"State": {"Running": False}, "Config": {"Labels": self.labels}}

    def logs(self, _: str, *, stderr: bool = True) -> bytes:
        return (b"XT target MASQUERADE not found\n" if stderr else b"") + self._output

    def stop(self, _: str, **__: Any) -> None:
        pass

    def remove_container(self, _: str, **__: Any) -> None:
        self.labels = None


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (b"able\n", ""),
        (b"unable: libnftables is not installed\n", "libnftables is not installed"),
        (b"", "the program that diverts connections does not start"),
    ],
)
def test_what_the_program_says_counts_and_not_what_a_library_does(
    output: bytes, reason: str
) -> None:
    container = OneContainer(output)
    assert ContainerDiverter(cast(Engine, container), "worker:1").able("try") == reason
    assert container.labels is None, "it is removed"
