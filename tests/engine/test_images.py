"""Images that are kept for a rollback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scar.errors import ScarError
from tests.support.compose_project import IMAGE, Project
from workers.engine.images import Images, Pin, pin_reference


def built(project: Project, docker: Callable[..., str], content: str) -> str:
    """An image as Compose builds it, with the label that gets it removed after the test."""
    label = f"com.docker.compose.project={project.name}"
    dockerfile = f"FROM {IMAGE}\nLABEL is={content} {label}\nCMD sleep 100\n"
    docker("build", "-q", "-t", f"{project.name}-app", "-", stdin=dockerfile.encode())
    return docker("image", "inspect", "--format", "{{.Id}}", f"{project.name}-app")


def test_a_pinned_image_outlives_its_name(
    project: Project, images: Images, docker: Callable[..., str]
) -> None:
    old = built(project, docker, "old")
    reference = images.pin(project.name, "app", "r1", old)
    assert images.pin(project.name, "app", "r1", old) == reference
    new = built(project, docker, "new")
    assert images.id_of(f"{project.name}-app") == new != old
    docker("image", "prune", "-f", "--filter", f"label=is={old}")
    assert images.pins(project.name) == [Pin("app", "r1", old, reference)]
    images.tag(old, f"{project.name}-app")
    assert images.id_of(f"{project.name}-app:latest") == old


def test_unpinning_frees_what_nobody_needs(
    project: Project, images: Images, docker: Callable[..., str]
) -> None:
    old = built(project, docker, "old2")
    images.pin(project.name, "app", "r1", old)
    new = built(project, docker, "new2")
    images.pin(project.name, "app", "r2", new)
    assert images.unpin(project.name, "r1") == []
    assert images.id_of(old) is None
    assert [pin.release for pin in images.pins(project.name)] == ["r2"]
    assert images.unpin(project.name, "r1") == []


def test_an_image_that_a_stopped_container_needs_stays(
    project: Project, images: Images, docker: Callable[..., str]
) -> None:
    old = built(project, docker, "old3")
    images.pin(project.name, "app", "r1", old)
    docker("image", "rm", f"{project.name}-app")
    container = docker("create", images.pins(project.name)[0].reference)
    try:
        assert [pin.release for pin in images.unpin(project.name, "r1")] == ["r1"]
        assert images.id_of(old) == old
    finally:
        docker("rm", container)


def test_names_that_a_reference_does_not_allow() -> None:
    assert pin_reference("po", "web", "r1") == "scar-keep/po/web:r1"
    odd = {pin_reference("po", name, "r1") for name in ("Web", "WEB", "web_", "_web", "a..b")}
    assert len(odd) == 5


def test_an_image_that_is_gone(images: Images) -> None:
    assert images.id_of("scar-test/none:1") is None
    assert images.untag("scar-test/none:1")
    with pytest.raises(ScarError, match="no longer on the Engine"):
        images.tag("sha256:" + "0" * 64, "scar-test/none:1")
