"""The elevator model: traffic, fire recall, and the failures of lifts as scripts over the car's mechanics; pure.

Each failure is a generator that is resumed once a step, so that a time course reads from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from simulators.models.elevator_car import NUDGE_AFTER, Door
from simulators.models.elevator_state import (
    BACK,
    CHAIN,
    CYCLING,
    DOOR_CLOSE,
    EMERGENCY_POWER,
    FIRE_RETURN,
    IN_FIRE_RETURN,
    IN_INSPECTION,
    INSPECTION,
    MAINS_LOST,
    NO_RESTART,
    NORMAL,
    OUT_OF_SERVICE,
    OUTSIDE_ZONE,
    OVERSPEED,
    UNINTENDED,
    ElevatorState,
)
from simulators.models.physics import ramp

Script = Iterator[None]


class Elevator(ElevatorState):
    """A traction lift with one door, seen as its monitoring gateway sees it."""

    def __init__(
        self, random: Random, *, floors: int = 12, rated_speed: float = 1.75, lowest: int = -1, epoch: float = 0.0
    ) -> None:
        super().__init__(random, floors=floors, rated_speed=rated_speed, lowest=lowest, epoch=epoch)
        self._scripts: dict[str, Callable[[], Script]] = {
            "entrapment": self._entrapment, "door_cycling": self._door_cycling,
            "door_fails_to_close": self._door_fails_to_close, "overspeed": self._overspeed,
            "unintended_movement": self._unintended_movement, "overload_held": self._overload_held,
            "motor_over_temp": self._motor_over_temp, "main_power_lost": self._main_power_lost,
            "inspection_left_on": self._inspection_left_on,
        }  # fmt: skip
        self._script: Script = self._service()

    def began(self, fault: str) -> None:
        """A fault with a script takes the lift over; the others only change what is measured."""
        if fault in self._scripts:
            self._reset()
            self._script = self._scripts[fault]()
        if fault == "stuck_floor":
            self._frozen = (self.car.floor, self.car.position)

    def ended(self, fault: str) -> None:
        """What was only measured goes back at once; a script sees the end by itself."""
        if fault == "stuck_floor":
            self._frozen = None
        elif fault == "brake_wear":
            self._lining = 82.0

    def advance(self, dt: float) -> None:
        """One step of the mechanics, then of the script."""
        self._dt = dt
        self.car.advance(dt)
        if next(self._script, self) is self:
            self._script = self._service()
        if self.fire and not self._recalled and not self._rescuing and not self.active & self._scripts.keys():
            self._reset()
            self._script = self._fire_recall()
        self._heat(dt)

    # what the lift does

    def _service(self) -> Script:
        """Ordinary traffic: wait, fetch somebody, bring them somewhere."""
        while True:
            yield from self._wait(self._random.uniform(1.0, 14.0))
            self.code = 0
            floor, target = self._random.sample(range(1, self.car.floors + 1), 2)
            yield from self._run(floor)
            yield from self._open()
            self.load = self._random.uniform(8.0, 70.0)
            yield from self._wait(self._random.uniform(2.0, 5.0))
            yield from self._run(target)
            yield from self._open()
            self.load = 0.0
            yield from self._wait(self._random.uniform(2.0, 4.0))
            yield from self._close()

    def _fire_recall(self) -> Script:
        """Phase 1 of firefighters operation: to the fire floor without a stop, and stay there open."""
        self._recalled, self.mode, self.code = True, FIRE_RETURN, IN_FIRE_RETURN
        yield from self._run(1)
        yield from self._open()
        self.load = 0.0
        while self.fire:
            yield
        self._recalled, self.mode, self.code = False, NORMAL, BACK
        yield from self._wait(3.0)

    def _entrapment(self) -> Script:
        """Stops between two floors with people inside; later the alarm button; at the end the rescue."""
        yield from self._speed_up(0.7)
        while not self._stops_outside(1.3):
            yield
        self._chain, self.code = False, CHAIN
        self.car.brake(1.3)
        while self.car.moving:
            yield
        delay, waited = self.param("entrapment", "button_after", 20.0), 0.0
        while self.on("entrapment"):
            waited += self._dt
            self._button = waited >= delay and (waited - delay) % 25.0 < 20.0
            if waited > 5.0:
                self.code = OUTSIDE_ZONE
            yield
        yield from self._rescue()

    def _overspeed(self) -> Script:
        """Rated speed to 117 %, the governor trips, the safety gear stops the car in half a second."""
        yield from self._speed_up(self.car.rated_speed * 0.95)
        sign = 1 if self.car.speed > 0 else -1
        while abs(self.car.speed) < self.car.rated_speed * 1.17:
            self.car.push(sign * ramp(abs(self.car.speed), self.car.rated_speed * 1.171, self._dt, 0.4), self._dt)
            yield
        self._governor, self._chain, self.code = True, False, OVERSPEED
        self.car.brake(4.0)
        while self.on("overspeed"):
            yield
        yield from self._rescue()

    def _unintended_movement(self) -> Script:
        """The brake slips with the door open: 30 mm/s to 150 mm."""
        yield from self._settle()
        yield from self._open()
        start = self.car.position
        while self.on("unintended_movement"):
            away = abs(self.car.position - start)
            if away < 150.0:
                self.car.push(0.03 if self.car.floor < self.car.floors else -0.03, self._dt)
            else:
                self.car.speed = 0.0
            if away > 30.0:
                self._ucm, self._chain, self.code = True, False, UNINTENDED
            yield
        self.car.speed = 0.0
        yield from self._rescue()

    def _door_cycling(self) -> Script:
        """A dirty light curtain: the closing door opens again every 4 to 6 s and no trip begins."""
        yield from self._settle()
        yield from self._open()
        reopened = 0
        while self.on("door_cycling"):
            self.car.close()
            yield from self._wait(self._random.uniform(1.2, 2.0))
            self._curtain = True
            self.car.open()
            reopened += 1
            self.code = CYCLING if reopened >= 5 else self.code
            yield from self._wait(self._random.uniform(2.6, 3.6))
            self._curtain = False
        self.code = 0
        yield from self._close()

    def _door_fails_to_close(self) -> Script:
        """The door stays closing with twice the current."""
        yield from self._settle()
        yield from self._open()
        self.car.jammed = True
        self.car.close()
        while self.on("door_fails_to_close"):
            if self.car.door_seconds > NUDGE_AFTER:
                self.code = DOOR_CLOSE
            yield
        self.car.jammed, self.code = False, 0
        yield from self._close()

    def _overload_held(self) -> Script:
        yield from self._settle()
        yield from self._open()
        while self.on("overload_held"):
            self.load = 112.0
            yield
        self.load = 0.0

    def _motor_over_temp(self) -> Script:
        """The motor heats up by `rate` K/min; at 125 Cel the drive trips and the lift stays at the next floor."""
        while self.on("motor_over_temp") and self._motor < 125.0:
            yield from self._run(self._random.randrange(1, self.car.floors + 1))
            yield from self._wait(1.0)
        yield from self._settle()
        while self.on("motor_over_temp"):
            self.mode, self.code = OUT_OF_SERVICE, NO_RESTART
            yield
        self.mode, self.code = NORMAL, BACK

    def _main_power_lost(self) -> Script:
        """The car stops; then the rescue device brings it slowly to the nearest floor and opens."""
        self.code = MAINS_LOST
        self.car.brake(1.5)
        yield from self._wait(10.0)
        self.mode, self._ard = EMERGENCY_POWER, True
        yield from self._crawl(0.3)
        yield from self._open()
        self._ard, self.load = False, 0.0
        while self.on("main_power_lost"):
            yield
        self.mode, self.code = NORMAL, BACK
        yield from self._close()

    def _inspection_left_on(self) -> Script:
        yield from self._settle()
        self.mode, self.code = INSPECTION, IN_INSPECTION
        while self.on("inspection_left_on"):
            yield
        self.mode, self.code = NORMAL, BACK

    def _rescue(self) -> Script:
        """Somebody from the crew brings the car to a floor by inspection speed, lets the people out, and resets."""
        self._rescuing = True
        self.mode, self.code = INSPECTION, IN_INSPECTION
        self._button = self._governor = self._ucm = False
        self._chain = True
        yield from self._crawl(0.5)
        yield from self._open()
        self.load = 0.0
        yield from self._wait(15.0)
        self._rescuing = False
        self.mode, self.code = NORMAL, BACK
        yield from self._close()

    # the moves that scripts are made of

    def _wait(self, seconds: float) -> Script:
        left = seconds
        while left > 0:
            left -= self._dt
            yield

    def _open(self) -> Script:
        self.car.open()
        while self.car.door is not Door.OPEN:
            yield

    def _close(self) -> Script:
        self.car.close()
        while self.car.door is not Door.CLOSED:
            yield

    def _settle(self) -> Script:
        while self.car.moving:
            yield

    def _run(self, floor: int) -> Script:
        yield from self._settle()
        yield from self._close()
        self.car.go(floor)
        yield from self._settle()

    def _crawl(self, speed: float) -> Script:
        yield from self._settle()
        self.car.go(self.car.floor, speed=speed, acceleration=0.5)
        yield from self._settle()

    def _speed_up(self, speed: float) -> Script:
        """With people inside, on a run that is long enough, until the car is as fast as `speed`."""
        self.load = max(self.load, 22.0)
        while abs(self.car.speed) < speed:
            if not self.car.moving and self.car.door is Door.CLOSED:
                self.car.go(1 if self.car.floor > self.car.floors // 2 else self.car.floors)
            elif not self.car.moving:
                self.car.close()
            yield

    def _stops_outside(self, rate: float) -> bool:
        """Whether braking now ends well between two floors."""
        if not self.car.moving:
            self.car.go(1 if self.car.floor > self.car.floors // 2 else self.car.floors)
        share = (self.car.position + self.car.stop_distance(rate)) / self.car.pitch % 1.0
        return abs(self.car.speed) > 0.7 and 0.2 < share < 0.8

    def _reset(self) -> None:
        """A clean start for a new script, whatever the last one left behind."""
        self._button = self._governor = self._ucm = self._curtain = self._ard = False
        self._chain, self._recalled, self._rescuing, self.car.jammed = True, False, False, False
        self.mode, self.code = NORMAL, 0
