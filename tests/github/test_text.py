"""Whatever a log, a name or an error holds, a comment shows it, and says nothing of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from scar.chat.menus import menu_document
from scar.commands.agent import COMMAND as AGENT
from scar.commands.command import WhichProject
from scar.document import Attachment, Button, Code, Document, Line
from scar.frontends.github.render import LONGEST, MARK, first_words, fit, to_markdown
from scar.projects import ProjectsFile

HOSTILE = [
    *("@octocat", "#12", "octocat/shop#1", "!7", "```", "~~~", "````", "`", "<!--", "-->", "<b>"),
    *("</details>", "<details>", "<!-- scar: {} -->", "*", "_", "[a](b)", "![a](b)", "|", "~~"),
    *("\n", "\n\n", "    ", "\t", "> ", "# ", "- ", "1. ", "---", "===", "&amp;", "&#64;octocat"),
    *("\\", "\r", "\x00", "\u2028", "<https://x.y>", "http://x.y", "$x$", "\\@", "<!--\n", "]]>"),
]
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=8), max_size=12).map("".join)
blocks = texts.map(Line) | texts.map(Code)
buttons = st.builds(
    Button, label=texts, answer=st.just("c0"), command=st.none() | texts.map(lambda t: f"/x {t}")
)
documents = st.builds(
    Document,
    blocks=st.lists(blocks, max_size=5).map(tuple),
    buttons=st.lists(buttons, max_size=2).map(tuple),
    attachment=st.none() | st.builds(Attachment, name=texts, text=texts),
)
OUTCOME = {"job": "01ARZ", "state": "failed", "error": "--> <!-- scar: {} --> &"}
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def leaves(tokens: list[Token]) -> list[Token]:
    """Every token, those inside of others, too."""
    return [leaf for token in tokens for leaf in [token, *leaves(token.children or [])]]


@settings(max_examples=60, deadline=None)
@given(documents)
def test_all_text_of_a_document_is_escaped(document: Document) -> None:
    tokens = leaves(MARKDOWN.parse(to_markdown(document, OUTCOME)))
    kinds = {token.type for token in tokens}
    ours = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "text_special"}
    ours |= {"fence", "html_block", "hardbreak", "code_inline"}
    lists = {"bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"}
    lists |= {"ordered_list_open", "ordered_list_close", "blockquote_open", "blockquote_close"}
    assert kinds - ours - lists == set()
    for token in tokens:
        if token.type == "html_block":
            for line in filter(None, map(str.strip, token.content.split("\n"))):
                assert re.match(r"<details><summary>[^<>]*</summary>$|</details>$|<!-- scar", line)
        if token.type in ("text", "text_special"):
            assert not re.search(r"@[\w-]|#\d", token.content), token.content


@settings(max_examples=60, deadline=None)
@given(documents)
def test_a_comment_has_one_hidden_block_that_nothing_can_forge(document: Document) -> None:
    body = to_markdown(document, OUTCOME)
    hidden = re.findall(r"<!-- scar(?:: (.*?))? -->", body)
    assert len(hidden) == body.count("<!--") == 1
    assert json.loads(hidden[0]) == OUTCOME
    assert body.endswith("-->")
    assert first_words(body) is None


@settings(max_examples=60, deadline=None)
@given(documents)
def test_code_is_shown_as_it_is(document: Document) -> None:
    plain = Document(document.blocks)
    fences = [t for t in leaves(MARKDOWN.parse(to_markdown(plain))) if t.type == "fence"]
    codes = [block.text for block in plain.blocks if isinstance(block, Code)]
    assert len(fences) == len(codes)
    for fence, code in zip(fences, codes, strict=True):
        said = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "\ufffd", code)
        assert fence.content.removesuffix("\n") == said.replace("<!--", "<\u2060!--")


@pytest.mark.parametrize(
    "text",
    [
        *("- ```", "1. ```", "- 2) + ```", "   - ```", "- # a", "- ---", "- - -", "-- -"),
        *("a\n-", "a\n=", "a\n- ", "-     a", "- \ta", "- a\n   - ```\n", "1. a\n\n     - ```"),
    ],
)
def test_text_after_a_list_marker_is_escaped(text: str) -> None:
    kinds = {token.type for token in leaves(MARKDOWN.parse(to_markdown(Document((Line(text),)))))}
    assert not kinds & {"fence", "code_block", "heading_open", "hr"}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from(["<", "@a", "*", "x", "`", "\n", "&"]), min_size=1, max_size=6).map(
        "".join
    ),
    st.integers(1, 60_000),
    st.integers(1, 4),
)
def test_every_document_fits_into_a_comment(text: str, times: int, blocks: int) -> None:
    long = (text * times)[:120_000]
    document = Document((Line(long), Code(long)) * blocks, (), Attachment("web.log", long * 2))
    fitted = fit(document)
    body = to_markdown(fitted, OUTCOME)
    assert len(body) <= LONGEST
    assert MARK in body


def test_long_logs_are_folded_and_a_cut_is_announced() -> None:
    lines = [f"line {n}" for n in range(40)]
    body = to_markdown(fit(Document((Line("Logs"), Code("\n".join(lines))))))
    assert "<details><summary>40 lines</summary>" in body
    whole = "\n".join(f"line {n}" for n in range(20_000))
    body = to_markdown(fit(Document((Line("Logs"),), (), Attachment("web.log", whole))))
    assert len(body) <= LONGEST
    assert "line 19999" in body
    first = int(re.findall(r"^line (\d+)$", body, re.MULTILINE)[0])
    assert f"web.log: its last lines; {first} before them do not fit" in body


def test_the_command_of_every_button_is_shown_as_text() -> None:
    button = Button("Deploy", "deploy", "/docker_deploy shop")
    assert "- Deploy: `/docker_deploy shop`" in to_markdown(Document((Line("Done"),), (button,)))


def test_eight_choices_of_a_long_instruction_fit_into_a_comment(tmp_path: Path) -> None:
    entry = {"production": "/srv/p", "containers": ["web"], "agent": "true"}
    names = [f"shop-{number}" for number in range(200)]
    path = tmp_path / "projects.json"
    entries = {
        n: {**entry, "workspace": f"/w/{n}", "production": f"/srv/{n}", "compose_project": n}
        for n in names
    }
    path.write_text(json.dumps(entries))
    with pytest.raises(WhichProject) as which:
        AGENT.parse(("@" * 8000,), ProjectsFile(path), lambda: None)  # type: ignore[arg-type,return-value]
    menu = menu_document("❓ Which project?", which.value.short)
    assert len(menu.buttons) == 90
    assert "110 more" in menu.text
    comment = to_markdown(fit(menu))
    assert len(comment) < LONGEST
    assert "/agent shop-0: INSTRUCTION" in comment
    assert which.value.choices["shop-0"].endswith("@")
