"""What a booster set is and what its controllers show; how it moves is in water_pump.py; pure."""

from __future__ import annotations

from random import Random

from facility.readings import Value
from simulators.models.physics import Wander, limited
from simulators.models.water.pump_curve import FULL_SPEED, LOWEST, Pump, PumpCurve
from simulators.models.water.pump_room import PumpRoom

SENSOR_RANGE = 1.6
"""MPa that the pressure sensor shows as 100 %."""

DRY_RUNNING, CHANGE_BEARINGS, OVERCURRENT, NON_RETURN_VALVE = 57, 30, 49, 209
"""Alarm codes of the set."""
DRIVE_OVERCURRENT = 0x2310
"""A drive's fault code."""

VIBRATION, WORN = 1.8, 7.5
"""mm/s RMS of a good pump and of one whose bearing is at its end."""
WEAR = 2_134_700.0
"""Seconds in which a bearing goes from the one to the other, doubling each 12 days."""
LAST = 172_800.0 / WEAR
"""The share of that course, at its end, in which the bearing gets hot."""


class PumpSetState(PumpRoom):
    """A booster set of equal pumps that takes water from a tank and holds `setpoint` MPa."""

    def __init__(
        self, random: Random, *, pumps: int, setpoint: float, flow: float, tank: float, epoch: float = 0.0
    ) -> None:
        super().__init__(random, supply=min(0.3, 0.55 * setpoint), tank=tank, epoch=epoch)
        self.pumps = [Pump(seconds=3600.0 * (4100 - 300 * k), starts=5200 - 410 * k) for k in range(pumps)]
        self.setpoint, self.pressure = setpoint, setpoint
        self.curve = PumpCurve(flow, setpoint)
        self.speed = 0.9
        self._taps = Wander(random, 0.035, 40.0)
        self._volume, self._energy_before, self._run_seconds = 218_400.0, 96_300.0, 15_600_000.0
        self._frozen: float | None = None
        self._dry_for = 0.0
        self._cycled: Pump | None = None

    def values(self) -> dict[str, Value]:
        """The points of a booster controller and of the room around it."""
        found = {**self._set_values(), **self._state_values(), **self.room_values()}
        for number, pump in enumerate(self.pumps, 1):
            found.update(self._pump_values(number, pump))
        return found

    @property
    def shown(self) -> float:
        """MPa that the outlet sensor shows; it never stands still unless it is stuck."""
        return self.pressure * (1.0 + 0.005 * self.noise.value) if self._frozen is None else self._frozen

    def struck(self, fault: str, number: int) -> bool:
        """Whether a fault is on and befalls the pump of this number."""
        return self.on(fault) and self.param(fault, "pump", 1.0) == number

    def _worn(self) -> float:
        """How far a bearing is on its way, 0..1."""
        return self.course("bearing_wear", self.param("bearing_wear", "seconds", WEAR))

    def _set_values(self) -> dict[str, Value]:
        pressure = self.shown
        power = sum(pump.power for pump in self.pumps)
        share = max((pump.freq for pump in self.pumps), default=0.0) / FULL_SPEED
        noise = self.noise.value
        return {
            "sys.inlet_pressure": self.inlet,
            "sys.outlet_pressure": pressure,
            "sys.remote_pressure": max(0.0, pressure - 0.03),
            "sys.setpoint": self.setpoint,
            "sys.setpoint_pct": self.setpoint / SENSOR_RANGE * 100,
            "sys.feedback": pressure / SENSOR_RANGE * 100,
            "sys.head": max(0.0, pressure - self.inlet) * 1000 / 9.80665,
            "sys.flow": self.flow,
            "sys.volume": self._volume,
            "sys.performance": share * 100,
            "sys.speed": share * 2900,
            "sys.freq": share * FULL_SPEED,
            "sys.current": sum(pump.current for pump in self.pumps),
            "sys.dc_voltage": (538.0 if share else 546.0) + noise,
            "sys.power": power,
            "sys.energy": self._energy_before + sum(pump.energy - Pump().energy for pump in self.pumps),
            "sys.specific_energy": limited(power * 1000 / self.flow, 0.0, 9000.0) if self.flow > 0.5 else 0.0,
            "sys.electronics_temp": 41.0 + noise,
            "sys.liquid_temp": 18.0 + noise * 0.2,
            "sys.run_hours": self._run_seconds / 3600,
            "sys.powered_hours": 9_600 + self.seconds / 3600,
            "sys.starts": sum(pump.starts for pump in self.pumps),
            "check_valve.dp": 12.0 if share else (self.inlet - self.pressure) * 1000,
        }

    def _alarm(self) -> int:
        """The code that stops the set, or 0."""
        if self._dry_for >= 6.0 or any(pump.code == DRY_RUNNING for pump in self.pumps):
            return DRY_RUNNING
        return OVERCURRENT if all(pump.code for pump in self.pumps) else 0

    def _warning(self) -> int:
        """The code that does not, or 0."""
        if self.on("check_valve_leaks"):
            return NON_RETURN_VALVE
        if self._worn() > 0.75:
            return CHANGE_BEARINGS
        return OVERCURRENT if any(pump.code for pump in self.pumps) and not self._alarm() else 0

    def _state_values(self) -> dict[str, Value]:
        running, worn = any(pump.running for pump in self.pumps), self._worn() > 0.75
        alarm, warning = self._alarm(), self._warning()
        return {
            "sys.run": running,
            "sys.fault": alarm != 0,
            "sys.warning": warning != 0 or self.on("cavitation") or (self.drawing_air and not alarm),
            "sys.alarm_code": alarm,
            "sys.warning_code": warning,
            "sys.control_mode": 4,
            "sys.operation_mode": 0,
            "sys.remote_access": True,
            "sys.forced_local": False,
            "sys.copy_to_local": False,
            "sys.reset_ack": False,
            "sys.setpoint_influence": False,
            "sys.low_flow_stop": False,
            "sys.max_flow_limit": self.on("pipe_burst") and self.speed > 0.98,
            "sys.at_max_power": False,
            "sys.at_max_speed": running and self.speed > 0.995,
            "sys.at_min_speed": running and self.speed < LOWEST / FULL_SPEED + 0.005,
            "sys.rotation": running,
            "sys.direction": False,
            "maint.bearing_months": 0 if worn else 12,
            "maint.bearing_action": worn,
            "link.crc_errors": 0,
            "link.data_errors": 0,
            "mains_ok": self.powered,
            "control.fail": False,
            "cabinet.door": False,
        }

    def _vibration(self, number: int, pump: Pump) -> float:
        """mm/s: the structure's when it stands; a worn bearing doubles it in equal times, cavitation adds 3.2."""
        if not pump.running:
            return 0.1
        own = VIBRATION * ((WORN / VIBRATION) ** self._worn() if self.struck("bearing_wear", number) else 1.0)
        return own + 3.2 * self.course("cavitation", 30.0) + 0.1 * self.noise.value

    def _bearing(self, number: int, pump: Pump) -> float:
        """Cel at the driven end: a worn bearing gains 8 K on its way and 25 K more in its last two days."""
        if not (pump.running and self.struck("bearing_wear", number)):
            return pump.bearing_temp
        worn = self._worn()
        return pump.bearing_temp + 8.0 * min(1.0, worn / (1 - LAST)) + 25.0 * max(0.0, (worn - 1 + LAST) / LAST)

    def _pump_values(self, number: int, pump: Pump) -> dict[str, Value]:
        key = f"pump[{number}]."
        share = pump.freq / FULL_SPEED
        return {
            key + "run": pump.running,
            key + "fault": pump.code != 0,
            key + "mode": 4 if pump.off else 2,
            key + "remote": not pump.off,
            key + "available": pump.ready,
            key + "freq": pump.freq,
            key + "performance": share * 100,
            key + "speed": share * 2900,
            key + "current": pump.current,
            key + "power": pump.power,
            key + "motor_temp": pump.motor_temp,
            key + "winding_temp": pump.motor_temp + 12.0,
            key + "casing_temp": pump.casing_temp,
            key + "bearing_temp_de": self._bearing(number, pump),
            key + "bearing_temp_nde": pump.bearing_temp - 1.0,
            key + "fault_code": pump.code,
            key + "warning": self._worn() > 0.75 and self.struck("bearing_wear", number),
            key + "vib_rms": self._vibration(number, pump),
            key + "seal_leak": False,
            key + "reverse": self._reversed(pump),
            key + "run_hours": pump.seconds / 3600,
            key + "cont_run_time": pump.run_for,
            key + "starts": pump.starts,
            key + "energy": pump.energy,
            key + "control_source": 2,
        }

    def _reversed(self, pump: Pump) -> bool:
        """Whether water flows back through a pump and turns it."""
        return self.on("check_valve_leaks") and not pump.running and pump is self._cycled
