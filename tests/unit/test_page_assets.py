"""The page's files: the libraries are the published ones, and each is served under its hash."""

from __future__ import annotations

import gzip
from hashlib import sha256

import pytest
from flask import Flask
from flask.testing import FlaskClient

from scar.api.page.assets import FOLDER, asset_url, assets, resource

# Of the packages on npm: htmx.org 2.0.11, htmx-ext-sse 2.2.4, @picocss/pico 2.1.1, uplot 1.6.32.
_PUBLISHED = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "sse.min.js": "98a46496de0c3605fbffdce9167ba427bdd9553184f83f149c261891a92c0136",
    "pico.classless.min.css": "61207a40ffc02a42d1e50143651c121beab70ed413c934c1ff84fa263ba436b0",
    "uplot.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


@pytest.fixture
def browser() -> FlaskClient:
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(resource)
    return app.test_client()


def test_the_libraries_are_the_published_files() -> None:
    libraries = FOLDER / "libraries"
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in libraries.iterdir()}
    assert files.pop("LICENSES.txt")
    assert files == _PUBLISHED


def test_each_library_has_its_licence_in_the_package() -> None:
    licences = (FOLDER / "libraries" / "LICENSES.txt").read_text()
    for package in ("htmx.org 2.0.11", "htmx-ext-sse 2.2.4", "@picocss/pico 2.1.1", "uplot 1.6.32"):
        assert f"== {package}\n" in licences


@pytest.mark.parametrize("name", sorted(_PUBLISHED))
def test_a_file_is_sent_compressed_and_kept_for_a_year(browser: FlaskClient, name: str) -> None:
    zipped = browser.get(asset_url(name), headers={"Accept-Encoding": "br, gzip"})
    plain = browser.get(asset_url(name))

    assert gzip.decompress(zipped.data) == plain.data == assets()[name].body
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    for answer in (zipped, plain):
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_an_asset_address_of_an_older_version_redirects_to_the_present_file(
    browser: FlaskClient,
) -> None:
    answer = browser.get("/static/0123456789abcdef/htmx.min.js")

    assert answer.status_code == 302
    assert answer.headers["Location"] == asset_url("htmx.min.js")
    assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_only_the_pages_own_assets_are_served(browser: FlaskClient) -> None:
    for name in ("LICENSES.txt", "assets.py", "..%2fassets.py", "none.js"):
        assert browser.get(f"/static/0123456789abcdef/{name}").status_code == 404
