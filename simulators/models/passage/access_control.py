"""The access controller model: doors with contact, lock, button and reader, and the events they leave; pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from random import Random

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.passage.traffic import Arrivals, some
from simulators.models.physics import limited, ramp


class State(IntEnum):
    """A door, numbered as `door[n].state`."""

    CLOSED_LOCKED = 0
    CLOSED_UNLOCKED = 1
    OPEN_AUTHORISED = 2
    FORCED = 3
    HELD = 4
    FIRE_RELEASED = 5
    FAULT = 6


CLOSED_STATES = (State.CLOSED_LOCKED, State.CLOSED_UNLOCKED)

SWIPE, NO_RIGHTS, OUTSIDE_TIME, UNKNOWN, BUTTON, OPENED, CLOSED = 1, 6, 13, 18, 20, 23, 24
TOO_LONG, FORCED, FIRE = 37, 38, 39
"""Event reasons as the boards number them."""

COUNTERS = {
    SWIPE: "event.granted", NO_RIGHTS: "event.denied.no_rights", OUTSIDE_TIME: "event.denied.time",
    UNKNOWN: "event.denied.unknown",
    BUTTON: "event.push_button", OPENED: "event.door_opened", CLOSED: "event.door_closed", TOO_LONG: "event.held",
    FORCED: "event.forced", FIRE: "event.fire",
}  # fmt: skip

UNLOCK_SECONDS = 5.0
HELD_AFTER = 30.0
LONGEST = 65_535
"""The controller counts no more seconds of an open door than one register holds."""
QUIET_SECONDS = 3.0
"""A door that opens so soon after a grant is not forced."""
REFUSED, PRESSED = 0.03, 0.41
"""The share of visits that is refused, and of the others the share that leaves by the exit button."""
CHARGED, CUTOFF, WEAK = 13.6, 11.4, 11.5
"""Battery voltage at rest, where the locks drop, and where the controller complains, V."""

INPUTS = {
    "fire_release": 600.0, "fire_release_fails": 600.0, "fire_release_late": 600.0, "release_not_restored": 60.0,
}  # fmt: skip
"""Faults that bring a fire input of their own, and for how long (s); a param `input` of 0 leaves it to the panel."""


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

    visits: Arrivals
    opened: bool = False
    unlocked: bool = False
    pressed: bool = False
    state: State = State.CLOSED_LOCKED
    open_seconds: float = 0.0
    open_count: int = 1000
    last_reason: int = CLOSED
    granted_ago: float = QUIET_SECONDS
    pass_left: float = 0.0
    """Seconds until the person who passes has closed the door again; 0 when nobody does."""
    open_at: float = 0.0


class AccessController(Model):
    """A controller of up to eight doors. `fire` is its input from the fire panel, `traffic` the seconds between two
    visits of a door, on average over a day."""

    FAULTS = frozenset(
        {
            "forced_open",
            "held_open",
            "reader_tamper",
            "controller_tamper",
            "controller_offline",
            "fire_release",
            "fire_release_fails",
            "fire_release_late",
            "release_not_restored",
            "credential_attack",
            "rex_stuck",
            "clock_drift",
            "ac_fault",
            "contact_stuck",
        }
    )
    ACTS = frozenset({"swipe", "swipe_unknown", "press_exit", "reset"})

    def __init__(self, random: Random, *, doors: int = 4, traffic: float = 60.0, epoch: float = 0.0) -> None:
        super().__init__(epoch=epoch)
        self._random = random
        self.fire = False
        self.doors = [DoorUnit(Arrivals(random, traffic)) for _ in range(doors)]
        self.events: deque[Event] = deque(maxlen=64)
        self.index = 88_100
        self._counts = dict.fromkeys([*COUNTERS.values(), "event.denied.password"], 0)
        self._battery = CHARGED
        self._attack = 0.0
        self._burning = 0.0

    @property
    def released(self) -> bool:
        """Whether every door is unlocked by the fire input."""
        return all(door.state is State.FIRE_RELEASED for door in self.doors)

    @property
    def silent(self) -> bool:
        """Whether it has gone from the network; its doors go on working."""
        return self.on("controller_offline")

    @property
    def fire_input(self) -> bool:
        """Whether the fire panel asks for every door, or a fault does in its place."""
        ages = ((self.age(fault), self.param(fault, "input", seconds)) for fault, seconds in INPUTS.items())
        return self.fire or any(age is not None and age < seconds for age, seconds in ages)

    def began(self, fault: str) -> None:
        """A contact that sticks shows a closed door from now on."""
        if fault == "contact_stuck":
            number = self._door(fault)
            self._close(number, self.doors[number - 1])

    def acted(self, act: str, params: Mapping[str, float]) -> None:
        """Cards and buttons; `reset` is a guard who shuts and locks, and puts the covers back."""
        if act == "reset":
            for fault in ("forced_open", "reader_tamper", "controller_tamper"):
                self.end(fault)
            return
        number = int(limited(params.get("door", 1.0), 1, len(self.doors)))
        if act == "swipe_unknown":
            self._log(number, UNKNOWN, granted=False, card=self._random.randrange(9_900_000, 9_999_999))
        else:
            self._grant(number, self.doors[number - 1], button=act == "press_exit")

    def advance(self, dt: float) -> None:
        """Every door; one that a fire has not released lets nobody through."""
        fire = self.fire_input
        for number, door in enumerate(self.doors, 1):
            if self._releases(number, door, fire=fire):
                self._release(number, door, dt)
            elif not fire or door.opened or door.pass_left > 0:
                self._ordinary(number, door, dt)

    def drift(self, dt: float) -> None:
        """Who comes meanwhile, how long doors stand open, the controller's supply."""
        fire = self.fire_input
        self._burning = self._burning + dt if fire else 0.0
        for door in self.doors:
            door.granted_ago += dt
            if door.opened:
                door.open_seconds += dt
            if not fire and (door.pass_left > 0 or door.state in CLOSED_STATES):
                door.visits.go(self.hour, dt)
        if self.on("ac_fault"):
            rate = (CHARGED - CUTOFF) / self.param("ac_fault", "seconds", 14_400.0)
            self._battery = ramp(self._battery, CUTOFF, dt, rate)
        else:
            self._battery = ramp(self._battery, CHARGED, dt, 2.2 / 600)
        self._attack = self._attack + dt if self.on("credential_attack") else 0.0
        while self._attack >= 4.0:
            self._attack -= 4.0
            self._log(self._door("credential_attack"), NO_RIGHTS, granted=False, card=self._card())

    def leap(self, dt: float) -> None:
        """Let `dt` seconds go by unwatched: whoever passes gets through, and the visits of that time are counted."""
        for number, door in enumerate(self.doors, 1):
            if door.pass_left > 0:
                self._close(number, door)
        super().leap(dt)
        for number, door in enumerate(self.doors, 1):
            if door.state in CLOSED_STATES:
                self._unwatched(number, door, door.visits.take_all())
        self.advance(0.0)

    def values(self) -> dict[str, Value]:
        """Doors, readers, event counters and the controller itself."""
        found: dict[str, Value] = {}
        for number, door in enumerate(self.doors, 1):
            found.update(self._door_values(number, door))
        found.update(self._counts)
        share = self.course("clock_drift", self.param("clock_drift", "seconds", 2_592_000.0))
        offset = self.param("clock_drift", "offset", 95.0) * share
        return found | {
            "dev.heartbeat": self.heartbeat(),
            "dev.epoch": int(self.epoch + offset),
            "ctl.online": not self.silent,
            "ctl.clock_offset": offset,
            "ctl.error": 0,
            "ctl.batt_v": self._battery,
            "ctl.batt_ok": self._battery > WEAK,
            "ctl.ac_ok": not self.on("ac_fault"),
            "ctl.event_index": self.index,
            "ctl.tamper": self.on("controller_tamper"),
            "ctl.fire_input": self.fire_input,
            "ctl.memory_error": False,
        }

    def _door(self, fault: str) -> int:
        return int(limited(self.param(fault, "door", 1.0), 1, len(self.doors)))

    def _here(self, fault: str, number: int) -> bool:
        return self.on(fault) and self._door(fault) == number

    # a fire

    def _releases(self, number: int, door: DoorUnit, *, fire: bool) -> bool:
        """Whether a door is to be released now."""
        if not fire:
            return self.on("release_not_restored") and door.state is State.FIRE_RELEASED
        stuck = self._door("fire_release_fails")
        if self.on("fire_release_fails") and 0 <= number - stuck < self.param("fire_release_fails", "doors", 1.0):
            return False
        late = self.param("fire_release_late", "delay", 45.0) if self.on("fire_release_late") else 0.0
        return door.state is State.FIRE_RELEASED or self._burning >= late

    def _release(self, number: int, door: DoorUnit, dt: float) -> None:
        """Unlocked for everybody: people open it without a card, and it falls shut behind them."""
        if door.state is not State.FIRE_RELEASED:
            door.state, door.unlocked, door.pressed = State.FIRE_RELEASED, True, False
            door.pass_left = 3.0 if door.opened else 0.0
            self._log(number, FIRE, granted=True)
        door.pass_left = max(0.0, door.pass_left - dt)
        if door.opened and door.pass_left <= 0:
            self._close(number, door)
        elif not door.opened and self._random.random() < dt / 15.0:
            door.pass_left = 3.0
            self._open(number, door, State.FIRE_RELEASED)

    # a day

    def _ordinary(self, number: int, door: DoorUnit, dt: float) -> None:
        """People pass; somebody forces it or keeps it open, which a contact that sticks does not show."""
        seen = not self._here("contact_stuck", number)
        if door.state is State.FIRE_RELEASED:
            self._shut(number, door)
        if seen and self._here("forced_open", number):
            self._force(number, door, dt)
        elif seen and self._here("held_open", number):
            self._hold(number, door)
        elif door.pass_left > 0:
            self._pass(number, door, dt)
        elif door.opened:
            self._shut(number, door)
        else:
            self._rest(number, door)

    def _rest(self, number: int, door: DoorUnit) -> None:
        """Closed, and locked unless the exit button sticks or the lock has no more power, until somebody comes."""
        door.unlocked = self._here("rex_stuck", number) or self._battery <= CUTOFF
        door.state = State.CLOSED_UNLOCKED if door.unlocked else State.CLOSED_LOCKED
        if not door.visits.due:
            return
        door.visits.take()
        if self._random.random() < REFUSED:
            reason = NO_RIGHTS if self._random.random() < 0.5 else OUTSIDE_TIME
            self._log(number, reason, granted=False, card=self._card())
        else:
            self._grant(number, door, button=self._random.random() < PRESSED)

    def _grant(self, number: int, door: DoorUnit, *, button: bool) -> None:
        """A good card or the button; at a door that is open or released it changes nothing but the log."""
        self._log(number, BUTTON if button else SWIPE, granted=True, card=0 if button else self._card())
        door.granted_ago = 0.0
        if door.opened or door.state is State.FIRE_RELEASED:
            return
        door.pressed, door.unlocked = button, True
        door.pass_left = self._random.uniform(6.0, 9.0)
        door.open_at = door.pass_left - self._random.uniform(1.2, 2.5)
        door.state = State.CLOSED_UNLOCKED

    def _pass(self, number: int, door: DoorUnit, dt: float) -> None:
        door.pass_left -= dt
        if not door.opened and 2.0 < door.pass_left <= door.open_at:
            self._open(number, door, State.OPEN_AUTHORISED)
        if door.pass_left <= 2.0:
            door.unlocked = door.pressed = False
        if door.pass_left <= 0:
            self._shut(number, door)

    def _force(self, number: int, door: DoorUnit, dt: float) -> None:
        """The contact opens while the lock is locked and nobody was granted; whoever passes gets through first."""
        if door.pass_left > 0:
            self._pass(number, door, dt)
        elif door.state is not State.FORCED and (door.opened or door.granted_ago >= QUIET_SECONDS):
            door.unlocked = False
            if not door.opened:
                self._open(number, door, State.FORCED, log=False)
            door.state = State.FORCED
            self._log(number, FORCED, granted=False)

    def _hold(self, number: int, door: DoorUnit) -> None:
        """A good card, the door opens, and something keeps it open."""
        if not door.opened:
            self._grant(number, door, button=False)
            self._open(number, door, State.OPEN_AUTHORISED)
        door.unlocked = not self.on("held_open", UNLOCK_SECONDS)
        door.pass_left, door.pressed = 0.0, False
        if door.state is not State.HELD and self.on("held_open", self.param("held_open", "after", HELD_AFTER)):
            door.state = State.HELD
            self._log(number, TOO_LONG, granted=False)

    def _open(self, number: int, door: DoorUnit, state: State, *, log: bool = True) -> None:
        """The contact opens, unless it sticks."""
        if self._here("contact_stuck", number):
            return
        door.opened, door.state, door.open_seconds = True, state, 0.0
        door.open_count += 1
        if log:
            self._log(number, OPENED, granted=True)

    def _close(self, number: int, door: DoorUnit) -> None:
        """The door falls shut; a released one stays released."""
        if door.opened:
            self._log(number, CLOSED, granted=True)
        door.opened, door.open_seconds, door.pass_left = False, 0.0, 0.0
        if door.state is not State.FIRE_RELEASED:
            door.unlocked, door.pressed, door.state = False, False, State.CLOSED_LOCKED

    def _shut(self, number: int, door: DoorUnit) -> None:
        """The door falls shut and is locked."""
        door.state = State.CLOSED_LOCKED
        self._close(number, door)

    def _unwatched(self, number: int, door: DoorUnit, visits: int) -> None:
        """Count visits that nobody watched; only the last of them is kept as events."""
        if visits == 0:
            return
        refused = some(self._random, visits - 1, REFUSED)
        rights, passes = some(self._random, refused, 0.5), visits - 1 - refused
        pressed = some(self._random, passes, PRESSED)
        opened = 0 if self._here("contact_stuck", number) else passes
        tally = {NO_RIGHTS: rights, OUTSIDE_TIME: refused - rights, BUTTON: pressed, SWIPE: passes - pressed}
        for reason, count in {**tally, OPENED: opened, CLOSED: opened}.items():
            self._counts[COUNTERS[reason]] += count
            self.index += count
        door.open_count += opened
        self._grant(number, door, button=False)
        self._open(number, door, State.OPEN_AUTHORISED)
        self._shut(number, door)

    def _card(self) -> int:
        return self._random.randrange(8_100_000, 8_100_400)

    def _log(self, number: int, reason: int, *, granted: bool, card: int = 0) -> None:
        self.index += 1
        self._counts[COUNTERS[reason]] += 1
        self.doors[number - 1].last_reason = reason
        self.events.append(Event(self.index, self.epoch, number, reason, granted, card))

    def _door_values(self, number: int, door: DoorUnit) -> dict[str, Value]:
        key, torn_off = f"door[{number}].", self._here("reader_tamper", number)
        return {
            key + "contact": door.opened,
            key + "lock": int(door.unlocked),
            key + "mode": 3,
            key + "state": int(door.state),
            key + "rex": door.pressed or self._here("rex_stuck", number),
            key + "forced": door.state is State.FORCED,
            key + "held": door.state is State.HELD,
            key + "fire_release": door.state is State.FIRE_RELEASED,
            key + "bypass": False,
            key + "open_seconds": min(int(door.open_seconds), LONGEST),
            key + "open_count": door.open_count,
            key + "last_reason": door.last_reason,
            key + "last_reader": number if door.last_reason in (SWIPE, NO_RIGHTS, OUTSIDE_TIME, UNKNOWN) else 0,
            f"reader[{number}].tamper": torn_off,
            f"reader[{number}].online": not (torn_off and self.on("reader_tamper", 2.0)),
        }
