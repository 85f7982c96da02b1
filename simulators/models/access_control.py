"""The access controller model: doors with contact, lock, button and reader, and the events they leave; pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import ramp


class State(IntEnum):
    """A door, numbered as `door[n].state`."""

    CLOSED_LOCKED = 0
    CLOSED_UNLOCKED = 1
    OPEN_AUTHORISED = 2
    FORCED = 3
    HELD = 4
    FIRE_RELEASED = 5
    FAULT = 6


SWIPE, NO_RIGHTS, OUTSIDE_TIME, BUTTON, OPENED, CLOSED = 1, 6, 13, 20, 23, 24
TOO_LONG, FORCED, FIRE = 37, 38, 39
"""Event reasons as the boards number them."""

COUNTERS = {
    SWIPE: "event.granted", NO_RIGHTS: "event.denied.no_rights", OUTSIDE_TIME: "event.denied.time",
    BUTTON: "event.push_button", OPENED: "event.door_opened", CLOSED: "event.door_closed", TOO_LONG: "event.held",
    FORCED: "event.forced", FIRE: "event.fire",
}  # fmt: skip

UNLOCK_SECONDS = 5.0
HELD_AFTER = 30.0


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the controller's log. `card` is 0 where no card was shown."""

    index: int
    epoch: float
    door: int
    reason: int
    granted: bool
    card: int = 0


@dataclass(slots=True)
class DoorUnit:
    """One door and its reader."""

    opened: bool = False
    unlocked: bool = False
    pressed: bool = False
    state: State = State.CLOSED_LOCKED
    open_seconds: float = 0.0
    open_count: int = 1000
    last_reason: int = CLOSED
    tamper: bool = False
    reader_online: bool = True
    pass_left: float = 0.0
    """Seconds until the person who passes has closed the door again; 0 when nobody does."""
    open_at: float = 0.0
    until_next: float = field(default=10.0)


