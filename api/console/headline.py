"""Pure: which points of an asset stand on its tile, the most telling first."""

from __future__ import annotations

from collections.abc import Mapping

from facility.points import Kind, Point

PREFERRED: dict[str, tuple[str, ...]] = {
    "elevator": ("car.floor", "car.direction", "car.speed", "door.car.state", "mode.service", "car.load"),
    "water_pump": (
        "sys.outlet_pressure", "sys.head", "sys.feedback", "sys.flow", "tank.level", "sump.level", "fw.outlet_pressure",
        "sys.run", "sys.freq", "sys.speed", "sys.power", "sys.fault", "pump[1].run", "pump[2].run", "pump[3].run",
        "pump[1].freq", "pump[2].freq",
    ),
    "power": (
        "ats.position", "ats.src1_ok", "ats.src2_ok", "ups.mode", "ups.charge", "ups.load", "ups.runtime", "p.total",
        "u.l1n", "i.l1", "pf", "f", "u.l2n", "u.l3n",
    ),
    "fire_alarm": (
        "panel.fire", "panel.fault", "cnt.alarm", "cnt.fault", "panel.mode", "first_alarm_zone", "panel.supervisory",
        "power.main_fault",
    ),
    "hvac": (
        "chiller.status", "chw.leaving_temp", "chw.entering_temp", "chiller.rla", "chiller.capacity", "cond.pressure",
        "ahu.fan.feedback", "ahu.supply_temp", "ahu.return_temp", "ahu.valve", "ahu.filter_dp", "ahu.co2",
    ),
    "cctv": ("rec.days", "rec.cameras_online", "rec.fault", "rec.bitrate", "rec.clock_offset"),
    "drainage": (
        "sump.level", "sump.high_float", "pump[1].run", "pump[2].run", "pump[1].fault", "pump[2].fault",
    ),
    "lighting": (
        "circuit[1].on", "circuit[1].power", "lux.outdoor", "lamp_faults", "emergency.battery", "emergency.test",
    ),
    "environment": (
        "air.temp", "air.humidity", "leak[1].water", "smoke[1].alarm", "door[1].contact", "sensor[1].battery",
    ),
}  # fmt: skip
DOOR_FIRST = ("contact", "state", "lock", "forced")


def headline(asset_class: str, points: Mapping[str, Point], *, most: int = 6) -> list[Point]:
    """At most `most` points: the class's preferred ones that the asset has, then critical ones, then numbers."""
    if asset_class == "access_control":
        preferred = _doors(points)
    else:
        preferred = [points[key] for key in PREFERRED.get(asset_class, ()) if key in points]
    critical = [point for point in points.values() if point.critical]
    numbers = [point for point in points.values() if point.kind is Kind.ANALOG]
    chosen = dict.fromkeys(point.key for point in (*preferred, *critical, *numbers, *points.values()))
    return [points[key] for key in list(chosen)[:most]]


def _doors(points: Mapping[str, Point]) -> list[Point]:
    """Each door's contact; of a single door also its state, lock and alarms."""
    contacts = [point for key, point in points.items() if key.startswith("door[") and key.endswith("].contact")]
    if len(contacts) > 1:
        return contacts
    return [
        points[key] for name in DOOR_FIRST for key in points if key.startswith("door[") and key.endswith(f"].{name}")
    ]
