"""Golden words and payloads of the profiles for air conditioning, video, drainage, lighting and small sensors.

The words are worked out by hand from the maps; the payloads are those of the makers' own pages.
"""

from __future__ import annotations

import pytest

from facility.catalog import Catalog
from facility.readings import Quality
from tests.facility.golden import (
    ENUM,
    GOOD,
    RANGE,
    SENSOR,
    SENTINEL,
    G,
    Golden,
    by_key,
    cases,
    check_golden,
    topic_map,
)

GOLDEN: dict[str, list[Golden]] = {
    # scales recalled: 0.1 of a degree, whole percent and amperes
    "daikin-microtech3": [
        G("chiller.remote", 0, (1,), True),
        G("chiller.alarm", 4, (0,), False),
        G("chw.flow_ok", 5, (1,), True),
        G("chiller.on", 7, (1,), True),
        G("chiller.setpoint", 11, (70,), 7.0),
        G("chiller.capacity", 12, (77,), 77),
        G("chiller.status", 14, (3,), 3),
        G("chiller.status", 14, (0,), None, ENUM),
        G("chw.entering_temp", 15, (123,), 12.3),
        G("chw.leaving_temp", 16, (0xFFF6,), -1.0),
        G("chw.leaving_temp", 16, (0x7FFF,), None, RANGE),  # 3276.7 Cel
        G("outdoor.temp", 23, (331,), 33.1),
        G("chiller.current", 24, (176,), 176),
        G("chiller.warning_index", 27, (5,), 5),
        G("chiller.problem_index", 28, (0,), 0),
        G("chiller.fault_index", 29, (12,), 12),
        G("chiller.starts", 72, (1840,), 1840),
        G("chiller.run_hours", 73, (0x0001, 0x0000), 65_536),
        G("chiller.units", 315, (1,), 1),
    ],
    "fw-chiller-1": [
        G("dev.epoch", 3, (0x6553, 0xF100), 1_700_000_000),
        G("chiller.status", 5, (6,), None, ENUM),
        G("chiller.alarm", 6, (0x0004,), True),
        G("chw.flow_ok", 6, (0x0017,), False),
        G("cw.flow_ok", 6, (0x0017,), True),
        G("chw.leaving_temp", 12, (68,), 6.8),
        G("chw.leaving_temp", 12, (0x7FFF,), None, SENTINEL),
        G("evap.pressure", 16, (254,), 254),
        G("evap.pressure", 16, (0xFFEC,), -20),
        G("cond.approach", 19, (112,), 11.2),
        G("chiller.rla", 21, (803,), 80.3),
        G("chiller.run_hours", 40, (0x0000, 0xF291), 6209.7),
        G("chiller.starts_last_hour", 44, (2,), 2),
    ],
    "fw-ahu-1": [
        G("ahu.mode", 5, (2,), 2),
        G("ahu.mode", 5, (3,), None, ENUM),
        G("ahu.fan.command", 6, (0x0001,), True),
        G("ahu.fan.feedback", 6, (0x0001,), False),
        G("ahu.supply_temp", 11, (0x7FFF,), None, SENTINEL),
        G("ahu.return_temp", 12, (232,), 23.2),
        G("ahu.co2", 13, (967,), 967),
        G("ahu.filter_dp", 14, (251,), 251),
        G("ahu.fan.current", 16, (185,), 18.5),
        G("ahu.valve", 17, (690,), 69.0),
    ],
    "fw-nvr-1": [
        G("rec.fault", 5, (1,), True),
        G("rec.days", 6, (364,), 36.4),
        G("rec.bitrate", 7, (0x0000, 0xEA60), 60_000),
        G("rec.clock_offset", 9, (0xFFFF, 0xFC4A), -95.0),
        G("disk[1].state", 20, (1,), 1),
        G("disk[8].state", 62, (3,), 3),
        G("disk[8].state", 62, (4,), None, ENUM),
        G("disk[2].smart", 27, (1,), True),
        G("disk[2].temp", 28, (385,), 38.5),
        G("disk[2].reallocated", 29, (0x0000, 0x01E0), 480),
        G("camera[1].online", 100, (0x0003,), True),
        G("camera[1].frozen", 100, (0x0003,), False),
        G("camera[16].covered", 220, (0x0023,), True),
        G("camera[16].frame_age", 221, (0x0000, 0x0258), 60.0),
        G("camera[2].bitrate", 111, (3900,), 3900),
        G("camera[2].bitrate", 111, (0xFFFF,), None, SENTINEL),
        G("camera[2].fps", 112, (250,), 25.0),
        G("camera[2].loss", 113, (1001,), None, RANGE),
    ],
    "fw-drain-1": [
        G("mains_ok", 5, (0x0001,), True),
        G("sump.high_float", 5, (0x0018,), True),
        G("sump.overflow_float", 5, (0x0018,), False),
        G("sump.level", 10, (1402,), 1.402),
        G("sump.level", 10, (0x7FFF,), None, SENTINEL),
        G("inflow_estimate", 11, (90,), 9.0),
        G("pump[1].run", 20, (0x0021,), True),
        G("pump[2].thermal", 32, (0x0006,), True),
        G("pump[4].mode", 57, (5,), None, ENUM),
        G("pump[2].current", 34, (104,), 10.4),
        G("pump[2].run_hours", 38, (0x0000, 0x17D4), 610.0),
        G("pump[4].cont_run_time", 64, (0x0001, 0x0000), 65_536),
    ],
    "fw-light-1": [
        G("mode", 5, (2,), 2),
        G("emergency.mains_ok", 6, (1,), True),
        G("lux.outdoor", 10, (0x0000, 0xC350), 50_000),
        G("emergency.battery", 20, (954,), 95.4),
        G("emergency.battery", 20, (0xFFFF,), None, SENTINEL),
        G("emergency.battery_v", 21, (2720,), 27.2),
        G("emergency.test", 22, (3,), 3),
        G("emergency.test", 22, (4,), None, ENUM),
        G("circuit[1].on", 40, (0x0003,), True),
        G("circuit[2].command", 48, (0x0001,), False),
        G("circuit[8].power", 98, (1200,), 1.2),
        G("circuit[8].energy", 101, (0x0000, 0xA410), 4200.0),
    ],
    "xy-md1": [
        G("air.temp", 1, (253,), 25.3),
        G("air.temp", 1, (0xFF9C,), -10.0),
        G("air.humidity", 2, (447,), 44.7),
        G("air.humidity", 2, (1001,), None, RANGE),
        G("air.temp", 1, (0x8000,), None, RANGE),
    ],
}


