"""Which simulated device speaks for a native MQTT profile."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from facility.assets import Device
from simulators.devices.native import NativeDevice
from simulators.devices.shelly import Shelly3em
from simulators.devices.uhppoted import Uhppoted
from simulators.models.access_control import AccessController
from simulators.models.model import Model

Maker = Callable[[Device, Model, str], NativeDevice | None]


def _shelly_3em(device: Device, _model: Model, _zone: str) -> NativeDevice:
    return Shelly3em(device.params["prefix"])


def _uhppoted(device: Device, model: Model, zone: str) -> NativeDevice | None:
    return Uhppoted(int(device.params["device"]), model.events, zone) if isinstance(model, AccessController) else None


NATIVES: Mapping[str, Maker] = {"shelly-pro-3em": _shelly_3em, "uhppoted": _uhppoted}
"""Profile -> makes the device from its entry in devices.yaml, its model and the site's time zone."""
