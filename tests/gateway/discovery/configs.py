"""Retained discovery configs of the shapes that Zigbee2MQTT, Tasmota, ESPHome and a device-based bridge publish."""

from __future__ import annotations

import json
from collections.abc import Mapping

Config = Mapping[str, object]

_LEAK = {
    "identifiers": ["zigbee2mqtt_0x00158d0000aa0001"],
    "manufacturer": "Aqara",
    "model": "Water leak sensor (SJCGQ11LM)",
    "name": "b2/pump room",
    "sw_version": "Zigbee2MQTT 2.1.0",
}
_AVAILABLE = [
    {"topic": "zigbee2mqtt/bridge/state", "value_template": "{{ value_json.state }}"},
    {"topic": "zigbee2mqtt/b2/pump room/availability", "value_template": "{{ value_json.state }}"},
]


def _zigbee(**config: object) -> Config:
    shared = {
        "availability": _AVAILABLE,
        "availability_mode": "all",
        "device": _LEAK,
        "state_topic": "zigbee2mqtt/b2/pump room",
        "origin": {"name": "Zigbee2MQTT", "sw": "2.1.0", "url": "https://www.zigbee2mqtt.io"},
    }
    return shared | config


ZIGBEE: dict[str, Config] = {
    "homeassistant/binary_sensor/0x00158d0000aa0001/water_leak/config": _zigbee(
        device_class="moisture", payload_off=False, payload_on=True, value_template='{{ value_json["water_leak"] }}'
    ),
    "homeassistant/binary_sensor/0x00158d0000aa0001/battery_low/config": _zigbee(
        device_class="battery", payload_off=False, payload_on=True, value_template="{{ value_json.battery_low }}"
    ),
    "homeassistant/sensor/0x00158d0000aa0001/battery/config": _zigbee(
        device_class="battery", unit_of_measurement="%", entity_category="diagnostic",
        value_template="{{ value_json.battery }}",
    ),
    "homeassistant/sensor/0x00158d0000aa0001/voltage/config": _zigbee(
        device_class="voltage", unit_of_measurement="mV", entity_category="diagnostic",
        value_template="{{ value_json.voltage }}",
    ),
    "homeassistant/sensor/0x00158d0000aa0001/device_temperature/config": _zigbee(
        device_class="temperature", unit_of_measurement="°C", entity_category="diagnostic",
        value_template="{{value_json['device_temperature']|float}}",
    ),
    "homeassistant/sensor/0x00158d0000aa0001/linkquality/config": _zigbee(
        unit_of_measurement="lqi", entity_category="diagnostic", value_template="{{ value_json.linkquality }}"
    ),
    "homeassistant/update/0x00158d0000aa0001/update/config": _zigbee(
        name=None, value_template="{\"latest_version\":\"{{ value_json['update']['latest_version'] }}\"}"
    ),
}  # fmt: skip

_PLUG = {"ids": ["A1B2C3"], "name": "Tea kitchen", "mdl": "Sonoff Pow R2", "mf": "Tasmota", "sw": "9.1.0(tasmota)"}


def _tasmota(**config: object) -> Config:
    base = {"~": "tasmota_A1B2C3/", "pl_avail": "Online", "pl_not_avail": "Offline"}
    topic = {"avty_t": "~tele/LWT", "stat_t": "~tele/SENSOR"}
    return base | topic | {"dev": _PLUG} | config


TASMOTA: dict[str, Config] = {
    "homeassistant/switch/A1B2C3_RL_1/config": _tasmota(
        name="Tea kitchen", stat_t="~tele/STATE", val_tpl="{{value_json.POWER}}", pl_off="OFF", pl_on="ON",
        cmd_t="~cmnd/POWER", uniq_id="A1B2C3_RL_1",
    ),
    "homeassistant/sensor/A1B2C3_ENERGY_Power/config": _tasmota(
        dev_cla="power", unit_of_meas="W", val_tpl="{{value_json['ENERGY']['Power']}}"
    ),
    "homeassistant/sensor/A1B2C3_ENERGY_Voltage/config": _tasmota(
        dev_cla="voltage", unit_of_meas="V", val_tpl="{{value_json['ENERGY'].Voltage | float}}"
    ),
    "homeassistant/sensor/A1B2C3_ENERGY_Total/config": _tasmota(
        dev_cla="energy", unit_of_meas="kWh", val_tpl="{{value_json['ENERGY']['Total']}}"
    ),
    "homeassistant/sensor/A1B2C3_ENERGY_Today/config": _tasmota(
        dev_cla="energy", unit_of_meas="kWh", val_tpl="{{value_json['ENERGY']['Today']}}"
    ),
    "homeassistant/sensor/A1B2C3_status/config": _tasmota(val_tpl="{{value_json['RSSI']}}", unit_of_meas="%"),
}  # fmt: skip

_NODE = {"ids": "e8db84aa0011", "name": "riser-3", "sw": "esphome v2026.1", "mdl": "esp32dev", "mf": "Espressif"}


def _esphome(kind: str, name: str, **config: object) -> tuple[str, Config]:
    shared = {
        "name": name.replace("_", " ").title(), "stat_t": f"riser-3/{kind}/{name}/state", "avty_t": "riser-3/status",
        "uniq_id": f"ESP{kind}{name}", "dev": _NODE,
    }  # fmt: skip
    return f"homeassistant/{kind}/riser-3/{name}/config", shared | config


ESPHOME: dict[str, Config] = dict(
    (
        _esphome("sensor", "air", dev_cla="temperature", unit_of_meas="°F", exp_aft=300, stat_cla="measurement"),
        _esphome("sensor", "humidity", dev_cla="humidity", unit_of_meas="%", exp_aft=120),
        _esphome("binary_sensor", "hatch", dev_cla="opening"),
        _esphome("binary_sensor", "presence", dev_cla="motion", off_dly=30),
        _esphome("sensor", "wifi_signal", dev_cla="signal_strength", unit_of_meas="dBm", ent_cat="diagnostic"),
    )
)

BRIDGE: dict[str, Config] = {
    "homeassistant/device/meter-7/config": {
        "dev": {"ids": ["meter-7"], "name": "Roof meter", "mf": "Acme", "mdl": "M3"},
        "o": {"name": "acme2mqtt", "sw": "1.4", "url": "https://acme.example"},
        "~": "acme/meter-7",
        "state_topic": "~/state",
        "avty_t": "~/online",
        "pl_avail": "1",
        "pl_not_avail": "0",
        "cmps": {
            "p1": {"p": "sensor", "dev_cla": "power", "unit_of_meas": "W", "val_tpl": "{{ value_json.p }}"},
            "u": {
                "platform": "sensor", "device_class": "voltage", "unit_of_measurement": "V",
                "value_template": "{{ value_json.u | float }}", "expire_after": 60,
            },
            "gone": {"p": "sensor"},
            "e": {"p": "sensor", "dev_cla": "energy", "unit_of_meas": "MWh", "val_tpl": "{{ value_json.e }}"},
            "reset": {"p": "button", "cmd_t": "~/reset"},
        },
    }
}  # fmt: skip

ALL = ZIGBEE | TASMOTA | ESPHOME | BRIDGE


def payload(config: Config) -> bytes:
    """As it goes over the wire."""
    return json.dumps(config, ensure_ascii=False).encode()