@pytest.mark.parametrize(("name", "golden"), cases(GOLDEN))
def test_golden_words(catalog: Catalog, name: str, golden: Golden) -> None:
    check_golden(catalog, name, golden)


Z2M = {"base": "zigbee2mqtt", "name": "b2/pump room"}


def test_a_zigbee_contact_is_true_when_the_door_is_closed(catalog: Catalog) -> None:
    topics = topic_map(catalog, "zigbee2mqtt-contact", Z2M)
    payload = b'{"battery":100,"contact":true,"voltage":3005,"temperature":24,"linkquality":120}'
    assert by_key(topics.values("zigbee2mqtt/b2/pump room", payload)) == {
        "door[1].contact": (False, GOOD),
        "sensor[1].battery": (100, GOOD),
        "sensor[1].voltage": (3005, GOOD),
        "sensor[1].temp": (24, GOOD),
        "sensor[1].link_quality": (120, GOOD),
    }
    assert by_key(topics.values("zigbee2mqtt/b2/pump room", b'{"contact":false}')) == {"door[1].contact": (True, GOOD)}
    bridge = by_key(topics.values("zigbee2mqtt/bridge/state", b'{"state":"offline"}'))
    assert bridge == {"sensor[1].bridge": (False, GOOD)}


@pytest.mark.parametrize(
    ("name", "payload", "expected"),
    [
        ("zigbee2mqtt-leak", b'{"water_leak":true,"battery_low":false}',
         {"leak[1].water": (True, GOOD), "sensor[1].battery_low": (False, GOOD)}),
        ("zigbee2mqtt-smoke", b'{"smoke":true,"linkquality":256}',
         {"smoke[1].alarm": (True, GOOD), "sensor[1].link_quality": (None, RANGE)}),
        ("zigbee2mqtt-climate", b'{"temperature":27.34,"humidity":44.72}',
         {"air.temp": (27.34, GOOD), "air.humidity": (44.72, GOOD)}),
    ],
)  # fmt: skip
def test_zigbee_payloads(
    catalog: Catalog, name: str, payload: bytes, expected: dict[str, tuple[float | None, Quality]]
) -> None:
    assert by_key(topic_map(catalog, name, Z2M).values("zigbee2mqtt/b2/pump room", payload)) == expected


