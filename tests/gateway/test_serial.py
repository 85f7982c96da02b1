"""Lines of RTU frames: what goes wrong has a name, costs no more than its time-out, and never passes for an answer."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import uvloop

from facility.assets import Framing, Line
from facility.clock import SystemClock
from facility.errors import DeviceError
from facility.points import Kind, Limits, Profile, Register, Table
from facility.readings import Quality
from gateway.health import State
from gateway.modbus import ModbusConnection, Write
from gateway.planner import Read
from gateway.poller import ModbusPoller
from gateway.unit import Unit
from tests.gateway.lines import Piece, Play, Player, Port, played, played_over_tcp, right, sealed, words_of
from tests.gateway.plant import LABEL, Recorder, a_device, a_point
from tests.services.waiting import until

WAIT = 0.15
"""Seconds that the tests give an answer."""
WORDS = Read(Table.HOLDING, 0, 5, ())
OTHERS = Read(Table.HOLDING, 20, 5, ())


def serial_line(port: Port | Path | str, **changes: object) -> Line:
    path = port.path if isinstance(port, Port) else port
    return replace(Line("", 0, Framing.RTU, serial=str(path), baud=115_200), **changes)  # type: ignore[arg-type]


Opened = Callable[[Play], AbstractAsyncContextManager[tuple[ModbusConnection, Player]]]


@pytest.fixture(params=["serial", "rtu-over-tcp"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """A connection to a played line of RTU frames, over either transport."""

    @asynccontextmanager
    async def over(play: Play) -> AsyncIterator[tuple[ModbusConnection, Player]]:
        if request.param == "serial":
            with played(tmp_path, play) as (port, player):
                connection = ModbusConnection(serial_line(port))
                yield connection, player
                connection.close()
        else:
            async with played_over_tcp(play) as (number, player):
                connection = ModbusConnection(Line("127.0.0.1", number, Framing.RTU))
                yield connection, player
                connection.close()

    return over


async def ask(connection: ModbusConnection, unit: int = 1, read: Read = WORDS, timeout: float = WAIT) -> bytes:
    return await connection.read(f"d{unit}", unit, read, timeout)


def once(first: Callable[[bytes], Sequence[Piece]], takes: float = 0.0) -> Play:
    """The first answer is this, all others are right and take so long."""
    seen: list[bytes] = []

    def play(frame: bytes) -> Sequence[Piece]:
        seen.append(frame)
        return first(frame) if len(seen) == 1 else [(takes, right(frame))]

    return play


def spoilt(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 0xFF])


NO_ANSWER = [
    (lambda frame: [], "timeout", "no answer of unit 1 from"),
    (lambda frame: [right(frame)[:6]], "garbage", "6 bytes came that are none"),
    (lambda frame: [spoilt(right(frame))], "garbage", "wrong baud rate or parity, two devices with one unit id"),
    (lambda frame: [bytes(range(200, 250)), (0.01, b"\xff" * 30)], "garbage", "80 bytes came that are none"),
    (lambda frame: [right(b"\x07" + frame[1:])], "garbage", "unit 7 answered instead"),
    (lambda frame: [right(frame[:1] + b"\x04" + frame[2:])], "garbage", "function 4 came as the answer to 3"),
    (lambda frame: [right(frame[:5] + b"\x02" + frame[6:])], "garbage", "4 bytes came for 10 asked"),
    (lambda frame: [frame], "timeout|garbage", "no answer of unit 1 from"),
]


@pytest.mark.parametrize(("first", "kind", "words"), NO_ANSWER)
async def test_what_is_no_answer_has_a_name(
    line: Opened, first: Callable[[bytes], Sequence[Piece]], kind: str, words: str
) -> None:
    async with line(once(first)) as (connection, _):
        with pytest.raises(DeviceError, match=words) as caught:
            await ask(connection)
        assert caught.value.kind in kind.split("|")
        # the next one, of another unit at once and of the same after the quarantine, is not touched by it
        assert await ask(connection, 2) == words_of(2, 0, 5)
        assert await ask(connection) == words_of(1, 0, 5)


ANSWERED = [
    lambda frame: [b"\x00\xff" + right(frame)],
    lambda frame: [b"\x01\x03" + right(frame)],
    lambda frame: [b"\xf0", (0.01, right(frame)[:3]), (0.02, right(frame)[3:])],
    lambda frame: [right(frame) + b"\x00\x55"],
    lambda frame: [frame + right(frame)],  # an adapter that hears itself
    lambda frame: [right(b"\x07" + frame[1:]) + right(frame)],
    lambda frame: [spoilt(right(frame)) + right(frame)],
]


@pytest.mark.parametrize("first", ANSWERED)
async def test_an_answer_is_found_among_noise(line: Opened, first: Callable[[bytes], Sequence[Piece]]) -> None:
    async with line(once(first)) as (connection, _):
        assert await ask(connection) == words_of(1, 0, 5)
        assert await ask(connection, read=OTHERS) == words_of(1, 20, 5)


LONG = 2 * WAIT
"""Seconds, so that a busy machine does not make a late answer too late for what is asserted: twice its time-out."""


@pytest.mark.slow
@pytest.mark.parametrize("late", [1.05, 1.3, 1.6])
async def test_a_late_answer_is_never_taken_for_another_one(line: Opened, late: float) -> None:
    async with line(once(lambda frame: [(late * LONG, right(frame))], takes=0.5 * LONG)) as (connection, player):
        with pytest.raises(DeviceError, match="no answer of unit 1"):
            await ask(connection, timeout=LONG)
        # another unit's read, another address of the same length, the same again
        assert await ask(connection, 2, timeout=LONG) == words_of(2, 0, 5)
        assert await ask(connection, read=OTHERS, timeout=LONG) == words_of(1, 20, 5)
        assert await ask(connection, timeout=LONG) == words_of(1, 0, 5)
        assert len(player.asked) == 4


@pytest.mark.slow
async def test_a_command_that_waited_behind_the_silent_read_waits_for_its_late_answer_too(line: Opened) -> None:
    async with line(once(lambda frame: [(1.5 * LONG, right(frame))], takes=0.7 * LONG)) as (connection, player):
        poll = asyncio.create_task(ask(connection, timeout=LONG))
        await until(lambda: len(player.asked) == 1)
        urgent = asyncio.create_task(connection.read("d1", 1, OTHERS, LONG, urgent=True))
        assert await urgent == words_of(1, 20, 5)
        with pytest.raises(DeviceError):
            await poll


@pytest.mark.slow
async def test_the_answer_to_a_cancelled_request_is_not_taken_for_another_one(line: Opened) -> None:
    async with line(once(lambda frame: [(0.5 * LONG, right(frame))], takes=0.7 * LONG)) as (connection, player):
        task = asyncio.create_task(ask(connection, timeout=LONG))
        await until(lambda: len(player.asked) == 1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert await ask(connection, read=OTHERS, timeout=LONG) == words_of(1, 20, 5)


async def test_an_exception_and_a_write_on_a_line(line: Opened) -> None:
    def play(frame: bytes) -> Sequence[Piece]:
        return [sealed(bytes([frame[0], frame[1] | 0x80, 2]))] if frame[0] == 9 else [right(frame)]

    async with line(play) as (connection, player):
        with pytest.raises(DeviceError, match="illegal data address") as caught:
            await ask(connection, 9)
        assert caught.value.code == 2
        await connection.write("d1", 1, Write(Table.HOLDING, 7, (5,)), WAIT)
        assert player.asked[-1][:6] == b"\x01\x06\x00\x07\x00\x05"


async def test_no_quiet_shorter_than_the_line_needs(tmp_path: Path) -> None:
    times: list[float] = []

    def play(frame: bytes) -> Sequence[Piece]:
        times.append(asyncio.get_running_loop().time())
        return [right(frame)]

    with played(tmp_path, play) as (port, _):
        for changes, least in (({"baud": 9_600}, 0.0036), ({"delay": 0.03}, 0.03)):
            connection = ModbusConnection(serial_line(port, **changes))
            times.clear()
            for unit in (1, 2, 1):
                await ask(connection, unit)
            connection.close()
            assert min(two - one for one, two in pairwise(times)) >= least


def gone(port: Path, tmp_path: Path) -> str:
    return str(tmp_path / "nowhere")


def folder(port: Path, tmp_path: Path) -> str:
    return str(tmp_path)


def a_file(port: Path, tmp_path: Path) -> str:
    (tmp_path / "notes").write_text("no tty")
    return str(tmp_path / "notes")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (gone, "there is no such port; is the adapter plugged in"),
        (folder, "a folder"),
        (a_file, "this is no serial port"),
    ],
)
async def test_a_port_that_can_t_be_opened(tmp_path: Path, place: Callable[..., str], words: str) -> None:
    path = place(None, tmp_path)
    connection = ModbusConnection(serial_line(path))
    with pytest.raises(DeviceError, match=words) as caught:
        await ask(connection)
    assert caught.value.kind == "refused"
    assert path in str(caught.value)


async def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with played(tmp_path, lambda frame: [right(frame)]) as (port, _):
        other = os.open(port.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        connection = ModbusConnection(serial_line(port))
        with pytest.raises(DeviceError, match="in use by another program"):
            await ask(connection)
        os.close(other)
        assert await ask(connection) == words_of(1, 0, 5)
        connection.close()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
async def test_a_port_that_is_not_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Root may open anything, so the refusal of the operating system is put in its place."""
    real = os.open

    def refuse(path: str, *rest: int, **more: int) -> int:
        if str(path).endswith("ttyUSB0"):
            raise OSError(number, os.strerror(number), path)
        return real(path, *rest, **more)

    with played(tmp_path, lambda frame: [right(frame)]) as (port, _):
        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(DeviceError, match=r"no right to use the port; the user must be in its group \(dialout\)"):
            await ask(ModbusConnection(serial_line(port)))


