"""Ways to TCP devices: what refuses, resets, is silent or speaks nonsense has a name, and the second place is used."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from facility.assets import Framing, Line
from facility.clock import SystemClock
from facility.errors import DeviceError
from facility.points import Kind, Limits, Profile, Register, Table
from facility.readings import Quality
from gateway.health import State
from gateway.modbus import ModbusConnection
from gateway.planner import Read
from gateway.poller import ModbusPoller
from gateway.unit import Unit
from tests.gateway.lines import listening
from tests.gateway.plant import LABEL, Box, Recorder, a_device, a_point, good_reply, modbus_server, raw_server
from tests.services.ports import free_port
from tests.services.waiting import until

WORDS = Read(Table.HOLDING, 0, 5, ())
GOOD = b"\x08\xfd\x00\x14\x00\x00\x00\x07\x00\x01"


async def ask(connection: ModbusConnection, timeout: float = 0.1) -> bytes:
    return await connection.read("d1", 1, WORDS, timeout)


@asynccontextmanager
async def deaf() -> AsyncIterator[int]:
    """A port that takes no connection and refuses none: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
            waiting.append(client)
        try:
            yield listener.getsockname()[1]
        finally:
            for client in waiting:
                client.close()


def resets(frame: bytes) -> Sequence[bytes] | None:
    return None


def silent(frame: bytes) -> Sequence[bytes]:
    return []


def nonsense(frame: bytes) -> Sequence[bytes]:
    return [b"HTTP/1.1 400 Bad Request\r\n\r\n"]


def good_in_tcp(frame: bytes) -> Sequence[bytes]:
    return [good_reply(b"\0\1\0\0\0\6" + frame[:6])]


async def test_a_port_that_takes_no_connection() -> None:
    async with deaf() as port:
        with pytest.raises(
            DeviceError, match=rf"127.0.0.1:{port} accepts no connection within 0.1 s; are the"
        ) as caught:
            await ask(ModbusConnection(Line("127.0.0.1", port)))
        assert caught.value.kind == "timeout"


async def test_a_port_that_is_refused() -> None:
    port = free_port()
    words = rf"no connection to 127.0.0.1:{port}: Connection refused; is the device on, Modbus TCP enabled there"
    with pytest.raises(DeviceError, match=words) as caught:
        await ask(ModbusConnection(Line("127.0.0.1", port)))
    assert caught.value.kind == "refused"


@pytest.mark.parametrize("host", ["nobody.invalid", "two..dots", "a" * 70])
async def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def unknown(name: object, *rest: object, **more: object) -> object:
        # what is no name at all is refused before anybody is asked
        str(name).encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DeviceError, match=f"no address for the host '{host}': .*; is the name right") as caught:
        await ask(ModbusConnection(Line(host, 502)), 1.0)
    assert caught.value.kind == "refused"


async def test_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_route(*rest: object, **more: object) -> object:
        raise OSError(errno.EHOSTUNREACH, "Connect call failed")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", no_route)
    with pytest.raises(DeviceError, match=r"192\.0\.2\.1:502: No route to host; are the address right, the device on"):
        await ask(ModbusConnection(Line("192.0.2.1", 502)))


