"""Forms in which secrets are printed by mistake, and ordinary log lines that must stay
unchanged.
"""

from __future__ import annotations

import base64
import time
from urllib.parse import quote_plus

import pytest

from scar.redaction import MASK, LineMasker, clean, mask
from scar.redaction.tokens import mask_tokens, rules

PLANTED = "hunter2-Correct-Horse"
KNOWN = "st@ple/Gun:9+x"
WORD = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bD1fH3jL5"
HEX = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"

SECRETS = [
    (f"curl -u admin:{PLANTED} https://example.org/", PLANTED),
    (f'curl -fsS --user "admin:{PLANTED}" https://example.org/', PLANTED),
    (f"curl -uadmin:{PLANTED} https://example.org/", PLANTED),
    (f"curl --proxy-user=admin:{PLANTED} https://example.org/", PLANTED),
    (f"curl -b 'sid={WORD}' https://example.org/", WORD),
    (f"curl -H 'Cookie: sid={WORD}' https://example.org/", WORD),
    (f"mysql -u root -p{PLANTED} shop", PLANTED),
    (f"redis-cli -a {PLANTED} PING", PLANTED),
    (f"sshpass -p {PLANTED} ssh root@host", PLANTED),
    (f"docker login -u ci -p {PLANTED} registry.example.org", PLANTED),
    (f"CREATE USER app IDENTIFIED BY '{PLANTED}';", PLANTED),
    (f"alter user app identified with caching_sha2_password by '{PLANTED}'", PLANTED),
    (f"ALTER ROLE app WITH LOGIN PASSWORD '{PLANTED}';", PLANTED),
    (f"SET PASSWORD FOR 'app'@'%' = PASSWORD('{PLANTED}')", PLANTED),
    (f"<password>{PLANTED}</password>", PLANTED),
    (f'<db:Password type="text">{PLANTED}</db:Password>', PLANTED),
    (f'<property name="hibernate.connection.password" value="{PLANTED}"/>', PLANTED),
    (f"db:\n  password: |\n    {PLANTED}\n  user: app", PLANTED),
    (f"api_token: >-\n  {PLANTED}", PLANTED),
    (f"+  client_secret:\n+    {PLANTED}", PLANTED),
    (f"Set-Cookie: session={WORD}; Path=/; HttpOnly", WORD),
    (f"Cookie: theme=dark; sid={WORD}", WORD),
    (f'{{"headers": {{"cookie": "sid={WORD}"}}}}', WORD),
    (f"posting to https://hooks.slack.com/services/T0ABCDEFG/B0ABCDEFG/{WORD[:24]}", WORD[:24]),
    (f"https://discord.com/api/webhooks/1234567890123456789/{WORD}{WORD}", WORD),
    (f"npm_{WORD}", WORD),
    (f"//registry.npmjs.org/:_authToken=npm_{WORD}", WORD),
    (f"whsec_{WORD}", WORD),
    (f"sentry: https://{HEX}@o123456.ingest.sentry.io/4501234567", HEX),
    (f"SENTRY https://{HEX}:{HEX}@sentry.example.org/2", HEX),
    (f"X-Sentry-Auth: Sentry sentry_version=7, sentry_key={HEX}", HEX),
    (f"sntrys_{WORD}{WORD}", WORD),
    (f"-----BEGIN PRIVATE KEY-----\n{BODY}\n-----END PRIVATE KEY-----", BODY),
    (f'"key": "-----BEGIN RSA PRIVATE KEY-----\\n{BODY}\\n-----END RSA PRIVATE KEY-----"', BODY),
    (BODY, BODY),
    (f"web-1  | {BODY}", BODY),
    (f"{BODY}\\n{BODY}\\nabc=\\n-----END PRIVATE KEY-----", BODY),
    (f"x {base64.b64encode(KNOWN.encode()).decode()} y", base64.b64encode(KNOWN.encode()).decode()),
    (
        f"Authorisation {base64.b64encode(b'app:' + KNOWN.encode()).decode()}",
        base64.b64encode(b"app:" + KNOWN.encode()).decode()[6:-4],
    ),
    (f"x {base64.urlsafe_b64encode(b'..' + KNOWN.encode()).decode()}",
     base64.urlsafe_b64encode(b".." + KNOWN.encode()).decode()[4:-4]),
    (f"dump {KNOWN.encode().hex()} end", KNOWN.encode().hex()),
    (f"dump {KNOWN.encode().hex().upper()} end", KNOWN.encode().hex().upper()),
    (f"GET /login?x={quote_plus(KNOWN)}", quote_plus(KNOWN)),
    ("GET /login?x=st%40ple%2fGun%3a9%2bx", "ple%2fGun"),
    (f"sent basic {base64.b64encode(b'me:' + PLANTED.encode()).decode()}",
     base64.b64encode(b"me:" + PLANTED.encode()).decode()),
    (f"glpat-{WORD[:20]}", WORD[:20]),
    (f"glrt-{WORD[:20]}", WORD[:20]),
    (f"dop_v1_{HEX}{HEX}", HEX),
    (f"SG.{WORD[:22]}.{WORD}{WORD[:7]}", WORD),
    (f"shpat_{HEX}", HEX),
    (f"hf_{'abCdeFghIj' * 4}"[:37], "abCdeFghIj"),
    (f"dckr_pat_{WORD[:27]}", WORD[:27]),
    (f"pypi-AgEIcHlwaS5vcmc{WORD}{WORD}", WORD),
    (f"sk-ant-api03-{WORD}{WORD}", WORD),
    (f"AGE-SECRET-KEY-1{'QPZRY9X8GF2TVDW0S3JN54KHCE' * 3}"[:74], "QPZRY9X8GF2TVDW0S3JN54KHCE"),
    (f"hvs.{WORD}{WORD}{WORD}", WORD),
    (f"ya29.{WORD}", WORD),
    (f"xapp-1-A0123456789-1234567890123-{HEX}{HEX}", HEX),
]  # fmt: skip

