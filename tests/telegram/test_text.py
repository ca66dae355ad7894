"""Documents as Telegram messages: whatever is in them, the markup holds and nothing is lost."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scar.document import Attachment, Button, Code, Document, Line, Mood
from scar.frontends.telegram.keyboard import keyboard
from scar.frontends.telegram.render import LONGEST, fit, to_html, to_plain
from tests.support.botapi.entities import read_html, units

QUOTE = "expandable_blockquote"
BUSY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
_HOSTILE = [
    "<b>bold</b>",
    "</pre><b>",
    "&lt;script&gt; & &amp; &#60;",
    "_*[]()~`>#+-=|{}.!\\",
    "@somebody and mail@example.org",
    "\x1b[31mred\x1b[0m\x00\x07",
    "\ud800 half a pair",
    "👩‍👩‍👧 🇩🇪 𝔘𝔫𝔦",
    "\u202eright to left",
    "```\ncode\n```",
    "/docker_deploy",
    "",
    "\n",
]
_text = st.one_of(st.text(max_size=300), st.sampled_from(_HOSTILE))
_long = st.one_of(
    st.text(alphabet="ab <&@\n𝔘", min_size=3000, max_size=9000),
    st.builds(lambda text, times: text * times, _text, st.integers(0, 400)),
)
_code = st.builds(Code, st.one_of(_text, _text.map(lambda text: f"{text}\n" * 7)), st.booleans())
_blocks = st.one_of(st.builds(Line, _text), _code)
_long_blocks = st.one_of(st.builds(Line, _long), st.builds(Code, _long, st.booleans()))
documents = st.builds(
    Document,
    st.lists(st.one_of(_blocks, _long_blocks), max_size=6).map(tuple),
    st.just((Button("Yes", "yes"),)),
    st.one_of(st.none(), st.builds(Attachment, st.just("x.log"), _text)),
)


def _bare(text: str) -> str:
    """What a person reads of a text: without what Telegram does not show or
    changes (a tab becomes a space)."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return re.sub(r"[\x00-\x20\x7f\ufffd\u2060]", "", whole)


@BUSY_MACHINE
@given(documents)
@example(Document.of("x" * 4096))
@example(Document.of("x" * 4097))
@example(Document((Code("𝔘" * 2048),)))
@example(Document((Code("𝔘" * 2049),)))
@example(Document((Code("@" * 100_000),)))
@example(Document.of("@" * 100_000))
@example(Document(()))
def test_every_document_can_be_sent(document: Document) -> None:
    fitted = fit(document)
    text, entities = read_html(to_html(fitted))
    assert text.strip()
    assert units(text) <= LONGEST
    assert units(to_plain(fitted)) <= LONGEST
    assert {entity["type"] for entity in entities} <= {"pre", "bot_command", QUOTE}
    assert fitted.buttons == document.buttons


@BUSY_MACHINE
@given(documents)
def test_text_that_is_cut_has_a_notice_and_is_complete_in_a_file(document: Document) -> None:
    fitted = fit(document)
    if fitted == document:
        shown, _ = read_html(to_html(document))
        read, meant = _bare(shown).strip(), _bare(document.text).strip()
        assert read == meant or (not meant and read == "(nothing)")
        return
    assert fitted.attachment is not None
    assert _bare(fitted.attachment.text).startswith(_bare(document.text))
    assert "The whole is in the file" in fitted.text
    if document.attachment:
        assert fitted.attachment.name == document.attachment.name
        assert fitted.attachment.text.endswith(document.attachment.text)


def test_a_long_document_keeps_its_first_and_its_last_lines() -> None:
    lines = [f"line {number}" for number in range(2000)]
    document = Document((Line("heading"), Code("\n".join(lines)), Line("the end")))
    fitted = fit(document)
    assert fitted.blocks[0] == Line("heading")
    assert fitted.blocks[-1] == Line("the end")
    assert "line 1999" in fitted.text
    assert "line 0\n" in fitted.text
    assert units(to_plain(fitted)) > 3500, "the room is used"


def test_only_code_blocks_are_shown_as_code() -> None:
    document = Document((Line("a <b>"), Code("x < y"), Line("Type `yes` to confirm")))
    text, entities = read_html(to_html(document))
    assert text == "a <b>\nx < y\nType `yes` to confirm"
    assert entities == [{"type": "pre", "offset": 6, "length": 5}]


def test_long_folded_code_is_a_quote_in_which_nothing_is_live() -> None:
    lines = ["/docker_deploy", "@somebody", "x/y", "<b>", "", "last"]
    text, entities = read_html(to_html(Document((Code("\n".join(lines), folded=True),))))
    assert [entity["type"] for entity in entities] == ["expandable_blockquote"]
    assert text.replace("\u2060", "").split("\n") == lines
    short = to_html(Document((Code("one\ntwo", folded=True),)))
    assert [entity["type"] for entity in read_html(short)[1]] == ["pre"]


def test_buttons_stand_in_rows_with_what_they_lead_to() -> None:
    asked = (Button("🚀 Yes, deploy", "yes", mood=Mood.DANGER), Button("✖️ No", "no"))
    made = keyboard(Document((), (*asked, Button("📋 Copy", "copy", copies="docker ps"))), "J:p")
    assert made is not None
    rows = made.to_dict()["inline_keyboard"]
    assert rows == [
        [
            {"text": "🚀 Yes, deploy", "callback_data": "yes:J:p", "style": "danger"},
            {"text": "✖️ No", "callback_data": "no:J:p"},
            {"text": "📋 Copy", "copy_text": {"text": "docker ps"}},
        ]
    ]
    long = keyboard(Document((), (*asked, Button("⏪ Roll back to another", "back", "/x"))), "J:p")
    assert long is not None
    assert [len(row) for row in long.inline_keyboard] == [2, 1]
    assert keyboard(Document((), (Button("📋", "copy", copies="x" * 257),)), "") is None