@pytest.mark.parametrize("first", ["refused", "deaf", "resets", "silent", "nonsense", "no name"])
@pytest.mark.slow
async def test_the_second_place_is_used_and_stays_in_use(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def good(frame: bytes) -> Sequence[bytes]:
        asked.append(frame)
        return [good_reply(frame)]

    replies: dict[str, Callable[[bytes], Sequence[bytes] | None]] = {
        "resets": resets, "silent": silent, "nonsense": nonsense,
    }  # fmt: skip
    host = "two..dots" if first == "no name" else "127.0.0.1"
    async with raw_server(replies.get(first, silent)) as answering, deaf() as full, raw_server(good) as second:
        port = {"refused": free_port(), "deaf": full}.get(first, answering)
        connection = ModbusConnection(Line(host, port, fallback=("127.0.0.1", second)))
        failures = 0
        while not asked:
            try:
                assert await ask(connection) == GOOD
            except DeviceError:
                failures += 1
        assert failures == {"resets": 1, "silent": 3, "nonsense": 3}.get(first, 0)
        for _ in range(5):
            assert await ask(connection) == GOOD
        connection.close()
        assert await ask(connection) == GOOD  # opened anew: the place that worked last comes first
        assert len(asked) == 7
        connection.close()


async def test_both_places_dead_are_both_named() -> None:
    one, two = free_port(), free_port()
    connection = ModbusConnection(Line("127.0.0.1", one, fallback=("127.0.0.1", two)))
    for _ in range(2):
        with pytest.raises(DeviceError) as caught:
            await ask(connection)
        assert all(f"127.0.0.1:{port}: Connection refused" in str(caught.value) for port in (one, two))


async def test_back_to_the_first_place_when_the_second_dies() -> None:
    async with raw_server(lambda frame: [good_reply(frame)]) as first:
        connection = ModbusConnection(Line("127.0.0.1", free_port(), fallback=("127.0.0.1", first)))
        assert await ask(connection) == GOOD
    second = connection.line.fallback
    assert second
    with pytest.raises(DeviceError):
        await ask(connection)
    with pytest.raises(DeviceError, match=f"{connection.line.port}.*{second[1]}|{second[1]}.*{connection.line.port}"):
        await ask(connection)
    connection.close()


@pytest.mark.parametrize(("reply", "kind"), [(silent, "timeout"), (nonsense, "garbage"), (good_in_tcp, "garbage")])
async def test_what_does_not_speak_rtu_on_a_line_of_rtu_frames(
    reply: Callable[[bytes], Sequence[bytes]], kind: str
) -> None:
    async with listening(lambda frame, say: [say(piece) for piece in reply(frame)]) as port:
        connection = ModbusConnection(Line("127.0.0.1", port, Framing.RTU))
        with pytest.raises(DeviceError, match="no answer of unit 1") as caught:
            await ask(connection)
        assert caught.value.kind == kind
        connection.close()


REGISTERS = tuple(Register(f"p{number}", Table.HOLDING, number, "uint16") for number in range(5))
POINTS = {item.point: a_point(item.point, Kind.COUNTER) for item in REGISTERS}
PROFILE = Profile("p", "machine", LABEL, "test", "modbus", REGISTERS, Limits(timeout=0.05))


@pytest.mark.slow
async def test_a_poller_tells_both_places_and_goes_on_with_the_one_that_works() -> None:
    port, second = free_port(), free_port()
    line = Line("127.0.0.1", port, fallback=("127.0.0.1", second))
    unit = Unit(a_device("d1", line=line), PROFILE, POINTS)
    poller, sink = ModbusPoller(ModbusConnection(line), [unit], SystemClock(), lambda: 0.0), Recorder()
    task = asyncio.create_task(poller.run(sink))
    await until(lambda: poller.status()["d1"].state == State.DOWN, limit=20)
    assert f"127.0.0.1:{port}: Connection refused" in poller.status()["d1"].error
    assert f"127.0.0.1:{second}: Connection refused" in poller.status()["d1"].error
    async with modbus_server(Box(volts=2301), port=second):
        await until(lambda: poller.status()["d1"].state == State.UP, limit=20)
        assert sink.last("M-d1")["p0"] == (2301, Quality.GOOD)
        task.cancel()
        await asyncio.wait([task])


async def test_a_place_that_cuts_its_answers_is_left_after_three_and_so_is_the_other() -> None:
    asked: list[str] = []

    def half(name: str) -> Callable[[bytes], Sequence[bytes]]:
        def reply(frame: bytes) -> Sequence[bytes]:
            asked.append(name)
            return [good_reply(frame)[:11]]

        return reply

    async with raw_server(half("one")) as first, raw_server(half("two")) as second:
        connection = ModbusConnection(Line("127.0.0.1", first, fallback=("127.0.0.1", second)))
        for _ in range(7):
            with pytest.raises(DeviceError, match="no answer of unit 1"):
                await ask(connection, 0.05)
        connection.close()
    assert asked == ["one"] * 3 + ["two"] * 3 + ["one"]