async def test_a_port_that_disappears_in_the_middle_and_comes_back(tmp_path: Path) -> None:
    silent = asyncio.Event()

    def play(frame: bytes) -> Sequence[Piece]:
        silent.set()
        return [right(frame)] if frame[0] == 1 else []

    with played(tmp_path, play) as (port, _):
        connection = ModbusConnection(serial_line(port))
        assert await ask(connection) == words_of(1, 0, 5)
        silent.clear()
        task = asyncio.create_task(ask(connection, 2, timeout=5))
        await silent.wait()
        port.unplug()
        with pytest.raises(DeviceError, match="the serial port is gone") as caught:
            await task
        assert caught.value.kind == "refused"
        assert not connection.connected
        with pytest.raises(DeviceError, match="there is no such port"):
            await ask(connection)
        port.plug()
        assert await ask(connection) == words_of(1, 0, 5)
        connection.close()


def test_a_serial_port_under_uvloop(tmp_path: Path) -> None:
    """The loop that `caretaker` runs with."""

    async def play() -> None:
        with played(tmp_path, lambda frame: [right(frame)]) as (port, _):
            connection = ModbusConnection(serial_line(port))
            assert await ask(connection) == words_of(1, 0, 5)
            port.unplug()
            await until(lambda: not connection.connected)
            with pytest.raises(DeviceError, match="there is no such port"):
                await ask(connection)
            port.plug()
            assert await ask(connection, 2) == words_of(2, 0, 5)
            connection.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(play())


