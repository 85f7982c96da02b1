"""The pump set model: speed-controlled pumps in parallel hold a pressure, by the affinity laws; pure.

With n the speed as a share of the rated one and Q the flow of one pump, a pump gives the head a*n^2 - b*Q^2. The
building draws Q_total = k*sqrt(p). Both together have one solution for the pressure, so pressure, flow, frequency,
current and power always belong together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import Wander, lag, limited, ramp

SENSOR_RANGE = 1.6
"""MPa that the pressure sensor shows as 100 %."""

FULL_SPEED, LOWEST = 50.0, 20.0
"""Hz at rated speed; the lowest that the drives run at."""

DRY_RUNNING, OVERCURRENT = 57, 0x2310
"""Alarm code of the set for dry running; a drive's fault code for overcurrent."""


@dataclass(slots=True)
class Pump:
    """One pump with its drive; `freq` in Hz, `power` in kW."""

    wanted: bool = False
    tripped: bool = False
    freq: float = 0.0
    current: float = 0.0
    power: float = 0.0
    motor_temp: float = 34.0
    seconds: float = 0.0
    starts: int = 0
    energy: float = 0.0

    @property
    def running(self) -> bool:
        """Whether the drive turns the pump."""
        return self.freq > 1.0


def relative_power(speed: float, load: float) -> float:
    """Shaft power as a share of the rated one, at `speed` and a flow of `load` times the pump's own at that speed."""
    return speed**3 * (0.30 + 0.68 * load)


