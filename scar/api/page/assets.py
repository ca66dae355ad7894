"""The page's style sheets and scripts: read and compressed once, each at an address with its hash.

The content at an address never changes, so browsers may cache it for good.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, abort, redirect, request
from flask.typing import ResponseReturnValue

FOLDER = Path(__file__).with_name("static")
PATH = "/static"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
_FOR_A_YEAR = "public, max-age=31536000, immutable"

resource = Blueprint("assets", __name__)


@dataclass(frozen=True)
class Asset:
    """One file: its address, its media type, its contents as they are and compressed."""

    url: str
    content_type: str
    body: bytes
    compressed: bytes


@cache
def assets() -> Mapping[str, Asset]:
    """Return the files by name. They are read once in a process; 0.1 MB stays in memory."""
    paths = sorted(path for path in FOLDER.rglob("*") if path.suffix in _TYPES)
    return {path.name: _read(path) for path in paths}


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(
        url=f"{PATH}/{sha256(body).hexdigest()[:16]}/{path.name}",
        content_type=_TYPES[path.suffix],
        body=body,
        compressed=gzip.compress(body, 9, mtime=0),
    )


def asset_url(name: str) -> str:
    """Return the address of a file, for templates. An unknown name raises `KeyError`."""
    return assets()[name].url


@resource.get(f"{PATH}/<digest>/<name>")
def asset(digest: str, name: str) -> ResponseReturnValue:
    """Serve a file. An address with the hash of an earlier version redirects to the present
    file.
    """
    present = assets().get(name)
    if present is None:
        abort(404)
    if present.url != f"{PATH}/{digest}/{name}":
        return redirect(present.url)
    zipped = request.accept_encodings.quality("gzip") > 0
    response = Response(
        present.compressed if zipped else present.body, content_type=present.content_type
    )
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = _FOR_A_YEAR
    return response
