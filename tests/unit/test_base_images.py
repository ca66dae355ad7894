"""Which images of a project may be built from which."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.engine.base_images import base_text, may_be_base


@pytest.mark.parametrize(
    ("image", "dockerfile", "more", "expected"),
    [
        ("shop/base:latest", "FROM shop/base\n", {}, True),
        ("shop-base", "FROM docker.io/library/shop-base:latest AS x\n", {}, True),
        ("shop-base", "FROM node\nCOPY --from=shop-base /a /b\n", {}, True),
        ("shop-base", "ARG BASE\nFROM ${BASE}\n", {"args": {"BASE": "shop-base"}}, True),
        ("shop-base", "ARG OF=shop\nFROM $OF-base\n", {}, True),
        ("reg:5000/base:1", "FROM reg:5000/base:1\n", {}, True),
        ("shop-base", "", {"dockerfile_inline": "FROM shop-base"}, True),
        ("shop-base", "FROM b\n", {"additional_contexts": {"b": "docker-image://shop-base"}}, True),
        ("app2", "FROM --platform=$BUILDPLATFORM python:$V\nWORKDIR /srv/app2\n", {}, False),
        ("shop-base", "FROM shop-base-image\n", {}, False),
    ],
)
def test_a_build_that_may_start_from_an_image_is_known(
    tmp_path: Path, image: str, dockerfile: str, more: dict[str, object], expected: bool
) -> None:
    (tmp_path / "Dockerfile").write_text(dockerfile)
    assert may_be_base(image, base_text({"context": str(tmp_path), **more})) is expected