class PumpSet(Model):
    """A booster set of equal pumps that takes water from a supply of `inlet` MPa and holds `setpoint` MPa."""

    FAULTS = frozenset(
        {
            "dry_run",
            "cavitation",
            "pipe_burst",
            "vfd_trip",
            "vfd_trip_no_standby",
            "tank_overflow",
            "supply_loss",
            "flood",
            "stuck_pressure",
            "water_quality",
        }
    )

    def __init__(
        self, random: Random, *, pumps: int = 3, setpoint: float = 0.6, flow: float = 16.0, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self.pumps = [Pump(seconds=3600.0 * (4100 - 300 * k), starts=5200 - 410 * k) for k in range(pumps)]
        self.setpoint = setpoint
        self.inlet, self._normal_inlet = 0.25, 0.25
        self._rated_flow = flow
        head = (setpoint - self._normal_inlet) * 1.12
        self._a, self._b = head * 1.4, head * 0.4 / flow**2
        self._rated_power = flow * head * 1000 / 3600 / 0.58
        self._rated_current = self._rated_power / (math.sqrt(3) * 0.38 * 0.86 * 0.88)
        self._draw = 0.78 * flow * (pumps - 1) / math.sqrt(setpoint)
        self._demand = Wander(random, 0.035, 40.0)
        self._noise = Wander(random, 0.4, 3.0)
        self.pressure, self.flow, self.level = setpoint, self._draw * math.sqrt(setpoint), 72.0
        self.speed = 0.9
        self._volume, self._energy_before = 218_400.0, 96_300.0
        self._stage_timer = self._retry = 0.0
        self._humidity, self._chlorine, self._turbidity = 58.0, 0.25, 0.3
        self._frozen: float | None = None
        for pump in self.pumps[: pumps - 1]:
            pump.wanted, pump.freq = True, self.speed * FULL_SPEED

    def began(self, fault: str) -> None:
        """A trip hits one pump (`pump`, 1 by default), or all of them; a stuck sensor keeps what it shows."""
        if fault in ("vfd_trip", "vfd_trip_no_standby"):
            first = int(self.param(fault, "pump", 1.0)) - 1
            for victim in self.pumps if fault == "vfd_trip_no_standby" else self.pumps[first : first + 1]:
                victim.tripped, victim.wanted, victim.freq = True, False, 0.0
            self._stage_timer = 0.0
        elif fault == "stuck_pressure":
            self._frozen = self.pressure

    def ended(self, fault: str) -> None:
        """A person has reset the drive or exchanged the sensor."""
        if fault in ("vfd_trip", "vfd_trip_no_standby", "dry_run"):
            for pump in self.pumps:
                pump.tripped = False
        elif fault == "stuck_pressure":
            self._frozen = None

    def advance(self, dt: float) -> None:
        """Supply, control, hydraulics, motors, room, in this order."""
        self._noise.step(dt)
        self._supply(dt)
        self._stage(dt)
        self._control(dt)
        self._hydraulics(dt)
        for pump in self.pumps:
            self._motor(pump, dt)
        self._room(dt)

    def values(self) -> dict[str, Value]:
        """The points of a booster controller and of the room around it."""
        found = {**self._set_values(), **self._state_values(), **self._room_values()}
        for number, pump in enumerate(self.pumps, 1):
            found.update(self._pump_values(number, pump))
        return found

    @property
    def _dry(self) -> bool:
        """Whether there is air where water should be."""
        return self.inlet < 0.03 and self.on("dry_run")

    def _running(self) -> list[Pump]:
        return [pump for pump in self.pumps if pump.freq > 0.8 * self.speed * FULL_SPEED]

    def _supply(self, dt: float) -> None:
        """Inlet pressure and tank."""
        target, tau = self._normal_inlet + 0.004 * self._noise.value, 2.0
        if self.on("dry_run"):
            target = 0.0
        elif self.on("supply_loss"):
            target, tau = 0.02, self.param("supply_loss", "seconds", 60.0) / 3
        elif self.on("cavitation"):
            target, tau = 0.035 + 0.012 * math.sin(self.seconds * 2.1), 0.4
        self.inlet = lag(self.inlet, target, dt, tau)
        if self.on("dry_run"):
            self.level = lag(self.level, 4.0, dt, 4.0)
        elif self.on("tank_overflow"):
            self.level = ramp(self.level, 101.0, dt, self.param("tank_overflow", "rate", 1.0) / 60)
        elif self.on("supply_loss") or self.on("pipe_burst"):
            self.level = limited(self.level - 2.0 / 60 * dt, 0.0, 101.0)
        else:
            # the float valve closes again at 72 %: quick down from an overflow, quick up from an empty tank
            self.level = lag(self.level, 72.0 + self._demand.value * 20, dt, 12.0)

    def _stage(self, dt: float) -> None:
        """Start a pump when the running ones are at their end, stop one when they are idle; replace a tripped one."""
        wanted = [pump for pump in self.pumps if pump.wanted]
        ready = [pump for pump in self.pumps if not pump.wanted and not pump.tripped]
        if self._dry:
            ready = []
        tripped = any(pump.tripped for pump in self.pumps)
        if ready and (self.speed > 0.985 or (tripped and len(wanted) < len(self.pumps) - 1)):
            self._stage_timer += dt
            if self._stage_timer >= 4.0:
                ready[0].wanted, self._stage_timer = True, 0.0
                ready[0].starts += 1
        elif len(wanted) > 1 and self.speed < 0.87 and not self._dry:
            self._stage_timer -= dt
            if self._stage_timer <= -15.0:
                wanted[-1].wanted, self._stage_timer = False, 0.0
        else:
            self._stage_timer = 0.0

    def _control(self, dt: float) -> None:
        """Integral control of the pressure; all drives follow one speed."""
        error = limited((self.setpoint - self.pressure) / self.setpoint, -0.2, 0.2)
        self.speed = limited(self.speed + 0.45 * error * dt, LOWEST / FULL_SPEED, 1.0)
        stopped_dry = self.on("dry_run", self.param("dry_run", "trip_after", 120.0))
        for pump in self.pumps:
            if stopped_dry:
                pump.tripped, pump.wanted = True, False
            goal = self.speed * FULL_SPEED if pump.wanted and not pump.tripped else 0.0
            pump.freq = ramp(pump.freq, goal, dt, 14.0)
        if not any(pump.wanted or pump.tripped for pump in self.pumps):
            self._retry += dt
            if self._retry > 3.0:
                self.pumps[0].wanted, self._retry = True, 0.0

    def _hydraulics(self, dt: float) -> None:
        """The one pressure where what the pumps give is what the building draws."""
        draw = self._draw * (1.0 + self._demand.step(dt))
        if self.on("pipe_burst"):
            draw *= self.param("pipe_burst", "size", 5.0)
        count = len(self._running())
        if count and not self._dry:
            resistance = self._b * (draw / count) ** 2
            target = (max(self.inlet, 0.0) + self._a * self.speed**2) / (1.0 + resistance)
        else:
            target = 0.08 if self._dry else self.inlet * 0.3
        self.pressure = lag(self.pressure, target, dt, 1.6 if self._dry else 0.9)
        moving = 0.0 if self._dry or not count else draw * math.sqrt(max(self.pressure, 0.0))
        if self.on("cavitation"):
            moving *= 1.0 + 0.1 * math.sin(self.seconds * 5.0)
        self.flow = lag(self.flow, moving, dt, 0.8)
        self._volume += self.flow * dt / 3600

    def _motor(self, pump: Pump, dt: float) -> None:
        """Power by the cube of the speed, with a part that follows the flow; current by the power."""
        share = pump.freq / FULL_SPEED
        count = max(1, len(self._running()))
        load = 0.0 if share < 0.1 else limited(self.flow / count / (self._rated_flow * share), 0.0, 1.3)
        power = self._rated_power * relative_power(share, load)
        pump.power = power if pump.running else 0.0
        relative = pump.power / self._rated_power
        pump.current = self._rated_current * (0.15 + 0.85 * relative) if pump.running else 0.0
        hot = 30.0 + 42.0 * relative + (25.0 if self._dry and pump.running else 0.0)
        pump.motor_temp = lag(pump.motor_temp, hot, dt, 600.0)
        pump.energy += pump.power * dt / 3600
        if pump.running:
            pump.seconds += dt

    def _room(self, dt: float) -> None:
        humid = 82.0 if self.on("flood") else 58.0 + self._noise.value
        self._humidity = lag(self._humidity, humid, dt, 20.0)
        bad = self.on("water_quality")
        tau = self.param("water_quality", "seconds", 60.0) / 3 if bad else 20.0
        self._chlorine = lag(self._chlorine, 0.03 if bad else 0.25, dt, tau)
        self._turbidity = lag(self._turbidity, 1.4 if bad else 0.3, dt, tau)

    # what the controllers show

    def _set_values(self) -> dict[str, Value]:
        pressure = self.pressure if self._frozen is None else self._frozen
        power = sum(pump.power for pump in self.pumps)
        running = self._running()
        share = max((pump.freq for pump in self.pumps), default=0.0) / FULL_SPEED
        noise = self._noise.value
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
            "sys.dc_voltage": 538.0 + noise if running else 546.0 + noise,
            "sys.power": power,
            "sys.energy": self._energy_before + sum(pump.energy for pump in self.pumps),
            "sys.specific_energy": limited(power * 1000 / self.flow, 0.0, 9000.0) if self.flow > 0.5 else 0.0,
            "sys.electronics_temp": 41.0 + noise,
            "sys.liquid_temp": 18.0 + noise * 0.2,
            "sys.run_hours": self.pumps[0].seconds / 3600 + 240,
            "sys.powered_hours": 9_600 + self.seconds / 3600,
            "sys.starts": sum(pump.starts for pump in self.pumps),
        }

    def _state_values(self) -> dict[str, Value]:
        running = any(pump.running for pump in self.pumps)
        tripped = [pump for pump in self.pumps if pump.tripped]
        dry = self._dry and self.on("dry_run", 6.0)
        code = DRY_RUNNING if dry else 49 if len(tripped) == len(self.pumps) else 0
        return {
            "sys.run": running,
            "sys.fault": code != 0,
            "sys.warning": bool(tripped) or self.on("cavitation") or (self._dry and not dry),
            "sys.alarm_code": code,
            "sys.warning_code": 49 if tripped and not code else 0,
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
            "sys.at_min_speed": running and self.speed < 0.405,
            "sys.rotation": running,
            "sys.direction": False,
            "maint.bearing_months": 12,
            "maint.bearing_action": False,
            "link.crc_errors": 0,
            "link.data_errors": 0,
            "mains_ok": True,
            "control.fail": False,
            "cabinet.door": False,
        }

    def _room_values(self) -> dict[str, Value]:
        return {
            "tank.level": self.level,
            "tank.depth": self.level * 0.025,
            "tank.overflow": self.level > 98.5,
            "tank.low_low": self.level < 10.0,
            "tank.inlet_valve": self.on("tank_overflow") or self.level < 71.0,
            "room.flood": self.on("flood", 2.0) or self.on("pipe_burst", 60.0),
            "room.temp": 21.0 + self._noise.value * 0.3,
            "room.humidity": self._humidity,
            "room.door": False,
            "wq.residual_chlorine": self._chlorine,
            "wq.turbidity": self._turbidity,
            "wq.ph": 7.3 + self._noise.value * 0.02,
            "sump.level": 1.9 if self.on("flood", 2.0) else 0.6,
            "sump.high_float": self.on("flood", 2.0),
        }

    def _pump_values(self, number: int, pump: Pump) -> dict[str, Value]:
        key = f"pump[{number}]."
        vibration = 1.6 + 0.1 * self._noise.value + (3.4 if self.on("cavitation") or self._dry else 0.0)
        return {
            key + "run": pump.running,
            key + "fault": pump.tripped,
            key + "mode": 2,
            key + "remote": True,
            key + "available": not pump.tripped,
            key + "freq": pump.freq,
            key + "performance": pump.freq / FULL_SPEED * 100,
            key + "speed": pump.freq / FULL_SPEED * 2900,
            key + "current": pump.current,
            key + "power": pump.power,
            key + "motor_temp": pump.motor_temp,
            key + "fault_code": 0 if not pump.tripped else DRY_RUNNING if self.on("dry_run") else OVERCURRENT,
            key + "vib_rms": vibration if pump.running else 0.1,
            key + "run_hours": pump.seconds / 3600,
            key + "starts": pump.starts,
            key + "energy": 24_000.0 + pump.energy,
            key + "control_source": 2,
        }
