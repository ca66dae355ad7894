"""Parses the address of a Git repository: https or ssh, which SCAR clones, or a local folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from scar.errors import ScarError

_LONGEST = 199
_HOST = r"(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
_PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_USER = r"(?P<user>[A-Za-z_][A-Za-z0-9_.-]{0,31})"
# A name must not begin with '-', which a program could parse as an option, nor be `.` or `..`.
_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9_.][A-Za-z0-9_.-]*"
_PATH = rf"(?P<path>{_NAME}(?:/{_NAME}){{0,9}})/?"
_FORMS = {
    "https": (re.compile(rf"(?i:https)://{_HOST}{_PORT}/{_PATH}"),),
    "ssh": (
        re.compile(rf"(?i:ssh)://{_USER}@{_HOST}{_PORT}/{_PATH}"),
        re.compile(rf"{_USER}@{_HOST}:(?P<root>/)?{_PATH}"),
    ),
}
_CREDENTIALS = re.compile(r"(?i)(https?://[^/]*@|[a-z+]+://[^/@]*:[^/@]*@)")
_STANDARD = {"https": 443, "ssh": 22}
_FORM = "Use https://HOST/OWNER/NAME or git@HOST:OWNER/NAME, of fewer than 200 characters."


@dataclass(frozen=True)
class GitUrl:
    """The parts of a Git repository's address.

    `url` is the address passed to Git, without any credential. `path` is the part after the host,
    without `.git`. `port` is None if it is the scheme's standard port. A local folder has the
    scheme `file` and an empty host.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    url: str

    @classmethod
    def parse(cls, text: str) -> GitUrl:
        """Parse an https or ssh address.

        Raises `invalid_request`, whose message never repeats the text, since that may contain a
        password.
        """
        if _CREDENTIALS.match(text):
            raise ScarError(
                "invalid_request",
                "This address carries a user or a password",
                "Leave it out, and change that password: it has been in a chat. SCAR clones "
                "GitHub's private repositories with SCAR_GITHUB_TOKEN, others over ssh.",
            )
        if len(text) <= _LONGEST:
            for scheme, forms in _FORMS.items():
                for form in forms:
                    if match := form.fullmatch(_lower_host(text)):
                        return cls._from_match(scheme, match)
        raise ScarError("invalid_request", "This is no address of a repository to clone", _FORM)

    @classmethod
    def folder(cls, path: str) -> GitUrl:
        """Return the address of a repository in a local folder."""
        return cls("file", "", None, path.removesuffix("/").removesuffix(".git"), path)

    @classmethod
    def _from_match(cls, scheme: str, match: re.Match[str]) -> GitUrl:
        parts = match.groupdict()
        number = int(parts.get("port") or _STANDARD[scheme])
        path = parts["path"].removesuffix(".git")
        if number > 65_535 or not path.rpartition("/")[2]:
            raise ScarError("invalid_request", "This is no address of a repository to clone", _FORM)
        port = None if number == _STANDARD[scheme] else number
        return cls(scheme, parts["host"], port, path, _canonical_url(scheme, parts, port))

    @property
    def place(self) -> str:
        """`host`, or `host:port` where the port is not the scheme's standard port."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The repository as `host/owner/name`, the same for https and ssh.

        A non-standard port is included for https only: the port of ssh says nothing about the web
        server's.
        """
        return f"{self.place if self.scheme == 'https' else self.host}/{self.path}"

    @property
    def folder_name(self) -> str:
        """The last part of the path in small letters: the default folder name of a clone."""
        return self.path.rpartition("/")[2].lower()

    def require_allowed(self, hosts: tuple[str, ...]) -> None:
        """Raise `forbidden` unless the host, with its port, is one of `hosts`."""
        if self.place not in hosts:
            raise ScarError(
                "forbidden",
                f"Nothing is cloned from {self.place}",
                f"Allowed are: {', '.join(hosts)}. SCAR_CLONE_HOSTS of the worker names them.",
            )


def _canonical_url(scheme: str, parts: Mapping[str, str | None], port: int | None) -> str:
    """Return the address in the form passed to Git: without a standard port and without a slash
    at its end.
    """
    user = f"{parts['user']}@" if scheme == "ssh" else ""
    # `USER@HOST:PATH`: a path without a leading '/' is relative to the user's home folder.
    if "root" in parts:
        return f"{user}{parts['host']}:{parts['root'] or ''}{parts['path']}"
    return f"{scheme}://{user}{parts['host']}{'' if port is None else f':{port}'}/{parts['path']}"


def _lower_host(text: str) -> str:
    """Return the address with its host in small letters; paths and user names are
    case-sensitive.
    """
    if text.lower().startswith(("https://", "ssh://")):
        scheme, _, rest = text.partition("://")
        place, slash, path = rest.partition("/")
        user, at, host = place.rpartition("@")
        return f"{scheme}://{user}{at}{host.lower()}{slash}{path}"
    place, colon, path = text.partition(":")
    user, at, host = place.rpartition("@")
    return f"{user}{at}{host.lower()}{colon}{path}"


def github_place(api_url: str) -> str:
    """Return the host (and port) of the repositories on the GitHub server whose REST API is at
    `api_url`.
    """
    parts = urlsplit(api_url)
    host = "github.com" if parts.hostname == "api.github.com" else parts.hostname
    standard = {"https": 443, "http": 80}[parts.scheme]
    return f"{host}" if parts.port in (None, standard) else f"{host}:{parts.port}"
