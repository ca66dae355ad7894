"""Reads and tags the Engine's images, and protects the images of releases from `docker image
prune` with tags.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus

from docker.errors import APIError, ImageNotFound, NotFound

from scar.errors import ScarError
from workers.engine.connection import Engine

_KEEP = "scar-keep"
_PROVISIONAL = "scar-build"
# One component of a repository's path, as distribution/reference defines `path-component`.
_PATH_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@dataclass(frozen=True)
class Pin:
    """A tag that keeps an image for a release. `service` is in the form that the tag has: see
    `tag_component`.
    """

    service: str
    release: str
    image_id: str
    reference: str


class Images:
    """The images of one Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def id_of(self, reference: str) -> str | None:
        """Return the id (`sha256:...`) of the image with this name or id; None if there is no such
        image.

        Raises `project_invalid` if `reference` is not a valid image name.
        """
        with self._engine.api() as api:
            try:
                return str(api.inspect_image(reference)["Id"])  # type: ignore[no-untyped-call]
            except NotFound:
                return None
            except APIError as refused:
                if refused.status_code != HTTPStatus.BAD_REQUEST:
                    raise
                raise ScarError(
                    "project_invalid",
                    f"The Engine takes no image of the name '{reference}'",
                    "Correct `image` in the Compose file: lower case, [registry/]name[:tag].",
                ) from None

    def remove_untagged(self, image_id: str) -> None:
        """Remove an image that has no name and is used by no container; otherwise do nothing."""
        with self._engine.api() as api:
            try:
                if not api.inspect_image(image_id)["RepoTags"]:  # type: ignore[no-untyped-call]
                    api.remove_image(image_id)
            except NotFound:
                return
            except APIError as refused:
                if refused.status_code != HTTPStatus.CONFLICT:
                    raise

    def tag(self, image_id: str, reference: str) -> None:
        """Tag an image with a name; another image that had the name loses it."""
        repository, _, tag = reference.rpartition(":")
        if not repository or "/" in tag:
            repository, tag = reference, "latest"
        with self._engine.api() as api:
            try:
                api.tag(image_id, repository, tag)
            except (ImageNotFound, NotFound):
                raise ScarError(
                    "internal",
                    f"Image {image_id[:19]} is no longer on the Engine",
                    "It was removed by hand (`docker rmi`, `docker image prune -a`). "
                    "Deploy again to build it anew.",
                ) from None

    def untag(self, reference: str) -> bool:
        """Remove a name, and with its last name the image; do nothing if the name does not exist.

        Returns False if a container still uses the image; the name then stays.
        """
        with self._engine.api() as api:
            try:
                # Not with force, which would also remove the image of a stopped container.
                api.remove_image(reference)
            except NotFound:
                return True
            except APIError as refused:
                if refused.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    def pin(self, project: str, service: str, release: str, image_id: str) -> str:
        """Tag an image so that it is kept for a release; return the tag. May be repeated."""
        reference = pin_reference(project, service, release)
        self.tag(image_id, reference)
        return reference

    def pins(self, project: str) -> list[Pin]:
        """Return the tags that keep images for the project's releases, ordered by release and
        service.
        """
        prefix = f"{_KEEP}/{tag_component(project)}/"
        pins = []
        for reference, image_id in self._below(prefix):
            service, _, release = reference.removeprefix(prefix).rpartition(":")
            pins.append(Pin(service, release, image_id, reference))
        return sorted(pins, key=lambda pin: (pin.release, pin.service))

    def unpin(self, project: str, release: str) -> list[Pin]:
        """Remove the tags that keep a release's images; return those that stay because a
        container uses the image.
        """
        pins = [pin for pin in self.pins(project) if pin.release == release]
        return [pin for pin in pins if not self.untag(pin.reference)]

    def drop_provisional(self, project: str) -> None:
        """Remove the names that a project's images have while they are built."""
        for reference, _ in self._below(f"{_PROVISIONAL}/{tag_component(project)}/"):
            self.untag(reference)

    def _below(self, prefix: str) -> list[tuple[str, str]]:
        """Return the names that begin with `prefix`, and the ids of their images."""
        with self._engine.api() as api:
            images = api.images(filters={"reference": f"{prefix}*:*"})
        names = [(name, image["Id"]) for image in images for name in image.get("RepoTags") or []]
        return [(name, str(id)) for name, id in names if name.startswith(prefix)]


def pin_reference(project: str, service: str, release: str) -> str:
    """Return the tag `scar-keep/<project>/<service>:<release>`."""
    return f"{_KEEP}/{tag_component(project)}/{tag_component(service)}:{release}"


def provisional_name(project: str, service: str, job: str) -> str:
    """Return the name `scar-build/<project>/<service>:<job>` of an image that is being built."""
    return f"{_PROVISIONAL}/{tag_component(project)}/{tag_component(service)}:{job}"


def tag_component(name: str) -> str:
    """Return a service's name in the form used in a tag.

    This is the name itself if tags allow it, otherwise a digest of it, so that `Web_` and `web`
    remain different.
    """
    if _PATH_COMPONENT.fullmatch(name):
        return name
    return "x" + hashlib.sha256(name.encode()).hexdigest()[:16]