def test_shelly_relay_status_delta_and_reply(catalog: Catalog) -> None:
    topics = topic_map(catalog, "shelly-1pm", {"prefix": "shellyplus1pm-a1"})
    status = (
        b'{"id":0,"source":"init","output":true,"apower":480.5,"voltage":229.8,"current":2.19,'
        b'"aenergy":{"total":4290123.4},"temperature":{"tC":41.5,"tF":106.7}}'
    )
    whole = by_key(topics.values("shellyplus1pm-a1/status/switch:0", status))
    assert whole["circuit[1].on"] == (True, GOOD)
    assert whole["circuit[1].power"] == (pytest.approx(0.4805), GOOD)
    assert whole["circuit[1].energy"] == (pytest.approx(4290.1234), GOOD)
    assert whole["circuit[1].relay_temp"] == (41.5, GOOD)
    # the frame of the maker's page
    delta = (
        b'{"src":"shellypro4pm-f008d1d8b8b8","dst":"user_1","method":"NotifyStatus",'
        b'"params":{"ts":1631186545.04,"switch:0":{"id":0,"output":true,"source":"button"}}}'
    )
    assert by_key(topics.values("shellyplus1pm-a1/events/rpc", delta)) == {"circuit[1].on": (True, GOOD)}
    reply = b'{"id":1,"src":"x","dst":"shellyplus1pm-a1/caretaker","result":' + status + b"}"
    assert by_key(topics.values("shellyplus1pm-a1/caretaker/rpc", reply)) == whole


@pytest.mark.parametrize(
    ("name", "component", "point"),
    [("shelly-flood", "flood", "leak[1].water"), ("shelly-smoke", "smoke", "smoke[1].alarm")],
)
def test_shelly_alarms_and_batteries(catalog: Catalog, name: str, component: str, point: str) -> None:
    topics = topic_map(catalog, name, {"prefix": "s"})
    assert by_key(topics.values(f"s/status/{component}:0", b'{"id":0,"alarm":true,"mute":false}')) == {
        point: (True, GOOD)
    }
    power = b'{"id":0,"battery":{"V":2.95,"percent":87},"external":{"present":false}}'
    battery = {"sensor[1].battery": (87, GOOD), "sensor[1].voltage": (2950, GOOD)}
    assert by_key(topics.values("s/status/devicepower:0", power)) == battery
    # a device that has woken tells everything in one frame
    woken = (
        b'{"src":"s","dst":"s/events","method":"NotifyFullStatus","params":{"ts":1680962879.62,"ble":{},'
        b'"devicepower:0":' + power + b',"' + component.encode() + b':0":{"id":0,"alarm":false,"mute":false},'
        b'"sys":{"mac":"B8D61A8B17CC","time":null,"wakeup_reason":{"boot":"deepsleep_wake"}}}}'
    )
    assert by_key(topics.values("s/events/rpc", woken)) == battery | {point: (False, GOOD)}
    # a component that has vanished is null
    gone = b'{"src":"s","method":"NotifyStatus","params":{"ts":1.5,"devicepower:0":{"id":0,"battery":null}}}'
    assert by_key(topics.values("s/events/rpc", gone)) == dict.fromkeys(battery, (None, SENSOR))
    assert topics.values("s/events/rpc", b'{"src":"s","method":"NotifyEvent","params":{"events":[]}}') is None


