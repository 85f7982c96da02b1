"""One suite for the memory queue and the file queue; the file alone survives kill -9, damage and a full disk."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.errors import StoreError
from gateway.file_spool import FileSpool, left_behind
from gateway.spool import OVERHEAD, Entry, MemorySpool, Spool
from tests.gateway.plant import LoopClock

NAMES = count()
DAY = 86_400.0


class HandClock(LoopClock):
    """A clock moved by hand; what the calendar says is somebody else's affair."""

    at = 1_000.0

    def monotonic(self) -> float:
        return self.at

    def days(self, days: float) -> None:
        self.at += days * DAY


def an_entry(seq: int, *, boot: str = "b1", readings: int = 10, size: int = 100) -> Entry:
    return Entry(boot, seq, 1_000 + seq, readings, bytes([seq % 256]) * size)


async def numbers(spool: Spool) -> list[tuple[str, int]]:
    """(boot, seq) of everything unconfirmed, in order, fetched in small pieces."""
    found: list[tuple[str, int]] = []
    after = 0
    while entries := await spool.waiting(after, 3):
        found += [(entry.boot, entry.seq) for entry in entries]
        after = entries[-1].id
    return found


@pytest.fixture(params=["memory", "file", "file, full sync"])
async def spool(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Spool]:
    found: Spool = MemorySpool(limit=100_000)
    if request.param != "memory":
        full = request.param.endswith("sync")
        found = FileSpool(tmp_path / "a" / "q.sqlite", limit=100_000, synchronous="full" if full else "normal")
    await found.open()
    yield found
    await found.close()


async def test_gives_back_what_was_put_in_order_until_it_is_confirmed(spool: Spool) -> None:
    kept = await spool.append([an_entry(1), an_entry(2)])
    await spool.append([an_entry(3)])
    assert [entry.seq for entry in kept] == [1, 2]
    (first,) = await spool.waiting(0, 1)
    assert (first.boot, first.seq, first.at, first.readings, first.payload) == ("b1", 1, 1_001, 10, b"\1" * 100)
    assert await numbers(spool) == [("b1", 1), ("b1", 2), ("b1", 3)]
    await spool.confirm("b1", [(2, 2)])
    assert await numbers(spool) == [("b1", 1), ("b1", 3)]
    assert (spool.batches, spool.bytes) == (2, 2 * (100 + OVERHEAD))


async def test_a_confirmation_of_another_boot_or_of_nothing_changes_nothing(spool: Spool) -> None:
    await spool.append([an_entry(1)])
    await spool.confirm("b2", [(1, 5)])
    await spool.confirm("b1", [(7, 9), (2, 10**12)])
    assert await numbers(spool) == [("b1", 1)]
    assert spool.shed == 0


@pytest.mark.slow
async def test_gives_up_the_oldest_when_it_is_full_and_counts_the_readings(spool: Spool) -> None:
    assert spool.warning == ""
    for seq in range(1, 201):
        await spool.append([an_entry(seq, size=900)])
    assert spool.bytes <= spool.limit
    assert "nearly full" in spool.warning
    left = await numbers(spool)
    assert left[-1] == ("b1", 200)
    assert left == [("b1", seq) for seq in range(left[0][1], 201)]
    assert spool.shed == 10 * (200 - len(left))


@pytest.fixture(params=["memory", "file"])
async def aging(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Spool, HandClock]]:
    """A queue that keeps batches for ten days, and its clock."""
    clock = HandClock()
    found: Spool = MemorySpool(days=10, clock=clock)
    if request.param == "file":
        found = FileSpool(tmp_path / "q.sqlite", days=10, clock=clock)
    await found.open()
    yield found, clock
    await found.close()


async def test_gives_up_what_has_waited_for_too_long_and_counts_the_readings(aging: tuple[Spool, HandClock]) -> None:
    spool, clock = aging
    for seq in range(1, 101):
        await spool.append([an_entry(seq)])
    clock.days(5)
    await spool.append([an_entry(101, readings=3)])
    assert spool.warning == ""
    clock.days(5)
    await spool.append([an_entry(102)])
    assert (spool.batches, spool.shed) == (102, 0)
    assert spool.warning == "batches have waited for 10.0 days: they are given up after 10"
    clock.days(0.001)
    await spool.append([an_entry(103)])
    assert await numbers(spool) == [("b1", 101), ("b1", 102), ("b1", 103)]
    assert (spool.batches, spool.shed, spool.bytes) == (3, 1_000, 3 * (100 + OVERHEAD))
    clock.days(20)
    await spool.append([an_entry(104)])
    assert await numbers(spool) == [("b1", 104)]
    assert spool.shed == 1_023
    assert spool.warning == ""


async def test_a_clock_that_jumps_gives_up_nothing(aging: tuple[Spool, HandClock]) -> None:
    spool, _ = aging
    year = 365 * 86_400_000
    for seq, jump in enumerate((0, 30 * year, -30 * year, 30 * year), 1):
        await spool.append([replace(an_entry(seq), at=1_700_000_000_000 + jump)])
    assert await numbers(spool) == [("b1", seq) for seq in (1, 2, 3, 4)]
    assert (spool.shed, spool.warning) == (0, "")