ORDINARY = [
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "4b1d6850e387550fdab836ed7e6dc881de23001b\trefs/heads/main",
    "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
    "9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
    "Digest: sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0 ok",
    "nginx@sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
    "request_id=123e4567-e89b-12d3-a456-426614174000 took 12ms",
    "2025-12-20T15:30:11.123456789Z INFO app.server: ready",
    "[20/Dec/2025:15:30:11 +0000] \"GET /static/app.3f786850.js HTTP/1.1\" 200 5120",
    "/usr/local/lib/python3.11/site-packages/uvicorn/protocols/http/httptools_impl.py:411",
    "/var/lib/docker/overlay2/9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0/diff",
    "#12 [builder 4/7] COPY --from=deps /app/node_modules ./node_modules",
    "docker run -u 1000:1000 --user 1000:1000 alpine",
    "curl -u 1000:1000 http://127.0.0.1:8080/",
    "chown -R app:app /srv && install -p -m 0644 a b",
    "docker compose -p shop up -d && mkdir -p /srv/data",
    "redis://cache:6379/0 postgres://db:5432/app http://user@host/path",
    "pip install git+https://github.com/pallets/flask@main",
    "npm warn deprecated request@2.88.2: use something else",
    f"integrity sha512-{WORD}{WORD}aB3dE5gH7jK9mA==",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@host",
    "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDPzxFMtZ7dGdVvVvk (ED25519)",
    '{"level":"info","ts":1766244611.123,"msg":"handled request","status":200,"size":512}',
    "ERROR: password authentication failed for user 'app'",
    "Access denied for user 'root'@'localhost' (using password: YES)",
    "the user was identified by name and cookie consent was given",
    "cookie: accepted by 12 of 30",
    "<title>Sign in</title><p>Forgot your password?</p>",
    "<author>someone</author><keyword>masking</keyword>",
    "services:\n  db:\n    image: postgres:16\n    ports:\n      - 5432:5432",
    "    secrets:\n      - db_password\n    depends_on:\n      - db",
    "keys: |\n  not a secret name",
    "class Tokenizer: pass",
    "tokens:\n  total: 4096\n  max: 8192",
    "basic authentication is on; bearer of news",
    "sk-fade-in-down-animation-wrapper sk_live_updates_are_on",
    "mem: 0x7ffd5e8f 0xdeadbeef pid=4242 rc=-9 100%",
    "api/v2/webhooks/1234 deleted",
    "172.18.0.1 fe80::42:acff:fe12:2 3c:22:fb:aa:bb:cc",
    "-----BEGIN CERTIFICATE-----",
    "Step 3/9 : RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates",
]  # fmt: skip


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_planted_secret_is_masked(text: str, secret: str) -> None:
    masked = mask(clean(text), [KNOWN])
    assert secret not in masked
    assert MASK in masked
    assert mask(masked, [KNOWN]) == masked


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_planted_secret_is_masked_where_lines_come_one_by_one(text: str, secret: str) -> None:
    masker = LineMasker()
    assert secret not in "\n".join(masker.mask(clean(line), [KNOWN]) for line in text.split("\n"))


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_line_stays_as_it_is(text: str) -> None:
    masker = LineMasker()
    assert mask(clean(text), [KNOWN]) == text
    assert "\n".join(masker.mask(clean(line), [KNOWN]) for line in text.split("\n")) == text


