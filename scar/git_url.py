"""Where a Git repository is, in the two forms that SCAR clones: https and ssh; a workspace may also
come from a folder of its own host."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from scar.errors import ScarError

_LONGEST = 199
_HOST = r"(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)"
_PORT = r"(?::(?P<port>[1-9][0-9]{0,4}))?"
_USER = r"(?P<user>[A-Za-z_][A-Za-z0-9_.-]{0,31})"
# No name begins with a '-', which a program could take for an option, and none is `.` or `..`.
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
    """`url` is what Git is given: it holds no credential. `path` is what follows the host in it,
    without `.git`; `port` is None where it is the scheme's own. A folder (scheme `file`) has no
    host.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    url: str

    @classmethod
    def parse(cls, text: str) -> GitUrl:
        """Raises `invalid_request`, in words that do not hold the text, which may be a secret."""
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
                    if found := form.fullmatch(_lower_host(text)):
                        return cls._of(scheme, found)
        raise ScarError("invalid_request", "This is no address of a repository to clone", _FORM)

    @classmethod
    def folder(cls, path: str) -> GitUrl:
        """The repository in a folder of this host."""
        return cls("file", "", None, path.removesuffix("/").removesuffix(".git"), path)

    @classmethod
    def _of(cls, scheme: str, found: re.Match[str]) -> GitUrl:
        parts = found.groupdict()
        port = int(parts.get("port") or _STANDARD[scheme])
        written = parts["path"]
        path = written.removesuffix(".git")
        user = f"{parts['user']}@" if scheme == "ssh" else ""
        shown_port = f":{port}" if port != _STANDARD[scheme] else ""
        if "root" in parts:  # relative to the home folder of that user, unless it begins with '/'
            url = f"{user}{parts['host']}:{parts['root'] or ''}{written}"
        else:
            url = f"{scheme}://{user}{parts['host']}{shown_port}/{written}"
        if port > 65_535 or not path.rpartition("/")[2]:
            raise ScarError("invalid_request", "This is no address of a repository to clone", _FORM)
        return cls(scheme, parts["host"], None if not shown_port else port, path, url)

    @property
    def place(self) -> str:
        """`host`, or `host:port` where the port is not the scheme's own."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """`host/owner/name`, the same for both forms. A port counts for https alone: that of ssh
        is none of the web's."""
        return f"{self.place if self.scheme == 'https' else self.host}/{self.path}"

    @property
    def folder_name(self) -> str:
        """The last name of the path as a project would be called."""
        return self.path.rpartition("/")[2].lower()

    def require_allowed(self, hosts: tuple[str, ...]) -> None:
        """Raises `forbidden` unless its host is one of `hosts`."""
        if self.place not in hosts:
            raise ScarError(
                "forbidden",
                f"Nothing is cloned from {self.place}",
                f"Allowed are: {', '.join(hosts)}. SCAR_CLONE_HOSTS of the worker names them.",
            )


def _lower_host(text: str) -> str:
    """Hosts are the same in any case; paths and users are not."""
    if text.lower().startswith(("https://", "ssh://")):
        scheme, _, rest = text.partition("://")
        place, slash, path = rest.partition("/")
        user, at, host = place.rpartition("@")
        return f"{scheme}://{user}{at}{host.lower()}{slash}{path}"
    place, colon, path = text.partition(":")
    user, at, host = place.rpartition("@")
    return f"{user}{at}{host.lower()}{colon}{path}"


def github_place(api_url: str) -> str:
    """The host (and port) whose repositories the GitHub at this REST address has."""
    parts = urlsplit(api_url)
    host = (parts.hostname or "").removeprefix("api.") if _is_public(api_url) else parts.hostname
    standard = {"https": 443, "http": 80}[parts.scheme]
    return f"{host}" if parts.port in (None, standard) else f"{host}:{parts.port}"


def _is_public(api_url: str) -> bool:
    return urlsplit(api_url).hostname == "api.github.com"
