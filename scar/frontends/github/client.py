"""A client of GitHub's REST API.

It authenticates with a token or as a GitHub App, which exchanges a signed JWT for an installation
token that is valid for an hour. gidgethub is not used, because it hides the response headers that
say when to retry.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx
import jwt

from scar.json_object import JsonObject
from scar.settings import Settings, SettingsError

_AGAIN_SECONDS = 5.0
_LIMITED_SECONDS = 60.0
_RENEWED_BEFORE = 300.0
_JWT_SECONDS = 540
_TIMEOUT = httpx.Timeout(20.0)


class Refused(Exception):
    """GitHub refused a request, or did not answer.

    `retry_after` is the number of seconds after which to retry; None if a retry cannot succeed.
    """

    def __init__(self, status: int, reason: str, retry_after: float | None) -> None:
        super().__init__(f"GitHub answered {status}: {reason[:200]}")
        self.status = status
        self.retry_after = retry_after


@dataclass(frozen=True)
class Comment:
    """A comment on GitHub. `at` is the time of its last edit, in seconds since the epoch."""

    id: str
    at: float


@dataclass(frozen=True)
class AuthoredComment:
    """A comment that somebody has written. `account` is the number of their account, which never
    changes, unlike a login.
    """

    login: str
    account: int
    body: str
    created_at: str


@dataclass
class GitHub:
    """A connection to one GitHub server. `clock` returns seconds since the epoch."""

    settings: Settings
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=_TIMEOUT))
    clock: Callable[[], float] = time.time
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _login: str | None = None

    def __post_init__(self) -> None:
        """Raise `SettingsError` if the settings contain no usable credentials."""
        if not self.settings.has_github_credentials:
            raise SettingsError(["SCAR_GITHUB_TOKEN: is not set, nor is SCAR_GITHUB_APP_KEY"])
        if self.settings.github_token is None:
            self.settings.required("github_app_id")
            try:
                self._app_token()
            except (ValueError, jwt.exceptions.PyJWTError) as error:
                raise SettingsError(["SCAR_GITHUB_APP_KEY: is no private key (PEM)"]) from error

    async def require_known(self) -> None:
        """Raise `Refused` if GitHub does not accept the token or the App."""
        token = self.settings.github_token
        if token is None:
            await self._send("GET", "/app", self._app_token())
        else:
            await self._send("GET", "/rate_limit", token)

    async def own_login(self) -> str | None:
        """Return the login under which SCAR comments; None if GitHub does not tell it."""
        if self._login is None:
            token = self.settings.github_token
            path = "/user" if token else "/app"
            try:
                answer = await self._send("GET", path, token or self._app_token())
            except Refused as error:
                if error.retry_after is None:
                    return None
                raise
            with as_github_answers():
                self._login = str(answer["login"] if token else f"{answer['slug']}[bot]")
        return self._login

    async def comment(self, repository: str, number: str, body: str) -> Comment:
        """Write a comment on an issue or a pull request."""
        path = f"/repos/{repository}/issues/{number}/comments"
        return _comment(await self.ask("POST", repository, path, {"body": body}))

    async def edit(self, repository: str, id: str, body: str) -> Comment:
        """Replace the text of a comment."""
        path = f"/repos/{repository}/issues/comments/{id}"
        return _comment(await self.ask("PATCH", repository, path, {"body": body}))

    async def comments(self, repository: str, number: str, since: str) -> list[JsonObject]:
        """Return up to a hundred comments written or edited since a time in RFC 3339 format."""
        path = f"/repos/{repository}/issues/{number}/comments?since={since}&per_page=100"
        comments = await self.ask("GET", repository, path)
        return [comment for comment in comments if isinstance(comment.get("body"), str)]

    async def comment_of(self, repository: str, id: int, *, review: bool) -> AuthoredComment | None:
        """Return a comment as GitHub has it now; None where there is none."""
        kind = "pulls" if review else "issues"
        try:
            answer = await self.ask("GET", repository, f"/repos/{repository}/{kind}/comments/{id}")
        except Refused as error:
            if error.status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                return None
            raise
        with as_github_answers():
            user = answer["user"]
            return AuthoredComment(
                str(user["login"]), int(user["id"]), str(answer["body"]), str(answer["created_at"])
            )

    async def branch_head(self, repository: str, branch: str) -> str | None:
        """Return the newest commit of a branch; None where SCAR cannot see such a branch."""
        path = f"/repos/{repository}/branches/{quote(branch, safe='')}"
        try:
            answer = await self.ask("GET", repository, path)
        except Refused as error:
            if error.retry_after is None:
                return None
            raise
        with as_github_answers():
            return str(answer["commit"]["sha"])

    async def react(self, repository: str, id: str, *, review: bool, content: str) -> None:
        """Add a reaction to a comment."""
        kind = "pulls" if review else "issues"
        path = f"/repos/{repository}/{kind}/comments/{id}/reactions"
        await self.ask("POST", repository, path, {"content": content})

    async def permission(self, repository: str, login: str) -> str | None:
        """Return a user's permission on a repository: `admin`, `write`, `read` or `none`; None
        if SCAR may not read it.
        """
        path = f"/repos/{repository}/collaborators/{quote(login, safe='')}/permission"
        try:
            answer = await self.ask("GET", repository, path)
        except Refused as error:
            hidden = error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
            if hidden and error.retry_after is None:
                return None
            raise
        permission = answer.get("permission")
        return permission if isinstance(permission, str) else None

    async def set_status(
        self, repository: str, commit: str, state: str, context: str, description: str
    ) -> None:
        """Set a commit status: `pending`, `success`, `failure` or `error`."""
        content = {"state": state, "context": context, "description": description[:140]}
        await self.ask("POST", repository, f"/repos/{repository}/statuses/{commit}", content)

    async def close(self) -> None:
        """Close the connections."""
        await self.http.aclose()

    async def ask(self, method: str, repository: str, path: str, content: Any = None) -> Any:
        """Send a request about a repository, as the token or the App; return the JSON answer."""
        token = self.settings.github_token or await self._installation_token(repository)
        try:
            return await self._send(method, path, token, content)
        except Refused as error:
            if error.status == HTTPStatus.UNAUTHORIZED:
                self._tokens.pop(repository, None)  # the token may have been revoked
            raise

    async def _installation_token(self, repository: str) -> str:
        token, expires = self._tokens.get(repository, ("", 0.0))
        if expires - _RENEWED_BEFORE < self.clock():
            app = self._app_token()
            installation = await self._send("GET", f"/repos/{repository}/installation", app)
            with as_github_answers():
                path = f"/app/installations/{installation['id']}/access_tokens"
            made = await self._send("POST", path, app, {})
            with as_github_answers():
                until = datetime.fromisoformat(made["expires_at"]).timestamp()
                token, expires = str(made["token"]), until
            self._tokens[repository] = token, expires
        return token

    def _app_token(self) -> str:
        """Return the App's JWT. It is valid from a minute ago, because GitHub's clock may be
        behind.
        """
        now = int(self.clock())
        claims = {"iat": now - 60, "exp": now + _JWT_SECONDS, "iss": self.settings.github_app_id}
        return jwt.encode(claims, self.settings.github_app_key or "", algorithm="RS256")

    async def _send(self, method: str, path: str, token: str, content: Any = None) -> Any:
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "User-Agent": "scar",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        url = f"{self.settings.github_api_url}{path}"
        try:
            answer = await self.http.request(method, url, headers=headers, json=content)
        except httpx.RequestError as error:
            raise Refused(0, type(error).__name__, _AGAIN_SECONDS) from error
        if not answer.is_success:  # redirects are not followed
            raise Refused(answer.status_code, _reason(answer), self._retry_after(answer))
        try:
            return answer.json() if answer.content else {}
        except ValueError as error:
            raise _not_github(answer.status_code) from error

    def _retry_after(self, answer: httpx.Response) -> float | None:
        """Return after how many seconds to retry: what GitHub's headers say (REST API, "Rate
        limits"), or 5 after a server error.
        """
        status, headers = answer.status_code, answer.headers
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.UNAUTHORIZED:
            return _AGAIN_SECONDS
        if status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
            return None
        if headers.get("retry-after", "").isdigit():
            return float(headers["retry-after"])
        if headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            wait = float(reset) - self.clock() if reset.isdigit() else _LIMITED_SECONDS
            return max(wait, 1.0)
        limited = status == HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in _reason(answer).lower()
        return _LIMITED_SECONDS if limited else None


def _comment(answer: Any) -> Comment:
    with as_github_answers():
        at = datetime.fromisoformat(answer.get("updated_at") or answer["created_at"])
        return Comment(str(answer["id"]), at.timestamp())


@contextmanager
def as_github_answers() -> Iterator[None]:
    """Raise `Refused` if the block fails to parse a response, such as an error page of a proxy.

    The request is not repeated, because GitHub may have executed it.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise _not_github(HTTPStatus.OK) from error


def _not_github(status: int) -> Refused:
    return Refused(status, "with something that GitHub does not say", None)


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", ""))
    except (ValueError, AttributeError):
        return answer.reason_phrase