class AccessController(Model):
    """A controller of up to eight doors. `fire` is its input from the fire panel."""

    FAULTS = frozenset(
        {
            "forced_open",
            "held_open",
            "reader_tamper",
            "fire_release",
            "fire_release_fails",
            "credential_attack",
            "rex_stuck",
            "clock_drift",
            "ac_fault",
            "controller_tamper",
        }
    )

    def __init__(self, random: Random, *, doors: int = 4, traffic: float = 60.0, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self._random = random
        self._traffic = traffic
        self.fire = False
        self.doors = [DoorUnit(until_next=random.uniform(3.0, traffic)) for _ in range(doors)]
        self.events: deque[Event] = deque(maxlen=64)
        self.index = 88_100
        self._counts = dict.fromkeys(COUNTERS.values(), 0)
        self._battery = 13.6
        self._attack = 0.0

    @property
    def released(self) -> bool:
        """Whether every door is unlocked by the fire input."""
        return all(door.state is State.FIRE_RELEASED for door in self.doors)

    def advance(self, dt: float) -> None:
        """Every door, then the controller's supply."""
        fire = self.fire or self.on("fire_release")
        for number, door in enumerate(self.doors, 1):
            stays = self.on("fire_release_fails") and number == self._door("fire_release_fails")
            if fire and not stays:
                self._release(number, door)
            else:
                self._ordinary(number, door, dt)
            self._flags(number, door)
            if door.opened:
                door.open_seconds += dt
        self._battery = ramp(self._battery, 11.4 if self.on("ac_fault") else 13.6, dt, 2.2 / 600)
        if self.on("credential_attack"):
            self._attack += dt
            if self._attack >= 4.0:
                self._attack = 0.0
                self._log(self._door("credential_attack"), NO_RIGHTS, granted=False, card=self._card())

    def values(self) -> dict[str, Value]:
        """Doors, readers, event counters and the controller itself."""
        found: dict[str, Value] = {}
        for number, door in enumerate(self.doors, 1):
            found.update(self._door_values(number, door))
        found.update(self._counts)
        offset = self.param("clock_drift", "seconds", 95.0) if self.on("clock_drift") else 0.0
        return found | {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch + offset),
            "ctl.online": True,
            "ctl.clock_offset": offset,
            "ctl.error": 0,
            "ctl.batt_v": self._battery,
            "ctl.batt_ok": self._battery > 11.5,
            "ctl.ac_ok": not self.on("ac_fault"),
            "ctl.event_index": self.index,
            "ctl.tamper": self.on("controller_tamper"),
            "ctl.fire_input": self.fire or self.on("fire_release"),
            "ctl.memory_error": False,
        }

    def _door(self, fault: str) -> int:
        return min(len(self.doors), max(1, int(self.param(fault, "door", 1.0))))

    def _here(self, fault: str, number: int) -> bool:
        return self.on(fault) and self._door(fault) == number

    def _ordinary(self, number: int, door: DoorUnit, dt: float) -> None:
        """A day at a door: people pass; somebody forces it or keeps it open."""
        if door.state is State.FIRE_RELEASED:
            self._shut(number, door)
        if self._here("forced_open", number):
            self._force(number, door)
        elif self._here("held_open", number):
            self._hold(number, door)
        elif door.state in (State.FORCED, State.HELD):
            self._shut(number, door)
        elif door.pass_left > 0:
            self._pass(number, door, dt)
        else:
            door.until_next -= dt
            if door.until_next <= 0:
                self._visit(number, door)

    def _visit(self, number: int, door: DoorUnit) -> None:
        """Somebody comes: usually a good card or the exit button, now and then a card without rights."""
        door.until_next = self._random.expovariate(1 / self._traffic) + 4.0
        chance = self._random.random()
        if chance > 0.97:
            self._log(number, OUTSIDE_TIME if chance > 0.985 else NO_RIGHTS, granted=False, card=self._card())
            return
        self._grant(number, door, button=chance < 0.4)

    def _grant(self, number: int, door: DoorUnit, *, button: bool) -> None:
        door.pressed, door.unlocked = button, True
        door.pass_left = self._random.uniform(6.0, 9.0)
        door.open_at = door.pass_left - self._random.uniform(1.2, 2.5)
        door.state = State.CLOSED_UNLOCKED
        self._log(number, BUTTON if button else SWIPE, granted=True, card=0 if button else self._card())

    def _pass(self, number: int, door: DoorUnit, dt: float) -> None:
        door.pass_left -= dt
        if not door.opened and 2.0 < door.pass_left <= door.open_at:
            self._open(number, door, State.OPEN_AUTHORISED)
        if door.pass_left <= 2.0:
            door.unlocked = door.pressed = False
        if door.pass_left <= 0:
            self._shut(number, door)

    def _force(self, number: int, door: DoorUnit) -> None:
        """The contact opens while the lock is locked and nobody was granted."""
        if door.state is State.FORCED:
            return
        door.unlocked = door.pressed = False
        door.pass_left = 0.0
        if not door.opened:
            self._open(number, door, State.FORCED, log=False)
        door.state = State.FORCED
        self._log(number, FORCED, granted=False)

    def _hold(self, number: int, door: DoorUnit) -> None:
        """A good card, the door opens, and something keeps it open."""
        if not door.opened:
            self._grant(number, door, button=False)
            self._open(number, door, State.OPEN_AUTHORISED)
            door.open_seconds = 0.0
        door.unlocked = not self.on("held_open", UNLOCK_SECONDS)
        door.pass_left = 0.0
        if door.state is not State.HELD and self.on("held_open", self.param("held_open", "after", HELD_AFTER)):
            door.state = State.HELD
            self._log(number, TOO_LONG, granted=False)

    def _release(self, number: int, door: DoorUnit) -> None:
        if door.state is not State.FIRE_RELEASED:
            door.state, door.unlocked, door.pass_left = State.FIRE_RELEASED, True, 0.0
            self._log(number, FIRE, granted=True)

    def _open(self, number: int, door: DoorUnit, state: State, *, log: bool = True) -> None:
        door.opened, door.state, door.open_seconds = True, state, 0.0
        door.open_count += 1
        if log:
            self._log(number, OPENED, granted=True)

    def _shut(self, number: int, door: DoorUnit) -> None:
        if door.opened:
            self._log(number, CLOSED, granted=True)
        door.opened = door.unlocked = door.pressed = False
        door.pass_left, door.open_seconds, door.state = 0.0, 0.0, State.CLOSED_LOCKED

    def _flags(self, number: int, door: DoorUnit) -> None:
        door.tamper = self._here("reader_tamper", number)
        door.reader_online = not (door.tamper and self.on("reader_tamper", 2.0))
        if self._here("rex_stuck", number):
            door.pressed = True
        elif door.pressed and door.pass_left <= 0:
            door.pressed = False

    def _card(self) -> int:
        return self._random.randrange(8_100_000, 8_100_400)

    def _log(self, number: int, reason: int, *, granted: bool, card: int = 0) -> None:
        self.index += 1
        self._counts[COUNTERS[reason]] += 1
        self.doors[number - 1].last_reason = reason
        self.events.append(Event(self.index, self.epoch, number, reason, granted, card))

    def _door_values(self, number: int, door: DoorUnit) -> dict[str, Value]:
        key = f"door[{number}]."
        return {
            key + "contact": door.opened,
            key + "lock": int(door.unlocked),
            key + "mode": 3,
            key + "state": int(door.state),
            key + "rex": door.pressed,
            key + "forced": door.state is State.FORCED,
            key + "held": door.state is State.HELD,
            key + "fire_release": door.state is State.FIRE_RELEASED,
            key + "bypass": False,
            key + "open_seconds": int(door.open_seconds),
            key + "open_count": door.open_count,
            key + "last_reason": door.last_reason,
            key + "last_reader": number if door.last_reason in (SWIPE, NO_RIGHTS, OUTSIDE_TIME) else 0,
            f"reader[{number}].tamper": door.tamper,
            f"reader[{number}].online": door.reader_online,
        }
