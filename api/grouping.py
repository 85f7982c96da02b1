"""Alarms put together: by place, by cause, by asset; and consequences beneath their cause. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from facility.assets import Asset, Location
from facility.points import Label
from rules.life.rows import AlarmRow

By = Literal["location", "cause", "asset"]


@dataclass(frozen=True, slots=True)
class Group:
    """Alarms that belong together, in their order; never empty. `key` is a place, an asset or an alarm."""

    key: str
    label: Label
    rows: tuple[AlarmRow, ...]

    @property
    def worst(self) -> int:
        """The worst severity among them (1 is worst)."""
        return min(row.severity for row in self.rows)

    @property
    def owed(self) -> int:
        """How many of them nobody has acknowledged."""
        return sum(row.alarm.is_owed for row in self.rows)

    @property
    def newest(self) -> int:
        """When the newest of them was raised, ms."""
        return max(row.raised_at or row.opened_at for row in self.rows)


@dataclass(frozen=True, slots=True)
class Places:
    """What a grouping needs to know of a site."""

    assets: Mapping[str, Asset]
    locations: Mapping[str, Location]

    def location(self, row: AlarmRow) -> tuple[str, Label]:
        """Where the alarm's asset is, in all: `Tower / Basement 2 / Pump room`."""
        asset = self.assets.get(row.asset)
        names: list[Label] = []
        place = self.locations.get(asset.location) if asset else None
        while place is not None and len(names) < len(self.locations):
            names.insert(0, place.label)
            place = self.locations.get(place.parent)
        path = Label(" / ".join(name.zh for name in names), " / ".join(name.en for name in names))
        return (asset.location if asset else "", path if names else Label("位置未知", "place unknown"))

    def asset(self, row: AlarmRow) -> tuple[str, Label]:
        """The alarm's asset by its name."""
        asset = self.assets.get(row.asset)
        label = asset.label if asset else Label("", "")
        return row.asset, Label(f"{row.asset} {label.zh}".strip(), f"{row.asset} {label.en}".strip())


def root(row: AlarmRow, rows: Mapping[str, AlarmRow]) -> AlarmRow:
    """The alarm that this one is in the end a consequence of, as far as `rows` go; itself where it is none."""
    seen = {row.id}
    while row.cause_id and row.cause_id in rows and row.cause_id not in seen:
        seen.add(row.cause_id)
        row = rows[row.cause_id]
    return row


def grouped(rows: Sequence[AlarmRow], by: By, places: Places) -> list[Group]:
    """The groups, the worst first, of equal ones the newest first. The cause stands first in its group."""
    known = {row.id: row for row in rows}

    def of_cause(row: AlarmRow) -> tuple[str, Label]:
        cause = root(row, known)
        name = places.asset(cause)[1]
        return cause.id, Label(f"{name.zh}：{cause.title_zh}", f"{name.en}: {cause.title_en}")

    key_of: Mapping[str, Callable[[AlarmRow], tuple[str, Label]]] = {
        "location": places.location,
        "asset": places.asset,
        "cause": of_cause,
    }
    found: dict[str, tuple[Label, list[AlarmRow]]] = {}
    for row in rows:
        key, label = key_of[by](row)
        found.setdefault(key, (label, []))[1].append(row)
    groups = [
        Group(key, label, tuple(sorted(members, key=lambda row, key=key: row.id != key)))  # type: ignore[misc]
        for key, (label, members) in found.items()
    ]
    return sorted(groups, key=lambda group: (group.worst, -group.newest, group.key))


def followers(rows: Sequence[AlarmRow]) -> dict[str, list[AlarmRow]]:
    """Alarm -> those that stand beneath it: its consequences, and theirs, which nobody was told of singly."""
    known = {row.id: row for row in rows}
    found: dict[str, list[AlarmRow]] = {}
    for row in rows:
        cause = root(row, known)
        if cause is not row and not row.told:
            found.setdefault(cause.id, []).append(row)
    return found
