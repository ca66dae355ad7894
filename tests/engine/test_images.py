"""Pinning images for a rollback."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scar.errors import ScarError
from tests.support.compose_project import IMAGE, Project
from workers.engine.images import Images, Pin, pin_reference


def build(project: Project, docker: Callable[..., str], content: str) -> str:
    """Build an image as Compose does, with the label by which the test removes it."""
    label = f"com.docker.compose.project={project.name}"
    dockerfile = f"FROM {IMAGE}\nLABEL is={content} {label}\nCMD sleep 100\n"
    docker("build", "-q", "-t", f"{project.name}-app", "-", stdin=dockerfile.encode())
    return docker("image", "inspect", "--format", "{{.Id}}", f"{project.name}-app")


def test_an_image_kept_for_a_release_survives_losing_its_name_and_a_prune(
    project: Project, images: Images, docker: Callable[..., str]
) -> None:
    old = build(project, docker, "old")
    reference = images.pin(project.name, "app", "r1", old)
    assert images.pin(project.name, "app", "r1", old) == reference
    new = build(project, docker, "new")
    assert images.id_of(f"{project.name}-app") == new != old
    docker("image", "prune", "-f", "--filter", f"label=is={old}")
    assert images.pins(project.name) == [Pin("app", "r1", old, reference)]
    images.tag(old, f"{project.name}-app")
    assert images.id_of(f"{project.name}-app:latest") == old


def test_an_unused_image_is_removed_when_no_release_keeps_it(
    project: Project, images: Images, docker: Callable[..., str]
) -> None:
    old = build(project, docker, "old2")
    images.pin(project.name, "app", "r1", old)
    new = build(project, docker, "new2")
    images.pin(project.name, "app", "r2", new)
    assert images.unpin(project.name, "r1") == []
    assert images.id_of(old) is None
    assert [pin.release for pin in images.pins(project.name)] == ["r2"]
    assert images.unpin(project.name, "r1") == []


def test_the_image_of_a_stopped_container_is_kept(
    project: Project, images: Images, docker: Callable[..., str]
) -> None:
    old = build(project, docker, "old3")
    images.pin(project.name, "app", "r1", old)
    docker("image", "rm", f"{project.name}-app")
    container = docker("create", images.pins(project.name)[0].reference)
    try:
        assert [pin.release for pin in images.unpin(project.name, "r1")] == ["r1"]
        assert images.id_of(old) == old
    finally:
        docker("rm", container)


def test_service_names_that_a_reference_does_not_allow_stay_distinct() -> None:
    assert pin_reference("po", "web", "r1") == "scar-keep/po/web:r1"
    references = {
        pin_reference("po", name, "r1") for name in ("Web", "WEB", "web_", "_web", "a..b")
    }
    assert len(references) == 5


def test_a_removed_image_cannot_be_tagged(images: Images) -> None:
    assert images.id_of("scar-test/none:1") is None
    assert images.untag("scar-test/none:1")
    with pytest.raises(ScarError, match="no longer on the Engine"):
        images.tag("sha256:" + "0" * 64, "scar-test/none:1")
