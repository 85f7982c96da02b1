"""Golden words: registers as their sources give them, and what the codec must make of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from facility.assets import Device
from facility.catalog import Catalog
from facility.points import Profile, Register
from facility.readings import Quality, Value
from gateway.codec import decode
from gateway.mapping import Mapped, TopicMap

GOOD, SENTINEL, RANGE, ENUM, SENSOR = Quality.GOOD, Quality.SENTINEL, Quality.RANGE, Quality.ENUM, Quality.SENSOR


@dataclass(frozen=True)
class Golden:
    """`words` at `address`, as the source gives them, and the reading they must become."""

    point: str
    address: int
    words: tuple[int, ...]
    value: Value
    quality: Quality = GOOD


G = Golden


def cases(golden: Mapping[str, list[Golden]]) -> list[object]:
    """Every profile's words as one test case each."""
    return [
        pytest.param(name, one, id=f"{name} {one.point} {one.words}") for name, found in golden.items() for one in found
    ]


def register(profile: Profile, point: str) -> Register:
    """The register of a point."""
    return next(item for item in profile.registers if item.point == point)


def check_golden(catalog: Catalog, name: str, golden: Golden) -> None:
    """The codec makes of the words what the source means."""
    profile = catalog.profiles[name]
    found = register(profile, golden.point)
    assert found.address == golden.address
    point = catalog.point(profile.asset_class, golden.point)
    assert point is not None
    value, quality = decode(found, golden.words, point)
    assert quality is golden.quality
    if isinstance(golden.value, float):
        assert value == pytest.approx(golden.value, rel=1e-7, abs=1e-9)
    else:
        assert (value, type(value)) == (golden.value, type(golden.value))


def topic_map(catalog: Catalog, name: str, params: dict[str, str]) -> TopicMap:
    """The topics of one device."""
    profile = catalog.profiles[name]
    device = Device("D-1", "gw-1", name, "A-1", params=params)
    return TopicMap(profile, device, catalog.classes[profile.asset_class].points)


def by_key(mapped: list[Mapped] | None) -> dict[str, tuple[Value, Quality]]:
    """What a payload said."""
    assert mapped is not None
    return {item.key: (item.value, item.quality) for item in mapped}
