"""OverrideBook: what has to be put back, and the commands told already, in a JSON file from start to start.

A command is entered before it is written to the device, so that one that a crash interrupts is known at the next start,
whatever became of it. An entry goes when nothing is to be put back any more. The file is brought to the disk whole (see
kept_file.py); one that can't be understood is put aside and named in `problem`.

The newest ids of commands are remembered, on the disk while the command could still be carried out (until it expires);
so a command that is delivered twice, a restart in between included, is carried out once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from facility.config import Site
from facility.points import Table
from facility.readings import Value
from facility.wire import Command, CommandStep
from gateway import kept_file

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
        found, problem = kept_file.load(self.path, _File)
        if problem:
            self.problem = f"{problem}: what commands have changed is not put back by itself"
        if found:
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
        return kept_file.dump(_File(list(self._overrides.values()), told))

    def write(self, data: bytes) -> bool:
        """Bring what was dumped to the disk; False (and `problem` says why) when that refuses. May be run in a thread,
        one at a time."""
        problem = kept_file.replace(self.path, data, sync=True)
        self.problem = f"overrides {problem}" if problem else ""
        return not problem

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
