"""Images of the Engine, and the tags that keep a release's images from being pruned."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus

from docker.errors import APIError, ImageNotFound, NotFound

from scar.errors import ScarError
from workers.engine.connection import Engine

_KEEP = "scar-keep"
# What a registry reference allows as one part of a repository's path (distribution/reference).
_PATH_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")


@dataclass(frozen=True)
class Pin:
    """An image that is kept for a release. `service` is as in its tag: see `service_part`."""

    service: str
    release: str
    image_id: str
    reference: str


class Images:
    """Names and ids of images."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def id_of(self, reference: str) -> str | None:
        """The id (`sha256:...`) that a name or id stands for, None where there is no such image;
        `project_invalid` where there can be none of that name.
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

    def drop_unnamed(self, image_id: str) -> None:
        """Gives back an image that has no name left and that no container needs."""
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
        """Gives an image a name, taking it from whichever image had it before."""
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
        """Takes a name away; the image goes with its last name. False where a container still
        needs the image, which then keeps it. An absent name is no error.
        """
        with self._engine.api() as api:
            try:
                # Never forced: that would take the image from under a stopped container.
                api.remove_image(reference)
            except NotFound:
                return True
            except APIError as refused:
                if refused.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    def pin(self, project: str, service: str, release: str, image_id: str) -> str:
        """Keeps an image for a release; returns the reference. Doing it twice is harmless."""
        reference = pin_reference(project, service, release)
        self.tag(image_id, reference)
        return reference

    def pins(self, project: str) -> list[Pin]:
        """The pins of a project's services, ordered by release and service."""
        prefix = f"{_KEEP}/{_part(project)}/"
        with self._engine.api() as api:
            listed = api.images(filters={"reference": f"{prefix}*:*"})
        found = []
        for image in listed:
            for reference in image.get("RepoTags") or []:
                if reference.startswith(prefix):
                    service, _, release = reference.removeprefix(prefix).rpartition(":")
                    found.append(Pin(service, release, image["Id"], reference))
        return sorted(found, key=lambda pin: (pin.release, pin.service))

    def unpin(self, project: str, release: str) -> list[Pin]:
        """Lets go of a release's images; returns the pins that had to stay, being in use."""
        mine = [pin for pin in self.pins(project) if pin.release == release]
        return [pin for pin in mine if not self.untag(pin.reference)]


def pin_reference(project: str, service: str, release: str) -> str:
    """`scar-keep/<project>/<service>:<release>`."""
    return f"{_KEEP}/{_part(project)}/{service_part(service)}:{release}"


def service_part(service: str) -> str:
    """A service's name as it stands in a pin: itself where a reference allows it, else a digest
    (`Web_` and `web` must not become one).
    """
    return _part(service)


def _part(name: str) -> str:
    if _PATH_PART.fullmatch(name):
        return name
    return "x" + hashlib.sha256(name.encode()).hexdigest()[:16]
