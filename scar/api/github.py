"""`POST /github/webhook`: puts each GitHub comment and push into the Redis inbox once; the
front-end `scar github` acts on them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus

from flask import Response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from scar.api.context import context
from scar.api.errors import problem
from scar.api.resource import Resource, answer, read_body, strict_json
from scar.api.schemas.github import DeliverySchema
from scar.jobs.github_delivery import is_signed, read_delivery, to_letter

resource = Resource("github", __name__, description="What GitHub tells")
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}")


@resource.route("/github/webhook", methods=["POST"])
@resource.response(202, DeliverySchema, description="Taken in, or not for SCAR")
@resource.alt_response(401, response="UNAUTHORIZED")
@resource.alt_response(404, response="NOT_FOUND")
@resource.doc(
    security=[],
    parameters=[
        {"in": "header", "name": name, "schema": {"type": "string"}}
        for name in ("X-Hub-Signature-256", "X-GitHub-Event", "X-GitHub-Delivery")
    ],
)
def webhook() -> Response:
    """A delivery of GitHub's

    Signed with `SCAR_GITHUB_WEBHOOK_SECRET` (`X-Hub-Signature-256`). Comments and pushes are
    taken in, once; everything else is answered and left alone.
    """
    body = read_body()
    refusal = _unsigned(body)
    if refusal is not None:
        return refusal
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("Set the webhook's content type to application/json")
    payload = strict_json(body)
    if not isinstance(payload, Mapping):
        raise BadRequest("The body is no JSON object")
    event = request.headers.get("X-GitHub-Event", "")
    read = read_delivery(event, payload)
    if read is None:
        return answer({"status": "ignored"}, HTTPStatus.ACCEPTED)
    delivery = request.headers.get("X-GitHub-Delivery", "")
    if not _DELIVERY.fullmatch(delivery):
        raise BadRequest("X-GitHub-Delivery is not the id of a delivery")
    # The signature covers the body alone, so a replayed body is recognised even under another
    # delivery id.
    known_by = [f"delivery:{delivery}", f"body:{hashlib.sha256(body).hexdigest()}"]
    if read["event"] == "comment":
        known_by.append(f"comment:{event}:{read['repository']}:{read['id']}")
    signature = request.headers.get("X-Hub-Signature-256", "")
    new = context().inbox.put(to_letter(event, body, signature), known_by)
    return answer({"status": "taken" if new else "known"}, HTTPStatus.ACCEPTED)


def _unsigned(body: bytes) -> Response | None:
    """Return an error response if the delivery's HMAC signature is missing or wrong, else None."""
    secret = context().services.settings.github_webhook_secret
    if secret is None:
        return problem(
            HTTPStatus.NOT_FOUND,
            "not_found",
            "This SCAR takes no deliveries of GitHub",
            "Set SCAR_GITHUB_WEBHOOK_SECRET to the webhook's secret.",
        )
    if is_signed(secret, body, request.headers.get("X-Hub-Signature-256", "")):
        return None
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "This delivery carries no valid X-Hub-Signature-256",
        "Give the webhook the secret that SCAR_GITHUB_WEBHOOK_SECRET has.",
    )
