"""What a lift shows: the state that its scripts change, and the points of its monitoring gateway; pure."""

from __future__ import annotations

from collections import deque
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.passage.elevator_car import NUDGE_AFTER, Car, Door
from simulators.models.passage.traffic import SHARES, Arrivals
from simulators.models.physics import Wander, lag, limited, ramp

OUT_OF_SERVICE, NORMAL, INSPECTION, FIRE_RETURN, EMERGENCY_POWER = 0, 1, 2, 3, 5
CHAIN, DOOR_CLOSE, DOOR_OPEN, OUTSIDE_ZONE, UNINTENDED, NO_RESTART, OVERSPEED, CYCLING = 1, 2, 3, 4, 5, 8, 11, 14
BACK, MAINS_LOST, RESTARTING, IN_INSPECTION, IN_FIRE_RETURN = 40, 41, 42, 43, 44
VENDOR = {0: 0, 1: 41, 2: 48, 3: 50, 4: 52, 5: 65, 8: 26, 11: 39, 14: 49, 40: 0, 41: 9, 42: 0, 43: 0, 44: 0}
"""The maker's own numbers for the common fault codes."""

JOURNEYS = 480.0
"""Journeys of a day: somebody is fetched and brought somewhere, so nearly two trips each."""
COLD, WARM = 44.0, 72.0
"""The motor's temperature while the lift rests, and at the busiest hour, Cel."""
DRIVE_TRIP = 125.0
"""Motor temperature at which the drive stops the lift, Cel."""
LINING, WORN, NEW = 60.0, 19.5, 100.0
"""What is left of the brake's lining at first, at the end of its wear (just under its limit of 20), and new, %."""
CALLS = 16
"""Calls that are kept at most."""


