"""Which simulated device speaks for a native MQTT profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facility.assets import Device
from simulators.devices.esp_rfid import EspRfid
from simulators.devices.native import NativeDevice
from simulators.devices.shelly import Shelly3em
from simulators.devices.shelly_sensors import FLOOD, RELAY, SMOKE, Component, ShellySensor
from simulators.devices.tasmota import TasmotaSwitch
from simulators.devices.uhppoted import Uhppoted
from simulators.devices.zigbee2mqtt import ZigbeeSensor
from simulators.models.model import Model
from simulators.models.passage.access_control import AccessController

Maker = Callable[[Device, Model, str], NativeDevice | None]


def _shelly_3em(device: Device, _model: Model, _zone: str) -> NativeDevice:
    return Shelly3em(device.params["prefix"])


def _shelly(*components: Component) -> Maker:
    return lambda device, _model, _zone: ShellySensor(device.params["prefix"], components, device.rename)


def _zigbee(kind: str) -> Maker:
    return lambda device, _model, _zone: ZigbeeSensor(device.params["base"], device.params["name"], kind, device.rename)


def _tasmota(device: Device, _model: Model, zone: str) -> NativeDevice:
    return TasmotaSwitch(device.params["topic"], device.rename, zone)


def _uhppoted(device: Device, model: Model, zone: str) -> NativeDevice | None:
    return Uhppoted(int(device.params["device"]), model.events, zone) if isinstance(model, AccessController) else None


def _esp_rfid(device: Device, model: Model, _zone: str) -> NativeDevice | None:
    params = device.params
    return EspRfid(params["topic"], params["hostname"], model.events) if isinstance(model, AccessController) else None


NATIVES: Mapping[str, Maker] = {
    "shelly-pro-3em": _shelly_3em,
    "shelly-1pm": _shelly(*RELAY),
    "shelly-flood": _shelly(*FLOOD),
    "shelly-smoke": _shelly(*SMOKE),
    "tasmota-switch": _tasmota,
    "uhppoted": _uhppoted,
    "esp-rfid": _esp_rfid,
    "zigbee2mqtt-contact": _zigbee("contact"),
    "zigbee2mqtt-leak": _zigbee("leak"),
    "zigbee2mqtt-smoke": _zigbee("smoke"),
    "zigbee2mqtt-climate": _zigbee("climate"),
}
"""Profile -> makes the device from its entry in devices.yaml, its model and the site's time zone."""
