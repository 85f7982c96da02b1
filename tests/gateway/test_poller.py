"""The schedule in virtual time: grid, fairness to the living, back-off, and learning what a device refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise

import pytest

from facility.errors import DeviceError
from facility.points import Kind, Limits, Profile, Register, Table
from facility.readings import Quality
from gateway.health import State
from gateway.lessons import FIRST_WAIT_MS
from gateway.poller import ModbusPoller
from gateway.unit import Unit
from tests.gateway.plant import LABEL, FakeLine, LoopClock, Recorder, a_device, a_point

KEYS = [f"p{number}" for number in range(16)]
POINTS = {key: a_point(key, Kind.COUNTER, interval=1.0) for key in KEYS}
REGISTERS = tuple(Register(key, Table.HOLDING, 2 * number, "uint16") for number, key in enumerate(KEYS))
PROFILE = Profile("p", "machine", LABEL, "test", "modbus", REGISTERS, Limits(timeout=1.0))


def a_unit(number: int = 1, profile: Profile = PROFILE) -> Unit:
    return Unit(a_device(f"d{number}", unit=number), profile, POINTS)


@asynccontextmanager
async def polling(line: FakeLine, *units: Unit) -> AsyncIterator[tuple[ModbusPoller, Recorder]]:
    poller, sink = ModbusPoller(line, units, LoopClock(), lambda: 0.0), Recorder()
    task = asyncio.create_task(poller.run(sink))
    try:
        yield poller, sink
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.looptime
async def test_polls_on_a_fixed_grid_however_long_an_answer_takes() -> None:
    line = FakeLine(1, takes=0.3)
    async with polling(line, a_unit()) as (poller, _):
        await asyncio.sleep(100.5)
    times = line.times(1)
    assert len(times) == 101
    assert all(two - one == pytest.approx(1.0) for one, two in pairwise(times))
    assert poller.late == pytest.approx(0, abs=1e-6)


@pytest.mark.looptime
async def test_first_polls_are_spread_and_none_waits_longer_than_a_second() -> None:
    units = [a_unit(number) for number in (1, 2, 3, 4)]
    line = FakeLine(1, 2, 3, 4)
    async with polling(line, *units):
        await asyncio.sleep(1.5)
    assert [line.times(number)[0] for number in (1, 2, 3, 4)] == pytest.approx([0, 0.25, 0.5, 0.75])


@pytest.mark.looptime
async def test_a_cycle_that_takes_too_long_is_skipped_and_counted() -> None:
    unit, line = a_unit(), FakeLine(1, takes=2.5)
    async with polling(line, unit):
        await asyncio.sleep(30.1)
    assert line.times(1) == pytest.approx([3.0 * turn for turn in range(11)])
    assert unit.counts["overruns"] == 20


@pytest.mark.looptime
@pytest.mark.slow
async def test_dead_units_take_a_tenth_of_a_shared_line() -> None:
    units = [a_unit(number) for number in range(1, 11)]
    line = FakeLine(1, 2, 3, 4, 5)
    async with polling(line, *units) as (poller, _):
        await asyncio.sleep(60)
        line.asked.clear()
        await asyncio.sleep(600)
    dead = sum(unit > 5 for _, unit, _ in line.asked)
    assert 10 <= dead <= 61
    for number in range(1, 6):
        times = line.times(number)
        assert len(times) >= 590 * 0.95
        assert max(two - one for one, two in pairwise(times)) <= 2.2
    states = {device: status.state for device, status in poller.status().items()}
    assert states == {f"d{n}": State.UP if n <= 5 else State.DOWN for n in range(1, 11)}


@pytest.mark.looptime
async def test_a_dead_unit_is_told_once_backs_off_and_comes_back() -> None:
    line = FakeLine(1)
    async with polling(line, a_unit()) as (poller, sink):
        await asyncio.sleep(5)
        assert sink.last("M-d1")["p0"] == (0, Quality.GOOD)
        line.units.clear()
        await asyncio.sleep(7)
        assert poller.status()["d1"].state == State.DOWN
        assert poller.status()["d1"].error == "no answer"
        await asyncio.sleep(900)
        assert sink.count("M-d1", "p0") == 2
        assert sink.last("M-d1") == dict.fromkeys(KEYS, (None, Quality.COMM))
        gaps = [two - one for one, two in pairwise(line.times(1))]
        assert max(gaps) <= 62
        assert gaps[-1] >= 45
        line.units.add(1)
        await asyncio.sleep(70)
        assert poller.status()["d1"].state == State.UP
        assert sink.last("M-d1")["p5"] == (10, Quality.GOOD)


@pytest.mark.looptime
async def test_without_a_connection_every_unit_behind_it_is_down_together() -> None:
    units = [a_unit(number) for number in (1, 2, 3)]
    line = FakeLine(1, 2, 3)
    line.open = False
    async with polling(line, *units) as (poller, sink):
        await asyncio.sleep(5)
        assert {status.state for status in poller.status().values()} == {State.DOWN}
        assert {status.error for status in poller.status().values()} == {"no connection"}
        assert {name for name, _, _, _ in sink.samples} == {"M-d1", "M-d2", "M-d3"}


@pytest.mark.looptime
@pytest.mark.parametrize("forbidden", [{6}, {0, 30}, {7}, {1, 3, 5}, set(range(31))])
async def test_what_is_refused_is_found_out_and_only_that_is_bad(forbidden: set[int]) -> None:
    line = FakeLine(1)
    line.forbidden = forbidden
    unit = a_unit()
    async with polling(line, unit) as (poller, sink):
        await asyncio.sleep(5)
        last = sink.last("M-d1")
        for number, key in enumerate(KEYS):
            expected = (None, Quality.COMM) if 2 * number in forbidden else (2 * number, Quality.GOOD)
            assert last[key] == expected
        bad = sum(2 * number in forbidden for number in range(16))
        assert unit.counts["refused"] == bad
        status = poller.status()["d1"]
        assert status.state == (State.FAILING if bad else State.UP)
        assert ("illegal data address" in status.error) is bool(bad)
        line.asked.clear()
        await asyncio.sleep(3)
        assert not any(forbidden & set(range(read.address, read.end)) for _, _, read in line.asked)
        line.forbidden = set()
        await asyncio.sleep(FIRST_WAIT_MS / 1000 + 3)
        assert {quality for _, quality in sink.last("M-d1").values()} == {Quality.GOOD}
        assert poller.status()["d1"].state == State.UP
        assert unit.counts["refused"] == 0


@pytest.mark.looptime
async def test_a_function_that_a_device_lacks_is_not_looked_into() -> None:
    flags = (Register("p0", Table.COIL, 0, "bool"), Register("p1", Table.HOLDING, 0, "uint16"))
    line = FakeLine(1)
    line.code = 1
    unit = a_unit(profile=replace(PROFILE, registers=flags))
    async with polling(line, unit) as (_, sink):
        await asyncio.sleep(0.5)
        assert sink.last("M-d1") == dict.fromkeys(("p0", "p1"), (None, Quality.COMM))
        assert len(line.asked) == 2


@pytest.mark.looptime
@pytest.mark.parametrize("code", [4, 6, 10, 11])
async def test_a_device_that_answers_only_with_failures_goes_down(code: int) -> None:
    line = FakeLine(1)
    line.code = code
    async with polling(line, a_unit()) as (poller, sink):
        await asyncio.sleep(10)
        assert poller.status()["d1"].state == State.DOWN
        assert sink.last("M-d1")["p0"] == (None, Quality.COMM)
        assert sink.count("M-d1", "p0") == 1


@pytest.mark.looptime
async def test_a_busy_block_is_bad_alone_after_a_while() -> None:
    apart = (Register("p0", Table.HOLDING, 0, "uint16"), Register("p1", Table.HOLDING, 130, "uint16"))

    class Busy(FakeLine):
        async def read(self, device, unit, read, timeout, **manner):  # type: ignore[no-untyped-def]
            self.code = 6 if read.address == 130 and self.busy else 0
            return await super().read(device, unit, read, timeout)

    line = Busy(1)
    line.busy = True
    async with polling(line, a_unit(profile=replace(PROFILE, registers=apart))) as (poller, sink):
        await asyncio.sleep(1.5)
        assert sink.last("M-d1") == {"p0": (0, Quality.GOOD)}
        await asyncio.sleep(3)
        assert sink.last("M-d1") == {"p0": (0, Quality.GOOD), "p1": (None, Quality.COMM)}
        assert poller.status()["d1"].state == State.FAILING
        line.busy = False
        await asyncio.sleep(3)
        assert sink.last("M-d1")["p1"] == (130, Quality.GOOD)
        assert poller.status()["d1"].state == State.UP


@pytest.mark.looptime
async def test_a_unit_whose_late_answer_may_come_is_not_asked_and_holds_up_nobody() -> None:
    class Rtu(FakeLine):
        async def read(self, device: str, unit: int, *rest: object, **more: object) -> bytes:
            assert self.quarantine(unit) <= 0
            try:
                return await super().read(device, unit, *rest, **more)  # type: ignore[arg-type]
            except DeviceError:
                self._late[unit] = asyncio.get_running_loop().time() + 3.0
                raise

    slow = replace(PROFILE, limits=Limits(timeout=3.0))
    line = Rtu(1)
    async with polling(line, a_unit(1), a_unit(2, slow)) as (poller, _):
        await asyncio.sleep(60)
    assert poller.status()["d2"].state == State.DOWN
    assert len(line.times(2)) >= 4
    assert max(two - one for one, two in pairwise(line.times(1))) < 3.0 + 1.1
    # three time-outs until it counts as down, a few probes, and nothing else
    assert len(line.times(1)) >= 60 - 3 * len(line.times(2))
