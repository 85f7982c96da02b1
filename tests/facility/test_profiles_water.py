"""Golden words of the sewage and fire water profiles, worked out by hand from the maps' scaling rules."""

from __future__ import annotations

import pytest

from facility.catalog import Catalog
from facility.points import Table
from tests.facility.golden import ENUM, RANGE, SENTINEL, G, Golden, cases, check_golden

GOLDEN: dict[str, list[Golden]] = {
    "fw-sump-1": [
        G("sump.level", 10, (1234,), 1.234),
        G("sump.level", 10, (0xFF9C,), -0.1),
        G("sump.level", 10, (0x7FFF,), None, SENTINEL),
        G("sump.level", 10, (25_000,), None, RANGE),  # 25 m
        G("sump.duty_pump", 11, (2,), 2),
        G("sump.duty_pump", 11, (9,), None, RANGE),
        G("starts_last_hour", 12, (7,), 7),
        G("pump[1].current", 20, (48,), 4.8),
        G("pump[2].current", 30, (0xFFFF,), None, SENTINEL),
        G("pump[1].starts", 22, (0x0001, 0x0000), 65_536),
        G("pump[2].run_hours", 34, (0x0000, 0x4A3D), 1900.5),
        G("pump[2].run_hours", 34, (0xFFFF, 0xFFFF), None, SENTINEL),
        G("pump[1].cont_run_time", 26, (0x0000, 0x0E10), 3600),
        G("pump[2].mode", 38, (4,), 4),
        G("pump[2].mode", 38, (5,), None, ENUM),
        G("sump.overflow_float", 2, (1,), True),
        G("mains_ok", 3, (0,), False),
        G("pump[1].run", 16, (1,), True),
        G("pump[2].thermal", 26, (1,), True),
        G("pump[2].available", 29, (0,), False),
    ],
    "fw-firewater-1": [
        G("fw.outlet_pressure", 10, (684,), 0.684),  # 684 kPa
        G("fw.outlet_pressure", 10, (4500,), None, RANGE),
        G("fw.hydrant_static_pressure", 11, (70,), 0.07),
        G("fw.end_test_pressure", 12, (0xFFFF,), None, SENTINEL),
        G("fw.jockey.starts_per_h", 13, (15,), 15),
        G("fw.tank_level", 14, (604,), 60.4),
        G("fw.tank_depth", 15, (242,), 2.42),
        G("fw.roof_tank_level", 16, (960,), 96.0),
        G("fw.tank_room_temp", 18, (0xFFE7,), -2.5),
        G("fw.tank_room_temp", 18, (0x7FFF,), None, SENTINEL),
        G("fw.diesel.battery_v", 19, (2685,), 26.85),
        G("fw.diesel.fuel_level", 20, (925,), 92.5),
        G("fw.cabinet_auto", 0, (0,), False),
        G("fw.jockey.run", 6, (1,), True),
        G("fw.pump[1].run", 16, (1,), True),
        G("fw.pump[2].fault", 21, (1,), True),
        G("fw.pump[2].start_cmd", 22, (1,), True),
        G("fw.valve[1].position", 32, (1,), True),
        G("fw.valve[4].position", 35, (0,), False),
    ],
}


@pytest.mark.parametrize(("name", "golden"), cases(GOLDEN))
def test_golden_words(catalog: Catalog, name: str, golden: Golden) -> None:
    check_golden(catalog, name, golden)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_generic_map_says_so_and_commands_nothing(catalog: Catalog, name: str) -> None:
    profile = catalog.profiles[name]
    assert profile.source.startswith("generic profile of this project")
    assert not any(item.writing for item in profile.registers)
    assert {item.table for item in profile.registers} == {Table.INPUT, Table.DISCRETE}
