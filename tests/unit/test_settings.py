from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from scar.frontends.telegram.settings import TelegramSettings
from scar.role import Role
from scar.settings import Settings, SettingsError
from scar.settings.parsers import ApiToken
from scar.settings.setting import Setting
from scar.settings.table import all_settings, markdown_table

ROOT = Path(__file__).parents[2]
SETTINGS = list(all_settings())
KEY = "0123456789abcdef0123456789abcdef"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nhidden-word\n-----END RSA PRIVATE KEY-----"


def load(**env: str) -> Settings:
    return Settings.load(env, dotenv=None)


def example() -> dict[str, str]:
    """The variables of .env.example, the commented ones too."""
    lines = re.findall(r"^#?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.M)
    return dict(lines)


def test_a_setting_that_is_not_set_has_its_default() -> None:
    settings = load()
    assert settings == Settings()
    assert settings.projects_file == Path("/workspace/.scar-projects.json")
    assert (settings.host, settings.api_bind) == ("default", "127.0.0.1:8080")
    assert settings.api_url == "http://127.0.0.1:8080"
    assert settings.of(TelegramSettings).api_url == "https://api.telegram.org"
    assert settings.github_api_url == "https://api.github.com"
    assert (settings.confirm_seconds, settings.stable_seconds, settings.wait_seconds) == (
        60,
        10,
        10,
    )
    assert settings.redis_url is None
    assert settings.docker_host is None


def test_every_setting_is_read() -> None:
    settings = load(
        SCAR_REDIS_URL="redis://:pass@redis:6379/0",
        SCAR_PROJECTS_FILE="/etc/projects.json",
        SCAR_SECRET_KEY=KEY,
        SCAR_DEFAULT_PROJECT="shop",
        SCAR_HOST="nas",
        SCAR_API_URL="https://scar.example/",
        SCAR_API_BIND="[::]:80",
        SCAR_API_TOKENS="ci:operator:a:b:c, phone:viewer:word",
        SCAR_API_TOKEN="word",
        SCAR_TELEGRAM_TOKEN="1:abc",
        SCAR_TELEGRAM_API_URL="http://127.0.0.1:9/",
        SCAR_TELEGRAM_USERS="12345:admin, 67890:viewer,",
        SCAR_GITHUB_WEBHOOK_SECRET="hook",
        SCAR_GITHUB_TOKEN="ghp",
        SCAR_GITHUB_APP_ID="4242",
        SCAR_GITHUB_APP_KEY=PEM.replace("\n", "\\n"),
        SCAR_GITHUB_API_URL="https://git.example/api/v3",
        SCAR_GITHUB_USERS="OctoCat:operator",
        SCAR_CONFIRM_SECONDS="30",
        SCAR_STABLE_SECONDS="0.5",
        SCAR_WAIT_SECONDS="0",
        SCAR_STATE_DIR="/srv/scar",
        DOCKER_HOST="unix:///run/docker.sock",
    )
    assert settings == Settings(
        redis_url="redis://:pass@redis:6379/0",
        projects_file=Path("/etc/projects.json"),
        secret_key=KEY,
        default_project="shop",
        host="nas",
        api_url="https://scar.example",
        api_bind="[::]:80",
        api_tokens=(
            ApiToken("ci", Role.OPERATOR, "a:b:c"),
            ApiToken("phone", Role.VIEWER, "word"),
        ),
        api_token="word",
        github_webhook_secret="hook",
        github_token="ghp",
        github_app_id="4242",
        github_app_key=PEM,
        github_api_url="https://git.example/api/v3",
        github_users={"octocat": Role.OPERATOR},
        confirm_seconds=30,
        stable_seconds=0.5,
        wait_seconds=0,
        state_dir=Path("/srv/scar"),
        docker_host="unix:///run/docker.sock",
        front_ends={
            **Settings().front_ends,
            "telegram": TelegramSettings(
                token="1:abc",
                api_url="http://127.0.0.1:9",
                users={"12345": Role.ADMIN, "67890": Role.VIEWER},
            ),
        },
    )
    assert settings.effective_redis_url == "redis://:pass@redis:6379/0"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCAR_REDIS_URL", "http://hidden-word/"),
        ("SCAR_REDIS_URL", "redis://u:hidden-word@h:99999/0"),
        ("SCAR_REDIS_URL", "unix://"),
        ("SCAR_PROJECTS_FILE", "hidden-word.json"),
        ("SCAR_SECRET_KEY", "hidden-word"),
        ("SCAR_DEFAULT_PROJECT", "../hidden-word"),
        ("SCAR_HOST", "Hidden-Word"),
        ("SCAR_API_URL", "hidden-word"),
        ("SCAR_API_URL", "ftp://hidden-word"),
        ("SCAR_API_BIND", "hidden-word"),
        ("SCAR_API_BIND", "127.0.0.1:65536"),
        ("SCAR_API_BIND", ":80"),
        ("SCAR_API_BIND", "127.0.0.1:" + "9" * 6000),
        ("SCAR_API_TOKENS", "hidden-word"),
        ("SCAR_API_TOKENS", "ci:operator"),
        ("SCAR_API_TOKENS", "ci:operator:"),
        ("SCAR_API_TOKENS", "ci:owner:hidden-word"),
        ("SCAR_API_TOKENS", ":admin:hidden-word"),
        ("SCAR_API_TOKENS", "ci:admin:hidden-word,ci:viewer:other"),
        ("SCAR_API_TOKENS", "ci:admin:hidden-word,phone:viewer:hidden-word"),
        ("SCAR_API_TOKEN", "hidden word"),
        ("SCAR_TELEGRAM_TOKEN", "hidden-word"),
        ("SCAR_TELEGRAM_API_URL", "hidden-word"),
        ("SCAR_TELEGRAM_USERS", "12345"),
        ("SCAR_TELEGRAM_USERS", "hidden-word:admin"),
        ("SCAR_TELEGRAM_USERS", "12345:hidden-word"),
        ("SCAR_TELEGRAM_USERS", "-100123:admin"),
        ("SCAR_TELEGRAM_USERS", "12345:admin,12345:viewer"),
        ("SCAR_GITHUB_TOKEN", "hidden\tword"),
        ("SCAR_GITHUB_APP_ID", "hidden word"),
        ("SCAR_GITHUB_APP_KEY", "hidden-word"),
        ("SCAR_GITHUB_APP_KEY", "/hidden-word/none.pem"),
        ("SCAR_GITHUB_APP_KEY", "-----BEGIN PUBLIC KEY-----\\nhidden-word"),
        ("SCAR_GITHUB_API_URL", "hidden-word"),
        ("SCAR_GITHUB_USERS", "hidden_word:admin"),
        ("SCAR_GITHUB_USERS", "octocat:admin,OctoCat:viewer"),
        ("SCAR_CONFIRM_SECONDS", "0"),
        ("SCAR_CONFIRM_SECONDS", "hidden-word"),
        ("SCAR_STABLE_SECONDS", "-1"),
        ("SCAR_WAIT_SECONDS", "nan"),
        ("SCAR_WAIT_SECONDS", "inf"),
        ("SCAR_STATE_DIR", "~/hidden-word"),
        ("DOCKER_HOST", "hidden-word"),
    ],
)
def test_a_wrong_setting_is_named_on_one_line_without_its_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(**{name: value})
    assert caught.value.code == "invalid_settings"
    assert caught.value.message.startswith(f"{name}: ")
    assert "\n" not in caught.value.message
    assert "hidden" not in caught.value.message.lower()
    assert caught.value.hint


