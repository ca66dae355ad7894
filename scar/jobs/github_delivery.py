"""Deliveries of GitHub's webhook, as the API puts them into the inbox and the front-end reads them.

A letter contains the delivery as GitHub has sent and signed it. The front-end, which knows the
webhook's secret, verifies it again, so that an attacker who has only the API's key cannot forge
one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import zlib
from datetime import datetime

from scar.json_object import MALFORMED, JsonObject, member

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}")
_COMMENTS = ("issue_comment", "pull_request_review_comment")
_LONGEST = 20_000
_LARGEST = 32 * 2**20
"""The maximum size of a delivery: GitHub sends at most 25 MB."""

_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.-]{1,100}"
_REPOSITORY = re.compile(rf"{_NAME}/{_NAME}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?/[!-~]{1,300}")
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\[bot\])?")
_BRANCH = re.compile(r"refs/heads/([^\s\x00-\x1f\x7f]{1,250})")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_MOST = 2**63


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Return whether `X-Hub-Signature-256` of a body is GitHub's."""
    right = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return _SIGNATURE.fullmatch(signature) is not None and hmac.compare_digest(signature, right)


def to_letter(event: str, body: bytes, signature: str) -> JsonObject:
    """Return a delivery for the inbox. It is packed, since a push names all its commits."""
    packed = base64.b64encode(zlib.compress(body)).decode()
    return {"event": event, "signature": signature, "body": packed}


def from_letter(letter: JsonObject, secret: str) -> JsonObject | None:
    """Return the parts of a delivery that SCAR uses; None without GitHub's valid signature."""
    try:
        event, signature = member(letter, "event", str), member(letter, "signature", str)
        packed = base64.b64decode(member(letter, "body", str))
        body = zlib.decompressobj().decompress(packed, _LARGEST)
        if not is_signed(secret, body, signature):
            return None
        payload = json.loads(body)
    except (*MALFORMED, zlib.error):
        return None
    return read_delivery(event, payload) if isinstance(payload, dict) else None


def read_delivery(event: str, payload: JsonObject) -> JsonObject | None:
    """Return the parts of a delivery that SCAR uses; None for a delivery that SCAR ignores, among
    them payloads with missing fields or values of unexpected types.
    """
    try:
        if event in _COMMENTS and payload["action"] == "created":
            return _comment(event, payload)
        if event == "push":
            return _push(payload)
    except MALFORMED:
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
