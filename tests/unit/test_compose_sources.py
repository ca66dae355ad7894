"""A Compose file reaches no file but the project's own, before anybody's yes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from scar.errors import ScarError
from tests.support.files_scene import write
from workers.deployment.future_tree import FutureTree
from workers.deployment.reading import read_entry, read_from
from workers.engine.compose_sources import ComposeSources, ProjectRules, compose_sources
from workers.files.scan import scan
from workers.files.stat_cache import StatCache

SERVICE = "services:\n  web:\n    image: x\n"


class Sources:
    """A workspace and production in a folder with other people's files beside them."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.production = folder / "workspace", folder / "production"
        write(self.workspace, {"sub/compose.yaml": SERVICE})
        write(self.production, {"own.env": "OWN=1"})
        write(folder, {"other/.env": "SECRET=1", "other/compose.yaml": SERVICE})

    def of(
        self, compose: str, files: Mapping[str, str] | None = None, *, remote: bool = False
    ) -> ComposeSources:
        """What Compose would read once this workspace is deployed."""
        write(self.workspace, {"compose.yaml": compose, **(files or {})})
        entries = scan(str(self.workspace), (), StatCache()).entries
        root = str(self.workspace)
        future = FutureTree(
            self.production,
            entries,
            frozenset(),
            lambda path, entry: read_entry(root, path, entry),
            self.workspace,
        )
        roots = (str(self.production), str(self.workspace))
        rules = ProjectRules(roots, remote, ("HOME",))
        return compose_sources(future.compose_files(), future, rules)


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return Sources(tmp_path)


def in_service(line: str) -> str:
    return f"{SERVICE}    {line}\n"


REFUSED = {
    "env_file": in_service("env_file: /etc/shadow"),
    "env_file in a list": in_service("env_file: [{path: ../other/.env, required: false}]"),
    "env_file of the home": in_service("env_file: ~/.ssh/id"),
    "env_file by a tag": in_service("env_file: !override [/etc/shadow]"),
    "env_file by a merge": "x-a: &a {env_file: /etc/shadow}\nservices: {web: {<<: *a, image: x}}\n",
    "env_file in a second document": f"{SERVICE}---\n{in_service('env_file: /etc/shadow')}",
    "env_file with a variable": in_service("env_file: ${HOME}/x"),
    "env_file with a default": in_service("env_file: ${NONE:-/etc/shadow}"),
    "label_file": in_service("label_file: ../other/.env"),
    "extends": in_service("extends: {file: ../other/compose.yaml, service: web}"),
    "include": f"include: [../other/compose.yaml]\n{SERVICE}",
    "include of a folder": "include: [{path: sub/compose.yaml, project_directory: ../other}]\n",
    "include's env_file": "include: [{path: sub/compose.yaml, env_file: ../other/.env}]\n",
    "secrets": f"{SERVICE}secrets: {{s: {{file: /etc/shadow}}}}\n",
    "configs": f"{SERVICE}configs: {{c: {{file: ../other/.env}}}}\n",
}


@pytest.mark.parametrize("compose", REFUSED.values(), ids=REFUSED.keys())
def test_a_path_out_of_the_two_folders_is_refused(sources: Sources, compose: str) -> None:
    words = r"outside of the project's folders|cannot be checked"
    with pytest.raises(ScarError, match=words) as refused:
        sources.of(compose)
    assert refused.value.code == "project_invalid"


@pytest.mark.parametrize(
    "files",
    [
        {"x.env": "-> /etc/shadow"},
        {"x.env": "-> ../other/.env"},
        {"x.env": "-> in/.env", "in": "-> ../other"},
        {".env": "-> /etc/shadow"},
    ],
)
def test_a_link_out_of_the_two_folders_is_refused(
    sources: Sources, files: Mapping[str, str]
) -> None:
    with pytest.raises(ScarError, match="a link out of the project's folders"):
        sources.of(in_service("env_file: x.env"), files)


def test_a_link_in_production_that_leads_out_is_refused(sources: Sources) -> None:
    write(sources.production, {"x.env": "-> ../other/.env"})
    with pytest.raises(ScarError, match="a link out of the project's folders"):
        sources.of(in_service("env_file: x.env"))


