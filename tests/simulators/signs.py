"""What the planned rules of the newer classes will look for, said as conditions on values.

As long as no pack judges a class, these stand in for its rules: the repertoire's oracle is held against them, in both
directions. When the packs come, `tests/simulators/oracle.py` plays the same faults before the real rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from facility.readings import Value
from simulators.models.cabinet import Cabinet
from simulators.models.model import Model
from simulators.models.rooms.air_handler import AirHandler
from simulators.models.rooms.camera_recorder import CameraRecorder
from simulators.models.rooms.chiller import Chiller
from simulators.models.rooms.environment import Environment
from simulators.models.rooms.lighting import Lighting
from simulators.models.water.drainage import Pit
from tests.simulators.oracle import EPOCH

Values = Mapping[str, Value]


@dataclass(frozen=True)
class Sign:
    """`when` must hold for `delay` seconds."""

    when: Callable[[Values], bool]
    delay: float


def at(values: Values, key: str) -> float:
    """A value as a number."""
    value = values[key]
    assert isinstance(value, int | float), key
    return float(value)


def some(values: Values, start: str, end: str, wanted: Value = True) -> bool:
    """Whether some indexed point is so."""
    return any(value == wanted for key, value in values.items() if key.startswith(start) and key.endswith(end))


def most(values: Values, start: str, end: str) -> float:
    """The largest of an indexed point."""
    return max(at(values, key) for key in values if key.startswith(start) and key.endswith(end))


SIGNS: dict[str, Sign] = {
    "hvac.chiller_fault": Sign(lambda v: bool(v["chiller.alarm"]), 10),
    "hvac.no_water_flow": Sign(lambda v: not v["chw.flow_ok"], 5),
    "hvac.chilled_water_warm": Sign(lambda v: at(v, "chw.leaving_temp") > at(v, "chiller.setpoint") + 3, 900),
    "hvac.condenser_fouled": Sign(lambda v: at(v, "cond.approach") > 5, 1800),
    "hvac.refrigerant_low": Sign(lambda v: at(v, "evap.approach") > 6, 1800),
    "hvac.filter_clogged": Sign(lambda v: at(v, "ahu.filter_dp") > 250, 600),
    "hvac.fan_no_air_flow": Sign(lambda v: bool(v["ahu.fan.command"]) and not v["ahu.fan.feedback"], 30),
    "hvac.air_stale": Sign(lambda v: at(v, "ahu.co2") > 1200, 600),
    "hvac.room_overcooled": Sign(lambda v: bool(v["ahu.fan.command"]) and at(v, "ahu.return_temp") < 19.5, 3600),
    "cctv.camera_offline": Sign(lambda v: some(v, "camera[", ".online", False), 60),
    "cctv.image_frozen": Sign(lambda v: some(v, "camera[", ".frozen"), 60),
    "cctv.camera_covered": Sign(lambda v: some(v, "camera[", ".covered"), 30),
    "cctv.image_black": Sign(lambda v: some(v, "camera[", ".black"), 60),
    "cctv.image_blurred": Sign(lambda v: some(v, "camera[", ".blurred"), 60),
    "cctv.disk_warning": Sign(lambda v: some(v, "disk[", ".smart", False), 60),
    "cctv.disk_failed": Sign(lambda v: some(v, "disk[", ".state", 3), 60),
    "cctv.retention_short": Sign(lambda v: at(v, "rec.days") < 30, 3600),
    "cctv.clock_off": Sign(lambda v: abs(at(v, "rec.clock_offset")) > 30, 60),
    "drainage.pump_fault": Sign(lambda v: some(v, "pump[", ".fault"), 2),
    "drainage.high_level": Sign(lambda v: bool(v["sump.high_float"]), 5),
    "drainage.overflow": Sign(lambda v: bool(v["sump.overflow_float"]), 5),
    "drainage.pump_runs_long": Sign(lambda v: most(v, "pump[", ".cont_run_time") > 1800, 0),
    "lighting.lamps_failed": Sign(lambda v: most(v, "circuit[", ".lamp_faults") >= 3, 60),
    "lighting.circuit_not_following": Sign(
        lambda v: any(v[f"circuit[{n}].on"] is not v[f"circuit[{n}].command"] for n in range(1, 9)), 30
    ),
    "lighting.emergency_test_failed": Sign(lambda v: v["emergency.test"] == 3, 0),
    "environment.leak": Sign(lambda v: some(v, "leak[", ".water"), 5),
    "environment.smoke": Sign(lambda v: some(v, "smoke[", ".alarm"), 0),
    "environment.hot": Sign(lambda v: at(v, "air.temp") > 35, 60),
    "environment.humid": Sign(lambda v: at(v, "air.humidity") > 85, 600),
    "environment.battery_low": Sign(lambda v: some(v, "sensor[", ".battery_low"), 0),
    "environment.sensor_lost": Sign(lambda v: some(v, "sensor[", ".battery", None), 0),
    "environment.bridge_offline": Sign(lambda v: some(v, "sensor[", ".bridge", False), 60),
}


def model_of(asset_class: str, seed: int = 1) -> Model:
    """A model of a class at 13 o'clock in Shanghai, two hours after it was switched on."""
    random = Random(seed)
    models: dict[str, Model] = {
        "hvac": Cabinet([Chiller(random), AirHandler(random)]),
        "cctv": CameraRecorder(random),
        "drainage": Pit(random),
        "lighting": Lighting(random),
        "environment": Environment(random, sensors=2),
    }
    model = models[asset_class]
    model.epoch, model.zone = EPOCH, 8 * 3600.0
    model.leap(7170.0)
    model.step(30.0)
    return model


def watch(model: Model, lasts: float, *, every: float) -> dict[str, float]:
    """Rule -> seconds until its sign had held for its delay, of those that came within `lasts` seconds."""
    since: dict[str, float] = {}
    raised: dict[str, float] = {}
    mine = {rule: sign for rule, sign in SIGNS.items() if rule.split(".")[0] in _classes(model)}
    now = 0.0
    while now < lasts:
        if every > 1.0:
            model.leap(every - 1.0)
        model.step(min(every, 1.0))
        now += every
        values = model.values()
        for rule, sign in mine.items():
            if not sign.when(values):
                since.pop(rule, None)
            elif now - since.setdefault(rule, now) >= sign.delay:
                raised.setdefault(rule, now)
    return raised


def _classes(model: Model) -> str:
    return {
        "Cabinet": "hvac", "CameraRecorder": "cctv", "Pit": "drainage", "Lighting": "lighting",
        "Environment": "environment",
    }[type(model).__name__]  # fmt: skip