def test_a_key_is_masked_to_its_last_line_where_its_beginning_was_cut_off() -> None:
    masker = LineMasker()
    lines = [BODY, BODY[::-1], "k3Jv/w==", "-----END PRIVATE KEY-----", "Server started"]
    assert [masker.mask(line) for line in lines] == [MASK, MASK, MASK, MASK, "Server started"]


def test_lines_after_a_secret_block_of_yaml_are_shown_again() -> None:
    text = "password: |\n  hunter2\n\n  more\nuser: app\ntoken:\n  hunter2\n  next: 1"
    expected = "password: |\n  ***\n\n  ***\nuser: app\ntoken:\n  ***\n  next: 1"
    masker = LineMasker()
    assert mask(text) == expected
    assert "\n".join(masker.mask(line) for line in text.split("\n")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '+  $conn = "mysql:host=db;password=hunter2";',
            '+  $conn = "mysql:host=db;password=***";',
        ),
        ("-  connect('user=app password=hunter2');", "-  connect('user=app password=***');"),
        ("+const apiToken = `hunter2`;", "+const apiToken = `***`;"),
        ('run("--password hunter2")', 'run("--password ***")'),
        ('{"a": "{\\"u\\": \\"x?token=hunter2\\"}"}', '{"a": "{\\"u\\": \\"x?token=***\\"}"}'),
    ],
)
def test_the_text_around_a_secret_stays_readable(text: str, expected: str) -> None:
    assert mask(text) == expected


def test_a_hundred_thousand_lines_of_a_log_take_seconds() -> None:
    secrets = [f"{number}{WORD}" for number in range(15)]
    lines = [ORDINARY[number % len(ORDINARY)] + str(number) for number in range(20_000)]
    started = time.process_time()
    for line in lines:
        mask(clean(line), secrets)
    assert (time.process_time() - started) * 5 < 5  # 1 s on an idle machine


@pytest.mark.parametrize("filling", ["", "1", "a1-", "A."])
def test_no_beginning_of_a_token_makes_masking_slow(filling: str) -> None:
    starts = sorted(rules().starts)
    started = time.process_time()
    for start in starts:
        for text in (start, start.upper()):
            mask_tokens((text + filling) * (20_000 // len(text + filling)))
            mask_tokens(text + (filling or "x") * (20_000 // len(filling or "x")))
    assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "piece",
    [
        "curl -u a:", "-u a", " -b a=", "mysql -p", "identified by '", "PASSWORD FOR ",
        "password ('", "<password>", "<a b", "name='password' value=", "Cookie: a=b; ",
        "set-cookie: a",
        "bearer ", "basic a", BODY, "A1b", "password: |", "password: ", "\\n" + BODY, "xoxb-1-",
        ":AAHdqTcvCH1", "-----END PRIVATE KEY-----", "://abcdefghijklmnop", "\npassword:\n ",
        "\n" + BODY,
        "IDENTIFIED ",
    ],
)  # fmt: skip
def test_a_hostile_megabyte_takes_linear_time(piece: str) -> None:
    line = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    started = time.process_time()
    mask(clean(line), ["planted-secret", "another-secret"])
    assert time.process_time() - started < 5
