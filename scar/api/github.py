"""`POST /github/webhook`: puts each GitHub comment and push into the Redis inbox once; the
front-end `scar github` acts on them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus

from flask import Response, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from scar.api.context import context
from scar.api.errors import problem
from scar.api.resource import Resource, answer, read_body, strict_json
from scar.api.schemas.github import DeliverySchema
from scar.json_object import JsonObject

resource = Resource("github", __name__, description="What GitHub tells")
_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,64}")
_COMMENTS = ("issue_comment", "pull_request_review_comment")
_LONGEST = 20_000
_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.-]{1,100}"
_REPOSITORY = re.compile(rf"{_NAME}/{_NAME}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?/[!-~]{1,300}")
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\[bot\])?")
_BRANCH = re.compile(r"refs/heads/([^\s\x00-\x1f\x7f]{1,250})")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST = 2**63


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
    letter = _letter(event, payload)
    if letter is None:
        return answer({"status": "ignored"}, HTTPStatus.ACCEPTED)
    delivery = request.headers.get("X-GitHub-Delivery", "")
    if not _DELIVERY.fullmatch(delivery):
        raise BadRequest("X-GitHub-Delivery is not the id of a delivery")
    # The signature covers the body alone, so a replayed body is recognised even under another
    # delivery id.
    known_by = [f"delivery:{delivery}", f"body:{hashlib.sha256(body).hexdigest()}"]
    if letter["event"] == "comment":
        known_by.append(f"comment:{event}:{letter['repository']}:{letter['id']}")
    new = context().inbox.put(letter, known_by)
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
    given = request.headers.get("X-Hub-Signature-256", "")
    right = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if _SIGNATURE.fullmatch(given) and hmac.compare_digest(given, right):
        return None
    return problem(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        "This delivery carries no valid X-Hub-Signature-256",
        "Give the webhook the secret that SCAR_GITHUB_WEBHOOK_SECRET has.",
    )


def _letter(event: str, payload: JsonObject) -> JsonObject | None:
    """Return the fields of a delivery that SCAR uses, to be put into the inbox; None to ignore the
    delivery.

    A payload with missing fields, or with values of unexpected types, is ignored as well.
    """
    try:
        if event in _COMMENTS and payload["action"] == "created":
            return _comment(event, payload)
        if event == "push":
            return _push(payload)
    except (LookupError, TypeError, ValueError, OverflowError):
        return None
    return None


def _comment(event: str, payload: JsonObject) -> JsonObject | None:
    comment, place = payload["comment"], payload.get("issue") or payload["pull_request"]
    body = comment["body"]
    if comment["user"]["type"] != "User" or not isinstance(body, str) or len(body) > _LONGEST:
        return None
    if datetime.fromisoformat(comment["created_at"]).tzinfo is None:
        return None
    return {
        "event": "comment",
        "id": _number(comment["id"]),
        "review": event != "issue_comment",
        **_where(payload["repository"]),
        "number": _number(place["number"]),
        "login": _text(_LOGIN, comment["user"]["login"])[0],
        "body": body,
        "created_at": comment["created_at"],
        "installation": int((payload.get("installation") or {"id": 0})["id"]),
    }


def _push(payload: JsonObject) -> JsonObject | None:
    if not str(payload["after"]).strip("0"):
        return None  # the push deleted the branch
    return {
        "event": "push",
        **_where(payload["repository"]),
        "branch": _text(_BRANCH, payload["ref"])[1],
        "commit": _text(_COMMIT, payload["after"])[0],
        "login": _text(_LOGIN, payload["sender"]["login"])[0],
        "pushed_at": _moment(payload["repository"].get("pushed_at")),
        "installation": int((payload.get("installation") or {"id": 0})["id"]),
    }


def _where(repository: JsonObject) -> dict[str, str]:
    return {
        "repository": _text(_REPOSITORY, repository["full_name"])[0],
        "url": _text(_ADDRESS, repository["html_url"])[0],
    }


def _text(form: re.Pattern[str], text: str) -> re.Match[str]:
    """Match a text that later becomes part of a URL; raise `ValueError` if it does not match."""
    match = form.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return match


def _moment(at: int | str | None) -> float:
    """Return a timestamp of GitHub's in seconds since the epoch; 0 if there is none."""
    return datetime.fromisoformat(at).timestamp() if isinstance(at, str) else float(at or 0)


def _number(number: int) -> int:
    if type(number) is not int or not 0 < number < _MOST:
        raise ValueError(number)
    return number
