"""Unexpected responses from GitHub's address, such as the error page of a proxy."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scar.frontends.github.client import GitHub, Refused
from scar.settings import Settings


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    """A server that gives everybody the same answer; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.send_response(status)
            self.send_header("location", "/repositories/1/issues/1/comments")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[GitHub]:
    values = {"SCAR_GITHUB_TOKEN": "a-token-of-nobody", "SCAR_GITHUB_API_URL": url}
    github = GitHub(Settings.load(values, dotenv=None))
    try:
        yield github
    finally:
        await github.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (301, b'{"message": "Moved Permanently", "url": "/elsewhere"}'),
        (307, b'{"message": "Temporary Redirect"}'),
        (200, b"<html>Log in to the guests' network</html>"),
        (201, b"[]"),
        (201, b'{"id": 1}'),
        (201, b'{"id": 1, "created_at": "yesterday"}'),
        (201, b""),
    ],
)
def test_a_response_that_is_not_githubs_fails_and_is_not_retried(status: int, body: bytes) -> None:
    async def test(url: str) -> None:
        async with opened(url) as github:
            with pytest.raises(Refused) as caught:
                await github.comment("ada/shop", "1", "hello")
        assert (caught.value.status // 100, caught.value.retry_after) == (status // 100, None)

    with answering(status, body) as url:
        asyncio.run(test(url))


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (301, b"{}"), (422, b"{}")])
def test_a_permission_response_that_cannot_be_read_grants_nothing(status: int, body: bytes) -> None:
    async def test(url: str) -> None:
        async with opened(url) as github:
            with pytest.raises(Refused):
                await github.permission("ada/shop", "ada")

    with answering(status, body) as url:
        asyncio.run(test(url))