def test_all_wrong_settings_are_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(SCAR_HOST="A B", SCAR_WAIT_SECONDS="soon", SCAR_TELEGRAM_USERS="me:admin")
    named = [line.partition(":")[0] for line in caught.value.message.splitlines()]
    assert sorted(named) == ["SCAR_HOST", "SCAR_TELEGRAM_USERS", "SCAR_WAIT_SECONDS"]


def test_the_environment_takes_precedence_over_dotenv_unless_it_is_empty(
    tmp_path: Path,
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("SCAR_HOST=from-file\nSCAR_DEFAULT_PROJECT='shop'\nSCAR_API_URL=\nOTHER=1\n")
    env = {"SCAR_HOST": "from-environment", "SCAR_DEFAULT_PROJECT": " "}
    settings = Settings.load(env, dotenv)
    assert settings.host == "from-environment"
    assert settings.default_project == "shop"
    assert settings.api_url == "http://127.0.0.1:8080"


def test_dotenv_may_have_comments_quotes_exports_and_references(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(
        "# the host\n"
        "export SCAR_HOST=nas # behind the television\n"
        'SCAR_API_TOKEN="with#hash"\n'
        "SCAR_DEFAULT_PROJECT=${SCAR_HOST}-shop\n"
        "SCAR_API_BIND\n"
    )
    settings = Settings.load({}, dotenv)
    assert (settings.host, settings.api_token) == ("nas", "with#hash")
    assert settings.default_project == "nas-shop"
    assert settings.api_bind == "127.0.0.1:8080"


def test_a_missing_dotenv_file_is_no_error_and_an_unreadable_one_is(tmp_path: Path) -> None:
    assert Settings.load({}, tmp_path / "none") == Settings()
    (tmp_path / ".env").write_bytes("SCAR_HOST=é".encode("utf-16"))
    with pytest.raises(SettingsError, match="not a UTF-8 text file"):
        Settings.load({}, tmp_path / ".env")
    with pytest.raises(SettingsError, match=r"cannot be read as a file"):
        Settings.load({}, tmp_path)


def test_settings_come_from_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_HOST", "this-one")
    assert Settings.load(dotenv=None).host == "this-one"


def test_secrets_are_not_in_the_repr_and_are_masked() -> None:
    secrets = ["redis-word", "k" * 16, "api-word", "own-word", "1:bot-word", "hook-word", "gh-word"]
    settings = load(
        SCAR_REDIS_URL=f"redis://:{secrets[0]}@h",
        SCAR_SECRET_KEY=secrets[1],
        SCAR_API_TOKENS=f"ci:viewer:{secrets[2]}",
        SCAR_API_TOKEN=secrets[3],
        SCAR_TELEGRAM_TOKEN=secrets[4],
        SCAR_GITHUB_WEBHOOK_SECRET=secrets[5],
        SCAR_GITHUB_TOKEN=secrets[6],
    )
    assert not [secret for secret in secrets if secret in repr(settings)]
    assert sorted(settings.secret_values()) == sorted(secrets)


def test_a_required_setting_that_is_missing_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^SCAR_TELEGRAM_TOKEN: is not set$"):
        load().of(TelegramSettings).required("token")
    settings = load(SCAR_TELEGRAM_TOKEN="1:a")
    assert settings.of(TelegramSettings).required("token") == "1:a"


def test_the_embedded_redis_and_the_trusted_keys_are_in_the_state_folder() -> None:
    settings = load(SCAR_STATE_DIR="/srv/scar")
    assert settings.effective_redis_url == "unix:///srv/scar/redis/redis.sock"
    assert settings.trusted_folder == Path("/srv/scar/keys/trusted")


def test_a_user_who_may_not_write_to_var_lib_has_the_state_at_home(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["HOME"] = str(tmp_path)
        if os.geteuid() == 0:
            os.setuid(65534)
        os.write(writer, str(Settings().state_dir).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as output:
        assert output.read() == f"{tmp_path}/.local/state/scar"
    os.waitpid(child, 0)


def test_the_github_apps_key_can_be_in_a_file_and_is_masked(tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_text(PEM + "\n")
    settings = load(SCAR_GITHUB_APP_KEY=str(tmp_path / "app.pem"))
    assert settings.github_app_key == PEM
    assert settings.has_github_credentials
    assert PEM in settings.secret_values()
    assert "hidden-word" not in repr(settings)
    assert not load(SCAR_GITHUB_APP_ID="4242").has_github_credentials


def test_the_readme_has_the_table_of_all_settings() -> None:
    assert markdown_table() in (ROOT / "README.md").read_text(), (
        "replace the table in README.md by the output of `python -m scar.settings`"
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.variable)
def test_the_example_names_each_setting_with_its_default(setting: Setting) -> None:
    value = example()[setting.variable]
    if setting.default:
        assert value == setting.default
    elif value:
        setting.parse(value)  # what the example shows has the right form
