"""LessonBook: what the devices of one gateway were found to refuse, kept in a JSON file from start to start.

A file that can't be understood is put aside and named in `problem`, and learning begins anew: nothing is lost but some
requests (see kept_file.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from facility.config import Site
from facility.points import Table
from gateway import kept_file
from gateway.lessons import AGE_MS, RETRY_MS, Lessons, Refusal


class _Cut(msgspec.Struct):
    table: Table
    address: int
    at: int


class _Refused(msgspec.Struct):
    point: str
    at: int
    times: int
    error: str


class _Device(msgspec.Struct):
    fingerprint: str
    firmware: str = ""
    cuts: list[_Cut] = []
    refused: list[_Refused] = []


class LessonBook:
    """`path` None keeps everything in memory. `retry_ms`, `age_ms`: the longest wait until a refused point is asked for
    again, and how long a cut is believed."""

    def __init__(self, path: Path | None = None, *, retry_ms: int = RETRY_MS, age_ms: int = AGE_MS) -> None:
        self.path = path
        self.problem = ""
        self._retry_ms, self._age_ms = retry_ms, age_ms
        self._kept: dict[str, _Device] = {}
        self._lessons: dict[str, Lessons] = {}
        self._dropped = False

    def open(self) -> None:
        """Read the file, if there is one."""
        kept, self.problem = kept_file.load(self.path, dict[str, _Device])
        self._kept = kept or {}

    def of(self, device: str, fingerprint: str) -> Lessons:
        """The lessons of a device; none where they were learnt of another map or address."""
        known = self._lessons.get(device)
        if known is not None and known.fingerprint == fingerprint:
            return known
        found = Lessons(fingerprint, retry_ms=self._retry_ms, age_ms=self._age_ms)
        kept = self._kept.get(device)
        if kept is not None and kept.fingerprint == fingerprint:
            found.firmware = kept.firmware
            found.cuts = {(cut.table, cut.address): cut.at for cut in kept.cuts}
            found.refused = {item.point: Refusal(item.at, item.times, item.error) for item in kept.refused}
        self._lessons[device] = found
        return found

    def drop(self, device: str) -> None:
        """A device is no longer there."""
        known = self._lessons.pop(device, None)
        self._dropped = self._kept.pop(device, None) is not None or bool(known) or self._dropped

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return self._dropped or any(lessons.changed for lessons in self._lessons.values())

    def save(self) -> None:
        """Write what was learnt; what the disk refuses is named in `problem` and tried again with the next change."""
        self.write(self.taken())

    def taken(self) -> bytes:
        """The file as it is to be; what is learnt after this is a change again."""
        self._dropped = False
        for lessons in self._lessons.values():
            lessons.changed = False
        self._kept.update({name: _plain(lessons) for name, lessons in self._lessons.items()})
        return kept_file.dump(_worth_keeping(self._kept))

    def write(self, text: bytes) -> None:
        """Put it on disk; may be called from another thread than the rest."""
        problem = kept_file.replace(self.path, text)
        self.problem = f"what was learnt {problem}" if problem else ""


def open_book(site: Site, gateway: str) -> LessonBook:
    """The lessons of a gateway of a site, where and as the site keeps them."""
    settings = site.settings.learning
    book = LessonBook(
        site.path(settings.directory) / f"{gateway}.json",
        retry_ms=round(settings.retry_minutes * 60_000),
        age_ms=round(settings.hours * 3_600_000),
    )
    book.open()
    return book


def _plain(lessons: Lessons) -> _Device:
    return _Device(
        lessons.fingerprint,
        lessons.firmware,
        [_Cut(table, address, at) for (table, address), at in sorted(lessons.cuts.items())],
        [_Refused(point, item.at, item.times, item.error) for point, item in sorted(lessons.refused.items())],
    )


def _worth_keeping(kept: Mapping[str, _Device]) -> dict[str, _Device]:
    return {name: device for name, device in kept.items() if device.cuts or device.refused or device.firmware}
