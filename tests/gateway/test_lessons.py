"""What a device refuses: found out in few requests, told, kept on disk, forgotten when it is time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import looptime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.assets import Line
from facility.points import Kind, Limits, Profile, Register, Table
from facility.readings import Quality
from gateway.lesson_book import LessonBook
from gateway.lessons import AGE_MS, FIRST_WAIT_MS, RETRY_MS, Lessons, fingerprint
from gateway.poller import ModbusPoller
from gateway.unit import Unit
from tests.gateway.plant import LABEL, FakeLine, LoopClock, Recorder, a_device, a_point

SIZE = 40
KEYS = [f"p{n}" for n in range(SIZE)]
POINTS = {key: a_point(key, Kind.COUNTER, interval=1.0) for key in KEYS}
DENSE = tuple(Register(key, Table.HOLDING, n, "uint16") for n, key in enumerate(KEYS))
LIMITS = Limits(timeout=1.0)
NOW = 1_700_000_000_000


def a_profile(registers: tuple[Register, ...] = DENSE, **changes: object) -> Profile:
    return replace(Profile("p", "machine", LABEL, "test", "modbus", registers, LIMITS), **changes)  # type: ignore[arg-type]


class Picky(FakeLine):
    """A device that refuses reads of more than `most` registers as well."""

    def __init__(self, *, most: int = 125) -> None:
        super().__init__(1)
        self.most = most
        self.firmware = b"V1"

    async def read(self, device, unit, read, timeout, **manner):  # type: ignore[no-untyped-def]
        if read.address == 1000:
            return self.firmware
        mended = self.forbidden
        if read.count > self.most:
            self.forbidden = mended | {read.address}
        try:
            return await super().read(device, unit, read, timeout, **manner)
        finally:
            self.forbidden = mended


@asynccontextmanager
async def polled(line: FakeLine, unit: Unit) -> AsyncIterator[Recorder]:
    poller, sink = ModbusPoller(line, [unit], LoopClock(), lambda: 0.0), Recorder()
    task = asyncio.create_task(poller.run(sink))
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.wait([task])


def reads_of(unit: Unit) -> list[tuple[int, int]]:
    """(first, last) of what is read regularly."""
    return [(b.read.address, b.read.end - 1) for job in unit.jobs for b in job.blocks if not b.error]


@pytest.mark.looptime
@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ({13}, [(0, 12), (14, 39)]),
        ({0, 39}, [(1, 38)]),
        ({5, 6, 7}, [(0, 4), (8, 39)]),
        ({3, 20}, [(0, 2), (4, 19), (21, 39)]),
    ],
)
async def test_only_what_is_refused_is_left_out_and_the_rest_is_read_together_again(
    missing: set[int], expected: list[tuple[int, int]]
) -> None:
    line = Picky()
    line.forbidden = missing
    unit = Unit(a_device(), a_profile(), POINTS)
    async with polled(line, unit) as sink:
        await asyncio.sleep(30)
        assert reads_of(unit) == expected
        bad = {key for key, (_, quality) in sink.last("M-d1").items() if quality is Quality.COMM}
        assert bad == {f"p{n}" for n in missing}
        line.asked.clear()
        await asyncio.sleep(10)
        assert len(line.asked) <= 11 * len(expected)


@pytest.mark.looptime
async def test_a_device_that_takes_fewer_registers_than_its_profile_says_is_read_in_parts() -> None:
    line = Picky(most=12)
    unit = Unit(a_device(), a_profile(), POINTS)
    async with polled(line, unit) as sink:
        await asyncio.sleep(60)
        assert {quality for _, quality in sink.last("M-d1").values()} == {Quality.GOOD}
        assert unit.lessons.refused == {}
        assert all(last - first < 12 for first, last in reads_of(unit))
        assert len(reads_of(unit)) <= 4 + 2
        line.asked.clear()
        await asyncio.sleep(5.5)
        assert all(read.count <= 12 for _, _, read in line.asked)


@pytest.mark.looptime
async def test_finding_out_takes_few_requests() -> None:
    line = Picky()
    line.forbidden = {13}
    async with polled(line, Unit(a_device(), a_profile(), POINTS)):
        await asyncio.sleep(0.5)
    assert len(line.asked) <= 2 * 6 + 1


@settings(max_examples=25)
@given(st.sets(st.integers(0, SIZE - 1), max_size=6), st.sampled_from([125, 30, 9]))
def test_whatever_is_missing_every_other_point_gets_its_value(missing: set[int], most: int) -> None:
    async def run() -> None:
        line = Picky(most=most)
        line.forbidden = missing
        unit = Unit(a_device(), a_profile(), POINTS)
        async with polled(line, unit) as sink:
            await asyncio.sleep(45)
            last = sink.last("M-d1")
        assert {key for key, (_, quality) in last.items() if quality is Quality.GOOD} == {
            f"p{n}" for n in range(SIZE) if n not in missing
        }
        assert set(unit.lessons.refused) == {f"p{n}" for n in missing}

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        runner.run(run())


@pytest.mark.looptime
async def test_what_was_learnt_holds_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "gw.json"
    line, device, profile = Picky(), a_device(), a_profile()
    line.forbidden = {13}
    book = LessonBook(path)
    book.open()
    unit = Unit(device, profile, POINTS, lessons=book.of("d1", fingerprint(device, profile)))
    async with polled(line, unit):
        await asyncio.sleep(10)
    book.save()
    line.asked.clear()
    again = LessonBook(path)
    again.open()
    unit = Unit(device, profile, POINTS, lessons=again.of("d1", fingerprint(device, profile)))
    async with polled(line, unit) as sink:
        await asyncio.sleep(3.5)
    assert not any(13 in range(read.address, read.end) for _, _, read in line.asked)
    assert len(line.asked) == 4 * 2
    assert "p13" not in sink.last("M-d1")
    assert unit.status().learnt == "1 points refused, 2 places not read across"
    assert "no value for p13" in unit.status().error


@pytest.mark.parametrize(
    "other",
    [a_device(unit=2), a_device(line=Line(port=5020)), a_device(points=frozenset({"p1"}))],
)
def test_lessons_of_another_address_or_map_are_not_believed(tmp_path: Path, other: object) -> None:
    book = LessonBook(tmp_path / "gw.json")
    lessons = book.of("d1", fingerprint(a_device(), a_profile()))
    lessons.refuse(DENSE[3], "no", NOW)
    book.save()
    again = LessonBook(tmp_path / "gw.json")
    again.open()
    assert again.of("d1", fingerprint(a_device(), a_profile())).refused
    assert not again.of("d1", fingerprint(other, a_profile())).refused  # type: ignore[arg-type]
    assert not again.of("d1", fingerprint(a_device(), a_profile(DENSE[:9]))).refused


@pytest.mark.looptime
async def test_another_firmware_makes_every_lesson_void() -> None:
    line = Picky()
    line.forbidden = {13}
    profile = a_profile(firmware=Register("", Table.HOLDING, 1000, "string", words=1))
    lessons = Lessons()
    async with polled(line, Unit(a_device(), profile, POINTS, lessons=lessons)):
        await asyncio.sleep(10)
    assert (lessons.firmware, set(lessons.refused)) == ("V1", {"p13"})
    line.forbidden, line.firmware = set(), b"V2"
    async with polled(line, Unit(a_device(), profile, POINTS, lessons=lessons)) as sink:
        await asyncio.sleep(3)
        assert sink.last("M-d1")["p13"] == (13, Quality.GOOD)
    assert (lessons.firmware, lessons.refused, lessons.cuts) == ("V2", {}, {})


@pytest.mark.looptime
async def test_a_device_that_was_gone_is_asked_for_its_refused_points_at_once() -> None:
    line = Picky()
    line.forbidden = {13}
    async with polled(line, Unit(a_device(), a_profile(), POINTS)) as sink:
        await asyncio.sleep(10)
        line.units.clear()
        await asyncio.sleep(20)
        line.units.add(1)
        line.forbidden = set()
        await asyncio.sleep(40)
        assert sink.last("M-d1")["p13"] == (13, Quality.GOOD)


def test_a_refused_point_waits_longer_each_time_up_to_the_set_age() -> None:
    lessons, now, waits = Lessons(), NOW, []
    for _ in range(7):
        lessons.refuse(DENSE[3], "no", now)
        due = lessons.refused["p3"].due(lessons.retry_ms)
        assert lessons.is_left_out("p3", due - 1)
        assert not lessons.is_left_out("p3", due)
        waits.append(due - now)
        now = due
    assert waits == [FIRST_WAIT_MS * n for n in (1, 2, 4, 8)] + [RETRY_MS] * 3
    assert not lessons.is_left_out("p3", now - 10 * RETRY_MS)


def test_a_cut_is_forgotten_at_its_age_and_one_from_the_future_too() -> None:
    lessons = Lessons()
    for address, at in ((1, NOW), (2, NOW - AGE_MS), (3, NOW + 5000)):
        lessons.cut((Table.HOLDING, address), at)
    assert lessons.expire(NOW)
    assert set(lessons.cuts) == {(Table.HOLDING, 1)}
    assert not lessons.expire(NOW)


@pytest.mark.parametrize("content", ["{", '{"d1": {"fingerprint": 3}}', "[]", "\xff"])
def test_a_damaged_book_is_put_aside_and_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "gw.json"
    path.write_bytes(content.encode("latin-1"))
    book = LessonBook(path)
    book.open()
    assert "gw.json was damaged" in book.problem
    assert (tmp_path / "gw.json.damaged1").exists()
    assert not book.of("d1", "x")


def test_a_disk_that_refuses_is_named_and_the_lessons_stay(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    book = LessonBook(tmp_path / "file" / "gw.json")
    lessons = book.of("d1", "x")
    lessons.refuse(DENSE[3], "no", NOW)
    book.save()
    assert "can't be written" in book.problem
    assert lessons.refused