async def reopened(path: Path, **settings: Any) -> FileSpool:
    spool = FileSpool(path, **settings)
    await spool.open()
    return spool


async def test_a_batch_ages_while_its_gateway_runs_over_all_starts_and_not_between(tmp_path: Path) -> None:
    path, clock = tmp_path / "q.sqlite", HandClock()
    for seq in (1, 2, 3, 4):
        spool = await reopened(path, days=10, clock=clock)
        clock.days(3)
        await spool.append([an_entry(seq)])
        await spool.close()
        clock.at = 1_000.0 + seq  # another boot of the machine: its monotonic clock begins anew
    spool = await reopened(path, days=10, clock=clock)
    clock.days(0.9)
    await spool.append([an_entry(5)])
    assert spool.batches == 5
    clock.days(0.2)
    await spool.append([an_entry(6)])
    assert await numbers(spool) == [("b1", seq) for seq in (2, 3, 4, 5, 6)]
    await spool.close()


async def test_fewer_days_hold_for_new_batches_and_more_days_for_all(tmp_path: Path) -> None:
    path, clock = tmp_path / "q.sqlite", HandClock()
    spool = await reopened(path, days=30, clock=clock)
    await spool.append([an_entry(1)])
    await spool.close()
    spool = await reopened(path, days=2, clock=clock)
    await spool.append([an_entry(2)])
    clock.days(20)
    await spool.append([an_entry(3)])
    # the second is over its time, but it leaves in order, behind the first
    assert await numbers(spool) == [("b1", 1), ("b1", 2), ("b1", 3)]
    await spool.close()
    spool = await reopened(path, days=90, clock=clock)
    clock.days(60)
    await spool.append([an_entry(4)])
    assert spool.batches == 4
    await spool.close()
    spool = await reopened(path, days=2, clock=clock)
    await spool.append([an_entry(5)])
    assert await numbers(spool) == [("b1", 4), ("b1", 5)]
    assert spool.shed == 30
    await spool.close()


async def test_a_lowered_limit_deletes_nothing_and_grows_no_more(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    spool = await reopened(path, limit=1_000_000)
    await spool.append([an_entry(seq, size=900) for seq in range(1, 501)])
    await spool.close()
    spool = await reopened(path, limit=100_000)
    assert (spool.batches, spool.bytes, spool.shed) == (500, 500_000, 0)
    assert spool.warning == "the spool holds 0.5 MB, more than the 0.1 MB that it may: it grows no more"
    for seq in range(501, 601):
        await spool.append([an_entry(seq, size=900)])
        assert spool.bytes <= 500_000
    assert spool.shed == 10 * (600 - spool.batches)
    left = await numbers(spool)
    assert left == [("b1", seq) for seq in range(601 - len(left), 601)]
    # it drains to its limit, and stays there
    await spool.confirm("b1", [(1, 550)])
    for seq in range(601, 801):
        await spool.append([an_entry(seq, size=900)])
        assert spool.bytes <= 100_000
    assert "nearly full" in spool.warning
    await spool.close()


async def test_more_at_once_than_fits_keeps_the_newest(spool: Spool) -> None:
    kept = await spool.append([an_entry(seq, size=900) for seq in range(1, 201)])
    assert [entry.seq for entry in kept] == list(range(1, 201))
    assert spool.bytes <= spool.limit
    assert await numbers(spool) == [("b1", seq) for seq in range(101, 201)]
    assert spool.shed == 1_000


async def test_what_a_gateway_that_is_gone_has_left_behind_is_found(tmp_path: Path) -> None:
    for name, batches in (("gw-1", 1), ("gw-old", 3), ("gw-empty", 0)):
        spool = await reopened(tmp_path / f"{name}.sqlite")
        await spool.append([an_entry(seq) for seq in range(1, batches + 1)])
        await spool.close()
    (tmp_path / "notes.sqlite").write_bytes(b"none of ours" * 100)
    assert left_behind(tmp_path, ["gw-1"]) == [(tmp_path / "gw-old.sqlite", 3)]
    assert left_behind(tmp_path / "nowhere", []) == []
    # and it can be taken over under any name
    (tmp_path / "gw-old.sqlite").rename(tmp_path / "gw-2.sqlite")
    spool = await reopened(tmp_path / "gw-2.sqlite")
    assert await numbers(spool) == [("b1", 1), ("b1", 2), ("b1", 3)]
    await spool.close()


async def test_a_file_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    with closing(sqlite3.connect(path)) as sql:
        sql.execute(
            "CREATE TABLE batch (id INTEGER PRIMARY KEY, boot TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL,"
            " readings INTEGER NOT NULL, payload BLOB NOT NULL)"
        )
        sql.execute("INSERT INTO batch VALUES (7, 'old', 3, 1700000000000, 10, X'010203')")
        sql.commit()
    clock = HandClock()
    spool = await reopened(path, days=10, clock=clock)
    clock.days(9)
    await spool.append([an_entry(1)])
    assert await numbers(spool) == [("old", 3), ("b1", 1)]
    clock.days(2)
    await spool.append([an_entry(2)])
    assert await numbers(spool) == [("b1", 1), ("b1", 2)]
    await spool.close()


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 30), st.integers(0, 5))), min_size=1, max_size=20
    )
)
def test_agrees_with_a_plain_list(tmp_path: Path, steps: list[int | tuple[int, int]]) -> None:
    async def check(spool: Spool) -> None:
        await spool.open()
        try:
            await walk(spool)
        finally:
            await spool.close()

    async def walk(spool: Spool) -> None:
        model: list[int] = []
        seq = 0
        for step in steps:
            if isinstance(step, int):
                await spool.append([an_entry(seq + offset) for offset in range(1, step + 1)])
                model += range(seq + 1, seq + step + 1)
                seq += step
            else:
                await spool.confirm("b1", [(step[0], step[0] + step[1])])
                model = [number for number in model if not step[0] <= number <= step[0] + step[1]]
            assert [number for _, number in await numbers(spool)] == model
            assert spool.batches == len(model)

    asyncio.run(check(MemorySpool()))
    asyncio.run(check(FileSpool(tmp_path / f"{next(NAMES)}.sqlite")))


