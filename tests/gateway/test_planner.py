"""The properties of a plan, and what a schedule groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.assets import Line
from facility.points import Kind, Limits, Register, Table
from gateway.planner import TCP, Cuts, Read, UnreadableError, cost, halves, plan, schedule
from gateway.timing import Timing, timing
from tests.gateway.plant import POINTS, POLLED, a_device

registers_of = st.builds(
    Register,
    point=st.just("p"),
    table=st.sampled_from(Table),
    address=st.integers(0, 400),
    type=st.just("uint16"),
    words=st.sampled_from([1, 1, 1, 2, 4]),
).map(lambda found: replace(found, words=1) if found.table.is_bits else found)
limits_of = st.builds(
    Limits,
    registers=st.integers(4, 125),
    bits=st.integers(1, 300),
    gap=st.integers(0, 20),
    forbidden=st.lists(
        st.tuples(st.sampled_from(Table), st.integers(0, 400), st.integers(0, 10)).map(
            lambda found: (found[0], found[1], found[1] + found[2])
        ),
        max_size=4,
    ).map(tuple),
    single=st.booleans(),
)


def touches(table: Table, start: int, end: int, limits: Limits) -> bool:
    return any(table is where and start <= last and end > first for where, first, last in limits.forbidden)


def readable(registers: list[Register], limits: Limits) -> list[Register]:
    return [item for item in registers if not touches(item.table, item.address, item.address + item.words, limits)]


@pytest.mark.slow
@given(st.lists(registers_of, max_size=60), limits_of)
def test_every_register_is_whole_in_exactly_one_read_within_the_limits(
    registers: list[Register], limits: Limits
) -> None:
    wanted = readable(registers, limits)
    reads = plan(wanted, limits)
    served = [item for read in reads for item in read.registers]
    assert sorted(map(repr, served)) == sorted(map(repr, wanted))
    for read in reads:
        assert 1 <= read.count <= (limits.bits if read.table.is_bits else limits.registers)
        assert not touches(read.table, read.address, read.end, limits)
        assert len(read.registers) == 1 or not limits.single
        for item in read.registers:
            assert item.table is read.table
            assert read.address <= item.address
            assert item.address + item.words <= read.end
        assert min(item.address for item in read.registers) == read.address
        assert max(item.address + item.words for item in read.registers) == read.end


PACES = st.sampled_from([TCP, timing(Line(serial="/dev/x", baud=1_200), Limits()), Timing(1.0, 0.3)])
cuts_of = st.frozensets(st.tuples(st.sampled_from(Table), st.integers(0, 60)), max_size=4)
few_of = st.lists(
    st.builds(
        Register, point=st.just("p"), table=st.sampled_from((Table.COIL, Table.HOLDING)), address=st.integers(0, 60),
        type=st.just("uint16"), words=st.sampled_from([1, 1, 2, 4]),
    ).map(lambda found: replace(found, words=1) if found.table.is_bits else found),
    min_size=1, max_size=7,
)  # fmt: skip


def load(reads: Iterable[Read], pace: Timing) -> float:
    """What reads cost, from the definition."""
    return sum(pace.request + pace.word * (read.count / 16 if read.table.is_bits else read.count) for read in reads)


def allowed(row: Sequence[Register], limits: Limits, cuts: Cuts) -> Read | None:
    """The one read of these registers, if it may be made."""
    start, table = row[0].address, row[0].table
    end = start
    for index, item in enumerate(row):
        gap = 65_536 if limits.gap is None else limits.gap * (16 if table.is_bits else 1)
        cut = any(where is table and start < at <= item.address for where, at in cuts)
        if index and (limits.single or item.address - end > gap or cut):
            return None
        end = max(end, item.address + item.words)
    room = limits.bits if table.is_bits else limits.registers
    if end - start > room or touches(table, start, end, limits):
        return None
    return Read(table, start, end - start, tuple(row))


def cheapest(row: Sequence[Register], limits: Limits, cuts: Cuts, pace: Timing) -> float:
    """By trying every division of the row."""
    prices = []
    for places in product((False, True), repeat=len(row) - 1):
        bounds = [0, *(index + 1 for index, place in enumerate(places) if place), len(row)]
        reads = [allowed(row[first:after], limits, cuts) for first, after in pairwise(bounds)]
        if all(reads):
            prices.append(load([read for read in reads if read], pace))
    return min(prices)


@pytest.mark.slow
@given(few_of, limits_of, cuts_of, PACES)
def test_no_other_division_of_the_row_is_cheaper(
    registers: list[Register], limits: Limits, cuts: Cuts, pace: Timing
) -> None:
    wanted = readable(registers, limits)
    reads = plan(wanted, limits, pace, cuts)
    for table in Table:
        row = sorted((r for r in wanted if r.table is table), key=lambda r: (r.address, -r.words))
        if row:
            mine = load([read for read in reads if read.table is table], pace)
            assert mine == pytest.approx(cheapest(row, limits, cuts, pace))


@pytest.mark.slow
@given(st.lists(registers_of, max_size=40), limits_of, cuts_of)
def test_no_read_reaches_across_a_cut_that_lies_between_its_registers(
    registers: list[Register], limits: Limits, cuts: Cuts
) -> None:
    for read in plan(readable(registers, limits), limits, TCP, cuts):
        for item in read.registers:
            assert not any(where is read.table and read.address < at <= item.address for where, at in cuts)


def test_a_hole_is_bridged_where_that_is_cheaper_than_another_request() -> None:
    near = [Register("a", Table.HOLDING, 0, "uint16"), Register("b", Table.HOLDING, 11, "uint16")]
    far = [near[0], Register("c", Table.HOLDING, 14, "uint16")]
    slow = timing(Line(serial="/dev/x", baud=9_600), Limits())
    assert slow.request == pytest.approx(0.005 + 13 * 10 / 9600 + 2 * 3.5 * 10 / 9600)
    assert slow.word == pytest.approx(20 / 9600)
    assert [len(plan(row, Limits(), slow)) for row in (near, far)] == [1, 2]
    assert [len(plan(row, Limits())) for row in (near, far)] == [1, 1]
    assert [len(plan(row, Limits(gap=8))) for row in (near, far)] == [2, 2]


def test_a_long_map_is_planned_in_no_time() -> None:
    registers = [Register(f"p{n}", Table.HOLDING, n, "uint16") for n in range(20_000)]
    assert len(plan(registers, Limits())) == 160


def test_a_short_register_inside_a_long_one_does_not_cut_it() -> None:
    long = Register("long", Table.HOLDING, 10, "uint64", words=4)
    short = Register("short", Table.HOLDING, 11, "uint16")
    assert plan([short, long], Limits()) == (Read(Table.HOLDING, 10, 4, (long, short)),)


@pytest.mark.parametrize(
    ("register", "limits"),
    [
        (Register("p", Table.HOLDING, 0, "string", words=20), Limits(registers=16)),
        (Register("p", Table.HOLDING, 10, "uint32", words=2), Limits(forbidden=((Table.HOLDING, 11, 20),))),
    ],
)
def test_what_no_request_can_read_is_an_error_that_names_the_point(register: Register, limits: Limits) -> None:
    with pytest.raises(UnreadableError, match="p: "):
        plan([register], limits)


@pytest.mark.slow
@given(st.lists(registers_of, min_size=1, max_size=30))
def test_halving_ends_with_single_registers_and_loses_none(registers: list[Register]) -> None:
    todo, done = list(plan(registers, Limits())), []
    while todo:
        read = todo.pop()
        parts = halves(read, Limits())
        todo += parts
        done += [] if parts else read.registers
    assert sorted(map(repr, done)) == sorted(map(repr, registers))


def test_a_schedule_groups_by_interval_narrows_renames_and_speeds_up() -> None:
    points = {**POINTS, "temp2": POINTS["temp"], "energy": replace(POINTS["energy"], interval=60.0)}
    device = a_device(points=frozenset({"volts", "temp", "energy"}), rename={"temp": "temp2"}, speedup=2.0)
    cycles = schedule(POLLED, device, points)
    assert [cycle.interval for cycle in cycles] == [0.025, 30.0]
    assert [item.point for read in cycles[0].reads for item in read.registers] == ["volts", "temp2"]
    assert [item.point for read in cycles[1].reads for item in read.registers] == ["energy"]


def test_the_interval_of_a_register_wins_over_that_of_its_point() -> None:
    registers = (replace(POLLED.registers[0], interval=5.0), POLLED.registers[1])
    cycles = schedule(replace(POLLED, registers=registers), a_device(), POINTS)
    assert [cycle.interval for cycle in cycles] == [0.05, 5.0]


def test_the_cost_grows_with_requests_words_and_the_delay_between() -> None:
    one = plan([Register("p", Table.HOLDING, 0, "uint16")], Limits())
    two = plan([Register("p", Table.HOLDING, address, "uint16") for address in (0, 500)], Limits())
    wide = plan([Register("p", Table.HOLDING, address, "uint16") for address in range(100)], Limits())
    slow = timing(Line(), Limits(delay=0.1))
    assert cost(one, TCP) < cost(wide, TCP) < cost(two, TCP) < cost(two, slow)


def test_a_slow_switch_rides_on_a_faster_read_and_a_slow_number_keeps_its_pace() -> None:
    fast = Register("fast", Table.INPUT, 0, "uint16", words=4)
    switch = Register("switch", Table.INPUT, 2, "bit", bits=(3, 3))
    number = Register("number", Table.INPUT, 1, "uint16")
    points = {
        "fast": replace(POINTS["temp"], key="fast", interval=1.0),
        "switch": replace(POINTS["temp"], key="switch", kind=Kind.DISCRETE, interval=10.0),
        "number": replace(POINTS["temp"], key="number", interval=10.0),
    }
    profile = replace(POLLED, registers=(fast, switch, number))
    cycles = schedule(profile, a_device(), points)
    assert [cycle.interval for cycle in cycles] == [1.0, 10.0]
    assert cycles[0].reads == (Read(Table.INPUT, 0, 4, (fast, switch)),)
    assert [item.point for read in cycles[1].reads for item in read.registers] == ["number"]
    alone = schedule(replace(profile, limits=Limits(single=True)), a_device(), points)
    assert [item.point for read in alone[0].reads for item in read.registers] == ["fast"]
