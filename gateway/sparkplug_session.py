"""Pure: one Sparkplug B edge node with its devices, as its messages tell of it. Time, monotonic, is an argument.

    unborn    no birth was seen yet; a rebirth is asked for
    born      births are known, every message came in its turn
    quiet     not heard for `silence` seconds: a rebirth is asked for, what was told stands
    doubted   a message is missing (a gap in `seq`, the broker was away), perhaps a birth with other aliases: a rebirth
              is asked for, and metrics that come without their name are not believed until it comes
    dead      the node's last will came, or a rebirth was not answered in time

The moves are in `TABLE`. While a node is not born it is asked again, at once when something happens that calls for it,
at most every `ASK` seconds, and ever less often up to `ASK_LONGEST`.

Deaths: the one with the `bdSeq` of the birth counts; the one before it is the late will of a connection that the node
has already replaced; any other means that a birth was missed. A death or birth without `bdSeq` is believed.

A birth of the node takes all its devices with it: each has to be born again. It has `GRACE` seconds for that, so that a
rebirth does not make a whole plant stale for the moment that it takes.

A broker may deliver a message twice. One of the last `RECENT` that comes again is a copy. A message that overtakes
another is a gap: at one quality of service a broker keeps the order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.sparkplug_payload import BDSEQ, Metric, Payload, Raw, typed

ASK = 10.0
ASK_LONGEST = 300.0
"""Seconds between two rebirth requests: the shortest, and the longest."""
AGAIN = 2.0
"""Seconds until a request is repeated that could not be published."""
ANSWER = 30.0
"""Seconds in which a node that lives has been born again."""
GRACE = 10.0
"""Seconds that a device may be unborn after its node's birth before its points are lost."""
RECENT = 32
"""Messages that are remembered to know a copy."""
SEQ = 256
NODE = ""
"""The device name of the node's own metrics."""


class State(StrEnum):
    """See the module."""

    UNBORN = "unborn"
    BORN = "born"
    QUIET = "quiet"
    DOUBTED = "doubted"
    DEAD = "dead"


class Event(StrEnum):
    """What can happen to a node. `next` is a message in its turn, `gap` one that is not; `away` was the broker."""

    BIRTH = "birth"
    DEATH = "death"
    NEXT = "next"
    GAP = "gap"
    AWAY = "away"
    SILENCE = "silence"
    UNANSWERED = "unanswered"


U, B, Q, D, X = State.UNBORN, State.BORN, State.QUIET, State.DOUBTED, State.DEAD
TABLE: Mapping[State, Mapping[Event, tuple[State, bool]]] = {
    U: {Event.BIRTH: (B, False), Event.DEATH: (X, False), Event.NEXT: (U, True), Event.GAP: (U, True),
        Event.UNANSWERED: (X, False)},
    B: {Event.BIRTH: (B, False), Event.DEATH: (X, False), Event.NEXT: (B, False), Event.GAP: (D, True),
        Event.AWAY: (D, True), Event.SILENCE: (Q, True)},
    Q: {Event.BIRTH: (B, False), Event.DEATH: (X, False), Event.NEXT: (B, False), Event.GAP: (D, True),
        Event.AWAY: (D, True), Event.UNANSWERED: (X, False)},
    D: {Event.BIRTH: (B, False), Event.DEATH: (X, False), Event.NEXT: (D, True), Event.GAP: (D, True),
        Event.UNANSWERED: (X, False)},
    X: {Event.BIRTH: (B, False), Event.DEATH: (X, False), Event.NEXT: (X, True), Event.GAP: (X, True)},
}  # fmt: skip
"""State -> event -> (the next state, whether it calls for a rebirth now). What is not there changes nothing."""


@dataclass(frozen=True, slots=True)
class Update:
    """What a device (`NODE` for the node itself) says; all it has when it is a birth. Every metric has its name."""

    device: str
    metrics: tuple[Metric, ...]
    birth: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """A device is gone; with `NODE` the node and every device of it."""

    device: str = NODE


Told = Update | Lost


