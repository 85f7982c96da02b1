"""Zigbee2MQTT: payloads as on its own pages, rare words, availability and bridge; through the gateway's mapper too."""

from __future__ import annotations

import json
from random import Random

import pytest

from facility.bus import Message
from facility.catalog import Catalog
from facility.readings import Quality, Value
from gateway.health import State
from simulators.devices.zigbee2mqtt import EXPOSES, ZigbeeSensor
from simulators.models.rooms.environment import Environment
from tests.simulators.devices.rig import reading

NOW = 1_700_000_000.0
GOOD = Quality.GOOD


def values(**changes: Value) -> dict[str, Value]:
    """A room with a fresh sensor, its door shut."""
    found: dict[str, Value] = {
        "air.temp": 27.34, "air.humidity": 44.72, "door[1].contact": False, "leak[1].water": False,
        "smoke[1].alarm": False, "sensor[1].battery": 100.0, "sensor[1].battery_low": False,
        "sensor[1].voltage": 3005.0, "sensor[1].temp": 24.0, "sensor[1].link_quality": 120, "sensor[1].bridge": True,
    }  # fmt: skip
    return {**found, **{key.replace("__", "[1]."): value for key, value in changes.items()}}


def sensor(kind: str) -> ZigbeeSensor:
    return ZigbeeSensor("zigbee2mqtt", "b2/room", kind, {})


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("contact", b'{"battery":100,"contact":true,"voltage":3005,"temperature":24.0,"linkquality":120}'),
        ("leak", b'{"battery":100,"battery_low":false,"water_leak":false,"voltage":3005,"temperature":24.0,'
                 b'"linkquality":120}'),
        ("smoke", b'{"battery":100,"smoke":false,"linkquality":120}'),
        ("climate", b'{"temperature":27.34,"humidity":44.72,"battery":100,"voltage":3005,"linkquality":120}'),
    ],
)  # fmt: skip
def test_it_greets_with_retained_states_and_with_what_the_bridge_remembers(kind: str, payload: bytes) -> None:
    bridge, availability, state = sensor(kind).hello(values(), NOW)
    assert bridge == Message("zigbee2mqtt/bridge/state", b'{"state":"online"}', retain=True)
    assert availability == Message("zigbee2mqtt/b2/room/availability", b'{"state":"online"}', retain=True)
    assert state == Message("zigbee2mqtt/b2/room", payload)


def test_contact_is_true_when_the_door_is_closed() -> None:
    device = sensor("contact")
    device.hello(values(), NOW)
    (message,) = device.update(values(door__contact=True), NOW + 1)
    assert json.loads(message.payload)["contact"] is False


def test_an_event_is_told_at_once_and_everything_else_once_an_hour() -> None:
    device = sensor("leak")
    device.hello(values(), NOW)
    assert device.update(values(sensor__battery=60.0, sensor__link_quality=20), NOW + 3599) == []
    (message,) = device.update(values(sensor__battery=60.0), NOW + 3600)
    assert json.loads(message.payload)["battery"] == 60
    (message,) = device.update(values(leak__water=True), NOW + 3601)
    assert json.loads(message.payload)["water_leak"] is True
    assert device.update(values(leak__water=True), NOW + 3602) == []


def test_a_climate_sensor_speaks_when_it_is_half_a_kelvin_warmer() -> None:
    device = sensor("climate")
    device.hello(values(), NOW)
    assert device.update({**values(), "air.temp": 27.7, "air.humidity": 48.0}, NOW + 60) == []
    assert len(device.update({**values(), "air.temp": 27.9}, NOW + 61)) == 1
    assert len(device.update({**values(), "air.temp": 27.9, "air.humidity": 50.0}, NOW + 62)) == 1


