"""The linkage of a fire panel: what each output starts, when that is done and fed back, how it goes wrong; pure.

Everything here is an instant that follows from earlier ones (confirmed, commanded, done), never a count of steps, so
that it is the same however time was portioned.

T0 is when the fire was confirmed. The first output, the start signal, is different from the others: its units are the
outputs themselves, and what happens to it happens to all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facility.readings import Value
from simulators.models.model import Model
from simulators.models.physics import limited

START, SOUNDERS, LIFTS, DOORS = "start_signal", "sounders", "lift_recall", "door_release"
SUPPLY_FAN, HYDRANT, SPRINKLER, REPORT = "supply_fan", "hydrant_pump", "sprinkler_pump", "utd_report"


@dataclass(frozen=True, slots=True)
class Proof:
    """A point that shows what really happened: `rest`, or `done`. With {} in its key there is one for each unit, and
    the first has the number `first`."""

    key: str
    rest: Value
    done: Value
    first: int = 1


@dataclass(frozen=True, slots=True)
class Output:
    """One effect. `row`: its row in the matrix of effects; `limit`: the most seconds from T0 that are allowed.

    Each of the `units` needs `seconds` from the signal. `command` and `contact`: the points that repeat the command
    and the feedback. `loose`: one unit is enough for the feedback.
    """

    name: str
    row: str
    limit: float
    seconds: float
    units: int = 1
    command: tuple[str, ...] = ()
    contact: tuple[str, ...] = ()
    proofs: tuple[Proof, ...] = ()
    loose: bool = False


OUTPUTS: tuple[Output, ...] = (
    Output(START, "L1", 3, 0.0, 18, loose=True),
    Output(SOUNDERS, "L2", 10, 0.5, 4, proofs=(Proof("panel.sounders", False, True),)),
    Output("broadcast", "L2", 10, 2.0, 4, proofs=(Proof("link.broadcast", False, True),)),
    Output("emergency_lighting", "L3", 5, 1.5, 4, proofs=(Proof("link.emergency_lighting", False, True),)),
    Output(LIFTS, "L4", 90, 25.0, 4, ("link.lift_recall_cmd",), ("link.lift_recall_feedback",)),
    Output(DOORS, "L6", 15, 3.0, 2, ("link.door_release_cmd",), ("link.door_release_feedback",)),
    Output(SUPPLY_FAN, "L7", 15, 9.0, 2, ("fan.supply_cmd",), ("fan.supply_run",),
           (Proof("fan.supply[{}].run", False, True),)),
    Output("smoke_damper", "L8", 15, 6.0, 4, proofs=(Proof("damper[{}].state", 0, 1),)),
    Output("smoke_fan", "L8", 15, 11.0, 2, ("fan.smoke_cmd",), ("fan.smoke_run",),
           (Proof("fan.smoke[{}].run", False, True),)),
    Output("hvac_off", "L9", 30, 12.0, 4, proofs=(Proof("damper[{}].state", 1, 0, first=5),)),
    Output(HYDRANT, "L10", 120, 8.0, 1, ("hydrant_pump.start_cmd", "fire_pump.start_cmd"),
           ("hydrant_pump.run", "fire_pump.run")),
    Output(SPRINKLER, "L10", 120, 10.0, 1, ("sprinkler_pump.start_cmd",), ("sprinkler_pump.run",)),
    Output("shutter_half", "L12", 60, 6.0, 2, (), ("shutter.half",), (Proof("shutter[{}].position", 0, 1),)),
    Output("shutter_down", "L12", 120, 45.0, 2, (), ("shutter.down",), (Proof("shutter[{}].position", 0, 2, first=3),)),
    Output("fire_doors", "L13", 30, 10.0, 8, proofs=(Proof("fire_door[{}].contact", True, False),)),
    Output("power_shed", "L14", 60, 5.0, 4, ("link.power_shed_cmd",), ("link.power_shed_feedback",)),
    Output("gas_valve", "L16", 30, 4.0, 1, proofs=(Proof("link.gas_valve_closed", False, True),)),
    Output(REPORT, "L18", 10, 3.0),
)  # fmt: skip
"""What the panel starts; the first one is `link.output[1]`, and so on. Limits: GB 50116, GB 50974, GB 51251, GB 16806,
GB 25506, and where these give none, this project's own. For smoke alone the shutters of escape routes (1, 2) stop half
way, so that people can pass; the others (3, 4) go down."""

NUMBERS: Mapping[str, int] = {output.name: number for number, output in enumerate(OUTPUTS, 1)}

HOOKS: Mapping[str, int] = {
    "linkage_delay": 6, "linkage_fail": 11, "linkage_weak": 11, "linkage_partial": 5, "linkage_unexpected": 9,
    "linkage_lost": 11,
}  # fmt: skip
"""What can happen to an effect -> the number of the effect that it happens to when nothing is said."""

SHORT: Mapping[str, int] = {LIFTS: 1, DOORS: 1, HYDRANT: 1}
"""How many units do not answer when the linkage as a whole fails."""


@dataclass(frozen=True, slots=True)
class State:
    """What an output is doing: whether it is commanded, which of its units feel the signal, which have done what they
    should, and whether the feedback contact is closed."""

    commanded: bool
    signalled: tuple[bool, ...]
    done: tuple[bool, ...]
    contact: bool


REST: Mapping[str, State] = {
    output.name: State(False, (False,) * output.units, (False,) * output.units, False) for output in OUTPUTS
}
"""Every output while nothing is started."""


class Linkage:
    """The outputs of one panel. `started` is T0, None while nothing is started; `by_hand` is when somebody started the
    hydrant pump in the pump room. `settle` finds the states.

    `reported`: output -> what each of its units says of itself, where the building has a model of them.
    """

    def __init__(self, model: Model) -> None:
        self.started: float | None = None
        self.by_hand: float | None = None
        self.reported: dict[str, Sequence[bool]] = {}
        self._model = model
        self._hooked: dict[str, str] = {}
        self._states = REST
        self._instants: list[float] = []
        self._resting = self._values()

    def settle(self) -> None:
        """Find out what every output is doing now."""
        model = self._model
        self._instants.clear()
        self._hooked = {
            hook: OUTPUTS[int(limited(model.param(hook, "effect", effect), 1, len(OUTPUTS))) - 1].name
            for hook, effect in HOOKS.items()
            if model.on(hook)
        }
        if self.started is None and "linkage_unexpected" not in self._hooked:
            self._states = REST
            return
        start = self._signals(OUTPUTS[0], self.started)
        states = {START: self._state(OUTPUTS[0], self.started, start)}
        for output, at in zip(OUTPUTS[1:], start[1:], strict=True):
            states[output.name] = self._state(output, at, self._signals(output, at))
        self._states = states

    def next_change(self) -> float:
        """When the next effect will be done; inf when none will."""
        return min((at for at in self._instants if at > self._model.seconds), default=math.inf)

    def commanded(self, name: str) -> bool:
        """Whether the panel commands an output."""
        return self._states[name].commanded

    def signalled(self, name: str, unit: int) -> bool:
        """Whether a unit (from 0 on) feels that it is to act."""
        units = self._states[name].signalled
        return unit < len(units) and units[unit]

    def done(self, name: str) -> tuple[bool, ...]:
        """What each unit of an output has really done."""
        return self._states[name].done

    def contact(self, name: str) -> bool:
        """Whether the feedback contact of an output is closed."""
        return self._states[name].contact

    def lost(self, name: str) -> bool:
        """Whether nothing is heard of an effect."""
        return self._is("linkage_lost", name)

    def counts(self) -> tuple[int, int]:
        """Outputs started, and those with a feedback; a feedback that is lost does not count."""
        if self._states is REST:
            return 0, 0
        started = sum(state.commanded for state in self._states.values()) if self.contact(START) else 0
        return started, sum(state.contact and not self.lost(name) for name, state in self._states.items())

    def values(self) -> dict[str, Value]:
        """Commands, feedbacks and proofs; None for what is told of an effect that is lost."""
        return dict(self._resting) if self._states is REST and "linkage_lost" not in self._hooked else self._values()

    def _values(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for number, output in enumerate(OUTPUTS, 1):
            state = self._states[output.name]
            found[f"link.output[{number}].cmd"] = state.commanded
            found.update(dict.fromkeys(output.command, state.commanded))
            told: dict[str, Value] = {f"link.output[{number}].feedback": state.contact}
            told.update(dict.fromkeys(output.contact, state.contact))
            told.update(_proofs(output, state.done))
            found.update(dict.fromkeys(told) if self.lost(output.name) else told)
        return found

    def _state(self, output: Output, at: float | None, signals: Sequence[float | None]) -> State:
        """What an output does that was commanded at `at`, and its units told at `signals`."""
        self._instants += [signal + output.seconds for signal in (at, *signals) if signal is not None]
        signalled = tuple(self._past(signal) for signal in signals)
        reported = self.reported.get(output.name)
        if reported:
            done = tuple(told and there for told, there in zip(signalled, reported, strict=True))
        else:
            done = tuple(self._past(signal, output.seconds) for signal in signals)
        contact = any(done) if output.loose else all(done)
        if self._is("linkage_weak", output.name):
            contact = self._past(at, output.seconds)
        return State(self._past(at), signalled, done, contact)

    def _signals(self, output: Output, at: float | None) -> list[float | None]:
        """When each unit is told to act, the output being commanded at `at`; None for those that are not."""
        model, name = self._model, output.name
        there = len(self.reported.get(name, ())) or output.units
        if name == HYDRANT and self.by_hand is not None:
            return [self.by_hand] * there
        if self._is("linkage_unexpected", name):
            return [model.seconds - (model.age("linkage_unexpected") or 0.0)] * there
        if at is None:
            return [None] * there
        late = model.param("linkage_delay", "seconds", 30.0) if self._is("linkage_delay", name) else 0.0
        reached = self._reached(name, there)
        # the first unit is the last to fail, the second one the first
        return [at + late if unit > there - reached or (unit == 0 and reached) else None for unit in range(there)]

    def _reached(self, name: str, there: int) -> int:
        """How many units a signal reaches."""
        model = self._model
        if self._is("linkage_fail", name) or self._is("linkage_weak", name):
            return 0
        if name == HYDRANT and model.on("fire_pump_fails"):
            return 0
        if self._is("linkage_partial", name):
            return min(there, int(model.param("linkage_partial", "count", 3.0)))
        return there - SHORT.get(name, 0) if model.on("linkage_failure") else there

    def _is(self, hook: str, name: str) -> bool:
        """Whether something is done to this effect."""
        return self._hooked.get(hook) == name

    def _past(self, at: float | None, seconds: float = 0.0) -> bool:
        return at is not None and at + seconds <= self._model.seconds + 1e-9


def _proofs(output: Output, done: Sequence[bool]) -> dict[str, Value]:
    """What the points show that prove an effect."""
    found: dict[str, Value] = {}
    for proof in output.proofs:
        keys = {proof.key: all(done)}
        if "{}" in proof.key:
            keys = {proof.key.format(number): there for number, there in enumerate(done, proof.first)}
        found.update({key: proof.done if there else proof.rest for key, there in keys.items()})
    return found
