"""OverrideBook: what has to be put back, and the commands told already, in a JSON file from start to start.

A command is entered before it is written to the device, so that one that a crash interrupts is known at the next start,
whatever became of it. An entry goes when nothing is to be put back any more. The file is written whole beside the old
one, brought to the disk, and put in its place, so that a crash or a power cut leaves one of the two. A file that can't
be understood is put aside under another name and named in `problem`.

The newest ids of commands are remembered, on the disk while the command could still be carried out (until it expires);
so a command that is delivered twice, a restart in between included, is carried out once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from facility.config import Site
from facility.points import Table
from facility.readings import Value
from facility.wire import Command, CommandStep

MAX_FILE = 50_000_000
"""Bytes; a longer file is none of ours."""
REMEMBERED = 4096
"""Ids of commands."""
DIRECTORY = "data/overrides"


class Override(msgspec.Struct):
    """A command that is under way or stands, and what is put back when it ends.

    `step` is writing, held or revert_failed. `words` were in the place (`table`, `address`) before; `was` is what they
    mean. `until`: ms UTC.
    """

    command: Command
    step: str
    table: Table
    address: int
    words: list[int]
    was: Value
    until: int

    @property
    def key(self) -> tuple[str, str]:
        """(asset, point)."""
        return self.command.asset, self.command.point


class _Told(msgspec.Struct):
    expires: int
    step: CommandStep


class _File(msgspec.Struct):
    overrides: list[Override] = []
    told: list[_Told] = []


class OverrideBook:
    """`path` None keeps everything in memory."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.problem = ""
        self._overrides: dict[str, Override] = {}
        self._told: dict[str, _Told] = {}

    def open(self) -> None:
        """Read the file, if there is one."""
        if self.path is None or not self.path.exists():
            return
        try:
            if self.path.stat().st_size > MAX_FILE:
                raise msgspec.DecodeError(f"more than {MAX_FILE} bytes")
            found = msgspec.json.decode(self.path.read_bytes(), type=_File)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            aside = self.path.with_name(f"{self.path.name}.damaged")
            self.path.replace(aside)
            self.problem = (
                f"{self.path.name} was damaged ({error}) and is kept as {aside.name}: "
                "what commands have changed is not put back by itself"
            )
        except OSError as error:
            self.problem = f"{self.path} can't be read: {error.strerror}"
        else:
            self._overrides = {entry.command.id: entry for entry in found.overrides}
            self._told = {told.step.id: told for told in found.told}

    def __iter__(self) -> Iterator[Override]:
        """Every entry."""
        return iter(tuple(self._overrides.values()))

    def has(self, entry: Override) -> bool:
        """Whether an entry stands still."""
        return self._overrides.get(entry.command.id) is entry

    def standing(self, asset: str, point: str, *, without: str = "") -> Override | None:
        """The entry for a point, other than that of the command `without`."""
        for entry in self._overrides.values():
            if entry.key == (asset, point) and entry.command.id != without:
                return entry
        return None

    def put(self, entry: Override) -> None:
        """Enter or change an entry."""
        self._overrides[entry.command.id] = entry

    def drop(self, entry: Override) -> None:
        """Nothing is to be put back any more."""
        self._overrides.pop(entry.command.id, None)

    def told(self, command: str) -> CommandStep | None:
        """The last step of a command that is remembered."""
        told = self._told.get(command)
        return told.step if told else None

    def steps(self) -> list[tuple[CommandStep, int]]:
        """The last step of each command that is remembered, and when it expires."""
        return [(told.step, told.expires) for told in self._told.values()]

    def is_entered(self, command: str) -> bool:
        """Whether a command has an entry."""
        return command in self._overrides

    def tell(self, step: CommandStep, expires: int) -> None:
        """Remember the last step of a command."""
        told = self._told.get(step.id)
        self._told[step.id] = _Told(told.expires if told else expires, step)
        if len(self._told) > REMEMBERED:
            self._forget(step.at)

    def dump(self, now: int) -> bytes:
        """All of it as it is now; ids that have expired are left out."""
        told = [item for item in self._told.values() if item.expires > now or item.step.id in self._overrides]
        return msgspec.json.format(msgspec.json.encode(_File(list(self._overrides.values()), told)), indent=1) + b"\n"

    def write(self, data: bytes) -> bool:
        """Bring what was dumped to the disk; False (and `problem` says why) when that refuses. May be run in a thread,
        one at a time."""
        if self.path is None:
            return True
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_name(f"{self.path.name}.new")
            with fresh.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self.path)
        except OSError as error:
            self.problem = f"overrides can't be written to {self.path}: {error.strerror}"
            return False
        self.problem = ""
        return True

    def _forget(self, now: int) -> None:
        """Forget the oldest id; one that could not be carried out any more, where there is such."""
        free = [id_ for id_ in self._told if id_ not in self._overrides]
        old = next((id_ for id_ in free if self._told[id_].expires <= now), None)
        for id_ in [old] if old is not None else free[:1]:
            del self._told[id_]


def open_overrides(site: Site, gateway: str) -> OverrideBook:
    """The book of a gateway of a site."""
    book = OverrideBook(site.path(DIRECTORY) / f"{gateway}.json")
    book.open()
    return book
