"""The figures of a container over time, in a file that never grows: a day at one minute, and an
hour at 10 seconds.

The slot of a sample is determined by its time, so the file has no index, and needs no recovery
after a kill. Each slot has a checksum, so that a partly written one is ignored. The file is not
synced; after a loss of power some samples are missing.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.files.durable import open_own

FINE_SECONDS = 10
COARSE_SECONDS = 60
_FINE_SLOTS = 3600 // FINE_SECONDS
_COARSE_SLOTS = 86_400 // COARSE_SECONDS
_MAGIC = b"SCAR usage ring, version 1\n".ljust(32, b"\0")
_SLOT = struct.Struct("<IfIffffI")  # time, CPU, memory in KiB, four rates, CRC-32 of the rest
_SIZE = len(_MAGIC) + _SLOT.size * (_FINE_SLOTS + _COARSE_SLOTS)
_MOST_KIB = 2**32 - 1


@dataclass(frozen=True)
class UsageSample:
    """What a container used at `at` (seconds since the epoch): CPU in percent of one core, memory
    in bytes, the rest in bytes a second.
    """

    at: int
    cpu: float
    memory: int
    received: float
    sent: float
    read: float
    written: float


@dataclass(frozen=True)
class _Part:
    """One of the two rings in the file."""

    step: int
    slots: int
    first: int

    @property
    def seconds(self) -> int:
        return self.step * self.slots

    def offset(self, at: int) -> int:
        return len(_MAGIC) + _SLOT.size * (self.first + at // self.step % self.slots)


_FINE = _Part(FINE_SECONDS, _FINE_SLOTS, 0)
_COARSE = _Part(COARSE_SECONDS, _COARSE_SLOTS, _FINE_SLOTS)


class UsageRing:
    """The file of one container. Methods raise `OSError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def add(self, sample: UsageSample) -> None:
        """Write a sample, and the mean of its minute so far."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = open_own(self._path, os.O_RDWR | os.O_CREAT)
        try:
            if os.fstat(handle).st_size != _SIZE or os.pread(handle, 32, 0) != _MAGIC:
                os.ftruncate(handle, 0)
                os.ftruncate(handle, _SIZE)
                os.pwrite(handle, _MAGIC, 0)
            _write(handle, _FINE, sample)
            minute = sample.at // COARSE_SECONDS * COARSE_SECONDS
            samples = _read(handle, _FINE, minute, minute + COARSE_SECONDS)
            _write(handle, _COARSE, _mean(minute, samples))
        finally:
            os.close(handle)

    def since(self, start: int, until: int) -> list[UsageSample]:
        """Return the samples from `start` up to `until`, oldest first: one every 10 seconds if
        these are kept for the whole time, otherwise one every minute. Empty if there is no file.
        """
        try:
            handle = open_own(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return []
        try:
            if os.fstat(handle).st_size != _SIZE or os.pread(handle, 32, 0) != _MAGIC:
                return []
            return _read(handle, _FINE if until - start <= _FINE.seconds else _COARSE, start, until)
        finally:
            os.close(handle)


class UsageRings:
    """The rings of a project's containers, one file each in its state folder.

    A container that replaces another of the same name continues its ring.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "usage"

    def of(self, container: str) -> UsageRing:
        """Return the ring of the container with this name."""
        return UsageRing(self._folder / f"{container}.ring")

    def drop_old(self, now: float) -> None:
        """Remove the rings that have had no sample for a day; raises `OSError`."""
        for path in self._folder.glob("*.ring"):
            if path.lstat().st_mtime < now - _COARSE.seconds:
                path.unlink(missing_ok=True)


def step_of(seconds: int) -> int:
    """Return the seconds between the samples that a read of the last `seconds` returns."""
    return FINE_SECONDS if seconds <= _FINE.seconds else COARSE_SECONDS


def _write(handle: int, part: _Part, sample: UsageSample) -> None:
    memory = min(sample.memory // 1024, _MOST_KIB)
    rates = (sample.received, sample.sent, sample.read, sample.written)
    content = _SLOT.pack(sample.at, sample.cpu, memory, *rates, 0)[:-4]
    os.pwrite(handle, content + struct.pack("<I", zlib.crc32(content)), part.offset(sample.at))


def _read(handle: int, part: _Part, start: int, until: int) -> list[UsageSample]:
    """Read the samples between `start` and `until`. Slots with an older time, a wrong checksum or
    no content are left out.
    """
    start = max(start, until - part.seconds) // part.step * part.step
    first, last = part.offset(0), part.offset(part.step * (part.slots - 1)) + _SLOT.size
    whole = os.pread(handle, last - first, first) if until - start > COARSE_SECONDS else b""
    samples = []
    for at in range(start, until, part.step):
        offset = part.offset(at)
        at_offset = whole[offset - first :][: _SLOT.size] if whole else b""
        sample = _parse(at_offset or os.pread(handle, _SLOT.size, offset))
        if sample is not None and sample.at // part.step == at // part.step:
            samples.append(sample)
    return samples


def _parse(slot: bytes) -> UsageSample | None:
    if len(slot) != _SLOT.size:
        return None
    at, cpu, memory, received, sent, read, written, checksum = _SLOT.unpack(slot)
    if not at or zlib.crc32(slot[:-4]) != checksum:
        return None
    return UsageSample(at, cpu, memory * 1024, received, sent, read, written)


def _mean(at: int, samples: Sequence[UsageSample]) -> UsageSample:
    count = len(samples)
    return UsageSample(
        at,
        sum(sample.cpu for sample in samples) / count,
        sum(sample.memory for sample in samples) // count,
        sum(sample.received for sample in samples) / count,
        sum(sample.sent for sample in samples) / count,
        sum(sample.read for sample in samples) / count,
        sum(sample.written for sample in samples) / count,
    )
