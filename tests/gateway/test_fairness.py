"""The bound that the poller states (its docstring, docs/edge.md), for any line: what dead units may cost the living."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.points import Kind, Limits, Profile, Register, Table
from gateway.health import FAILURES, LONGEST, State
from gateway.poller import SHARE, ModbusPoller
from gateway.unit import Unit
from tests.gateway.plant import LABEL, FakeLine, LoopClock, Recorder, a_device, a_point

SETTLED = 150.0
"""Seconds after which every dead unit has long been found out and waits its longest."""
WATCHED = 250.0
EPSILON = 1e-6


@dataclass(frozen=True)
class Line:
    """n units behind one line: how long an answer takes, the time-out, the interval, and who is dead."""

    units: int
    dead: int
    takes: float
    timeout: float
    interval: float

    @property
    def live(self) -> range:
        """The unit ids that answer."""
        return range(1, self.units - self.dead + 1)

    @property
    def round(self) -> float:
        """C: one round of every live unit."""
        return self.takes * len(self.live)


lines = st.integers(2, 8).flatmap(
    lambda units: st.builds(
        Line,
        units=st.just(units),
        dead=st.integers(1, units - 1),
        takes=st.sampled_from([0.005, 0.05, 0.137, 0.4]),
        timeout=st.sampled_from([0.2, 0.5, 1.0, 3.0]),
        interval=st.sampled_from([0.5, 1.0, 2.0, 7.0]),
    )
)


def virtual(work: Coroutine[Any, Any, None]) -> None:
    """Run it on a clock that jumps."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(work)


def a_poller(line: Line, connection: FakeLine) -> ModbusPoller:
    points = {"p": a_point("p", Kind.COUNTER, interval=line.interval)}
    registers = (Register("p", Table.HOLDING, 0, "uint16"),)
    profile = Profile("p", "machine", LABEL, "test", "modbus", registers, Limits(timeout=line.timeout))
    units = [Unit(a_device(f"d{n}", unit=n), profile, points) for n in range(1, line.units + 1)]
    return ModbusPoller(connection, units, LoopClock(), lambda: 0.37)


def mean(times: list[float]) -> float:
    """The mean distance."""
    return (times[-1] - times[0]) / (len(times) - 1)


async def polled(line: Line) -> list[tuple[float, int]]:
    """(when, unit) of every request once the dead are known to be dead."""
    connection = FakeLine(*line.live, takes=line.takes)
    poller = a_poller(line, connection)
    running = asyncio.create_task(poller.run(Recorder()))
    await asyncio.sleep(SETTLED)
    connection.asked.clear()
    await asyncio.sleep(WATCHED)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    states = {unit.device.unit: unit.health.state for unit in poller.units}
    assert states == {n: State.UP if n in line.live else State.DOWN for n in range(1, line.units + 1)}
    return [(at, unit) for at, unit, _ in connection.asked]


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=12)
@given(lines)
def test_a_live_unit_waits_one_time_out_and_one_round_at_most_and_loses_few_polls(line: Line) -> None:
    async def run() -> None:
        asked, alone = await polled(line), await polled(replace(line, units=len(line.live), dead=0))
        for unit in line.live:
            times = [at for at, who in asked if who == unit]
            gaps = [two - one for one, two in pairwise(times)]
            assert max(gaps) <= line.interval + line.timeout + line.round + EPSILON
            # the ends of the time that is watched may cut one attempt
            edge = 2 * (line.timeout + line.interval + line.round) / WATCHED
            growth = SHARE * (1 + line.interval / line.timeout)
            if line.timeout + line.round <= line.interval:
                growth, edge = 0.0, EPSILON + edge * (max(gaps) - line.interval) / line.interval
            assert mean(times) <= mean([at for at, who in alone if who == unit]) * (1 + growth + edge)

    virtual(run())


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=12)
@given(lines)
def test_in_any_time_the_dead_take_one_attempt_and_a_tenth_of_it(line: Line) -> None:
    async def run() -> None:
        starts = [at for at, unit in await polled(line) if unit not in line.live]
        for first, begin in enumerate(starts):
            for count, end in enumerate(starts[first:], 1):
                # W reaches from the start of one attempt to the end of another
                spent, watched = count * line.timeout, end + line.timeout - begin
                assert spent <= line.timeout + SHARE * watched + EPSILON

    virtual(run())


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=12)
@given(lines)
def test_a_unit_that_dies_costs_three_time_outs_before_it_is_left_alone(line: Line) -> None:
    async def run() -> None:
        alive = replace(line, dead=0)
        connection = FakeLine(*alive.live, takes=line.takes)
        poller = a_poller(alive, connection)
        running = asyncio.create_task(poller.run(Recorder()))
        await asyncio.sleep(60)
        connection.units -= set(range(len(line.live) + 1, line.units + 1))
        died = asyncio.get_running_loop().time()
        while any(unit.health.state is not State.DOWN for unit in poller.units if unit.device.unit not in line.live):
            await asyncio.sleep(0.5)
        took = asyncio.get_running_loop().time() - died
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        for unit in range(len(line.live) + 1, line.units + 1):
            assert sum(1 for at, who, _ in connection.asked if who == unit and at >= died) <= FAILURES + 1
        assert took <= 4 * (line.interval + line.timeout * line.dead + alive.round + LONGEST / 60)

    virtual(run())
