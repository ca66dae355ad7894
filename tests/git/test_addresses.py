"""Which repository addresses are accepted."""

from __future__ import annotations

import pytest

from scar.commands.clone import COMMAND
from scar.errors import ScarError
from scar.git_url import GitUrl, github_place
from scar.projects import ProjectsFile

BAD = [
    "--upload-pack=touch /tmp/x", "--upload-pack=evil", "-u", "file:///etc", "ext::sh -c id",
    "git://github.com/a/b", "http://github.com/a/b", "/srv/repository", "./here", "../up",
    "https://github.com/../etc", "https://github.com/a/../b", "https://github.com/a/./b",
    "https://github.com/a/..", "https://github.com/" + "a" * 181, "https://github.com/a\x00b",
    "https://github.com/a\nb", "https://github.com/a b", "https://github.com/a%0ab",
    "https://github.com/a/b%2f..", "https://github.com/a/b?x=1", "https://github.com/a/b#x",
    "https://github.com/", "https://github.com", "https:///a/b", "https://-oProxy/a/b",
    "ssh://-oProxyCommand=id/a", "ssh://git@-oProxyCommand=id/a", "-oProxyCommand=id:a",
    "git@-oProxyCommand=id:a", "git@github.com:-a", "git@github.com:../a", "git@github.com:a/../b",
    "git@github.com:~root/a", "ssh://github.com/a/b", "https://github.com/-a/b", "fd::17",
    "https://github.com:99999/a/b", "https://github.com/a/.git", "https://gíthub.com/a/b",
    "ftp://github.com/a/b", "https::https://github.com/a/b", "transport::address", "",
    "git@github.com:a\x1b[31m", "https://github.com/a/\u202eb", "git+ssh://git@github.com/a/b",
]  # fmt: skip
CREDENTIALS = [
    "https://user:s3cretword@github.com/a/b", "https://s3cretword@github.com/a/b",
    "ssh://git:s3cretword@github.com/a/b", "http://user:s3cretword@github.com/a/b",
]  # fmt: skip


@pytest.mark.parametrize("text", [*BAD, *CREDENTIALS])
def test_a_bad_address_is_refused_without_repeating_its_password(text: str) -> None:
    with pytest.raises(ScarError) as refusal:
        GitUrl.parse(text)
    text_of_error = refusal.value.message + refusal.value.hint
    assert refusal.value.code == "invalid_request"
    assert "s3cretword" not in text_of_error
    assert ("password" in text_of_error) == (text in CREDENTIALS)
    with pytest.raises(ScarError):
        COMMAND.arguments({"url": text})


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("https://github.com/Owner/Name", "https://github.com/Owner/Name", "github.com/Owner/Name"),
        ("HTTPS://GitHub.COM/o/n.git", "https://github.com/o/n.git", "github.com/o/n"),
        ("https://github.com:443/o/n/", "https://github.com/o/n", "github.com/o/n"),
        ("https://h.org:8443/o/n", "https://h.org:8443/o/n", "h.org:8443/o/n"),
        ("git@github.com:o/n.git", "git@github.com:o/n.git", "github.com/o/n"),
        ("ssh://git@GITHUB.com/o/n.git", "ssh://git@github.com/o/n.git", "github.com/o/n"),
        ("ssh://git@h.org:2222/o/n", "ssh://git@h.org:2222/o/n", "h.org/o/n"),
        ("git@h.org:/srv/git/n.git", "git@h.org:/srv/git/n.git", "h.org/srv/git/n"),
        ("https://h.org/a/b/c/n", "https://h.org/a/b/c/n", "h.org/a/b/c/n"),
    ],
)
def test_a_good_address_is_normalised(text: str, url: str, name: str) -> None:
    address = GitUrl.parse(text)
    assert (address.url, address.name) == (url, name)
    assert GitUrl.parse(address.url) == address


def test_only_allowed_hosts_and_ports_are_accepted() -> None:
    hosts = ("github.com", "h.org:8443")
    GitUrl.parse("git@github.com:o/n").require_allowed(hosts)
    GitUrl.parse("https://h.org:8443/o/n").require_allowed(hosts)
    for other in ("https://evil.org/o/n", "https://github.com:8443/o/n", "https://h.org/o/n"):
        with pytest.raises(ScarError, match="Nothing is cloned from"):
            GitUrl.parse(other).require_allowed(hosts)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("https://api.github.com", "github.com"),
        ("https://ghe.org/api/v3", "ghe.org"),
        ("https://127.0.0.1:8443", "127.0.0.1:8443"),
    ],
)
def test_the_host_for_git_is_derived_from_githubs_api_address(address: str, place: str) -> None:
    assert github_place(address) == place


def test_address_and_name_can_be_given_in_either_order(projects: ProjectsFile) -> None:
    url = "https://github.com/Owner/Some-Name.git"

    def parsed(*words: str) -> dict[str, str]:
        return dict(COMMAND.parse(words, projects, lambda: projects.get("none")).args)

    assert parsed(url) == {"url": url, "name": "some-name"}
    assert parsed(url, "shop") == parsed("shop", url) == {"url": url, "name": "shop"}
    for words in ((url, "../up"), (url, "a", "b"), (), (url, "Shop"), (url, "42"), (url, "a/b")):
        with pytest.raises(ScarError) as refusal:
            parsed(*words)
        assert refusal.value.code == "invalid_request"
