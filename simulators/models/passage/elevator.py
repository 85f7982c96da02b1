"""The elevator model: traffic, fire recall, and the failures of lifts as scripts over the car's mechanics; pure.

Each failure is a generator that is resumed once a step, so that a time course reads from top to bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random

from simulators.models.passage.elevator_car import AT_FLOOR, LATECOMERS, NUDGE_AFTER, Door, Motion
from simulators.models.passage.elevator_state import (
    BACK,
    CHAIN,
    CYCLING,
    DOOR_CLOSE,
    DOOR_OPEN,
    DRIVE_TRIP,
    EMERGENCY_POWER,
    FIRE_RETURN,
    IN_FIRE_RETURN,
    IN_INSPECTION,
    INSPECTION,
    MAINS_LOST,
    NEW,
    NO_RESTART,
    NORMAL,
    OUT_OF_SERVICE,
    OUTSIDE_ZONE,
    OVERSPEED,
    RESTARTING,
    UNINTENDED,
    ElevatorState,
)
from simulators.models.physics import lag, limited, ramp

Script = Iterator[None]


class Elevator(ElevatorState):
    """A traction lift with one door, seen as its monitoring gateway sees it."""

    def __init__(
        self, random: Random, *, floors: int = 12, rated_speed: float = 1.75, lowest: int = -1, epoch: float = 0.0
    ) -> None:
        super().__init__(random, floors=floors, rated_speed=rated_speed, lowest=lowest, epoch=epoch)
        self._scripts: dict[str, Callable[[], Script]] = {
            "entrapment": self._entrapment, "door_cycling": self._door_cycling,
            "door_fails_to_close": self._door_fails_to_close, "door_fails_to_open": self._door_fails_to_open,
            "overspeed": self._overspeed, "unintended_movement": self._unintended_movement,
            "overload_held": self._overload_held, "main_power_lost": self._main_power_lost,
            "inspection_left_on": self._inspection,
        }  # fmt: skip
        self._script: Script = self._service()

    def began(self, fault: str) -> None:
        """A fault with a script takes the lift over; the others only change what is measured."""
        if fault in self._scripts:
            self._reset()
            self._begin(self._scripts[fault]())
        elif fault == "stuck_floor":
            self._frozen = (self.car.floor, self.car.position)
        elif fault == "brake_wear":
            self._worn_from = self._lining
        elif fault == "intercom_untested":
            self._intercom = 0.0

    def ended(self, fault: str) -> None:
        """What was only measured goes back at once; a script sees the end by itself."""
        if fault == "stuck_floor":
            self._frozen = None
        elif fault == "brake_wear":
            self._lining = NEW
        elif fault == "intercom_untested":
            self._intercom = 0.0
        elif fault == "chain_chatter":
            self._pulse = self._gap = 0.0

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Buttons and keys; a reset does nothing while the cause is still there."""
        if act == "press_alarm":
            self._pressed = params.get("seconds", 3.0)
        elif act == "call":
            self._wanted.append(int(limited(params.get("floor", 1.0), 1, self.car.floors)))
        elif act == "reset":
            if self._serving:
                self._begin(self._restart(), yields=True)
        else:
            self._keyed = act == "inspection_on"

    def advance(self, dt: float) -> None:
        """One step of the mechanics, then of the script; ordinary service gives way to what is due."""
        self._dt = dt
        self.car.advance(dt)
        self._pressed = max(0.0, self._pressed - dt)
        self._chatter(dt)
        if next(self._script, self) is self:
            faults = sorted(self.active & self._scripts.keys())
            self._begin(self._scripts[faults[0]]() if faults else None)
        if self._serving or (self._yields and self._dark):
            self._give_way()
        target = {Motion.STOPPED: 0.0, Motion.ACCELERATING: 31.0, Motion.RUNNING: 15.0}.get(self.car.motion, 9.0)
        target = 0.0 if self._dark or not self._chain else target * (0.8 + self.load / 250)
        self._current = lag(self._current, target, dt, 0.3)

    def _begin(self, script: Script | None, *, yields: bool = False) -> None:
        """Go on with a script, or with ordinary service. One that `yields` is cut short when the power goes."""
        self._serving, self._yields = script is None, yields
        self._script = script or self._service()

    def _give_way(self) -> None:
        if self._dark:
            self._begin(self._main_power_lost())
            return
        late = self.param("recall_late", "delay", 120.0) if self.on("recall_late") else 0.0
        if self.fire and self._burning >= late and not self.on("recall_fails"):
            self._begin(self._fire_recall(), yields=True)
        elif self._motor >= DRIVE_TRIP:
            self._begin(self._drive_trip())
        elif self._keyed:
            self._begin(self._inspection(), yields=True)

    def _chatter(self, dt: float) -> None:
        """A bad contact: now and then the chain of the standing lift is open for a moment."""
        if not self.on("chain_chatter"):
            return
        self._pulse -= dt
        self._gap -= dt
        if self._gap <= 0.0 and not self.car.moving:
            self._pulse = self._random.uniform(0.05, 0.2)
            self._gap = 3600 / self.param("chain_chatter", "per_hour", 8.0) * self._random.uniform(0.8, 1.2)

    # what the lift does

    def _service(self) -> Script:
        """Ordinary traffic: whoever has come is fetched and brought somewhere; calls from the landing go before."""
        yield from self._wait(3.0)
        self.code = 0
        yield from self._close()
        while True:
            while not (self._wanted or self._calls.due):
                yield
            if self._wanted:
                yield from self._stop_at(self._wanted.popleft())
                yield from self._close()
            else:
                self._calls.take()
                yield from self._journey()

    def _journey(self) -> Script:
        floor, target = self._random.sample(range(1, self.car.floors + 1), 2)
        yield from self._stop_at(floor)
        self.load = self._random.uniform(8.0, 70.0)
        yield from self._wait(self._random.uniform(1.0, 3.0))
        yield from self._stop_at(target)
        self.load = 0.0
        yield from self._close()
        if self._random.random() < LATECOMERS:
            yield from self._stop_at(target)
            yield from self._close()

    def _stop_at(self, floor: int) -> Script:
        yield from self._run(floor)
        yield from self._open()
        yield from self._wait(self._random.uniform(2.0, 4.0))

    def _fire_recall(self) -> Script:
        """Phase 1 of firefighters operation: to the ground floor without a stop, and stay there open."""
        self._recalled, self.mode, self.code = True, FIRE_RETURN, IN_FIRE_RETURN
        yield from self._run(self.ground)
        yield from self._open()
        self.load = 0.0
        while self.fire:
            yield
        self._recalled, self.mode, self.code = False, NORMAL, BACK

    def _restart(self) -> Script:
        """The controller starts anew, which takes it 5 s."""
        yield from self._settle()
        self.mode, self.code = OUT_OF_SERVICE, RESTARTING
        yield from self._wait(5.0)
        self.mode, self.code = NORMAL, BACK

    def _entrapment(self) -> Script:
        """Stops between two floors with people inside; they press the alarm button; at the end the rescue."""
        rate = self.car.rated_speed / 1.5
        yield from self._speed_up(0.7)
        while not self._stops_outside(rate):
            yield
        self._chain, self.code = False, CHAIN
        self.car.brake(rate)
        yield from self._settle()
        first, stopped = self.param("entrapment", "button_after", 20.0), self.seconds
        while self.on("entrapment"):
            waited = self.seconds - stopped
            self._button = 0.0 <= waited - first < 70.0 and (waited - first) % 10.0 < 4.0
            if waited > 5.0:
                self.code = OUTSIDE_ZONE
            yield
        yield from self._rescue()

    def _overspeed(self) -> Script:
        """Rated speed to 117 %, the governor trips, the safety gear stops the car in half a second between floors."""
        top = self.car.rated_speed * 1.17
        yield from self._settle()
        yield from self._speed_up(0.95)
        sign = 1 if self.car.speed > 0 else -1
        while abs(self.car.speed) < top or not self._ends_outside(top / 0.5):
            self.car.push(sign * ramp(abs(self.car.speed), top, self._dt, 0.4), self._dt)
            yield
        self._governor, self._chain, self.code = True, False, OVERSPEED
        self.car.brake(top / 0.5)
        while self.on("overspeed"):
            yield
        yield from self._rescue()

    def _unintended_movement(self) -> Script:
        """The brake slips with the door open: 5 mm/s to 150 mm, where the safety gear sees and holds it."""
        yield from self._let_out()
        start, sign = self.car.position, 1 if self.car.floor < self.car.floors else -1
        while self.on("unintended_movement") and abs(self.car.position - start) < 150.0:
            self.car.push(sign * 0.005, self._dt)
            yield
        self.car.speed = 0.0
        while self.on("unintended_movement"):
            self._ucm, self._chain, self.code = True, False, UNINTENDED
            yield
        yield from self._rescue()

    def _door_cycling(self) -> Script:
        """A dirty light curtain: the closing door opens again every 6 s or so and no trip begins."""
        yield from self._let_out()
        reopened = 0
        while self.on("door_cycling"):
            self.car.close()
            yield from self._wait(self._random.uniform(1.2, 2.0))
            self._curtain = True
            self.car.open()
            reopened += 1
            self.code = CYCLING if reopened >= 5 else self.code
            yield from self._wait(self._random.uniform(4.0, 5.0))
            self._curtain = False
        self.code = 0

    def _door_fails_to_close(self) -> Script:
        """The door stays closing with twice the current; after a minute of it the lift parks with its door open."""
        yield from self._let_out()
        self.load = 0.0
        self.car.jammed = True
        self.car.close()
        while self.on("door_fails_to_close"):
            if self.car.door is Door.CLOSING and self.car.door_seconds > NUDGE_AFTER:
                self.code = DOOR_CLOSE
            if self.car.door is Door.CLOSING and self.car.door_seconds > 60.0:
                self.car.jammed, self.mode = False, OUT_OF_SERVICE
                self.car.open()
            yield
        self.car.jammed, self.mode, self.code = False, NORMAL, BACK

    def _door_fails_to_open(self) -> Script:
        """The door of the empty car stays opening with twice the current."""
        yield from self._let_out()
        self.load = 0.0
        yield from self._close()
        self.car.jammed = True
        self.car.open()
        while self.on("door_fails_to_open"):
            if self.car.door_seconds > NUDGE_AFTER:
                self.code = DOOR_OPEN
            yield
        self.car.jammed, self.code = False, BACK

    def _overload_held(self) -> Script:
        yield from self._let_out()
        while self.on("overload_held"):
            self.load = 112.0
            yield
        self.load = 0.0

    def _drive_trip(self) -> Script:
        """The drive is too hot: the lift stops at the next floor, lets the people out, and waits until it is cooler."""
        while self.car.motion is Motion.ACCELERATING:
            yield
        self.car.stop_ahead()
        yield from self._let_out()
        self.load = 0.0
        while self._motor > DRIVE_TRIP - 10.0:
            self.mode, self.code = OUT_OF_SERVICE, NO_RESTART
            yield
        self.mode, self.code = NORMAL, BACK

    def _main_power_lost(self) -> Script:
        """The car stops; then the rescue device brings it slowly to the nearest floor and opens.

        When the power is back before that, the lift itself does, and goes on.
        """
        self._recalled, self.code, waited = False, MAINS_LOST, 0.0
        self.car.brake(1.5)
        while self._dark and waited < 12.0:
            waited += self._dt
            yield
        if self._dark:
            self.mode, self._ard = EMERGENCY_POWER, True
        yield from self._let_out(0.3)
        self._ard, self.load = False, 0.0
        while self._dark:
            yield
        self.mode, self.code = NORMAL, BACK

    def _inspection(self) -> Script:
        """Somebody has turned the key, for work or by the fault that it was forgotten."""
        yield from self._settle()
        while self._keyed or self.on("inspection_left_on"):
            self.mode, self.code = INSPECTION, IN_INSPECTION
            yield
        self.mode, self.code = NORMAL, BACK

    def _rescue(self) -> Script:
        """Somebody from the crew brings the car to a floor by inspection speed, lets the people out, and resets."""
        self.mode, self.code = INSPECTION, IN_INSPECTION
        self._button = self._governor = self._ucm = False
        self._chain = True
        yield from self._let_out()
        self.load = 0.0
        yield from self._wait(15.0)
        self.mode, self.code = NORMAL, BACK

    # the moves that scripts are made of

    def _wait(self, seconds: float) -> Script:
        until = self.seconds + seconds
        while self.seconds < until:
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

    def _let_out(self, speed: float = 0.5) -> Script:
        """Stand at a floor with the door open; a car that has stopped elsewhere first crawls to the nearest floor."""
        yield from self._settle()
        if self.car.away >= AT_FLOOR:
            yield from self._close()
            self.car.go(self.car.floor, speed=speed, acceleration=0.5)
            yield from self._settle()
        yield from self._open()

    def _speed_up(self, share: float) -> Script:
        """With people inside, on a run that is long enough, until the car has this share of its top speed."""
        self.load = max(self.load, 22.0)
        while abs(self.car.speed) < self.car.top_speed * share:
            if not self.car.moving and self.car.door is Door.CLOSED:
                self.car.go(1 if self.car.floor > self.car.floors // 2 else self.car.floors)
            elif not self.car.moving:
                self.car.close()
            yield

    def _stops_outside(self, rate: float) -> bool:
        """Whether braking now ends well between two floors."""
        if not self.car.moving:
            self.car.go(1 if self.car.floor > self.car.floors // 2 else self.car.floors)
        return abs(self.car.speed) > self.car.top_speed * 0.7 and self._ends_outside(rate)

    def _ends_outside(self, rate: float) -> bool:
        """Whether braking now ends between two floors, or no floor is left to pass."""
        end = (self.car.position + self.car.stop_distance(rate)) / self.car.pitch
        return 0.2 < end % 1.0 < 0.8 or not 0.0 < end < self.car.floors - 1

    def _reset(self) -> None:
        """A clean start for a new script, whatever the last one left behind."""
        self._button = self._governor = self._ucm = self._curtain = self._ard = False
        self._chain, self._recalled, self.car.jammed = True, False, False
        self.mode, self.code = NORMAL, 0
