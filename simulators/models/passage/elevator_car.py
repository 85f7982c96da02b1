"""The mechanics of a lift car: position, speed, door, brake, counters; pure. `elevator` decides what it does."""

from __future__ import annotations

import math
from enum import IntEnum
from random import Random

from simulators.models.passage.traffic import some
from simulators.models.physics import Trip, limited

ZONE = 200.0
"""Half of the unlocking zone, mm."""

ACCELERATION = 0.9
"""Of an ordinary run, m/s2."""

AT_FLOOR = 50.0
"""A car that is so near its floor need not move to be there, mm."""

LATECOMERS = 0.4
"""The share of journeys after which the door opens once more without a trip."""

NUDGE_AFTER = 10.0
"""Seconds of closing after which the door closes by force."""


class Door(IntEnum):
    """The car door, numbered as the point `door.car.state`."""

    CLOSED = 0
    OPENING = 1
    OPEN = 2
    CLOSING = 3
    FAULT = 4


class Motion(IntEnum):
    """The phase of a run, numbered as the point `car.motion`."""

    STOPPED = 0
    ACCELERATING = 1
    RUNNING = 2
    DECELERATING = 3
    RELEVELLING = 4


class Car:
    """A car on its rails. Positions in mm above the lowest floor, speeds in m/s, floors from 1."""

    def __init__(self, random: Random, *, floors: int, pitch: float, speed: float) -> None:
        self.random = random
        self.floors = floors
        self.pitch = pitch
        self.rated_speed = speed
        self.position = float(random.randrange(floors)) * pitch
        self.speed = 0.0
        self.motion = Motion.STOPPED
        self.door = Door.CLOSED
        self.door_seconds = 0.0
        self.jammed = False
        self.open_time, self.close_time = 2.4, 2.8
        self.reopens_now = 0
        self.level_error, self.level_offset = 1.0, 0.0
        self.release_time = 150.0
        self.running_seconds = 0.0
        self.trips, self.starts, self.door_cycles, self.reopens, self.bends = 184_210, 186_455, 301_877, 412, 553_000
        self._trip: Trip | None = None
        self._from = 0.0
        self._elapsed = 0.0
        self._braking = 0.0
        self._stroke = self.open_time

    @property
    def floor(self) -> int:
        """The nearest floor."""
        return int(limited(round(self.position / self.pitch) + 1, 1, self.floors))

    @property
    def in_zone(self) -> bool:
        """Whether the doors may be unlocked here."""
        return self.away <= ZONE

    @property
    def moving(self) -> bool:
        """Whether the car moves or is about to stop."""
        return self.motion is not Motion.STOPPED

    @property
    def top_speed(self) -> float:
        """The highest speed of its longest run, m/s; a lift of two floors may not reach its rated speed."""
        return Trip((self.floors - 1) * self.pitch / 1000, self.rated_speed, ACCELERATION).top

    @property
    def away(self) -> float:
        """How far the car stands from its nearest floor, mm."""
        return abs(self.position - (self.floor - 1) * self.pitch)

    def go(self, floor: int, *, speed: float | None = None, acceleration: float = ACCELERATION) -> None:
        """Start a run to a floor from standstill; nothing when the car is there."""
        target = (floor - 1) * self.pitch
        if abs(target - self.position) < AT_FLOOR:
            return
        if speed is None:
            # a governed stop is never perfect: a few millimetres, kept as the levelling error
            self.level_error = self._new_error()
            target += self.level_error
        self._trip = Trip((target - self.position) / 1000, speed or self.rated_speed, acceleration)
        self._from, self._elapsed, self._braking = self.position, 0.0, 0.0
        self.motion = Motion.ACCELERATING
        self.starts += 1
        self.release_time = limited(self.random.gauss(150.0, 3.0), 140.0, 160.0)

    def stop_ahead(self) -> None:
        """Out of a run at full speed, stop at the next floor that can be reached by 1 m/s2."""
        if self.motion is not Motion.RUNNING:
            return
        reach = (self.position + self.stop_distance(1.0)) / self.pitch
        floor = math.ceil(reach) if self.speed > 0 else math.floor(reach)
        self.level_error = 0.0
        self.brake(self.speed**2 / (2 * abs(floor * self.pitch - self.position) / 1000))

    def brake(self, rate: float) -> None:
        """Stop wherever the car is, by `rate` m/s2: the safety chain has opened."""
        self._trip, self._braking = None, rate

    def stop_distance(self, rate: float) -> float:
        """mm the car would still go when it brakes now (signed)."""
        return self.speed * abs(self.speed) / (2 * rate) * 1000

    def push(self, speed: float, dt: float) -> None:
        """Move by `speed` whatever the drive wants: overspeed, or a slipping brake."""
        self._trip, self._braking = None, 0.0
        self.speed = speed
        self._travel(speed * dt * 1000)

    def open(self) -> None:
        """Begin to open the door, also out of a closing one (a reopening)."""
        if self.door is Door.CLOSING:
            self.reopens += 1
            self.reopens_now += 1
        elif self.door is Door.CLOSED:
            self.reopens_now = 0
        if self.door not in (Door.OPEN, Door.OPENING):
            self._move_door(Door.OPENING, 2.4)

    def close(self) -> None:
        """Begin to close the door."""
        if self.door in (Door.OPEN, Door.OPENING, Door.FAULT):
            self._move_door(Door.CLOSING, 2.8)

    def unwatched(self, journeys: int) -> None:
        """Count journeys that nobody watched: to somebody, and with them to another floor, both drawn evenly."""
        floors = self.floors
        trips = journeys + some(self.random, journeys, 1 - 1 / floors)
        self.trips += trips
        self.starts += trips
        self.door_cycles += 2 * journeys + some(self.random, journeys, LATECOMERS)
        self.bends += round(trips * (floors + 1) / 3)
        self.running_seconds += (
            trips * Trip((floors + 1) / 3 * self.pitch / 1000, self.rated_speed, ACCELERATION).duration
        )
        if journeys and not self.moving and self.door is Door.CLOSED:
            self.level_error = self._new_error()
            self.position = self.random.randrange(floors) * self.pitch + self.level_error

    def advance(self, dt: float) -> None:
        """One step of motion and door."""
        self._advance_door(dt)
        if self._trip:
            self._advance_trip(dt)
        elif self._braking:
            self._advance_braking(dt)
        if self.moving:
            self.running_seconds += dt

    def _new_error(self) -> float:
        return self.level_offset + limited(self.random.gauss(0.0, 2.0), -6.0, 6.0)

    def _move_door(self, door: Door, stroke: float) -> None:
        self.door, self.door_seconds = door, 0.0
        self._stroke = limited(self.random.gauss(stroke, 0.06), stroke * 0.9, stroke * 1.1)

    def _advance_door(self, dt: float) -> None:
        self.door_seconds += dt
        if self.door_seconds < self._stroke or self.jammed:
            return
        if self.door is Door.OPENING:
            self.door, self.open_time = Door.OPEN, self._stroke
        elif self.door is Door.CLOSING:
            self.door, self.close_time = Door.CLOSED, self._stroke
            self.door_cycles += 1

    def _advance_trip(self, dt: float) -> None:
        trip = self._trip
        if trip is None:
            return
        self._elapsed += dt
        travelled, self.speed = trip.at(self._elapsed)
        self._travel(self._from + travelled * 1000 - self.position)
        if self._elapsed >= trip.duration:
            self._trip, self.motion, self.speed = None, Motion.STOPPED, 0.0
            self.trips += 1
        elif self._elapsed < trip.accelerating:
            self.motion = Motion.ACCELERATING
        elif self._elapsed > trip.duration - trip.accelerating:
            self.motion = Motion.DECELERATING
        else:
            self.motion = Motion.RUNNING

    def _advance_braking(self, dt: float) -> None:
        before, rate = self.speed, self._braking
        dt = min(dt, abs(before) / rate)
        self.speed = before - math.copysign(rate * dt, before)
        self._travel((before + self.speed) / 2 * dt * 1000)
        self.motion = Motion.DECELERATING
        if abs(self.speed) < 1e-9:
            self.speed, self._braking, self.motion = 0.0, 0.0, Motion.STOPPED

    def _travel(self, distance: float) -> None:
        before = self.floor
        self.position = limited(self.position + distance, -ZONE, (self.floors - 1) * self.pitch + ZONE)
        self.bends += abs(self.floor - before)
