"""Entities to points: the class that takes most, units, words, silence, availability, and what is refused, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.catalog import load_catalog
from facility.errors import ConfigError
from facility.yamlfile import load
from gateway.discovery.expand import Entity, Origin, expand
from gateway.discovery.mapping import Imported, Mapper, Presence
from gateway.discovery.table import TABLE, check_table, shipped_table
from tests.gateway.discovery.configs import ALL, BRIDGE, ESPHOME, TASMOTA, ZIGBEE, Config, payload

CATALOG = load_catalog()


def devices(configs: dict[str, Config], *, only: str = "", silence: float | None = None) -> list[Imported]:
    found = [entity for topic, config in configs.items() for entity in expand(topic, payload(config))]
    return Mapper(shipped_table(), CATALOG, only, silence).devices(found)


def one(configs: dict[str, Config], *, only: str = "") -> Imported:
    (found,) = devices(configs, only=only)
    return found


def sensor(object_id: str = "x", component: str = "sensor", **config: object) -> Entity:
    return Entity(component, object_id, object_id, Origin("d", "D"), {"state_topic": "d/state", **config})


def of(*entities: Entity, only: str = "") -> Imported:
    return Mapper(shipped_table(), CATALOG, only).device(entities)


def refusals(found: Imported) -> dict[str, str]:
    return {item.entity.rpartition(" ")[2]: item.reason for item in found.refused}


def test_the_table_names_only_what_exists() -> None:
    assert check_table(load(TABLE), CATALOG) == shipped_table()


def test_a_wrong_table_is_told_completely(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "classes: [environment, moon]\nunits: {x: {unit: parsec}}\nentities:\n"
        "  - {component: sensor, points: {environment: air.tmp, power: p.total}}\n  - {component: sensor}\n"
    )
    with pytest.raises(ConfigError) as caught:
        check_table(load(tmp_path / "t.yaml"), CATALOG)
    told = str(caught.value)
    for words in ("no asset class 'moon'", "'parsec'", "no point 'air.tmp'", "'power' is not among", "points or why"):
        assert words in told


def test_a_zigbee_leak_sensor() -> None:
    found = one(ZIGBEE)
    assert found.asset_class == "environment"
    assert {item.point: item.path for item in found.items} == {
        "leak[1].water": "/water_leak", "sensor[1].battery": "/battery", "sensor[1].battery_low": "/battery_low",
        "sensor[1].voltage": "/voltage", "sensor[1].temp": "/device_temperature",
        "sensor[1].link_quality": "/linkquality",
    }  # fmt: skip
    leak = next(item for item in found.items if item.point == "leak[1].water")
    assert (leak.topic, leak.values) == ("zigbee2mqtt/b2/pump room", {"true": 1, "false": 0})
    assert found.presence == Presence("zigbee2mqtt/bridge/state", "online", "offline")
    assert found.stale_after == 90_000
    assert any("the first is taken, not zigbee2mqtt/b2/pump room/availability" in note for note in found.notes)
    assert "is not understood" in refusals(found)["update"]


def test_a_tasmota_plug_is_a_circuit_and_as_power_a_meter() -> None:
    found = one(TASMOTA)
    assert found.asset_class == "lighting"
    assert {item.point: (item.topic, item.path, item.scale) for item in found.items} == {
        "circuit[1].on": ("tasmota_A1B2C3/tele/STATE", "/POWER", 1),
        "circuit[1].power": ("tasmota_A1B2C3/tele/SENSOR", "/ENERGY/Power", 0.001),
        "circuit[1].voltage": ("tasmota_A1B2C3/tele/SENSOR", "/ENERGY/Voltage", 1),
        "circuit[1].energy": ("tasmota_A1B2C3/tele/SENSOR", "/ENERGY/Total", 1),
    }
    assert found.presence == Presence("tasmota_A1B2C3/tele/LWT", "Online", "Offline")
    assert found.stale_after == 3600
    assert "starts anew each day" in refusals(found)["A1B2C3_ENERGY_Today"]
    meter = one(TASMOTA, only="power")
    assert {item.point for item in meter.items} == {"p.total", "u.l1n", "e.import"}
    assert "the device is written as power" in next(item.reason for item in meter.refused if "switch" in item.entity)


def test_an_esphome_node() -> None:
    found = one(ESPHOME)
    assert {item.point: (item.topic, item.path) for item in found.items} == {
        "door[1].contact": ("riser-3/binary_sensor/hatch/state", ""),
        "air.temp": ("riser-3/sensor/air/state", ""),
        "air.humidity": ("riser-3/sensor/humidity/state", ""),
    }
    assert found.stale_after == 120
    assert any("expire_after differs (120 to 300 s)" in note for note in found.notes)
    temp = next(item for item in found.items if item.point == "air.temp")
    assert 77 * temp.scale + temp.offset == pytest.approx(25)
    told = {item.entity: item.reason for item in found.refused}
    assert "off_delay" in told["riser-3: binary_sensor Presence"]
    assert "signal strength" in told["riser-3: sensor Wifi Signal"]


def test_a_device_with_components() -> None:
    found = one(BRIDGE)
    assert {item.point: (item.path, item.scale) for item in found.items} == {
        "p.total": ("/p", 0.001), "u.l1n": ("/u", 1), "e.import": ("/e", 1000),
    }  # fmt: skip
    assert found.presence == Presence("acme/meter-7/online", "1", "0")
    assert found.stale_after == 60
    assert "no point is known for a button" in refusals(found)["reset"]


def test_devices_keep_their_entities_together_and_their_order() -> None:
    assert [found.origin.name for found in devices(ALL)] == ["b2/pump room", "Tea kitchen", "riser-3", "Roof meter"]


@pytest.mark.parametrize(
    ("entity", "reason"),
    [
        (sensor(device_class="temperature", unit_of_measurement="°R"), "the unit '°R' is not known"),
        (sensor(device_class="temperature"), "has no unit; air.temp is in Cel"),
        (sensor(device_class="temperature", unit_of_measurement="%"), "measures"),
        (sensor(device_class="blood", unit_of_measurement="L"), "no point is known for a sensor of device_class blood"),
        (sensor(state_topic=None), "only takes commands"),
        (sensor(component="lock"), "no point is known for a lock of no device_class"),
        (sensor(device_class=7), "device_class is no text"),
        (sensor(device_class="temperature", value_template=["x"]), "value_template is no text"),
        (sensor(device_class="humidity", unit_of_measurement="%", state_topic="a/+/b"), "is no topic of a device"),
        (sensor(device_class="humidity", unit_of_measurement="%", state_topic="$SYS/x"), "is no topic of a device"),
        (sensor(device_class="humidity", unit_of_measurement="%", state_topic="a/${HOME}"), "can't stand in"),
        (sensor(device_class="humidity", unit_of_measurement="%", state_topic="a/[b"), "can't stand in"),
        (sensor(device_class="humidity", unit_of_measurement="%", state_topic="a\nb"), "can't stand in"),
        (sensor(device_class="humidity", unit_of_measurement="%", encoding=""), "its payload is bytes"),
        (sensor(component="light", schema="template"), "the schema 'template' is not understood"),
        (sensor(component="switch", payload_on={"a": 1}), "payload_on is no word"),
        (sensor(component="switch", payload_on="X", payload_off="X"), "the same word 'X'"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_reason(entity: Entity, reason: str) -> None:
    found = of(entity)
    assert not found.items
    assert [reason in item.reason for item in found.refused] == [True]


def test_points_without_a_number_are_given_once_and_numbered_ones_in_their_order() -> None:
    warm = {"device_class": "temperature", "unit_of_measurement": "°C"}
    wet = {"component": "binary_sensor", "device_class": "moisture"}
    found = of(sensor("t1", **warm), sensor("t2", **warm), sensor("b", **wet), sensor("a", **wet))
    assert {item.entity.rpartition(" ")[2]: item.point for item in found.items} == {
        "a": "leak[1].water", "b": "leak[2].water", "t1": "air.temp",
    }  # fmt: skip
    assert "air.temp of environment is taken already by D: sensor t1" in refusals(found)["t2"]


def test_more_than_a_class_has() -> None:
    wet = {"component": "binary_sensor", "device_class": "moisture"}
    found = of(*(sensor(f"w{number}", **wet) for number in range(9)))
    assert len(found.items) == 8
    assert "as many as it has" in refusals(found)["w8"]


def test_phases_are_told_by_their_names_and_a_power_that_may_be_either_is_left_out() -> None:
    watts = {"device_class": "power", "unit_of_measurement": "W"}
    found = of(*(sensor(name, **watts) for name in ("power", "power_phase_b", "power_phase_c")))
    assert {item.point for item in found.items} == {"p.l2", "p.l3"}
    assert "may be the whole or phase 1" in refusals(found)["power"]
    found = of(*(sensor(name, **watts) for name in ("power", "power_a", "power_b", "power_c")))
    assert {item.point for item in found.items} == {"p.l1", "p.l2", "p.l3", "p.total"}


def test_a_three_phase_meter_by_the_names_of_its_values() -> None:
    kinds = {
        "voltage": ("V", "abc"), "current": ("A", "abc"), "power": ("W", "abc"), "power_factor": ("%", "abc"),
        "energy": ("kWh", "abc"),
    }  # fmt: skip
    sensors = [
        sensor(f"{kind}_{phase}", device_class=kind, unit_of_measurement=unit)
        for kind, (unit, phases) in kinds.items()
        for phase in phases
    ]
    whole = {"power": "W", "power_factor": "%", "energy": "kWh"}
    sensors += [sensor(kind, device_class=kind, unit_of_measurement=unit) for kind, unit in whole.items()]
    sensors += [sensor("produced_energy", device_class="energy", unit_of_measurement="kWh")]
    sensors += [sensor("energy_produced_b", device_class="energy", unit_of_measurement="kWh")]
    found = of(*sensors)
    assert not found.refused
    assert {item.entity.rpartition(" ")[2]: item.point for item in found.items} == {
        "voltage_a": "u.l1n", "voltage_b": "u.l2n", "voltage_c": "u.l3n", "current_a": "i.l1", "current_b": "i.l2",
        "current_c": "i.l3", "power_a": "p.l1", "power_b": "p.l2", "power_c": "p.l3", "power": "p.total",
        "power_factor_a": "pf.l1", "power_factor_b": "pf.l2", "power_factor_c": "pf.l3", "power_factor": "pf",
        "energy_a": "e.import.l1", "energy_b": "e.import.l2", "energy_c": "e.import.l3", "energy": "e.import",
        "produced_energy": "e.export", "energy_produced_b": "e.export.l2",
    }  # fmt: skip
    assert {item.scale for item in found.items if item.point.startswith("pf")} == {0.01}


def test_words_as_a_template_makes_them() -> None:
    door = {"component": "binary_sensor", "device_class": "door"}
    found = of(sensor("d", **door, payload_on="True", payload_off="False", value_template="{{ value_json.o }}"))
    assert found.items[0].values == {"True": 1, "true": 1, "False": 0, "false": 0}
    found = of(sensor("s", "switch", payload_on="on!", payload_off="off!", state_on="1.0", state_off="0"))
    assert found.items[0].values == {"1.0": 1, "1": 1, "0": 0}
    found = of(sensor("l", "light", schema="json"))
    assert (found.items[0].path, found.items[0].values) == ("/state", {"ON": 1, "OFF": 0})


@pytest.mark.parametrize(
    ("config", "presence", "note"),
    [
        ({"availability_topic": "a", "availability_template": "{{ value_json.state }}"}, True, ""),
        ({"availability_topic": "a", "availability_template": "{{ value_json.on }}"}, False, "is not understood"),
        ({"availability_topic": "a/#"}, False, "is no topic of a device"),
        ({"availability_topic": "a", "payload_available": ["x"]}, False, "its words are no texts"),
        ({"availability": [1]}, False, "no JSON object"),
        ({"availability": []}, False, ""),
    ],
)
def test_availability(config: dict[str, object], presence: bool, note: str) -> None:
    found = of(sensor("h", device_class="humidity", unit_of_measurement="%", expire_after=5, **config))
    assert found.items
    assert (found.presence is not None) is presence
    assert [note in text for text in found.notes] == ([True] if note else [])


def test_a_topic_that_tells_values_is_no_availability_topic() -> None:
    found = of(sensor("h", device_class="humidity", unit_of_measurement="%", availability_topic="d/state"))
    assert (found.presence, len(found.items)) == (None, 1)
    assert "availability left out: d/state tells values too" in found.notes


def test_entities_with_other_availability_topics_are_named() -> None:
    humid = {"device_class": "humidity", "unit_of_measurement": "%"}
    warm = {"device_class": "temperature", "unit_of_measurement": "°C"}
    found = of(sensor("a", availability_topic="x", **humid), sensor("b", availability_topic="y", **warm))
    assert found.presence == Presence("x", "online", "offline")
    assert any("2 availability topics; x is taken" in text for text in found.notes)


def test_a_silence_may_be_given() -> None:
    (found,) = devices(ZIGBEE, silence=7200)
    assert found.stale_after == 7200
