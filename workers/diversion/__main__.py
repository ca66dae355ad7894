"""`python -m workers.diversion ARGUMENT`: divert until this process ends, or hold.

Prints `diverting` (or `holding`) once the rules are in force; `unable: REASON`, and ends with 3,
where that cannot be. `try` and `try-hold` instead of the argument print `able`, and end.
A diversion ends by itself when the stand-in no longer answers, so that nobody is sent to what is
dead. Told to end, it diverts no new connection and stays for a while for those that are open.
A hold ends by itself when the new container answers, and prints how long it took.
"""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from workers.diversion.door import Diversion, Door
from workers.diversion.hold import Hold
from workers.diversion.holding import hold, try_to_hold
from workers.diversion.nftables import NfTables, Unable
from workers.diversion.privileges import has_net_admin, keep_only_net_admin
from workers.diversion.rules import engine_keeps_rules, let_go, rule_that_names, ruleset, tracking

_UNABLE = 3
_LOOK_SECONDS = 0.5
_TRIES = 3
_AGAIN_SECONDS = 0.2
_ANSWER_SECONDS = 1.0
_TRACKING_SECONDS = 0.05
"""A connection that was half open when tracking began is open before it could be diverted."""

_INTERFACES = Path("/sys/class/net")
_SYSCTLS = Path("/proc/sys/net/ipv4/conf")
_LEGACY = Path("/proc/net/ip_tables_names")
_OTHER_ADDRESS = "192.0.2.1"  # RFC 5737: nobody's


def main(argument: str) -> int:
    """Divert, hold, or only try whether this host can; return the exit code."""
    signal.signal(signal.SIGTERM, _end)
    try:
        if not has_net_admin():
            raise Unable("CAP_NET_ADMIN is missing")
        keep_only_net_admin()
        if argument in _TRIES_OF:
            _TRIES_OF[argument]()
            _say("able")
        elif Hold.is_meant_by(argument):
            _say(hold(Hold.from_argument(argument), lambda: _say(Hold.begun)))
        else:
            divert(Diversion.from_argument(argument))
    except (Unable, OSError, ValueError) as reason:
        _say(f"unable: {reason}")
        return _UNABLE
    return 0


def _end(*_: object) -> None:
    """End in good order, once: the signal may come again meanwhile."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def divert(diversion: Diversion) -> None:
    """Divert until a stand-in no longer answers, or the time is over."""
    tables = _put_in_force(diversion)
    try:
        _say(Diversion.begun)
        watch(diversion, answers)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tables.run(let_go(diversion))
        time.sleep(diversion.linger)


def _say(line: str) -> None:
    """Print a line, unless the worker that reads it has gone."""
    with suppress(BrokenPipeError):
        print(line, flush=True)


def watch(
    diversion: Diversion,
    answers: Callable[[Door], bool],
    *,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Return when a stand-in no longer answers, three times in a row, or the time is over."""
    begun = clock()
    failed = 0
    while failed < _TRIES and clock() - begun < diversion.seconds:
        failed = 0 if all(map(answers, diversion.doors)) else failed + 1
        pause(_AGAIN_SECONDS if failed else _LOOK_SECONDS)


def answers(door: Door) -> bool:
    """Return whether a stand-in accepts connections."""
    try:
        with socket.create_connection((door.address, door.target), _ANSWER_SECONDS):
            return True
    except OSError:
        return False


def _put_in_force(diversion: Diversion) -> NfTables:
    looking = NfTables()
    try:
        listed = looking.run("list ruleset")
    finally:
        looking.close()
    for door in diversion.doors:
        if rule := rule_that_names(listed, door.replaced):
            raise Unable(f"a firewall rule names the container's address: {rule}")
    legacy = _LEGACY.read_text("ascii") if _LEGACY.exists() else ""
    bridges = [path.parent.name for path in _INTERFACES.glob("*/bridge")]
    text = ruleset(
        diversion,
        bridges=bridges,
        direct=engine_keeps_rules(listed, legacy),
        proxied={door.bridge: _is_proxied(door.bridge) for door in diversion.doors},
    )
    tables = NfTables()
    tables.run(tracking(diversion))
    time.sleep(_TRACKING_SECONDS)
    tables.run(text)
    return tables


def _is_proxied(bridge: str) -> bool:
    """Return whether the Engine's proxy serves connections of this host: without it, the Engine
    sets `route_localnet`.
    """
    try:
        return (_SYSCTLS / bridge / "route_localnet").read_text("ascii").strip() == "0"
    except OSError:
        return True


def _nothing() -> Diversion:
    """Return a diversion of an address that this host does not have: for a try."""
    door = Door(9, _OTHER_ADDRESS, _OTHER_ADDRESS, 9, "", 9, 0)
    return Diversion(_name_of_a_try(), (door,))


def _name_of_a_try() -> str:
    return f"scar_try_{time.monotonic_ns():x}"


_TRIES_OF: dict[str, Callable[[], None]] = {
    "try": lambda: _put_in_force(_nothing()).close(),
    "try-hold": lambda: try_to_hold(_name_of_a_try()),
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