def test_tasmota_payloads(catalog: Catalog) -> None:
    topics = topic_map(catalog, "tasmota-switch", {"topic": "tasmota_1A2B3C"})
    state = (
        b'{"Time":"2021-06-27T15:03:44+02:00","Uptime":"0T00:00:13","UptimeSec":13,"Heap":28,"MqttCount":1,"POWER":"ON",'
        b'"Wifi":{"AP":1,"SSId":"X","RSSI":86,"Signal":-57,"LinkCount":1}}'
    )
    assert by_key(topics.values("tele/tasmota_1A2B3C/STATE", state)) == {"circuit[1].on": (True, GOOD)}
    energy = (
        b'{"Time":"2017-02-16T10:13:52","ENERGY":{"Total":3.185,"Yesterday":3.058,"Today":0.127,"Power":150,'
        b'"Factor":0.00,"Voltage":221,"Current":0.700}}'
    )
    assert by_key(topics.values("tele/tasmota_1A2B3C/SENSOR", energy)) == {
        "circuit[1].power": (pytest.approx(0.15), GOOD),
        "circuit[1].voltage": (221, GOOD),
        "circuit[1].current": (0.7, GOOD),
        "circuit[1].energy": (3.185, GOOD),
    }
    assert by_key(topics.values("stat/tasmota_1A2B3C/RESULT", b'{"POWER":"OFF"}')) == {"circuit[1].on": (False, GOOD)}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"type":"heartbeat","time":1605991375,"uptime":999,"ip":"192.168.1.5","hostname":"door1"}',
         {"dev.epoch": (1605991375, GOOD)}),
        (b'{"type":"access","time":1605991375,"isKnown":"true","access":"Always","username":"a","uid":"1","hostname":"door1"}',
         {"door[1].last_reason": (1, GOOD)}),
        (b'{"type":"access","time":1,"isKnown":"false","access":"Denied","username":"Unknown","uid":"1","hostname":"door1"}',
         {"door[1].last_reason": (6, GOOD)}),
        (b'{"type":"access","time":1,"isKnown":"true","access":"Sometimes","username":"a","uid":"1","hostname":"door1"}',
         {"door[1].last_reason": (None, ENUM)}),
        (b'{"type":"INFO","src":"door","desc":"Door Open","data":"","time":1,"cmd":"event","hostname":"door1"}',
         {"door[1].contact": (True, GOOD)}),
        (b'{"type":"INFO","src":"door","desc":"Door Closed","data":"","time":1,"cmd":"event","hostname":"door1"}',
         {"door[1].contact": (False, GOOD), "door[1].forced": (False, GOOD), "door[1].held": (False, GOOD)}),
        (b'{"type":"WARN","src":"tamper","desc":"Door was tampered!","data":"","time":1,"cmd":"event",'
         b'"hostname":"door1"}',
         {"door[1].forced": (True, GOOD), "door[1].last_reason": (38, GOOD)}),
        (b'{"type":"WARN","src":"tamper","desc":"Door wasn\'t closed within max open time!","data":"","time":1,'
         b'"cmd":"event","hostname":"door1"}',
         {"door[1].held": (True, GOOD), "door[1].last_reason": (37, GOOD)}),
        (b'{"type":"boot","time":1,"uptime":0,"ip":"192.168.1.5","hostname":"door1"}', {}),
    ],
)  # fmt: skip
def test_esp_rfid(catalog: Catalog, payload: bytes, expected: dict[str, object]) -> None:
    topics = topic_map(catalog, "esp-rfid", {"topic": "/rfid", "hostname": "door1"})
    assert by_key(topics.values("/rfid/send", payload)) == expected
    assert topics.values("/rfid/send", payload.replace(b"door1", b"door2")) is None, "another board on the same topic"
