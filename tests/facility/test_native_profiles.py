"""Payloads of native MQTT meters, plugs and sensors, of the shapes that their makers' pages give; values our own."""

from __future__ import annotations

import json

import pytest

from facility.assets import Device
from facility.catalog import Catalog
from facility.points import Availability
from facility.readings import Value
from gateway.mapping import fill
from tests.facility.golden import GOOD, SENSOR, by_key, topic_map

EM1 = {"prefix": "shellyproem50-a1", "id": "1"}


def said(**payload: object) -> bytes:
    return json.dumps(payload).encode()


def good(**values: Value) -> dict[str, object]:
    return {key.replace("__", "."): (pytest.approx(value), GOOD) for key, value in values.items()}


def test_a_shelly_meter_component_by_status_delta_reply_and_its_end(catalog: Catalog) -> None:
    topics = topic_map(catalog, "shelly-em1", EM1)
    status = {
        "id": 1, "current": 22.78, "voltage": 224.6, "act_power": 5080.3, "aprt_power": 5142.4, "pf": 0.99,
        "freq": 50.0, "calibration": "factory",
    }  # fmt: skip
    expected = good(u__l1n=224.6, i__l1=22.78, p__total=5.0803, s__total=5.1424, pf=0.99, f=50.0)
    assert by_key(topics.values("shellyproem50-a1/status/em1:1", said(**status))) == expected
    reply = said(id=1, src="shellyproem50-a1", dst="x", result=status)
    assert by_key(topics.values("shellyproem50-a1/caretaker/1/rpc", reply)) == expected
    counters = {"id": 1, "total_act_energy": 6644.9, "total_act_ret_energy": 2595.26}
    reply = said(id=2, src="shellyproem50-a1", dst="x", result=counters)
    assert by_key(topics.values("shellyproem50-a1/caretaker/1/rpc", reply)) == good(e__import=6.6449, e__export=2.59526)

    def told(**params: object) -> dict[str, object]:
        frame = said(src="shellyproem50-a1", method="NotifyStatus", params={"ts": 1.5, **params})
        return dict(by_key(topics.values("shellyproem50-a1/events/rpc", frame)))

    assert told(**{"em1:1": {"id": 1, "act_power": 10.0}}) == good(p__total=0.01)
    assert told(**{"em1:0": {"id": 0, "act_power": 10.0}}) == {}, "another component"
    assert told(**{"em1:1": {"id": 1, "freq": None}}) == {"f": (None, SENSOR)}
    assert told(**{"em1:1": None}) == dict.fromkeys(expected, (None, SENSOR))


def test_what_a_shelly_meter_is_asked(catalog: Catalog) -> None:
    asks = [json.loads(fill(ask.payload, EM1)) for ask in catalog.profiles["shelly-em1"].asks]
    assert [(ask["method"], ask["params"]) for ask in asks] == [
        ("EM1.GetStatus", {"id": 1}),
        ("EM1Data.GetStatus", {"id": 1}),
    ]


def test_a_zigbee_plug(catalog: Catalog) -> None:
    topics = topic_map(catalog, "zigbee2mqtt-plug", {"base": "z", "name": "b1/lamp"})
    payload = said(state="ON", power=12.4, current=0.06, voltage=229, energy=3.41, linkquality=108, update=None)
    found = by_key(topics.values("z/b1/lamp", payload))
    assert found.pop("circuit[1].on") == (True, GOOD)
    assert {key.removeprefix("circuit[1]."): value for key, value in found.items()} == good(
        power=0.0124, voltage=229, current=0.06, energy=3.41
    )
    assert by_key(topics.values("z/b1/lamp", said(state="OFF", power=None))) == {
        "circuit[1].on": (False, GOOD),
        "circuit[1].power": (None, SENSOR),
    }
    (ask,) = catalog.profiles["zigbee2mqtt-plug"].asks
    assert (fill(ask.topic, {"base": "z", "name": "b1/lamp"}), ask.payload) == ("z/b1/lamp/get", '{"state":""}')


