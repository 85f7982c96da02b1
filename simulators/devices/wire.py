"""The faults of the wire on Modbus TCP: what becomes of one answer. Pure: bytes in, a plan out.

A device answers honestly first; the faults that are on then change the answer one after the other, in the order of the
table at the end: what it says, how its frame looks, whether it goes out, when. What is done with the plan is the
line's. All chance comes from the `Random` that a wire is given.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

ILLEGAL_ADDRESS, BUSY = 2, 6
"""Modbus exception codes."""
READS = {1: 2, 2: 1, 3: 4, 4: 3}
"""Function code of each read -> that of the read which is most easily taken for it."""


class Fate(StrEnum):
    """What becomes of a request: data, an exception, bytes that are no answer to it, or nothing at all."""

    ANSWER = "answer"
    EXCEPTION = "exception"
    SPOILT = "spoilt"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as it came. `count` is that of registers or bits; 0, as `address`, where it is no read."""

    transaction: int
    unit: int
    function: int
    address: int = 0
    count: int = 0

    @property
    def registers(self) -> int:
        """Registers asked for; 16 bits count as one."""
        return self.count if self.function in (3, 4) else -(-self.count // 16)


@dataclass(frozen=True, slots=True)
class Reply:
    """The plan for one request: after `wait` seconds `frame` goes out, its bytes `each` seconds apart.

    An empty frame is silence. `reset`: the connection is reset instead. `faults` have had a hand in it.
    """

    frame: bytes
    fate: Fate
    wait: float = 0.0
    each: float = 0.0
    reset: bool = False
    faults: tuple[str, ...] = ()


RESET = Reply(b"", Fate.SPOILT, reset=True, faults=("reset",))
"""What a request gets at a listener that resets its connections."""


@dataclass(slots=True)
class Served:
    """What has become of the requests to a device, so that it can be added up against what its client counted.

    `requests` = `answers` + `exceptions` + `spoilt` + `dropped` + those that still wait. `registers` are those in the
    answers. `faulty`: fault -> requests that it had a hand in; two faults may have touched the same one.
    """

    requests: int = 0
    answers: int = 0
    registers: int = 0
    exceptions: int = 0
    spoilt: int = 0
    dropped: int = 0
    faulty: Counter[str] = field(default_factory=Counter)

    def count(self, ask: Ask, reply: Reply) -> None:
        """Add one request that is dealt with."""
        if reply.fate is Fate.ANSWER:
            self.answers += 1
            self.registers += ask.registers
        elif reply.fate is Fate.EXCEPTION:
            self.exceptions += 1
        elif reply.fate is Fate.SPOILT:
            self.spoilt += 1
        else:
            self.dropped += 1
        self.faulty.update(reply.faults)


def total(parts: Iterable[Served]) -> Served:
    """The sum of several devices."""
    found = Served()
    for part in parts:
        found.requests += part.requests
        found.answers += part.answers
        found.registers += part.registers
        found.exceptions += part.exceptions
        found.spoilt += part.spoilt
        found.dropped += part.dropped
        found.faulty.update(part.faulty)
    return found


def refusal(ask: Ask, code: int) -> bytes:
    """The frame that answers a request with an exception."""
    return struct.pack(">HHHBBB", ask.transaction, 0, 3, ask.unit, ask.function & 0x7F | 0x80, code)


def honest(frame: bytes) -> Reply:
    """The reply that sends a frame as it is."""
    if len(frame) < 8:
        return Reply(b"", Fate.DROPPED)
    return Reply(frame, Fate.EXCEPTION if frame[7] & 0x80 else Fate.ANSWER)


class Wire:
    """The faults that are on at one unit. `home`: the function code that reads the table which it uses most.

    `seconds` is the time of the simulation, which its owner lets go on; what a fault makes a client wait is real time.
    """

    def __init__(self, random: Random, *, home: int = 3) -> None:
        self.seconds = 0.0
        self._random, self._home = random, home
        self._on: dict[str, Mapping[str, float]] = {}
        self._since: dict[str, float] = {}
        self._twin = False

    @property
    def on(self) -> Set[str]:
        """The faults that are on."""
        return self._on.keys()

    def begin(self, fault: str, params: Mapping[str, float]) -> None:
        """A fault begins, with every param that the repertoire names for it; ValueError for an unknown one."""
        _check(fault)
        self._on[fault] = params
        self._since[fault] = self.seconds

    def end(self, fault: str) -> None:
        """A fault ends (nothing if it is not on); ValueError for an unknown one."""
        _check(fault)
        self._on.pop(fault, None)
        self._since.pop(fault, None)

    def twin(self) -> bool:
        """Whether the second device of a duplicate unit id speaks this time; drawn anew for each request."""
        self._twin = "duplicate_unit" in self._on and self._random.random() < 0.5
        return self._twin

    def level(self) -> float:
        """What the second device of a duplicate unit id shows, as a share of the first one's values."""
        return self._on.get("duplicate_unit", {}).get("level", 1.0)

    def clock(self) -> float:
        """Seconds that the device's own clock is ahead."""
        params = self._on.get("clock_drift")
        if params is None:
            return 0.0
        return params["offset"] + params["rate"] * 1e-6 * (self.seconds - self._since["clock_drift"])

    def reply(self, ask: Ask, frame: bytes, before: bytes = b"") -> Reply:
        """What becomes of the honest answer `frame`. `before`: the one to the request before on this connection."""
        reply = honest(frame)
        if not self._on:
            return reply
        for fault, play in PLAYS.items():
            if fault in self._on and reply.fate is not Fate.DROPPED:
                turn = Turn(fault, ask, self._on[fault], self._random, before, home=self._home, twin=self._twin)
                reply = play(reply, turn)
        self._twin = False
        return reply


@dataclass(frozen=True, slots=True)
class Turn:
    """What a fault knows when it has its turn at an answer."""

    fault: str
    ask: Ask
    params: Mapping[str, float]
    random: Random
    before: bytes
    home: int
    twin: bool


Play = Callable[[Reply, Turn], Reply]


def _check(fault: str) -> None:
    if fault not in FAULTS:
        raise ValueError(f"no fault {fault!r} of a device; known: {', '.join(sorted(FAULTS))}")


def _touched(reply: Reply, turn: Turn) -> Reply:
    return replace(reply, faults=(*reply.faults, turn.fault))


def _swapped_words(reply: Reply, turn: Turn) -> Reply:
    """The image was swapped already; here it is only said."""
    data = reply.fate is Fate.ANSWER and turn.ask.function in (3, 4)
    return _touched(reply, turn) if data else reply


def _duplicate_unit(reply: Reply, turn: Turn) -> Reply:
    """Two devices answer at once, and what comes is neither's; or the second one speaks, whose image it was."""
    if turn.random.random() >= turn.params["corrupt"]:
        return _touched(reply, turn) if turn.twin else reply
    # what a converter passes on of two frames that met: shorter than it says, and well framed by the converter
    data = turn.random.randbytes(turn.random.randrange(len(reply.frame) - 8))
    frame = reply.frame[:4] + struct.pack(">H", 2 + len(data)) + reply.frame[6:8] + data
    return replace(_touched(reply, turn), frame=frame, fate=Fate.SPOILT)


def _illegal_hole(reply: Reply, turn: Turn) -> Reply:
    ask = turn.ask
    inside = ask.address <= turn.params["last"] and turn.params["first"] < ask.address + ask.count
    return _refused(reply, turn, ILLEGAL_ADDRESS) if inside and ask.function == turn.home else reply


def _exception(reply: Reply, turn: Turn) -> Reply:
    return _refused(reply, turn, int(turn.params["code"]))


def _busy(reply: Reply, turn: Turn) -> Reply:
    return _refused(reply, turn, BUSY)


def _refused(reply: Reply, turn: Turn, code: int) -> Reply:
    return replace(_touched(reply, turn), frame=refusal(turn.ask, code), fate=Fate.EXCEPTION)


def _late_answer(reply: Reply, turn: Turn) -> Reply:
    """The answer to the request before, as it would have been; the first request gets none."""
    return replace(_touched(reply, turn), frame=turn.before, fate=Fate.SPOILT if turn.before else Fate.DROPPED)


def _other_function(reply: Reply, turn: Turn) -> Reply:
    code = reply.frame[7]
    other = READS.get(code & 0x7F, 3) | code & 0x80
    return replace(_touched(reply, turn), frame=reply.frame[:7] + bytes([other]) + reply.frame[8:], fate=Fate.SPOILT)


def _wrong_transaction(reply: Reply, turn: Turn) -> Reply:
    """Never 0, which some clients take for any."""
    other = (turn.ask.transaction - 1 + int(turn.params["shift"])) % 0xFFFF + 1
    return replace(_touched(reply, turn), frame=struct.pack(">H", other) + reply.frame[2:], fate=Fate.SPOILT)


def _garbage(reply: Reply, turn: Turn) -> Reply:
    return replace(_touched(reply, turn), frame=turn.random.randbytes(int(turn.params["bytes"])), fate=Fate.SPOILT)


def _truncated(reply: Reply, turn: Turn) -> Reply:
    short = max(1, min(int(turn.params["bytes"]), len(reply.frame) - 1))
    return replace(_touched(reply, turn), frame=reply.frame[:short], fate=Fate.SPOILT)


def _drop(reply: Reply, turn: Turn) -> Reply:
    return _dead(reply, turn) if turn.random.random() < turn.params["share"] else reply


def _dead(reply: Reply, turn: Turn) -> Reply:
    return replace(_touched(reply, turn), frame=b"", fate=Fate.DROPPED)


def _delay(reply: Reply, turn: Turn) -> Reply:
    return replace(_touched(reply, turn), wait=reply.wait + turn.params["seconds"])


def _slow_device(reply: Reply, turn: Turn) -> Reply:
    seconds = max(0.0, turn.random.gauss(turn.params["seconds"], turn.params["spread"]))
    return replace(_touched(reply, turn), wait=reply.wait + seconds)


def _slow_bytes(reply: Reply, turn: Turn) -> Reply:
    return replace(_touched(reply, turn), each=turn.params["ms"] / 1000)


PLAYS: Mapping[str, Play] = {
    "illegal_hole": _illegal_hole,
    "exception": _exception,
    "busy": _busy,
    "swapped_words": _swapped_words,
    "duplicate_unit": _duplicate_unit,
    "late_answer": _late_answer,
    "other_function": _other_function,
    "wrong_transaction": _wrong_transaction,
    "garbage": _garbage,
    "truncated": _truncated,
    "drop": _drop,
    "dead": _dead,
    "delay": _delay,
    "slow_device": _slow_device,
    "slow_bytes": _slow_bytes,
}
"""What each fault does to an answer, in the order in which they have their turns."""

LISTENER = frozenset({"reset", "refuse"})
"""Faults of the listener, which every unit behind it shares."""
FAULTS = frozenset(PLAYS) | LISTENER | {"clock_drift"}
"""Every fault of a device that the repertoire may name."""
