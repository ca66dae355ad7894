"""Binds logins to accounts: people are identified by their account's number, since a login that was
given up can be registered by somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from redis import Redis

from scar.errors import ScarError
from scar.jobs.signing import Signatures
from scar.redis_client import redis_errors

_KEY = "scar:github:accounts"


@dataclass(frozen=True)
class Accounts:
    """The account numbers of the logins in the settings and the projects file. A login is bound to
    the account that it had when it was first seen, for as long as it is named there.
    """

    redis: Redis
    signatures: Signatures

    def require_same(self, login: str, account: int) -> None:
        """Raise `forbidden` where the login belonged to another account when it was seen first."""
        login = login.lower()
        known = self._known(login)
        if known is None:
            sealed = self.signatures.seal("account", {"login": login, "account": account})
            with redis_errors():
                self.redis.hset(_KEY, login, sealed)
        elif known != account:
            raise ScarError(
                "forbidden",
                f"The login {login} belongs to another account than it did when it was given its "
                f"role ({account}, then {known})",
                f"If it is theirs: an admin takes {login} out of SCAR_GITHUB_USERS and `roles`, "
                "restarts `scar github`, and adds it again.",
            )

    def forget_others(self, logins: Iterable[str]) -> None:
        """Forget the logins that nothing names any more."""
        named = {login.lower() for login in logins}
        with redis_errors():
            for login in cast("list[str]", self.redis.hkeys(_KEY)):
                if login not in named:
                    self.redis.hdel(_KEY, login)

    def _known(self, login: str) -> int | None:
        with redis_errors():
            sealed = cast("str | None", self.redis.hget(_KEY, login))
        opened = self.signatures.open("account", sealed)
        if opened is None or opened.signer.part != self.signatures.part:
            return None
        content = opened.content
        return cast("int", content["account"]) if content.get("login") == login else None