def test_a_zigbee_meter(catalog: Catalog) -> None:
    topics = topic_map(catalog, "zigbee2mqtt-meter", {"base": "z", "name": "m"})
    payload = said(
        voltage_a=231.2, voltage_b=230.4, voltage_c=229.8, current_a=1.2, power_a=270, power=640, energy=12.5,
        produced_energy=0.4, ac_frequency=50.01, power_factor=97, power_factor_b=-88, energy_c=4.1,
        energy_produced_a=0.4,
    )  # fmt: skip
    assert by_key(topics.values("z/m", payload)) == good(
        u__l1n=231.2, u__l2n=230.4, u__l3n=229.8, i__l1=1.2, p__l1=0.27, p__total=0.64, e__import=12.5, e__export=0.4,
        f=50.01, pf=0.97, pf__l2=-0.88, e__import__l3=4.1, e__export__l1=0.4,
    )  # fmt: skip


ONE = {
    "Total": 3.185, "Yesterday": 3.058, "Today": 0.127, "Power": 150, "ApparentPower": 158, "ReactivePower": 50,
    "Factor": 0.95, "Voltage": 221, "Current": 0.715,
}  # fmt: skip
THREE = {
    "Total": 1530.2, "Today": 1.1, "Power": [100, 200, 0], "ApparentPower": [110, 210, 0], "ReactivePower": [40, 60, 0],
    "Factor": [0.91, 0.95, 0.0], "Voltage": [230, 231, 229], "Current": [0.48, 0.91, 0.0],
}  # fmt: skip


def test_a_tasmota_meter_by_itself_and_asked(catalog: Catalog) -> None:
    topics = topic_map(catalog, "tasmota-meter", {"topic": "t"})
    expected = good(
        u__l1n=221, i__l1=0.715, p__total=0.15, s__total=0.158, q__total=0.05, pf=0.95, e__import=3.185
    )  # fmt: skip
    assert by_key(topics.values("tele/t/SENSOR", said(Time="2026-01-01T00:00:00", ENERGY=ONE))) == expected
    asked = said(StatusSNS={"Time": "2026-01-01T00:00:00", "ENERGY": ONE})
    assert by_key(topics.values("stat/t/STATUS10", asked)) == expected
    assert by_key(topics.values("tele/t/SENSOR", said(ENERGY=THREE)))["p.total"] == (None, SENSOR), (
        "a list is no number"
    )


def test_a_tasmota_meter_of_three_phases(catalog: Catalog) -> None:
    topics = topic_map(catalog, "tasmota-meter-3p", {"topic": "t"})
    found = by_key(topics.values("tele/t/SENSOR", said(ENERGY=THREE)))
    assert found == good(
        u__l1n=230, u__l2n=231, u__l3n=229, i__l1=0.48, i__l2=0.91, i__l3=0, p__l1=0.1, p__l2=0.2, p__l3=0, s__l1=0.11,
        s__l2=0.21, s__l3=0, q__l1=0.04, q__l2=0.06, q__l3=0, pf__l1=0.91, pf__l2=0.95, pf__l3=0, e__import=1530.2,
    )  # fmt: skip
    assert by_key(topics.values("tele/t/SENSOR", said(ENERGY=ONE))) == good(e__import=3.185), (
        "one phase: another profile"
    )


def test_a_tasmota_climate_sensor_under_its_own_name_and_only_in_celsius(catalog: Catalog) -> None:
    topics = topic_map(catalog, "tasmota-climate", {"topic": "t", "sensor": "SI7021"})
    told = {"SI7021": {"Temperature": 17.7, "Humidity": 51.2, "DewPoint": 7.5}, "TempUnit": "C"}
    expected = good(air__temp=17.7, air__humidity=51.2)
    assert by_key(topics.values("tele/t/SENSOR", said(**told))) == expected
    assert by_key(topics.values("stat/t/STATUS10", said(StatusSNS=told))) == expected
    told = {**told, "TempUnit": "F", "SI7021": {"Temperature": 63.9, "Humidity": None}}
    assert by_key(topics.values("tele/t/SENSOR", said(**told))) == {"air.humidity": (None, SENSOR)}
    assert by_key(topics.values("tele/t/SENSOR", said(TempUnit="C", DHT11={"Temperature": 20}))) == {}