class ElevatorState(Model):
    """The car, its mode and faults, temperatures and counters. `Elevator` decides what happens."""

    FAULTS = frozenset(
        {
            "entrapment",
            "door_cycling",
            "door_fails_to_close",
            "door_fails_to_open",
            "overspeed",
            "unintended_movement",
            "chain_chatter",
            "brake_wear",
            "levelling_drift",
            "overload_held",
            "motor_over_temp",
            "main_power_lost",
            "inspection_left_on",
            "intercom_untested",
            "pit_water",
            "stuck_floor",
            "recall_fails",
            "recall_late",
        }
    )
    ACTS = frozenset({"press_alarm", "call", "inspection_on", "inspection_off", "reset"})

    def __init__(
        self, random: Random, *, floors: int = 12, rated_speed: float = 1.75, lowest: int = -1, epoch: float = 0.0
    ) -> None:
        super().__init__(epoch=epoch)
        self._random = random
        self._lowest = lowest
        self.car = Car(random, floors=floors, pitch=3300.0, speed=rated_speed)
        self.ground = int(limited(1 - lowest, 1, floors))
        self.mode, self.code = NORMAL, 0
        self.load = 0.0
        self.fire = False
        self._calls = Arrivals(random, 86_400 / JOURNEYS)
        self._wanted: deque[int] = deque(maxlen=CALLS)
        self._serving = True
        self._keyed = False
        self._pressed = 0.0
        self._pulse, self._gap = 0.0, 0.0
        self._button = self._governor = self._ucm = self._curtain = self._ard = False
        self._chain = True
        self._recalled = False
        self._burning = 0.0
        self._motor, self._room = 48.0, 26.0
        self._battery, self._lining, self._worn_from, self._intercom = 98.0, LINING, LINING, 6.0
        self._current = 0.0
        self._noise = Wander(random, 0.4, 5.0)
        self._dt = 0.0
        self._frozen: tuple[int, float] | None = None

    def drift(self, dt: float) -> None:
        """Who comes meanwhile, what is warm, what runs empty, what wears."""
        if self._serving:
            self._calls.go(self.hour, dt)
        self._burning = self._burning + dt if self.fire else 0.0
        self._noise.step(dt)
        self._room = lag(self._room, 26.0 + self._noise.value, dt, 300.0)
        if self.on("motor_over_temp"):
            self._motor = ramp(self._motor, DRIVE_TRIP + 3.0, dt, self.param("motor_over_temp", "rate", 1.5) / 60)
        else:
            share = SHARES[int(self.hour)] / max(SHARES) if self._serving else 0.0
            self._motor = lag(self._motor, COLD + (WARM - COLD) * share, dt, 900.0)
        rate = -0.2 if self._ard else -0.002 if self._dark else 0.01
        self._battery = limited(self._battery + rate * dt, 20.0, 98.0)
        self._wear(dt)

    def leap(self, dt: float) -> None:
        """Let `dt` seconds go by unwatched; the journeys of that time are counted, and leave the car somewhere else."""
        super().leap(dt)
        if self._serving:
            self.car.unwatched(self._calls.take_all())

    def _wear(self, dt: float) -> None:
        """Lining and levelling follow their faults; the emergency call is tested every day, or not any more."""
        if self.on("brake_wear"):
            share = self.course("brake_wear", self.param("brake_wear", "seconds", 7_776_000.0))
            self._lining = self._worn_from + (WORN - self._worn_from) * share
        share = self.course("levelling_drift", self.param("levelling_drift", "seconds", 1_209_600.0))
        mean = 2.0 + (self.param("levelling_drift", "mm", 14.0) - 2.0) * share
        self.car.level_offset = mean if self.on("levelling_drift") else 0.0
        if self.on("intercom_untested"):
            self._intercom += dt / 3600 * 288_000.0 / self.param("intercom_untested", "seconds", 288_000.0)
        else:
            self._intercom = (self._intercom + dt / 3600) % 24.0

    @property
    def home(self) -> bool:
        """Whether the lift stands at the ground floor with its door open, recalled by the fire panel."""
        return self._recalled and self.car.floor == self.ground and self.car.door is Door.OPEN and not self.car.moving

    @property
    def _dark(self) -> bool:
        """Whether the lift has no main power: its own supply has failed, or the board that feeds it."""
        return not self.powered or self.on("main_power_lost")

    def values(self) -> dict[str, Value]:
        """Every point of a lift gateway."""
        return {**self._car_values(), **self._door_values(), **self._state_values(), **self._machine_values()}

    # what the gateway shows

    def _car_values(self) -> dict[str, Value]:
        car = self.car
        floor, position = self._frozen or (car.floor, car.position)
        label = floor - 1 + self._lowest
        return {
            "car.floor": floor,
            "car.floor_label": label + 1 if self._lowest < 0 <= label else label,
            "car.position": position,
            "car.direction": 0 if car.speed == 0.0 else 1 if car.speed > 0 else 2,
            "car.moving": car.moving,
            "car.motion": int(car.motion),
            "car.speed": car.speed,
            "car.in_door_zone": car.in_zone,
            "car.load": self.load,
            "car.full_load": self.load >= 80.0,
            "car.overload": self.load >= 110.0,
            "car.passenger_present": self.load > 2.0,
        }

    def _door_values(self) -> dict[str, Value]:
        car = self.car
        moving = car.door in (Door.OPENING, Door.CLOSING)
        return {
            "door.car.state": int(car.door),
            "door.car_b.state": None,
            "door.closed_limit": car.door is Door.CLOSED,
            "door.landing_lock_chain": car.door is Door.CLOSED,
            "door.cycle_time": car.open_time + car.close_time,
            "door.open_time": car.open_time,
            "door.close_time": car.close_time,
            "door.reopen_count": car.reopens,
            "door.reopen_last_cycle": car.reopens_now,
            "door.motor_current": 2.6 if car.jammed else 1.3 if moving else 0.4,
            "door.nudging": car.door is Door.CLOSING and car.door_seconds > NUDGE_AFTER,
            "safety.light_curtain": self._curtain,
        }

    def _state_values(self) -> dict[str, Value]:
        return {
            "mode.service": self.mode,
            "mode.inspection": self.mode == INSPECTION,
            "fire.return_active": self._recalled,
            "fire.firefighter": False,
            "fire.parked": self.home,
            "safety.chain_closed": self._chain and self._pulse <= 0.0,
            "safety.overspeed": self._governor,
            "safety.ucm": self._ucm,
            "safety.motion_timer": False,
            "alarm.car_button": self._button or self._pressed > 0.0,
            "alarm.intercom_active": self._button or self._pressed > 0.0,
            "alarm.intercom_ok": self._intercom < 72.0,
            "alarm.intercom_age": self._intercom,
            "fault.code": self.code,
            "fault.vendor_code": VENDOR.get(self.code, 99),
            "pit.water": self.on("pit_water", 2.0),
            "power.main_ok": not self._dark,
            "power.emergency_mode": self.mode == EMERGENCY_POWER,
            "power.ard_running": self._ard,
            "mr.door": False,
        }

    def _machine_values(self) -> dict[str, Value]:
        car = self.car
        slower = 110.0 * max(0.0, LINING - self._lining) / (LINING - WORN)
        return {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch),
            "dev.link": 1,
            "level.error": car.level_error,
            "brake.state": 0 if car.moving else 1,
            "brake.fault": False,
            "brake.release_time": car.release_time + slower,
            "brake.lining": self._lining,
            "brake.lining_mm": self._lining * 0.08,
            "brake.torque_test": 2 if self._lining < 20.0 else 1,
            "brake.torque_test_age": (6.0 + self.seconds / 3600) % 24.0,
            "drive.motor_temp": self._motor,
            "drive.current": max(0.0, self._current + (self._noise.value if self._current > 1 else 0.0)),
            "drive.fault_code": 9 if self.code == NO_RESTART else 0,
            "mr.temp": self._room,
            "power.ard_battery": self._battery,
            "power.ard_battery_v": 46.0 + self._battery * 0.08,
            "cnt.trips": car.trips,
            "cnt.starts": car.starts,
            "cnt.door_cycles": car.door_cycles,
            "cnt.run_hours": 5_120.0 + car.running_seconds / 3600,
            "cnt.rope_bends": car.bends,
        }
