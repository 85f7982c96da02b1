"""A Tasmota relay: retained LWT, telemetry by its period, results at once; through the gateway's mapper too."""

from __future__ import annotations

import json
from random import Random

import pytest

from facility.bus import Message
from facility.catalog import Catalog
from facility.readings import Quality
from gateway.health import State
from simulators.devices.tasmota import TasmotaSwitch
from simulators.models.rooms.lighting import Lighting
from tests.simulators.devices.rig import reading
from tests.simulators.devices.test_shelly_sensors import DARK, LIT

NOW = 1_700_000_000.0


def test_it_greets_with_its_lwt_and_telemetry() -> None:
    lwt, state, sensor = TasmotaSwitch("tasmota_1A2B3C", {}, "Asia/Shanghai").hello(LIT, NOW)
    assert lwt == Message("tele/tasmota_1A2B3C/LWT", b"Online", retain=True)
    assert state.topic == "tele/tasmota_1A2B3C/STATE"
    assert json.loads(state.payload) == {"Time": "2023-11-15T06:13:20", "UptimeSec": 0, "POWER": "ON"}
    assert sensor.topic == "tele/tasmota_1A2B3C/SENSOR"
    assert json.loads(sensor.payload) == {
        "Time": "2023-11-15T06:13:20",
        "ENERGY": {"Total": 4200.5, "Power": 1200, "Voltage": 230, "Current": 5.492},
    }


def test_a_switch_is_told_at_once_and_the_rest_every_five_minutes() -> None:
    device = TasmotaSwitch("t", {}, "UTC")
    device.hello(LIT, NOW)
    result, power = device.update(DARK, NOW + 1)
    assert (result.topic, result.payload) == ("stat/t/RESULT", b'{"POWER":"OFF"}')
    assert (power.topic, power.payload) == ("stat/t/POWER", b"OFF")
    assert device.update(DARK, NOW + 299) == []
    assert [message.topic for message in device.update(DARK, NOW + 300)] == ["tele/t/STATE", "tele/t/SENSOR"]
    assert device.bye() == [Message("tele/t/LWT", b"Offline", retain=True)]
    assert device.asked(Message("cmnd/t/POWER", b"ON"), LIT, NOW) == []


@pytest.mark.looptime
async def test_the_gateway_reads_every_point_and_hears_it_go(catalog: Catalog) -> None:
    model = Lighting(Random(1))
    model.step(1.0)
    async with reading(catalog, "tasmota-switch", model, {"topic": "t"}) as rig:
        known = rig.sink.last("X-01")
        assert set(known) == set(catalog.profiles["tasmota-switch"].points)
        assert {quality for _, quality in known.values()} == {Quality.GOOD}
        on = rig.seen("circuit[1].on")[0]
        model.inject("circuit_not_following")
        await rig.step(1)
        assert rig.seen("circuit[1].on") == (not on, Quality.GOOD)
        await rig.step(3600, by=60)
        assert rig.state is State.UP
        await rig.leave()
        assert rig.state is State.DOWN
