"""Golden words of the profiles of transformers, generating sets and switchboards, worked out by hand."""

from __future__ import annotations

import pytest

from facility.catalog import Catalog
from tests.facility.golden import ENUM, RANGE, SENTINEL, G, Golden, cases, check_golden

GOLDEN: dict[str, list[Golden]] = {
    # printed register - 40001; set points in Fahrenheit: 212 F = 100 Cel, 302 F = 150 Cel, 0x0FFF = off
    "eaton-tc50": [
        G("tx.fan_hours", 0, (1260,), 1260),
        G("tx.temp_a", 6, (78,), 78),
        G("tx.temp_b", 7, (81,), 81),
        G("tx.temp_c", 8, (400,), None, RANGE),
        G("tx.ambient_temp", 9, (28,), 28),
        G("tx.temp_max", 10, (81,), 81),
        G("tx.fault", 17, (0x0005,), True),
        G("tx.no_air_flow", 17, (0x0005,), True),
        G("tx.no_air_flow", 17, (0x0041,), False),  # a worn fan
        G("tx.fan", 18, (0x0003,), True),
        G("tx.alarm", 18, (0x0003,), False),
        G("tx.alarm", 18, (0x000B,), True),
        G("tx.trip", 18, (0x001B,), True),
        G("tx.fan_setpoint", 111, (212,), 100.0),
        G("tx.alarm_setpoint", 121, (266,), 130.0),
        G("tx.trip_setpoint", 126, (302,), 150.0),
        G("tx.trip_setpoint", 126, (0x0FFF,), None, SENTINEL),
    ],
    "fw-gen-1": [
        G("gen.rpm", 10, (1500,), 1500),
        G("gen.rpm", 10, (7000,), None, RANGE),
        G("gen.oil_p", 11, (420,), 420),
        G("gen.oil_p", 11, (0xFFFE,), -2),
        G("gen.coolant_t", 12, (0xFFCE,), -5.0),
        G("gen.coolant_t", 12, (0x7FFF,), None, SENTINEL),
        G("gen.battery_v", 13, (2620,), 26.2),
        G("gen.fuel", 14, (863,), 86.3),
        G("gen.run_hours", 20, (0x0001, 0x0000), 6553.6),
        G("gen.starts", 22, (0x0000, 0x003A), 58),
        G("gen.run", 0, (1,), True),
        G("gen.ready", 1, (0,), False),
        G("gen.fault", 2, (1,), True),
        G("gen.start_cmd", 3, (1,), True),
    ],
    "fw-board-1": [
        G("breaker[1].position", 10, (1,), 1),
        G("breaker[16].position", 25, (2,), 2),
        G("breaker[2].position", 11, (0xFFFF,), None, SENTINEL),
        G("breaker[3].position", 12, (4,), None, ENUM),
        G("breaker[1].trip_cause", 30, (2,), 2),
        G("breaker[1].current", 50, (1234,), 123.4),
        G("busbar.temp[1]", 70, (0xFFCE,), -5.0),
        G("busbar.temp[2]", 71, (921,), 92.1),
        G("busbar.temp[3]", 72, (0x7FFF,), None, SENTINEL),
        G("cable.temp", 73, (395,), 39.5),
        G("residual_current", 74, (420,), 420),
        G("residual_current", 74, (31_000,), None, RANGE),
    ],
}


@pytest.mark.parametrize(("name", "golden"), cases(GOLDEN))
def test_golden_words(catalog: Catalog, name: str, golden: Golden) -> None:
    check_golden(catalog, name, golden)
