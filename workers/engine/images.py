"""The Engine's images, and the tags that protect a release's images from `docker image prune`."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus

from docker.errors import APIError, ImageNotFound, NotFound

from scar.errors import ScarError
from workers.engine.connection import Engine

_KEEP = "scar-keep"
# One component of a repository's path: distribution/reference, `path-component`.
_PATH_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@dataclass(frozen=True)
class Pin:
    """An image that is kept for a release. `service` is written as in its tag: `tag_component`."""

    service: str
    release: str
    image_id: str
    reference: str


class Images:
    """The images of one Engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def id_of(self, reference: str) -> str | None:
        """Return the id (`sha256:...`) of the image with a name or id, None where there is none.

        Raises `project_invalid` where `reference` is no valid name.
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
        """Remove an image that has no name and that no container uses; otherwise do nothing."""
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
        """Give an image a name, which moves from the image that had it."""
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
        """Remove a name, and with its last name the image; an absent name is no error.

        Return False where a container still uses the image, which keeps the name then.
        """
        with self._engine.api() as api:
            try:
                # Without force, which would remove the image of a stopped container.
                api.remove_image(reference)
            except NotFound:
                return True
            except APIError as refused:
                if refused.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    def pin(self, project: str, service: str, release: str, image_id: str) -> str:
        """Keep an image for a release and return the pin's reference; idempotent."""
        reference = pin_reference(project, service, release)
        self.tag(image_id, reference)
        return reference

    def pins(self, project: str) -> list[Pin]:
        """Return the pins of a project's services, ordered by release and service."""
        prefix = f"{_KEEP}/{tag_component(project)}/"
        with self._engine.api() as api:
            images = api.images(filters={"reference": f"{prefix}*:*"})
        pins = []
        for image in images:
            for reference in image.get("RepoTags") or []:
                if reference.startswith(prefix):
                    service, _, release = reference.removeprefix(prefix).rpartition(":")
                    pins.append(Pin(service, release, image["Id"], reference))
        return sorted(pins, key=lambda pin: (pin.release, pin.service))

    def unpin(self, project: str, release: str) -> list[Pin]:
        """Remove a release's pins; return those that stay, since a container uses their image."""
        pins = [pin for pin in self.pins(project) if pin.release == release]
        return [pin for pin in pins if not self.untag(pin.reference)]


def pin_reference(project: str, service: str, release: str) -> str:
    """Return `scar-keep/<project>/<service>:<release>`."""
    return f"{_KEEP}/{tag_component(project)}/{tag_component(service)}:{release}"


def tag_component(name: str) -> str:
    """Return a name as a pin's reference has it.

    That is the name itself where a reference allows it, else a digest of it, so that `Web_` and
    `web` stay different.
    """
    if _PATH_COMPONENT.fullmatch(name):
        return name
    return "x" + hashlib.sha256(name.encode()).hexdigest()[:16]