def test_a_tasmota_with_several_relays(catalog: Catalog) -> None:
    topics = topic_map(catalog, "tasmota-switch", {"topic": "t"})
    assert by_key(topics.values("stat/t/RESULT", said(POWER1="ON"))) == {"circuit[1].on": (True, GOOD)}
    assert by_key(topics.values("stat/t/RESULT", said(POWER2="ON"))) == {}


def controller(**status: object) -> bytes:
    doors = {"door-states": {"1": True, "2": False}, "door-buttons": {"1": False, "2": False}}
    reply = {"server-id": "uhppoted", "method": "get-status", "response": {"device-id": 7, "status": doors | status}}
    return said(message={"reply": reply})


@pytest.mark.parametrize(
    ("door", "reason", "expected"),
    [
        (1, 38, {"door[1].forced": True, "door[2].forced": False}),
        (1, 37, {"door[1].held": True}),
        (2, 38, {"door[2].forced": False}),
        (1, 23, {"door[2].forced": False}),
    ],
)
def test_a_forced_door_of_a_time_without_gateway_stands_as_long_as_it_is_open(
    catalog: Catalog, door: int, reason: int, expected: dict[str, bool]
) -> None:
    topics = topic_map(catalog, "uhppoted", {"device": "7"})
    event = {"access-granted": False, "door-id": door, "event-id": 69, "event-reason": reason}
    found = by_key(topics.values("uhppoted/reply/caretaker/7", controller(event=event)))
    assert {key: found[key][0] for key in expected} == expected
    assert ("door[1].forced" in found) is ("door[1].forced" in expected)
    assert found["ctl.event_index"] == (69, GOOD)


def test_a_controller_without_an_event_and_the_backlog_that_is_not_read(catalog: Catalog) -> None:
    topics = topic_map(catalog, "uhppoted", {"device": "7"})
    found = by_key(topics.values("uhppoted/reply/caretaker/7", controller(event={})))
    assert "ctl.event_index" not in found
    assert found["door[1].contact"] == (True, GOOD)
    assert "uhppoted/gateway/events" not in topics.filters


@pytest.mark.parametrize(
    ("name", "params", "availability"),
    [
        ("zigbee2mqtt-plug", {"base": "z", "name": "p"}, Availability("z/p/availability", "online", "offline")),
        ("tasmota-meter", {"topic": "t"}, Availability("tele/t/LWT", "Online", "Offline")),
        ("shelly-em1", EM1, Availability("shellyproem50-a1/online", "true", "false")),
    ],
)
def test_availability_topics(catalog: Catalog, name: str, params: dict[str, str], availability: Availability) -> None:
    found = catalog.profiles[name].availability
    assert found is not None
    device = Device("D", "gw", name, "A", params=params)
    assert (fill(found.topic, device.params), found.online, found.offline) == (
        availability.topic, availability.online, availability.offline,
    )  # fmt: skip


def test_devices_that_sleep_may_be_silent_for_a_day_and_others_not(catalog: Catalog) -> None:
    silence = {name: profile.stale_after for name, profile in catalog.profiles.items() if profile.protocol == "mqtt"}
    asleep = {
        "shelly-flood",
        "shelly-smoke",
        *(f"zigbee2mqtt-{kind}" for kind in ("climate", "contact", "leak", "smoke")),
    }
    assert {name for name, seconds in silence.items() if seconds == 90_000} == asleep
    assert all(seconds <= 900 for name, seconds in silence.items() if name not in asleep)