@dataclass(slots=True)
class _Known:
    """A device that was born: its data types by name, its names by alias."""

    types: dict[str, int]
    names: dict[int, str]


class Session:
    """One edge node. `take` and `tick` give what there is to tell; `wants_rebirth` says when to ask."""

    def __init__(self, devices: Iterable[str], silence: float, now: float) -> None:
        """`devices` are those that somebody wants to hear of; others only count. `silence` is in seconds."""
        self.state = State.UNBORN
        self.error = "no birth seen yet"
        """What is wrong, empty when nothing is."""
        self.counts = {"births": 0, "deaths": 0, "late_wills": 0, "gaps": 0, "copies": 0, "unknown": 0, "rebirths": 0}
        self._wanted = frozenset(devices) - {NODE}
        self._silence = silence
        self._since = self._heard = now
        self._ask_at, self._asked_at, self._wait = now, -ASK, ASK
        self._known: dict[str, _Known] = {}
        self._awaited: dict[str, float] = {}
        self._seq = 0
        self._bdseq: Raw = None
        self._recent: deque[tuple[str, str, int | Payload]] = deque(maxlen=RECENT)

    @property
    def due(self) -> float:
        """When `tick` or a request is next worth a look."""
        ends = [*self._awaited.values(), self._ask_at]
        if self.state is State.BORN:
            ends.append(self._heard + self._silence)
        elif self.state is not State.DEAD:
            ends.append(self._since + ANSWER)
        return min(ends)

    def is_born(self, device: str) -> bool:
        """Whether a device is there."""
        return device in self._known

    def is_awaited(self, device: str) -> bool:
        """Whether a device is not there and has a little time left, since its node has just been born."""
        return device in self._awaited

    def take(self, kind: str, device: str, payload: Payload, now: float) -> list[Told]:
        """One message; `kind` is NBIRTH, DBIRTH, NDATA, DDATA, NDEATH or DDEATH, others are not ours."""
        if kind == "NDEATH":
            return self._death(payload, now)
        if self._is_copy(kind, device, payload):
            self.counts["copies"] += 1
            return []
        self._heard = now
        if kind == "NBIRTH":
            return self._birth(payload, now)
        if self.state in (State.UNBORN, State.DEAD):
            self._move(Event.NEXT, now)
            return []
        self._in_turn(payload.seq, now)
        if device != NODE and device not in self._wanted:
            return []
        if kind == "DBIRTH":
            return [self._born(device, payload)]
        if kind == "DDEATH":
            return self._device_death(device)
        return self._data(device, payload, now)

    def tick(self, now: float) -> list[Told]:
        """What the passing of time has to tell."""
        told: list[Told] = []
        if self.state is State.BORN and now >= self._heard + self._silence:
            self._move(Event.SILENCE, now, f"silent for {self._silence:g} s")
        elif self.state not in (State.BORN, State.DEAD) and now >= self._since + ANSWER:
            told += self._lost(Event.UNANSWERED, f"{self.error}; a rebirth request was not answered", now)
        for device in [device for device, end in self._awaited.items() if now >= end]:
            del self._awaited[device]
            told.append(Lost(device))
        return told

    def reconnected(self, now: float) -> None:
        """The broker was away, and a death or a birth may have fallen into it, which `seq` need not show."""
        self._ask_at = now
        self._move(Event.AWAY, now, "the broker was away")

    def wants_rebirth(self, now: float) -> bool:
        """Whether to ask the node for its births now."""
        return now >= self._ask_at

    def asked(self, now: float, *, published: bool) -> None:
        """Take note of a request."""
        if not published:
            self._ask_at = now + AGAIN
            return
        self.counts["rebirths"] += 1
        self._asked_at = now
        self._ask_at = now + self._wait if self.state is not State.BORN else float("inf")
        self._wait = min(ASK_LONGEST, self._wait * 2)

    def _move(self, event: Event, now: float, error: str = "") -> None:
        found = TABLE[self.state].get(event)
        if found is None:
            return
        state, ask = found
        if state is State.BORN:
            self.error = ""
            if self.state is not State.BORN:
                self._ask_at, self._wait = float("inf"), ASK
        elif error:
            self.error = error
        if state is not self.state:
            self.state, self._since = state, now
        if ask:
            self._ask(now)

    def _ask(self, now: float) -> None:
        self._ask_at = min(self._ask_at, max(now, self._asked_at + self._wait))

    def _is_copy(self, kind: str, device: str, payload: Payload) -> bool:
        message = (kind, device, payload.digest or payload)
        if message in self._recent and (self.state is State.BORN or kind != "NBIRTH"):
            return True
        if kind == "NBIRTH":
            self._recent.clear()
        self._recent.append(message)
        return False

    def _birth(self, payload: Payload, now: float) -> list[Told]:
        self.counts["births"] += 1
        self._seq, self._bdseq = payload.seq, payload.value(BDSEQ)
        self._awaited = dict.fromkeys(self._wanted, now + GRACE) | self._awaited
        self._known = {}
        self._move(Event.BIRTH, now)
        return [self._born(NODE, payload)]

    def _born(self, device: str, payload: Payload) -> Update:
        self._awaited.pop(device, None)
        metrics = [metric for metric in payload.metrics if metric.name]
        self._known[device] = _Known(
            {metric.name: metric.datatype for metric in metrics},
            {metric.alias: metric.name for metric in metrics if metric.alias is not None},
        )
        return Update(device, tuple(metrics), birth=True)

    def _death(self, payload: Payload, now: float) -> list[Told]:
        said = payload.value(BDSEQ)
        ours = self._bdseq
        if isinstance(said, int) and isinstance(ours, int) and said != ours and self.state is not State.DEAD:
            if said == (ours - 1) % SEQ or said == ours - 1:
                self.counts["late_wills"] += 1
            else:
                self._move(Event.GAP, now, f"the death of a session that was not seen (bdSeq {said}, ours is {ours})")
            return []
        self.counts["deaths"] += 1
        return self._lost(Event.DEATH, "the node's last will came", now)

    def _lost(self, event: Event, error: str, now: float) -> list[Told]:
        self._move(event, now, error)
        self._known, self._awaited = {}, {}
        self._recent.clear()
        if event is Event.DEATH:
            self._ask_at, self._wait = now + ASK_LONGEST, ASK
        return [Lost()]

    def _device_death(self, device: str) -> list[Told]:
        self._known.pop(device, None)
        self._awaited.pop(device, None)
        return [Lost(device)]

    def _in_turn(self, seq: int, now: float) -> None:
        expected = (self._seq + 1) % SEQ
        self._seq = seq
        if seq == expected:
            self._move(Event.NEXT, now)
            return
        self.counts["gaps"] += 1
        self._move(Event.GAP, now, f"a message is missing: seq {seq} came, {expected} was due")

    def _data(self, device: str, payload: Payload, now: float) -> list[Told]:
        known = self._known.get(device)
        if known is None:
            self._unknown(f"data of {device or 'the node'} before its birth", now)
            return []
        found = []
        for metric in payload.metrics:
            name = metric.name or self._by_alias(known, metric.alias, now)
            if name:
                found.append(_complete(metric, name, known.types.get(name, 0)))
        return [Update(device, tuple(found))] if found else []

    def _by_alias(self, known: _Known, alias: int | None, now: float) -> str:
        """The name of an alias; empty when it has none, or when there is doubt about it."""
        if self.state is State.DOUBTED:
            return ""
        name = known.names.get(alias, "") if alias is not None else ""
        if not name:
            self._unknown("a metric without a name" if alias is None else f"unknown alias {alias}", now)
        return name

    def _unknown(self, error: str, now: float) -> None:
        self.counts["unknown"] += 1
        self.error = error
        self._ask(now)


def _complete(metric: Metric, name: str, datatype: int) -> Metric:
    """A metric with what only its birth said."""
    if metric.datatype or not datatype:
        return metric if metric.name else replace(metric, name=name)
    return replace(metric, name=name, datatype=datatype, value=typed(metric.value, datatype))
