"""Compresses the screens of the page, but those whose length could tell what they say.

Who sees the length of answers over TLS, and can choose a part of them, guesses the rest byte by
byte (BREACH, 2013): a log line beside the words that it is searched for. A screen that repeats what
its address or a form says is therefore sent as it is. The standard library is enough here;
Flask-Compress would bring three more packages, and compresses event streams unless told not to.
"""

from __future__ import annotations

import gzip
from http import HTTPStatus

from flask import Response, request

_LEVEL = 6
_LEAST = 500
"""Bytes below which nothing is gained."""


def compressed(response: Response) -> Response:
    """Return a screen as gzip, where the browser takes it and the screen repeats nothing."""
    if response.mimetype != "text/html" or response.is_streamed:
        return response
    response.vary.add("Accept-Encoding")
    repeats = request.method != "GET" or request.query_string
    takes_it = request.accept_encodings.quality("gzip") > 0
    body = response.get_data()
    if response.status_code == HTTPStatus.OK and takes_it and not repeats and len(body) >= _LEAST:
        response.set_data(gzip.compress(body, _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