def test_paths_in_an_included_file_are_checked_relative_to_its_own_folder(
    sources: Sources,
) -> None:
    included = in_service("env_file: ../../other/.env")
    with pytest.raises(ScarError, match=r"sub/more.yaml: `env_file` names"):
        sources.of("include: [sub/more.yaml]\n", {"sub/more.yaml": included})
    extended = in_service("extends: {file: sub/more.yaml, service: web}")
    with pytest.raises(ScarError, match=r"sub/more.yaml: `env_file` names"):
        sources.of(extended, {"sub/more.yaml": included})
    near = in_service("env_file: ../near.env")
    seen = sources.of(extended, {"sub/more.yaml": near, "near.env": "A=1"})
    assert seen.contents["near.env"] == b"A=1"


@pytest.mark.parametrize(
    "path",
    ["https://example.com/x.git", "oci://example.com/x", "git@example.com:x.git", "github.com/a/b"],
)
@pytest.mark.parametrize(
    "form", ["include: ['{}']\n", "services: {{w: {{extends: {{file: '{}'}}}}}}\n"]
)
def test_a_compose_file_may_include_files_of_another_host_only_if_the_project_permits_it(
    sources: Sources, path: str, form: str
) -> None:
    with pytest.raises(ScarError, match="on another host") as refused:
        sources.of(form.format(path))
    assert '"remote_includes": true' in refused.value.hint
    seen = sources.of(form.format(path), remote=True)
    assert (seen.remote[0], seen.digest(())) == (path, None)


def test_everything_that_compose_reads_is_in_the_digest(sources: Sources) -> None:
    compose = (
        "include: [sub/compose.yaml]\nservices:\n  web:\n    image: !reset x\n"
        "    env_file: ['${NAME:-a}.env', own.env]\n    label_file: labels\n"
        "secrets: {s: {file: word}}\n"
    )
    files = {"a.env": "A=1", "b.env": "B=1", "labels": "l=1", "sub/.env": "S=1", ".env": "NAME=b"}
    first = sources.of(compose, files)
    assert set(first.contents) == {
        *(".env", "compose.yaml", "sub/compose.yaml", "sub/.env", "labels", "b.env", "own.env"),
    }
    for name in ("b.env", "labels", "sub/.env"):
        assert sources.of(compose, {**files, name: "X=2"}).digest(()) != first.digest(())
    assert sources.of(compose, files).digest(()) == first.digest(())


@pytest.mark.parametrize("env", ["NAME='b'", "NAME=b\nNAME=c", 'X="\nNAME=b\n"', "NAME=$OTHER"])
def test_a_path_with_an_ambiguous_variable_is_refused(sources: Sources, env: str) -> None:
    with pytest.raises(ScarError, match="which cannot be checked"):
        sources.of(in_service("env_file: ${NAME}.env"), {".env": env})


def test_a_file_that_is_no_yaml_is_refused(sources: Sources) -> None:
    with pytest.raises(ScarError, match=r"compose.yaml, line \d"):
        sources.of("services:\n  web: [\n")


def test_merges_that_grow_without_end_are_refused(sources: Sources) -> None:
    lines = ["x0: &x0 {" + ", ".join(f"k{n}: 1" for n in range(9)) + "}"]
    for n in range(1, 9):
        merges = ", ".join([f"*x{n - 1}"] * 9)
        lines.append(f"x{n}: &x{n} {{<<: [{merges}]}}")
    with pytest.raises(ScarError, match="its merges are too large"):
        sources.of("\n".join(lines) + "\n")


def test_a_pipe_or_link_in_place_of_a_scanned_file_does_not_block_the_plan(
    sources: Sources,
) -> None:
    write(sources.workspace, {"ignore": "x"})
    entry = scan(str(sources.workspace), (), StatCache()).entries["ignore"]
    place = sources.workspace / "ignore"
    place.unlink()
    os.mkfifo(place)
    with pytest.raises(ScarError, match="not a regular file"):
        read_entry(str(sources.workspace), "ignore", entry)
    place.unlink()
    place.symlink_to("/etc/hostname")
    with pytest.raises(ScarError):
        read_entry(str(sources.workspace), "ignore", entry)
    place.unlink()
    place.write_text("y")
    with pytest.raises(ScarError, match="changed while it was being deployed"):
        read_entry(str(sources.workspace), "ignore", entry)


def test_a_file_that_is_too_large_is_refused(sources: Sources) -> None:
    write(sources.workspace, {"large": b"x" * (1 << 20) + b"y"})
    with pytest.raises(ScarError, match="more than 1 MiB"):
        read_from(str(sources.workspace), "large")
