"""Pure: the registers of one device -> the cheapest reads that its limits allow.

A read costs a request and its words (`Timing`, by transport and baud rate), so a hole between two registers is bridged
where that is cheaper than another request. The planner walks the registers of one table in order of their address; a
read may grow from any of them as long as

* the whole stays within what one request may ask for,
* no forbidden range comes to lie inside, and the model does not insist on one point per read,
* no hole is wider than the profile's `gap`, where it has one: some models refuse to read what they do not have,
* no cut lies inside: a place that the device was found to refuse to be read across (see lessons.py).

Of all ways to divide the row it takes the cheapest, by the usual recurrence: the best plan of the first n registers is
the best plan of the first m and one read of the rest. A read never ends before the furthest register it has taken, so
a short register that lies inside a longer one can not cut it.

What holds for every plan (tested as properties): each register lies whole in exactly one read, equal, nested and
overlapping ones included; no read exceeds a limit; no read touches a forbidden range; no other division of the same row
is cheaper.

Registers are grouped by poll interval first (`schedule`): a slow number is not read at the pace of a fast neighbour,
which would only store it more often. A slow switch or state whose cells a faster read fetches anyway is served by that
read: the request costs the same, and its change is seen earlier.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from facility.assets import Device
from facility.points import Kind, Limits, Point, Profile, Register, Table
from gateway.timing import Timing, timing

STATES = frozenset({Kind.DISCRETE, Kind.ENUM})
TCP = Timing()
Cuts = frozenset[tuple[Table, int]]
"""Places (table, address) that no read may reach across: it ends before, or begins there or later."""
NO_CUTS: Cuts = frozenset()
EQUAL = 1e-12
"""Seconds by which a plan must be cheaper to be preferred."""
SHORTEST = 0.001
"""Seconds; no device is polled faster, whatever `speedup` says."""


@dataclass(frozen=True, slots=True)
class Read:
    """One request: `count` cells of `table` from `address` on, and the registers that it serves."""

    table: Table
    address: int
    count: int
    registers: tuple[Register, ...]

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.count

    @property
    def size(self) -> int:
        """Bytes of data in its answer."""
        return (self.count + 7) // 8 if self.table.is_bits else self.count * 2


@dataclass(frozen=True, slots=True)
class Cycle:
    """What is read every `interval` seconds."""

    interval: float
    reads: tuple[Read, ...]


class UnreadableError(ValueError):
    """A register that no request within the limits can read; the profile is wrong."""


def plan(registers: Iterable[Register], limits: Limits, pace: Timing = TCP, cuts: Cuts = NO_CUTS) -> tuple[Read, ...]:
    """The cheapest reads that serve `registers` within `limits`, by table and address; UnreadableError else."""
    tables: dict[Table, list[Register]] = {}
    for register in registers:
        _check(register, limits)
        tables.setdefault(register.table, []).append(register)
    return tuple(
        read
        for table in Table
        if table in tables
        for read in _Row(table, tables[table], limits, [at for where, at in cuts if where is table]).reads(pace)
    )


def divided(read: Read) -> tuple[Table, int] | None:
    """Where to cut a read that was refused: as near to its middle as may be; None for a single register.

    The place is one that `plan` takes as a cut, and that leaves registers on both sides.
    """
    starts = sorted({register.address for register in read.registers})
    return (read.table, starts[len(starts) // 2]) if len(starts) > 1 else None


def halves(read: Read, limits: Limits, pace: Timing = TCP, cuts: Cuts = NO_CUTS) -> tuple[Read, ...]:
    """A refused read divided (see `divided`); empty when there is nothing left to divide."""
    place = divided(read)
    if place is None:
        return ()
    before = [register for register in read.registers if register.address < place[1]]
    behind = [register for register in read.registers if register.address >= place[1]]
    return plan(before, limits, pace, cuts) + plan(behind, limits, pace, cuts)


def wanted(profile: Profile, device: Device) -> tuple[Register, ...]:
    """The registers that `device` asks for, under the keys that it gives them."""
    return tuple(
        replace(register, point=device.rename.get(register.point, register.point))
        for register in profile.registers
        if not device.points or register.point in device.points
    )


def schedule(
    profile: Profile,
    device: Device,
    points: Mapping[str, Point],
    *,
    cuts: Cuts = NO_CUTS,
    without: Collection[str] = (),
) -> tuple[Cycle, ...]:
    """The plan of each interval class of a device, the fastest first. `points` are those of the asset class.

    `without`: points (under the device's own keys) that are left out.
    """
    pace = timing(device.line, profile.limits)
    classes: dict[float, list[Register]] = {}
    for register in wanted(profile, device):
        if register.point not in without:
            classes.setdefault(interval(register, device, points), []).append(register)
    cycles: list[tuple[float, list[Read]]] = []
    for every in sorted(classes):
        faster = [reads for _, reads in cycles] if not profile.limits.single else []
        left = [
            register
            for register in classes[every]
            if points[register.point].kind not in STATES or not _rides(register, faster)
        ]
        if left:
            cycles.append((every, list(plan(left, profile.limits, pace, cuts))))
    return tuple(Cycle(every, tuple(reads)) for every, reads in cycles)


def interval(register: Register, device: Device, points: Mapping[str, Point]) -> float:
    """Seconds between two polls of a register, under the key that the device gives it."""
    return max(SHORTEST, (register.interval or points[register.point].interval) / device.speedup)


def _rides(register: Register, faster: Iterable[list[Read]]) -> bool:
    """Give a register to a read that fetches its cells anyway; False when there is none."""
    for reads in faster:
        for index, read in enumerate(reads):
            inside = read.address <= register.address and register.address + register.words <= read.end
            if inside and read.table is register.table:
                reads[index] = replace(read, registers=(*read.registers, register))
                return True
    return False


def cost(reads: Sequence[Read], pace: Timing) -> float:
    """Seconds that these reads are predicted to take, one after the other."""
    return sum(pace.read(_size(read.table, read.count)) for read in reads)


def _order(register: Register) -> tuple[int, int]:
    return register.address, -register.words


def _room(table: Table, limits: Limits) -> int:
    return limits.bits if table.is_bits else limits.registers


def _check(register: Register, limits: Limits) -> None:
    if register.words > _room(register.table, limits):
        raise UnreadableError(f"{register.point}: {register.words} registers do not fit into one request of this model")
    if _is_forbidden(register.table, register.address, register.address + register.words, limits):
        raise UnreadableError(f"{register.point}: {register.table} {register.address} lies in a forbidden range")


def _is_forbidden(table: Table, start: int, end: int, limits: Limits) -> bool:
    return any(table is where and start <= last and first < end for where, first, last in limits.forbidden)


class _Row:
    """The registers of one table in order, and what may be read of them in one request."""

    def __init__(self, table: Table, registers: Iterable[Register], limits: Limits, cuts: Iterable[int]) -> None:
        self._table = table
        self._registers = sorted(registers, key=_order)
        self._limits = limits
        self._gap = 65_536 if limits.gap is None else limits.gap * (16 if table.is_bits else 1)
        self._cuts = sorted(cuts)

    def reads(self, pace: Timing) -> Iterator[Read]:
        """The cheapest division of the row."""
        count = len(self._registers)
        best, came, ends = [0.0] + [float("inf")] * count, [0] * (count + 1), [0] * (count + 1)
        for first in range(count):
            if best[first] == float("inf"):
                continue
            start = self._registers[first].address
            for last, end in self._worthwhile(first):
                price = best[first] + pace.read(_size(self._table, end - start))
                if price < best[last + 1] - EQUAL:
                    best[last + 1], came[last + 1], ends[last + 1] = price, first, end
        bounds: list[tuple[int, int]] = []
        while count:
            bounds.append((came[count], count))
            count = came[count]
        for first, after in reversed(bounds):
            start = self._registers[first].address
            yield Read(self._table, start, ends[after] - start, tuple(self._registers[first:after]))

    def _worthwhile(self, first: int) -> Iterator[tuple[int, int]]:
        """The ends of `_reach` that can be part of a cheapest plan.

        Where registers touch, a read that ends gains nothing over one that goes on: what it does not bring the next one
        has to. So a row without holes is divided at its limits alone, and long maps are planned in no time.
        """
        reach = list(self._reach(first))
        for (last, end), following in zip(reach, [*reach[1:], None], strict=True):
            if following is None or not self._touches(last, end) or not self._stands_off(following):
                yield last, end

    def _touches(self, last: int, end: int) -> bool:
        """Whether the register after `last` begins where the read ends."""
        return self._registers[last + 1].address == end

    def _stands_off(self, following: tuple[int, int]) -> bool:
        """Whether the register after a read lies behind it."""
        last, end = following
        return last + 1 == len(self._registers) or self._registers[last + 1].address >= end

    def _reach(self, first: int) -> Iterator[tuple[int, int]]:
        """(last register, end) of every read that may begin with `first`."""
        registers, limits = self._registers, self._limits
        start = end = registers[first].address
        following = bisect_right(self._cuts, start)
        cut = self._cuts[following] if following < len(self._cuts) else 65_537
        for last in range(first, len(registers)):
            register = registers[last]
            if last > first and (limits.single or register.address - end > self._gap or register.address >= cut):
                return
            end = max(end, register.address + register.words)
            if end - start > _room(self._table, limits) or _is_forbidden(self._table, start, end, limits):
                return
            yield last, end


def _size(table: Table, count: int) -> float:
    """Bytes that `count` cells take; parts of a byte count as such, so that no plan is preferred for its rounding."""
    return count / 8 if table.is_bits else count * 2
