from __future__ import annotations

import json
import string
import time
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from scar.redaction import MASK, clean, mask, secret_values

PLANTED = st.text(string.ascii_letters + string.digits + "/+=_-.:@!? \"'\\\n€", min_size=6)
PIECES = st.sampled_from(
    [
        "password=", '"token": "', "\\\"secret\\\": \\\"", "--api-key ", "Authorization: Bearer ",
        "https://user:", "@host/", "\x1b[31m", "\x1b]0;", "\x07", "\x9b", "\r", "\r\n", "\n", "***",
        "-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----", "AKIAABCDEFGHIJKLMNOP",
        "ghp_0123456789abcdefghij", "eyJhbGciOi.eyJzdWIiOiIx.c2ln", '"', "'", "\\", " ", "[", "&",
        "\u202e", "\ud800", "null", "word", "token: ", "1", "Set-Cookie: a=b; ", "cookie: ", "`",
        "<password>", "</", "curl -u a:", "mysql -p", "IDENTIFIED BY '", "password: |\n", "sk-",
        "  ", "- ", "basic bWU6aHVudGVy", "hooks.slack.com/services/", "abcdefghijklmnop1234", ";",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj", "npm_", "name='pwd'",
        "secret:\n", "x@h/",
    ]
)  # fmt: skip
HOSTILE = st.one_of(st.text(), st.lists(PIECES | st.text(max_size=5), max_size=30).map("".join))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[1;31mred\x1b[0m \x1b]0;title\x07text", "red text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("\x1b(Bplain\x1b[", "plain"),
        ("an \x1b]unfinished title\nnext", "an unfinished title\nnext"),
        ("10%\r50%\r100%\ndone\r\n", "100%\ndone\n"),
        ("working\r\x1b[2K", "working"),
        ("a\x00b\x07c\x08\td", "abc\td"),
        ("user\u202etxt.exe\u2066", "usertxt.exe"),
        ("half \ud800 pair", "half \ufffd pair"),
        ("<b>*_[]`é 日本 👨‍👩‍👧", "<b>*_[]`é 日本 👨‍👩‍👧"),
    ],
)
def test_cleaned_text_is_what_a_terminal_would_display(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(HOSTILE)
def test_clean_leaves_no_control_character(text: str) -> None:
    cleaned = clean(text)
    assert not [c for c in cleaned if unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not set(cleaned) & set("\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PASSWORD=hunter2 next", "PASSWORD=*** next"),
        ("DB_PASSWORD:   hunter2", "DB_PASSWORD:   ***"),
        ('{"db_password": "hunt\\"er2", "user": "bob"}', '{"db_password": "***", "user": "bob"}'),
        ('{\\"apiKey\\": \\"abc\\", \\"n\\":1}', '{\\"apiKey\\": \\"***\\", \\"n\\":1}'),
        ('{"secret":12345,"n":1}', '{"secret":***,"n":1}'),
        ('"tokens": ["a1", "b2"], "n": 1', '"tokens": ***, "n": 1'),
        ("password='it is long' rest", "password='***' rest"),
        ('secret="never closed', 'secret="***'),
        ("mysql --password hunter2 --host db", "mysql --password *** --host db"),
        ("GET /x?token=abc1&page=2 HTTP/1.1", "GET /x?token=***&page=2 HTTP/1.1"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('curl -H "Authorization: Basic dTpw" http://x', 'curl -H "Authorization: ***" http://x'),
        ("sent Bearer abcdefghij0123456789", "sent Bearer ***"),
        ("postgres://app:p@ss@db:5432/app", "postgres://app:***@db:5432/app"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("/bot12345678:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1/getMe", "/bot***/getMe"),
        ("ghp_" + "a1B2" * 9, MASK),
        ("github_pat_" + "a1B2_" * 9, MASK),
        ("key AKIAIOSFODNN7EXAMPLE.", "key ***."),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", MASK),
        (
            "a\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,X\nMIIE\n"
            "-----END RSA PRIVATE KEY-----\nb",
            "a\n***\nb",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", MASK),
    ],
)
def test_text_that_looks_like_a_secret_is_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[2025-12-20 15:30:11] INFO: Server started on port 8000",
        "commit 3f786850e387550fdab836ed7e6dc881de23001b by author=bob",
        "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
        "id=123e4567-e89b-12d3-a456-426614174000 key=value cache_key=user:1",
        "http://localhost:8080/@scope/pkg and mailto a:b@c",
        "max_tokens=4096 total_tokens: 300, SyntaxError: Unexpected token: foo",
        "the password is wrong; a secret is null",
        '{"token":null,"password":true,"n":2}',
        "SECRET_FILE=/run/secrets/db TOKEN_TYPE=bearer",
        "ask-me-anything-about-the-longest-names",
    ],
)
def test_ordinary_text_is_not_masked(text: str) -> None:
    assert mask(clean(text)) == text


@example("-----END PRIVATE KEY-----" + "0" * 62 + "Aa")
@given(HOSTILE)
def test_masking_a_second_time_changes_nothing(text: str) -> None:
    once = mask(clean(text))
    assert mask(once) == once


@given(HOSTILE, PLANTED, HOSTILE)
def test_a_known_secret_is_masked_in_any_text(before: str, secret: str, after: str) -> None:
    assume(len(secret.strip()) >= 6 and secret.strip("*"))
    masked = mask(clean(before) + secret + clean(after), [secret])
    assert secret not in masked


@given(PLANTED)
def test_a_known_secret_is_masked_as_json_and_urls_encode_it(secret: str) -> None:
    assume(len(secret.strip()) >= 6)
    for encoded in (json.dumps(secret)[1:-1], quote(secret, safe="")):
        assert encoded not in mask(f"x {encoded} y", [secret])


@given(
    st.sampled_from(["DB_PASSWORD", "api_key", "client-secret", "accessToken", "SENTRY_DSN"]),
    st.sampled_from(["{}={}", '"{}": "{}"', "{}: '{}'", "--{} {}", "{} = {}", '\\"{}\\":\\"{}\\"']),
    st.from_regex(r"[A-Za-z][A-Za-z0-9/+_.]{6,39}[0-9]", fullmatch=True),
)
def test_the_value_of_a_variable_with_a_secret_name_is_masked(
    name: str, form: str, value: str
) -> None:
    assert value not in mask("start " + form.format(name, value) + " end")


def test_a_very_short_secret_is_not_masked_in_ordinary_words() -> None:
    assert mask("a cat sat", ["a", "cat", ""]) == "a cat sat"


def test_each_line_of_a_long_secret_is_masked() -> None:
    secret = "first-line-0123456789\nsecond-line-0123456789"
    assert mask("log: second-line-0123456789", [secret]) == "log: ***"


@pytest.mark.parametrize(
    "piece",
    [
        "a", "a=", "password=", 'password="', '"token":[', "\x1b]", "\x9d", "\x1b[", "://a:", "://",
        "-----BEGIN PRIVATE KEY-----", "eyJaaaaaaaaa.", "ghp_", "1", "1:", "--password ", '\\"',
        "Bearer ", "\r", "password" + "\\" * 4, "token" + " " * 40, "_.-",
    ],
)  # fmt: skip
def test_masking_a_hostile_line_of_a_megabyte_takes_linear_time(piece: str) -> None:
    line = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    started = time.process_time()
    mask(clean(line), ["planted-secret", "another-secret"])
    assert time.process_time() - started < 5


def test_secret_values_are_those_of_secret_names_and_passwords_in_addresses() -> None:
    env = {
        "DB_PASSWORD": "correct-horse",
        "SCAR_API_TOKENS": "ci:admin:battery",
        "RAILS_MASTER_KEY": "0123456789abcdef",
        "DATABASE_URL": "postgres://app:st%40ple-gun@db/app",
        "PASSWORD_FILE": "/run/secrets/password",
        "AUTHOR": "samuel-the-great",
        "PATH": "/usr/bin:/bin",
        "SHORT_TOKEN": "abc",
        "BROKEN_URL": "http://[broken",
    }
    assert secret_values(env) == (
        "0123456789abcdef",
        "ci:admin:battery",
        "correct-horse",
        "st%40ple-gun",
        "st@ple-gun",
    )