async def test_keeps_batches_of_an_earlier_start(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    first = FileSpool(path)
    await first.open()
    await first.append([an_entry(1), an_entry(2)])
    await first.close()
    second = FileSpool(path)
    await second.open()
    assert second.batches == 2
    await second.append([an_entry(1, boot="b2")])
    assert await numbers(second) == [("b1", 1), ("b1", 2), ("b2", 1)]
    await second.confirm("b1", [(1, 2)])
    assert await numbers(second) == [("b2", 1)]
    await second.close()


@pytest.mark.slow
async def test_refuses_a_file_that_another_gateway_has_open(tmp_path: Path) -> None:
    holder = FileSpool(tmp_path / "q.sqlite")
    await holder.open()
    await holder.append([an_entry(1)])
    other = FileSpool(tmp_path / "q.sqlite")
    with pytest.raises(StoreError, match="another gateway"):
        await other.open()
    await other.close()
    await holder.close()


async def test_puts_a_damaged_file_aside_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    path.write_bytes(b"this is no database" * 500)
    spool = FileSpool(path)
    await spool.open()
    assert "damaged" in spool.problem
    await spool.append([an_entry(1)])
    assert await numbers(spool) == [("b1", 1)]
    assert (tmp_path / "q.sqlite.damaged1").read_bytes().startswith(b"this is no")
    await spool.close()


async def test_a_full_disk_is_told_and_nothing_is_lost_while_memory_has_room(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "q.sqlite")
    await spool.open()
    await spool.append([an_entry(1)])
    await limit_pages(spool, 8)
    for seq in range(2, 12):
        await spool.append([an_entry(seq, size=5_000)])
    assert "disk is full" in spool.problem
    assert spool.failures
    assert spool.shed == 0
    assert spool.batches == 11
    assert await numbers(spool) == [("b1", seq) for seq in range(1, 12)]
    await spool.confirm("b1", [(1, 3)])
    assert await numbers(spool) == [("b1", seq) for seq in range(4, 12)]
    await limit_pages(spool, 1_000_000)
    await spool.append([an_entry(12)])
    assert spool.problem == ""
    assert await numbers(spool) == [("b1", seq) for seq in range(4, 13)]
    await spool.close()
    again = FileSpool(tmp_path / "q.sqlite")
    await again.open()
    assert await numbers(again) == [("b1", seq) for seq in range(4, 13)]
    await again.close()


async def limit_pages(spool: FileSpool, pages: int) -> None:
    """Let SQLite itself say "disk is full" beyond so many pages."""
    await spool._call(lambda: spool._sql.execute(f"PRAGMA max_page_count={pages}").fetchall())


WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.file_spool import FileSpool
from gateway.spool import Entry

async def main():
    spool = FileSpool(Path(sys.argv[1]))
    await spool.open()
    seq = 0
    while True:
        await spool.append([Entry("b1", seq + n, 0, 1, b"x" * 2000) for n in (1, 2, 3)])
        seq += 3
        print(seq, flush=True)
        if seq % 9 == 0:
            await spool.confirm("b1", [(seq - 8, seq - 8)])

asyncio.run(main())
"""


def kept_before_kill(path: Path) -> int:
    """Let a process write, kill it with -9 in the middle; the last seq that it had been told is kept."""
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kept = 0
        while kept < 300:
            kept = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        whole = [line for line in process.stdout.readlines() if line.endswith("\n")]
    return max([kept, *map(int, whole)])


@pytest.mark.slow
async def test_kill_9_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "q.sqlite"
    kept = kept_before_kill(path)
    spool = FileSpool(path)
    await spool.open()
    found = {seq for _, seq in await numbers(spool)}
    assert await spool._call(lambda: spool._sql.execute("PRAGMA integrity_check").fetchone()) == ("ok",)
    confirmed = set(range(1, kept + 20, 9))
    assert set(range(1, kept + 1)) - confirmed <= found
    assert spool.batches == len(found)
    await spool.close()
