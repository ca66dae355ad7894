"""Which files an image is built from."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from scar.errors import ScarError
from tests.support.compose_project import IMAGE
from workers.engine.build_inputs import BuildInputs, FileDigests, build_inputs
from workers.engine.compose_config import ComposeConfig
from workers.engine.dockerignore import DockerIgnore


# Pattern, path, ignored: what `docker build` itself does.
@pytest.mark.parametrize(
    ("text", "path", "ignored"),
    [
        ("*.py", "a.py", True),
        ("*.py", "lib/a.py", False),
        ("**/*.py", "lib/deep/a.py", True),
        ("**/*.py", "a.py", True),
        ("node_modules", "node_modules/x/y.js", True),
        ("node_modules", "web/node_modules/x", False),
        ("/dist/", "dist/app.js", True),
        ("./dist/../out", "out/x", True),
        ("dir/**", "dir/a/b", True),
        ("dir/**", "dir", False),
        ("**name", "my-name", True),
        ("**/name", "my-name", False),
        ("**/name", "a/name/b", True),
        ("a**/*.txt", "a/b/c/x.txt", True),
        ("te?t", "test", True),
        ("te?t", "te/t", False),
        ("a[b-d]e", "ace", True),
        ("a[^b-d]e", "ace", False),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("a.c", "abc", False),
        ("a(b)$+{c}|", "a(b)$+{c}|", True),
        ("# comment\n\n  x  ", "x", True),
        ("\ufeffx", "x", True),
        ("*\n!keep.txt", "keep.txt", False),
        ("*\n!keep.txt", "other", True),
        ("docs\n!docs/README.md", "docs/README.md", False),
        ("docs\n!docs/README.md", "docs/other.md", True),
        ("!a\n*", "a", True),
        ("**\n!src/web\nsrc/web/secret", "src/web/app.js", False),
        ("**\n!src/web\nsrc/web/secret", "src/web/secret", True),
        ("! a \n", "a", False),
        (".git", ".gitignore", False),
    ],
)
def test_dockerignore_patterns_match_as_docker_matches_them(
    text: str, path: str, ignored: bool
) -> None:
    assert DockerIgnore(text).ignores(path) is ignored


@pytest.mark.parametrize(
    "text",
    ["**/a" * 12 + "b", "*a" * 60 + "b", "**a" * 30 + "b", "**/" * 500 + "b", "**/*" * 40 + "/b"],
)
def test_no_pattern_takes_more_than_pattern_times_path(text: str) -> None:
    ignore = DockerIgnore(f"{text}\n{text}c")
    paths = ["a/" * 100 + f"{number}" for number in range(20)] + ["a" * 255]
    started = time.process_time()
    assert not any(ignore.ignores(path) for path in paths)
    assert time.process_time() - started < 2


def test_files_may_be_asked_for_in_any_order() -> None:
    ignore = DockerIgnore("a/b\n!a/b/keep\n**/x")
    paths = ["a/b/c", "a/bc", "a/b/keep", "b/x/y", "a/b/c/x", "x", "a/b/keep/z", "y"]
    verdicts = {path: DockerIgnore("a/b\n!a/b/keep\n**/x").ignores(path) for path in paths}
    assert {path: ignore.ignores(path) for path in [*paths, *reversed(paths)]} == verdicts


@pytest.mark.parametrize("text", ["!", "[", "a[", "a\\", "[]a]"])
def test_a_pattern_that_docker_refuses_is_refused(text: str) -> None:
    with pytest.raises(ScarError) as failure:
        DockerIgnore(text)
    assert failure.value.code == "project_invalid"


_NAMES = st.sampled_from(["a", "b", "ab", "a.txt", ".x", "dir", "b-a"])
_PATTERN = st.lists(
    st.sampled_from(["a", "b", "ab", "*", "**", "?", "dir", ".x", "*.txt", "a*", "**a", "[ab]"]),
    min_size=1, max_size=3,
).map("/".join)  # fmt: skip
_IGNORE = st.lists(st.tuples(st.sampled_from(["", "", "!"]), _PATTERN), min_size=1, max_size=4)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],  # a build takes a second: no shrinking
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lists=st.lists(_IGNORE, min_size=8, max_size=8))
def test_the_build_context_equals_what_docker_sends(
    tmp_path: Path, docker: Callable[..., str], lists: list[list[tuple[str, str]]]
) -> None:
    """Send random ignore files, one context each, in one real `docker build`."""
    names = ["a", "b", "ab", "a.txt", ".x", "dir", "b-a"]
    paths = [f"{one}.d/{two}" for one in names[:4] for two in names] + [f"{n}.f" for n in names]
    paths += [f"a/{n}" for n in names[1:4]] + ["dir/a/b", "dir/a.txt", "b-a", "ab", ".x", "a.txt"]
    folder = tmp_path / os.urandom(4).hex()
    expected = []
    dockerfile = f"FROM {IMAGE}\n"
    argv = ["build", "-q"]
    for number, lines in enumerate(lists):
        context = folder / str(number)
        for path in paths:
            (context / path).parent.mkdir(parents=True, exist_ok=True)
            (context / path).write_text("x")
        text = "\n".join(mark + pattern for mark, pattern in lines)
        (context / ".dockerignore").write_text(text)
        ignore = DockerIgnore(text)
        expected += [f"/{number}/{p}" for p in [*paths, ".dockerignore"] if not ignore.ignores(p)]
        argv += ["--build-context", f"c{number}={context}"]
        dockerfile += f"COPY --from=c{number} / /all/{number}/\n"
    image = docker(*argv, "-f", "-", str(folder / "0" / "dir"), stdin=dockerfile.encode())
    listed = docker("run", "--rm", image, "find", "/all", "-type", "f")
    docker("image", "rm", image)
    sent = {line.removeprefix("/all") for line in listed.split()}
    differs = {path: lists[int(path[1])] for path in sent ^ set(expected)}
    assert differs == {}


def inputs(root: str, section: object, files: dict[str, str]) -> BuildInputs:
    resolved = {"name": "p", "services": {"web": {"build": section}}}
    build = ComposeConfig.parse(resolved, {}, frozenset()).services["web"].build
    assert build is not None
    tree: FileDigests = {
        path: (0o644, hashlib.sha256(text.encode()).hexdigest()) for path, text in files.items()
    }
    return build_inputs(build, root, tree, lambda path: files[path].encode())


FILES = {
    "Dockerfile": "FROM x",
    "app/main.py": "1",
    "app/Dockerfile": "FROM y",
    "app/Dockerfile.dockerignore": "*.md\n",
    "app/notes.md": "n",
    "readme.md": "r",
    ".dockerignore": "*.md\n.dockerignore\nDockerfile\n",
}
HERE = {"context": "/p", "dockerfile": "Dockerfile"}


def test_ignored_files_do_not_change_the_digest_but_an_ignored_dockerfile_does() -> None:
    built = inputs("/p", HERE, FILES)
    assert "readme.md" not in built.files
    assert {"Dockerfile", "app/main.py", "app/notes.md"} <= set(built.files)
    assert built.digest == inputs("/p", HERE, FILES | {"readme.md": "changed"}).digest
    assert built.digest != inputs("/p", HERE, FILES | {"Dockerfile": "FROM z"}).digest
    assert built.digest != inputs("/p", HERE, FILES | {"app/main.py": "2"}).digest
    assert built.digest != inputs("/p", HERE, FILES | {"app/new.py": ""}).digest
    assert built.digest != inputs("/p", HERE | {"args": {"A": "1"}}, FILES).digest


def test_the_digest_does_not_depend_on_where_the_folder_is() -> None:
    moved = {"context": "/else/where", "dockerfile": "Dockerfile"}
    assert inputs("/p", HERE, FILES).digest == inputs("/else/where", moved, FILES).digest


def test_an_ignore_file_named_after_the_dockerfile_takes_precedence() -> None:
    built = inputs("/p", {"context": "/p/app", "dockerfile": "Dockerfile"}, FILES)
    assert built.files == ("app/Dockerfile", "app/Dockerfile.dockerignore", "app/main.py")
    assert built.outside == ()


@pytest.mark.parametrize(
    ("section", "outside"),
    [
        ({"context": "/other"}, ("/other",)),
        ({"context": "/p/../p2"}, ("/p/../p2",)),
        ({"context": "https://example.com/x.git"}, ("https://example.com/x.git",)),
        ({"context": "/p", "dockerfile": "../Dockerfile"}, ("/p/../Dockerfile",)),
        (
            {"context": "/p", "additional_contexts": {"b": "docker-image://x"}},
            ("docker-image://x",),
        ),
    ],
)
def test_inputs_outside_the_project_are_reported(section: object, outside: tuple[str, ...]) -> None:
    assert inputs("/p", section, FILES).outside == outside
