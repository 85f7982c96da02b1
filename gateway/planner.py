"""Pure: the registers of one device -> the fewest reads that its limits allow.

The planner walks the registers of one table in order of their address and lets a read grow while four things hold:
the hole before the next register is no wider than `gap`, the whole stays within what one request may ask for, no
forbidden range comes to lie inside, and the model does not insist on one point per read. A read never ends before the
furthest register it has taken, so a short register that lies inside a longer one can not cut it.

What holds for every plan (tested as properties): each register lies whole in exactly one read, equal, nested and
overlapping ones included; no read exceeds a limit; no read touches a forbidden range.

Registers are grouped by poll interval first (`schedule`): a slow number is not read at the pace of a fast neighbour,
which would only store it more often. A slow switch or state whose cells a faster read fetches anyway is served by that
read: the request costs the same, and its change is seen earlier.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from facility.assets import Device
from facility.points import Kind, Limits, Point, Profile, Register, Table

REQUEST = 0.005
"""Seconds that a request costs before its first word: the way there and back, and the device's own thinking."""
WORD = 0.00002
"""Seconds that each word of the answer adds."""
STATES = frozenset({Kind.DISCRETE, Kind.ENUM})
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


def plan(registers: Iterable[Register], limits: Limits) -> tuple[Read, ...]:
    """The fewest reads that serve `registers` within `limits`, by table and address; UnreadableError else."""
    tables: dict[Table, list[Register]] = {}
    for register in registers:
        _check(register, limits)
        tables.setdefault(register.table, []).append(register)
    return tuple(read for table in Table if table in tables for read in _reads(table, tables[table], limits))


def halves(read: Read, limits: Limits) -> tuple[Read, ...]:
    """A refused read cut in two by its registers; empty when there is nothing left to cut."""
    if len(read.registers) < 2:
        return ()
    ordered = sorted(read.registers, key=_order)
    middle = len(ordered) // 2
    return plan(ordered[:middle], limits) + plan(ordered[middle:], limits)


def wanted(profile: Profile, device: Device) -> tuple[Register, ...]:
    """The registers that `device` asks for, under the keys that it gives them."""
    return tuple(
        replace(register, point=device.rename.get(register.point, register.point))
        for register in profile.registers
        if not device.points or register.point in device.points
    )


def schedule(profile: Profile, device: Device, points: Mapping[str, Point]) -> tuple[Cycle, ...]:
    """The plan of each interval class of a device, the fastest first. `points` are those of the asset class."""
    classes: dict[float, list[Register]] = {}
    for register in wanted(profile, device):
        interval = register.interval or points[register.point].interval
        classes.setdefault(max(SHORTEST, interval / device.speedup), []).append(register)
    cycles: list[tuple[float, list[Read]]] = []
    for interval in sorted(classes):
        faster = [reads for _, reads in cycles] if not profile.limits.single else []
        left = [
            register
            for register in classes[interval]
            if points[register.point].kind not in STATES or not _rides(register, faster)
        ]
        if left:
            cycles.append((interval, list(plan(left, profile.limits))))
    return tuple(Cycle(interval, tuple(reads)) for interval, reads in cycles)


def _rides(register: Register, faster: Iterable[list[Read]]) -> bool:
    """Give a register to a read that fetches its cells anyway; False when there is none."""
    for reads in faster:
        for index, read in enumerate(reads):
            inside = read.address <= register.address and register.address + register.words <= read.end
            if inside and read.table is register.table:
                reads[index] = replace(read, registers=(*read.registers, register))
                return True
    return False


def cost(reads: Sequence[Read], limits: Limits) -> float:
    """Seconds that these reads are predicted to take, one after the other."""
    words = sum(read.size / 2 for read in reads)
    return len(reads) * (REQUEST + limits.delay) + words * WORD


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


def _reads(table: Table, registers: list[Register], limits: Limits) -> Iterator[Read]:
    gap = limits.gap * 16 if table.is_bits else limits.gap
    taken: list[Register] = []
    start = end = 0
    for register in sorted(registers, key=_order):
        reach = max(end, register.address + register.words)
        joins = (
            bool(taken)
            and not limits.single
            and register.address - end <= gap
            and reach - start <= _room(table, limits)
            and not _is_forbidden(table, start, reach, limits)
        )
        if not joins:
            if taken:
                yield Read(table, start, end - start, tuple(taken))
            taken, start, reach = [], register.address, register.address + register.words
        taken.append(register)
        end = reach
    if taken:
        yield Read(table, start, end - start, tuple(taken))