REGISTERS = tuple(Register(f"p{number}", Table.HOLDING, number, "uint16") for number in range(5))
POINTS = {item.point: a_point(item.point, Kind.COUNTER) for item in REGISTERS}
PROFILE = Profile("p", "machine", LABEL, "test", "modbus", REGISTERS, Limits(timeout=0.05))


@asynccontextmanager
async def polling(line: Line, *numbers: int) -> AsyncIterator[tuple[ModbusPoller, Recorder]]:
    units = [Unit(a_device(f"d{number}", unit=number, line=line), PROFILE, POINTS) for number in numbers]
    poller, sink = ModbusPoller(ModbusConnection(line), units, SystemClock(), lambda: 0.0), Recorder()
    task = asyncio.create_task(poller.run(sink))
    try:
        yield poller, sink
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.slow
async def test_units_on_a_line_go_on_while_one_is_silent_and_one_speaks_nonsense(tmp_path: Path) -> None:
    def play(frame: bytes) -> Sequence[Piece]:
        if frame[0] == 2:
            return []
        return [spoilt(right(frame))] if frame[0] == 3 else [right(frame)]

    with played(tmp_path, play) as (port, player):
        async with polling(serial_line(port), 1, 2, 3, 4) as (poller, sink):
            await until(lambda: [poller.status()[f"d{n}"].state for n in (2, 3)] == [State.DOWN] * 2, limit=20)
            before = len(player.asked)
            await until(lambda: sum(frame[0] in (1, 4) for frame in player.asked[before:]) > 20)
            for unit in (1, 4):
                assert poller.status()[f"d{unit}"].state == State.UP
                assert sink.last(f"M-d{unit}")["p3"] == (unit * 1000 + 3, Quality.GOOD)
            assert f"no answer of unit 2 from {port.path}" in poller.status()["d2"].error
            assert "15 bytes came that are none" in poller.status()["d3"].error
            assert sink.last("M-d2")["p0"] == (None, Quality.COMM)


@pytest.mark.slow
async def test_a_port_that_goes_takes_its_devices_down_with_the_reason_and_brings_them_back(tmp_path: Path) -> None:
    with played(tmp_path, lambda frame: [right(frame)]) as (port, _):
        async with polling(serial_line(port), 1, 2) as (poller, sink):
            await until(lambda: all(status.state == State.UP for status in poller.status().values()))
            port.unplug()
            await until(lambda: all(status.state == State.DOWN for status in poller.status().values()), limit=20)
            assert all("is the adapter plugged in?" in status.error for status in poller.status().values())
            assert sink.last("M-d1")["p0"] == (None, Quality.COMM)
            port.plug()
            await until(lambda: all(status.state == State.UP for status in poller.status().values()), limit=20)
            assert sink.last("M-d2")["p0"] == (2000, Quality.GOOD)