def test_a_lost_sensor_is_called_offline_after_twenty_five_hours_only() -> None:
    device = sensor("leak")
    device.hello(values(), NOW)
    lost = values(sensor__battery=None, leak__water=True)
    assert device.update(lost, NOW + 24.9 * 3600) == []
    (message,) = device.update(lost, NOW + 25 * 3600)
    assert message == Message("zigbee2mqtt/b2/room/availability", b'{"state":"offline"}', retain=True)
    assert device.update(lost, NOW + 26 * 3600) == []
    back, state = device.update(values(), NOW + 27 * 3600)
    assert (back.payload, back.retain) == (b'{"state":"online"}', True)
    assert state.topic == "zigbee2mqtt/b2/room"


def test_a_bridge_that_stops_says_so_and_its_sensors_say_nothing() -> None:
    device = sensor("leak")
    device.hello(values(), NOW)
    down = values(sensor__bridge=False, sensor__battery=None)
    (message,) = device.update(down, NOW + 1)
    assert message == Message("zigbee2mqtt/bridge/state", b'{"state":"offline"}', retain=True)
    assert device.update(down, NOW + 26 * 3600) == []
    assert device.bye() == [message]
    up, *_ = device.update(values(), NOW + 26 * 3600 + 1)
    assert up.payload == b'{"state":"online"}'
    assert device.asked(Message("zigbee2mqtt/b2/room/set", b'{"selftest":""}'), values(), NOW) == []


@pytest.mark.looptime
@pytest.mark.parametrize("kind", sorted(EXPOSES))
async def test_the_gateway_reads_every_point(catalog: Catalog, kind: str) -> None:
    profile = f"zigbee2mqtt-{kind}"
    params = {"base": "zigbee2mqtt", "name": "b2/room"}
    async with reading(catalog, profile, Environment(Random(1)), params) as rig:
        known = rig.sink.last("X-01")
        assert set(known) == set(catalog.profiles[profile].points)
        assert {quality for _, quality in known.values()} == {GOOD}
        assert rig.state is State.UP


@pytest.mark.slow
@pytest.mark.looptime
async def test_a_leak_reaches_the_gateway_and_a_silent_sensor_is_stale_after_25_hours(catalog: Catalog) -> None:
    model = Environment(Random(1), sensors=2)
    # the second sensor of a room: its keys are renamed in devices.yaml
    rename = {f"sensor[1].{key}": f"sensor[2].{key}" for key in ("battery", "battery_low", "voltage", "temp", "bridge")}
    rename |= {"sensor[1].link_quality": "sensor[2].link_quality", "leak[1].water": "leak[3].water"}
    async with reading(catalog, "zigbee2mqtt-leak", model, {"base": "z", "name": "leak"}, rename) as rig:
        assert rig.seen("leak[3].water") == (False, GOOD)
        assert rig.seen("sensor[2].battery") == (97, GOOD)
        model.inject("leak", leak=3.0)
        await rig.step(2)
        assert rig.seen("leak[3].water") == (True, GOOD)
        told = len(rig.said)
        await rig.step(3 * 3600, by=60)
        assert len(rig.said) - told == 3, "once an hour"
        assert rig.state is State.UP
        model.inject("sensor_lost", sensor=2.0)
        await rig.step(24 * 3600, by=60)
        assert rig.state is State.UP
        await rig.step(1.2 * 3600, by=60)
        value, quality = rig.seen("leak[3].water")
        assert value is None
        assert quality in (Quality.STALE, Quality.COMM), "the silence itself, or the bridge's word of it"
        assert rig.state is State.DOWN
        model.end("sensor_lost")
        await rig.step(60, by=60)
        assert rig.seen("leak[3].water") == (True, GOOD)


@pytest.mark.looptime
async def test_the_gateway_sees_the_bridge_go_and_availability_as_json(catalog: Catalog) -> None:
    model = Environment(Random(1))
    async with reading(catalog, "zigbee2mqtt-smoke", model, {"base": "z", "name": "s"}) as rig:
        model.inject("bridge_down")
        await rig.step(2)
        assert rig.seen("sensor[1].bridge") == (False, GOOD)
        await rig.bus.publish("z/s/availability", b'{"state":"offline"}', retain=True)
        await rig.step(1)
        assert rig.state is State.DOWN
        assert rig.seen("smoke[1].alarm") == (None, Quality.COMM)
