"""Whose turn it is: commands first, polls not for ever, and no cancellation loses or doubles the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.turn import IN_A_ROW, Turn


class Line:
    """Requests on a line: who had the turn in which order, and whether two had it at once."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.order: list[str] = []
        self.at_once = 0

    async def request(self, name: str, *, urgent: bool, steps: int = 1) -> None:
        """Take the turn, keep it for so many rounds of the loop, release it."""
        await self.turn.take(urgent=urgent)
        try:
            self.at_once += 1
            assert self.at_once == 1
            self.order.append(name)
            for _ in range(steps):
                await asyncio.sleep(0)
        finally:
            self.at_once -= 1
            self.turn.release()

    def start(self, name: str, *, steps: int = 1) -> asyncio.Task[None]:
        """A command if its name begins with c, else a poll."""
        return asyncio.create_task(self.request(name, urgent=name.startswith("c"), steps=steps))


async def finished(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all are done; the line would hang if the turn were lost."""
    async with asyncio.timeout(5):
        await asyncio.wait(tasks)


async def test_commands_overtake_polls_that_wait_and_each_other_never() -> None:
    line = Line()
    tasks = [line.start(name) for name in ("p1", "p2", "p3", "c1", "c2")]
    await finished(tasks)
    assert line.order == ["p1", "c1", "c2", "p2", "p3"]


async def test_a_poll_gets_its_turn_after_so_many_commands() -> None:
    line = Line()
    names = ["p0", "p1", "p2", *(f"c{number}" for number in range(2 * IN_A_ROW + 3))]
    await finished([line.start(name) for name in names])
    first = [f"c{number}" for number in range(IN_A_ROW)]
    second = [f"c{number}" for number in range(IN_A_ROW, 2 * IN_A_ROW)]
    rest = [f"c{number}" for number in range(2 * IN_A_ROW, 2 * IN_A_ROW + 3)]
    assert line.order == ["p0", *first, "p1", *second, "p2", *rest]


async def test_a_stream_of_commands_does_not_starve_the_polls() -> None:
    line = Line()
    running = [line.start("p0"), line.start("p1")]
    for number in range(100):
        running.append(line.start(f"c{number}"))
        await asyncio.sleep(0)
    await finished(running)
    assert line.order.index("p1") <= IN_A_ROW + 1


async def test_one_that_is_cancelled_while_it_waits_does_not_count() -> None:
    line = Line()
    first, second, third = line.start("p1", steps=3), line.start("p2"), line.start("p3")
    await asyncio.sleep(0)
    second.cancel()
    await finished([first, second, third])
    assert line.order == ["p1", "p3"]
    assert second.cancelled()


async def test_cancelled_and_passed_over_in_the_same_moment() -> None:
    line = Line()
    await line.turn.take()
    waiting = line.start("p1")
    await asyncio.sleep(0)
    waiting.cancel()
    line.turn.release()
    await finished([waiting])
    assert waiting.cancelled()
    await line.request("p2", urgent=False)


async def test_cancelled_after_the_turn_was_handed_over() -> None:
    line = Line()
    await line.turn.take()
    waiting, other = line.start("p1"), line.start("p2")
    await asyncio.sleep(0)
    line.turn.release()
    waiting.cancel()
    await finished([waiting, other])
    assert line.order == ["p2"]
    assert waiting.cancelled()


STEP = st.one_of(
    st.tuples(st.just("command"), st.integers(0, 3)),
    st.tuples(st.just("poll"), st.integers(0, 3)),
    st.tuples(st.just("cancel"), st.integers(0, 4)),
    st.tuples(st.just("go on"), st.integers(1, 2)),
)


@settings(max_examples=200)
@given(st.lists(STEP, min_size=4, max_size=40))
def test_no_interleaving_loses_or_doubles_the_turn(steps: list[tuple[str, int]]) -> None:
    async def play() -> None:
        line = Line()
        tasks: list[asyncio.Task[None]] = []
        for what, number in steps:
            if what == "cancel":
                if number < len(tasks):
                    tasks[-1 - number].cancel()
            elif what == "go on":
                for _ in range(number):
                    await asyncio.sleep(0)
            else:
                tasks.append(line.start(f"{what}{len(tasks)}", steps=number))
        tasks.append(line.start("poll at the end"))
        await finished(tasks)
        assert all(task.cancelled() or task.exception() is None for task in tasks)
        assert line.at_once == 0
        assert line.order[-1] == "poll at the end"
        # whoever was not cancelled had its turn, once
        names = [name for name in line.order if name != "poll at the end"]
        assert len(names) == len(set(names))
        assert len(names) >= sum(not task.cancelled() for task in tasks) - 1
        # and nobody has it now
        await asyncio.wait_for(line.turn.take(), 1)

    asyncio.run(play())


@pytest.mark.parametrize("kind", ["command", "poll"])
async def test_the_same_kind_in_the_order_of_asking(kind: str) -> None:
    line = Line()
    names = [f"{kind}{number}" for number in range(IN_A_ROW)]
    await finished([line.start(name) for name in names])
    assert line.order == names
