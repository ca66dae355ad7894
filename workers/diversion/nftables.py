"""nftables through libnftables (libnftables(3)), as the command `nft` uses it.

The command itself would not do: a table with `flags owner` lives as long as the netlink socket
that made it, which here is that of this process.
"""

from __future__ import annotations

import ctypes


class Unable(Exception):
    """What this host cannot do, in words that can follow a colon."""


class NfTables:
    """One netlink socket to nftables. It stays open until `close` or the end of the process."""

    def __init__(self) -> None:
        self._library = _load()
        self._context = self._library.nft_ctx_new(0)
        if not self._context:
            raise Unable("nftables cannot be opened")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> str:
        """Run commands as one transaction and return their output; raise `Unable` where one is
        refused.
        """
        code = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
        if code != 0:
            said = self._library.nft_ctx_get_error_buffer(self._context).decode("utf-8", "replace")
            raise Unable(_first_line(said))
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        return output.decode("utf-8", "replace")

    def close(self) -> None:
        """Close the socket; tables that it owns are gone."""
        self._library.nft_ctx_free(self._context)


def _load() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as missing:
        raise Unable("libnftables is not installed") from missing
    pointer = ctypes.c_void_p
    library.nft_ctx_new.restype = pointer
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error"):
        getattr(library, name).argtypes = [pointer]
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = [pointer]
        getattr(library, name).restype = ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = [pointer, ctypes.c_char_p]
    return library


def _first_line(said: str) -> str:
    line = next((line for line in said.splitlines() if line.strip()), "nftables refused the rules")
    return line.removeprefix("Error: ").strip()
