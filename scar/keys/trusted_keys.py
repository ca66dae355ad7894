"""The public keys that this installation accepts, one file each in a folder that all parts read."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from scar.atomic_file import replace_file
from scar.errors import ScarError
from scar.json_object import JsonObject
from scar.keys.key_pair import KeyPair, PublicKey

_ID = re.compile(r"[0-9a-f]{16}")
_PART = re.compile(r"[a-z0-9][a-z0-9._-]*(?::[a-z0-9][a-z0-9._-]*)?")
_LONGEST_PART = 80


@dataclass(frozen=True)
class TrustedKey:
    """A public key that is accepted. Times are milliseconds since the epoch; a retired key still
    verifies older records, but no worker acts on its signatures.
    """

    public: PublicKey
    added_at: int
    retired_at: int | None = None

    @property
    def retired(self) -> bool:
        """Whether nothing new is accepted from this key."""
        return self.retired_at is not None

    def to_json(self) -> JsonObject:
        """Return the content of the key's file."""
        return {
            "part": self.public.part,
            "key": base64.b64encode(self.public.raw).decode(),
            "added_at": self.added_at,
            "retired_at": self.retired_at,
        }

    @classmethod
    def from_json(cls, content: JsonObject) -> TrustedKey:
        """Read `to_json`; raises `LookupError`, `TypeError` or `ValueError`."""
        raw = base64.b64decode(content["key"], validate=True)
        return cls(PublicKey(content["part"], raw), content["added_at"], content["retired_at"])


class TrustedKeys:
    """The keys in a folder, and those that parts derive from `secret_key` where one is set.

    Added and retired keys take effect at once in every process, since each access checks whether
    the files have changed.
    """

    def __init__(self, folder: Path, secret_key: str | None) -> None:
        self.folder = folder
        self._secret_key = secret_key
        self._read: dict[str, tuple[tuple[int, int], TrustedKey]] = {}
        self._derive = lru_cache(maxsize=64)(self._derived)

    @property
    def derive(self) -> bool:
        """Whether parts derive their keys from `secret_key`."""
        return self._secret_key is not None

    def get(self, part: str, id: str) -> TrustedKey | None:
        """Return the trusted key with this part and id, None if there is none."""
        if not _ID.fullmatch(id) or not is_part(part):
            return None
        derived = self._derive(part)
        if derived is not None and derived.public.id == id:
            return derived
        known = self._from_file(id)
        return known if known is not None and known.public.part == part else None

    def all(self) -> list[TrustedKey]:
        """Return every key of the folder, by part and age."""
        keys = [key for id in self._ids() if (key := self._from_file(id)) is not None]
        return sorted(keys, key=lambda key: (key.public.part, key.added_at))

    def has(self, part: str) -> bool:
        """Return whether a part has a key that is not retired."""
        if self._secret_key is not None:
            return True
        return any(key.public.part == part and not key.retired for key in self.all())

    def add(self, public: PublicKey) -> TrustedKey:
        """Trust a key. Raises `conflict` where it was retired."""
        known = self._from_file(public.id)
        if known is None:
            known = TrustedKey(public, int(time.time() * 1000))
            self._write(known)
        elif known.retired:
            raise ScarError(
                "conflict",
                f"The key {public.id} of {public.part} was retired",
                "Make a new one with `scar keys add`.",
            )
        return known

    def retire(self, id: str) -> TrustedKey:
        """Retire a key, so that nothing new is accepted from it. Raises `not_found`."""
        known = self._from_file(id) if _ID.fullmatch(id) else None
        if known is None:
            raise ScarError(
                "not_found",
                f"There is no key '{id[:32]}' in {self.folder}",
                "See `scar keys`. Keys that are derived from SCAR_SECRET_KEY change with it.",
            )
        retired = TrustedKey(known.public, known.added_at, int(time.time() * 1000))
        self._write(retired)
        return retired

    def _derived(self, part: str) -> TrustedKey | None:
        if self._secret_key is None:
            return None
        return TrustedKey(KeyPair.derive(part, self._secret_key).public, 0)

    def _ids(self) -> Iterator[str]:
        for path in self.folder.glob("*.json"):
            if _ID.fullmatch(path.stem):
                yield path.stem

    def _from_file(self, id: str) -> TrustedKey | None:
        """Return the key in a file; None where there is no file. Raises `conflict` if it cannot be
        read, since the key may have been retired.
        """
        path = self.folder / f"{id}.json"
        try:
            status = path.stat()
            version = status.st_mtime_ns, status.st_ino
            if id not in self._read or self._read[id][0] != version:
                key = TrustedKey.from_json(json.loads(path.read_text(encoding="utf-8")))
                if key.public.id != id:
                    raise ValueError("it holds the key of another id")
                self._read[id] = version, key
            return self._read[id][1]
        except FileNotFoundError:
            return None
        except (OSError, LookupError, TypeError, ValueError) as error:
            raise ScarError(
                "conflict",
                f"The key file {path} cannot be read: {error}",
                "Mend its rights; or remove it, and add the key again with `scar keys add`.",
            ) from error

    def _write(self, key: TrustedKey) -> None:
        try:
            self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            path = self.folder / f"{key.public.id}.json"
            replace_file(path, json.dumps(key.to_json()).encode(), mode=0o644)
        except OSError as error:
            raise ScarError(
                "conflict",
                f"{self.folder} cannot be written: {error.strerror}",
                "Do it where the keys are kept: SCAR_TRUSTED_KEYS names that folder.",
            ) from error


def is_key_id(text: str) -> bool:
    """Return whether `text` can be the id of a key."""
    return _ID.fullmatch(text) is not None


def is_part(name: str) -> bool:
    """Return whether `name` can be that of a part: `telegram`, `worker:default`, ..."""
    return len(name) <= _LONGEST_PART and _PART.fullmatch(name) is not None
