"""Serial lines without hardware: pseudo terminals joined in this process, played, unplugged; and a converter to TCP."""

from __future__ import annotations

import asyncio
import errno
import os
import tty
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from pathlib import Path

from gateway.frames import crc

Hear = Callable[[bytes], object]


class Pty:
    """One pseudo terminal: programs open `path`; what they write is heard, and `write` is what they read."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._master, self._read)

    def write(self, data: bytes) -> None:
        """Nothing, once it is closed."""
        if self._master >= 0:
            os.write(self._master, data)

    def close(self) -> None:
        """As if unplugged: whoever has it open gets an error."""
        if self._master >= 0:
            self._loop.remove_reader(self._master)
            os.close(self._master)
            os.close(self._slave)
            self._master = -1

    def _read(self) -> None:
        try:
            data = os.read(self._master, 4096)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EIO):
                raise
            return
        self._hear(data)


class Port:
    """The adapter of a gateway: a name that stays (`path`), a pseudo terminal behind it while it is plugged in.
    `hear` is told what the gateway says."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ttyUSB0"
        self.hear: Hear = len
        self._pty: Pty | None = None
        self.plug()

    def plug(self) -> None:
        """Plug it in, again."""
        self._pty = Pty(self._said)
        self.path.symlink_to(self._pty.path)

    def unplug(self) -> None:
        """Pull it out; its name is gone too."""
        self.path.unlink(missing_ok=True)
        self.close()

    def write(self, data: bytes) -> None:
        """What the gateway hears."""
        if self._pty:
            self._pty.write(data)

    def close(self) -> None:
        """End."""
        if self._pty:
            self._pty.close()
            self._pty = None

    def _said(self, data: bytes) -> None:
        self.hear(data)


class Bus:
    """Devices on two wires: whatever one says, the others and the master hear."""

    def __init__(self, devices: int, master: Hear) -> None:
        self._master = master
        self._ends: list[Pty] = []
        for index in range(devices):
            self._ends.append(Pty(partial(self._said, index)))

    @property
    def paths(self) -> list[str]:
        """Where the devices are."""
        return [end.path for end in self._ends]

    def ask(self, data: bytes) -> None:
        """The master says something."""
        for end in self._ends:
            end.write(data)

    def close(self) -> None:
        """End."""
        for end in self._ends:
            end.close()

    def _said(self, speaker: int, data: bytes) -> None:
        self._master(data)
        for index, end in enumerate(self._ends):
            if index != speaker:
                end.write(data)


@contextmanager
def joined(folder: Path, devices: int) -> Iterator[tuple[str, list[str]]]:
    """A bus with a gateway at one end and devices at it: (its path, theirs)."""
    with closing(Port(folder)) as port, closing(Bus(devices, port.write)) as bus:
        port.hear = bus.ask
        yield str(port.path), bus.paths


class _Door(asyncio.Protocol):
    """One connection to a TCP port; `hear` is told what comes and how to say something to it."""

    def __init__(self, hear: Callable[[bytes, Hear], object], doors: set[asyncio.Transport]) -> None:
        self._hear = hear
        self._doors = doors

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._doors.add(transport)

    def data_received(self, data: bytes) -> None:
        """Something comes."""
        self._hear(data, self._transport.write)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        self._doors.discard(self._transport)


@asynccontextmanager
async def listening(
    hear: Callable[[bytes, Hear], object], doors: set[asyncio.Transport] | None = None
) -> AsyncIterator[int]:
    """A TCP port; `doors` are its connections. Yields its number."""
    doors = set() if doors is None else doors
    server = await asyncio.get_running_loop().create_server(lambda: _Door(hear, doors), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for door in list(doors):
            door.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


@asynccontextmanager
async def converter(devices: int) -> AsyncIterator[tuple[int, list[str]]]:
    """A serial device server, RTU frames over TCP: (its TCP port, the paths of the devices behind it)."""
    doors: set[asyncio.Transport] = set()

    def answered(data: bytes) -> None:
        for door in doors:
            door.write(data)

    with closing(Bus(devices, answered)) as bus:
        async with listening(lambda data, _say: bus.ask(data), doors) as port:
            yield port, bus.paths


Piece = bytes | tuple[float, bytes]
"""What a played line says, at once or so many seconds later."""
Play = Callable[[bytes], Sequence[Piece]]
"""Request frame -> what is said to it."""


class Player:
    """Devices on a line of RTU frames, played by a function. `asked` are the requests as they came."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.asked: list[bytes] = []
        self._bytes = b""

    def hear(self, data: bytes, say: Hear) -> None:
        """Bytes from the gateway; reads and single writes have eight."""
        self._bytes += data
        while len(self._bytes) >= 8:
            frame, self._bytes = self._bytes[:8], self._bytes[8:]
            self.asked.append(frame)
            for piece in self.play(frame):
                if isinstance(piece, bytes):
                    say(piece)
                else:
                    asyncio.get_running_loop().call_later(piece[0], say, piece[1])


@contextmanager
def played(folder: Path, play: Play) -> Iterator[tuple[Port, Player]]:
    """A serial port with a player behind it."""
    player = Player(play)
    with closing(Port(folder)) as port:
        port.hear = partial(player.hear, say=port.write)
        yield port, player


@asynccontextmanager
async def played_over_tcp(play: Play) -> AsyncIterator[tuple[int, Player]]:
    """The same behind a TCP port."""
    player = Player(play)
    async with listening(player.hear) as port:
        yield port, player


def sealed(frame: bytes) -> bytes:
    """With its checksum."""
    return frame + crc(frame).to_bytes(2, "little")


def words_of(unit: int, address: int, count: int) -> bytes:
    """The words of a played unit: each tells whose and which it is."""
    return b"".join((unit * 1000 + address + place).to_bytes(2, "big") for place in range(count))


def right(frame: bytes) -> bytes:
    """The right answer to a read of registers, or to a single write."""
    unit, function = frame[0], frame[1]
    if function in (5, 6):
        return frame
    data = words_of(unit, int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big"))
    return sealed(bytes([unit, function, len(data)]) + data)
