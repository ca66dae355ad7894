"""The key of each part: made once, kept secret, known to the others, replaced without a gap."""

from __future__ import annotations

import base64
import errno
import multiprocessing
import os
import stat
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from click.testing import CliRunner

from scar.cli.keys import keys
from scar.errors import ScarError
from scar.jobs.signing import Signatures, Signer, tampered
from scar.keys.key_pair import KeyPair
from scar.keys.key_store import key_pair, key_path, replace_key, trusted_keys
from scar.settings import Settings, SettingsError
from tests.support.keys import signatures_of
from tests.support.waiting import PATIENCE

SECRET = "a secret that only the tests know"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation without a shared secret: each part makes its own key."""
    return Settings(state_dir=tmp_path / "state")


def test_a_part_makes_its_key_once_and_only_its_user_can_read_it(settings: Settings) -> None:
    first = key_pair(settings, "telegram")
    assert key_pair(settings, "telegram").public == first.public
    path = key_path(settings, "telegram")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert key_pair(settings, "api").public != first.public


def test_a_signature_of_one_part_is_verified_by_another(settings: Settings) -> None:
    telegram, worker = (Signatures.of(settings, part) for part in ("telegram", "worker:default"))
    signed = telegram.sign("request", "text")
    assert worker.signer("request", "text", signed) == Signer("telegram")
    assert worker.signer("request", "another text", signed) is None
    assert worker.signer("confirmation", "text", signed) is None


def test_a_signature_with_an_untrusted_key_is_invalid(settings: Settings, tmp_path: Path) -> None:
    stranger = Signatures.of(Settings(state_dir=tmp_path / "elsewhere"), "telegram")
    assert (
        Signatures.of(settings, "api").signer("request", "x", stranger.sign("request", "x")) is None
    )


@pytest.mark.parametrize(
    ("kind", "part"),
    [("plan", "telegram"), ("end", "api"), ("events", "github"), ("lock", "worker:default")],
)
def test_a_front_end_cannot_speak_as_a_worker_nor_a_worker_as_a_front_end(
    kind: str, part: str
) -> None:
    signatures = signatures_of(part, SECRET)
    with pytest.raises(LookupError):
        signatures.sign(kind, "x")
    public, message = KeyPair.derive(part, SECRET), f"scar.{kind}\nx".encode()
    forged = base64.urlsafe_b64encode(public.sign(message)).decode()
    assert signatures.signer(kind, "x", f"{part}/{public.public.id}/{forged}") is None


def test_a_key_is_not_valid_for_another_part(settings: Settings) -> None:
    telegram = Signatures.of(settings, "telegram")
    part, _, rest = telegram.sign("request", "x").partition("/")
    assert part == "telegram"
    assert telegram.signer("request", "x", f"github/{rest}") is None


def test_during_a_change_of_keys_both_are_accepted(settings: Settings) -> None:
    old = Signatures.of(settings, "telegram")
    replace_key(key_path(settings, "telegram"), "telegram")
    new, worker = Signatures.of(settings, "telegram"), Signatures.of(settings, "worker:default")
    assert worker.signer("request", "x", old.sign("request", "x")) == Signer("telegram")
    assert worker.signer("request", "x", new.sign("request", "x")) == Signer("telegram")
    assert old.sign("request", "x") != new.sign("request", "x")


def test_a_signature_made_with_a_retired_key_is_distinguished_from_a_forgery(
    settings: Settings,
) -> None:
    telegram, worker = (Signatures.of(settings, part) for part in ("telegram", "worker:default"))
    trusted = trusted_keys(settings)
    own = key_pair(settings, "telegram").public
    trusted.retire(own.id)
    signed = telegram.sign("request", "x")
    signer = worker.signer("request", "x", signed)
    assert signer is not None
    assert signer.retired
    with pytest.raises(ScarError, match="was retired"):
        trusted.add(own)
    assert key_pair(settings, "telegram").public != own


def test_parts_that_share_a_secret_derive_their_keys_from_it() -> None:
    telegram, worker = signatures_of("telegram", SECRET), signatures_of("worker:far", SECRET)
    assert worker.signer("request", "x", telegram.sign("request", "x")) == Signer("telegram")
    other = signatures_of("telegram", "another secret than theirs")
    assert worker.signer("request", "x", other.sign("request", "x")) is None


def test_a_key_file_of_ones_own_is_used(settings: Settings, tmp_path: Path) -> None:
    pair = KeyPair.generate("telegram")
    file = tmp_path / "key.pem"
    file.write_bytes(pair.to_pem())
    own = Settings(state_dir=settings.state_dir, key_file=file)
    assert key_pair(own, "telegram").public == pair.public
    file.write_text("no key")
    with pytest.raises(SettingsError, match=r"SCAR_KEY_FILE: .* holds no Ed25519 key"):
        key_pair(own, "telegram")


def _make_key(settings: Settings, together: Barrier, ids: Queue[str]) -> None:
    together.wait(2 * PATIENCE)
    ids.put(key_pair(settings, "api").public.id)


def test_processes_that_start_at_the_same_time_make_one_key(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    together, ids = context.Barrier(4), context.Queue()
    arguments = settings, together, ids
    processes = [context.Process(target=_make_key, args=arguments, daemon=True) for _ in range(4)]
    for process in processes:
        process.start()
    assert len({ids.get(timeout=2 * PATIENCE) for _ in processes}) == 1
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0] * 4
    keys = settings.state_dir / "keys"
    assert sorted(path.name for path in keys.iterdir()) == ["api.pem", "trusted"]


def test_a_full_disk_leaves_no_partial_key(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SettingsError, match="No space left on device"):
        key_pair(settings, "api")
    assert not list((settings.state_dir / "keys").iterdir())


def test_a_key_that_cannot_be_replaced_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    old = key_pair(settings, "telegram")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_key(key_path(settings, "telegram"), "telegram")
    assert key_pair(settings, "telegram").public == old.public


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "0" * 15, "0" * 17, "g" * 16])
def test_a_key_id_is_never_taken_for_a_path(settings: Settings, id: str) -> None:
    assert trusted_keys(settings).get("telegram", id) is None
    with pytest.raises(ScarError, match="There is no key"):
        trusted_keys(settings).retire(id)


def test_a_record_of_a_host_whose_key_is_not_known_names_the_key(
    settings: Settings, tmp_path: Path
) -> None:
    far = Signatures.of(Settings(state_dir=tmp_path / "far"), "worker:far")
    here = Signatures.of(settings, "api")
    sealed = far.seal("plan", {})
    named = here.unknown_key(sealed)
    assert named.startswith("worker:far ")
    assert f"not known here ({named})" in tampered("the plan of job 1", named).message
    assert here.unknown_key("nonsense") == here.unknown_key(here.seal("request", {})) == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["worker:far"], "the worker of another host"),
        (["nosuch", "KEY"], "is no part of SCAR"),
        (["worker:", "KEY"], "is no part of SCAR"),
        (["telegram:far", "KEY"], "is no part of SCAR"),
        (["telegram", "KEY"], "This is no public key"),
    ],
)
def test_a_key_of_no_part_is_not_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], complaint: str
) -> None:
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(keys, ["add", *words])
    assert isinstance(result.exception, ScarError)
    assert complaint in result.exception.message
    assert not (tmp_path / "state").exists()
