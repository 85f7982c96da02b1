"""One suite for the memory queue and the file queue; the file alone survives kill -9, damage and a full disk."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facility.errors import StoreError
from gateway.file_spool import FileSpool
from gateway.spool import OVERHEAD, Entry, MemorySpool, Spool

NAMES = count()


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
    assert not spool.near_full
    for seq in range(1, 201):
        await spool.append([an_entry(seq, size=900)])
    assert spool.bytes <= spool.limit
    assert spool.near_full
    left = await numbers(spool)
    assert left[-1] == ("b1", 200)
    assert left == [("b1", seq) for seq in range(left[0][1], 201)]
    assert spool.shed == 10 * (200 - len(left))


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
