"""A quick Modbus TCP server for benchmarks: one process, many ports, a part of the registers changing before each read.

`python -m bench.modbus_plant DEVICES REGISTERS CHANGING [PEER ...]` prints its ports on one line and serves until stdin
closes. Behind the devices each PEER gets a port: one of `bench.dead_peers`, or `line:K`, a line of many units of which
those above K never answer. It notes when each poll arrives: the line `watch` starts the notes anew, `tell` prints them.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from collections import deque
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING, NamedTuple

import uvloop

from bench.dead_peers import PEERS, Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STILL = 10
WRITE_MANY = 16
WRITES = (6, WRITE_MANY)
KEPT = 100_000
"""Polls of one port that are noted; flat out nobody asks for them."""


class Notes:
    """Of one port: `polls`, unit and instant (monotonic) of each request for address 0, and how many `requests`."""

    def __init__(self) -> None:
        self.polls: deque[tuple[int, float]] = deque(maxlen=KEPT)
        self.requests = 0


class Machine(Silent):
    """One device. Each answer counts up every `step`-th register of the block that it gives; 0 changes none.

    What is written is kept; the last `STILL` registers never change by themselves.
    """

    def __init__(self, registers: int, step: int, notes: Notes, units: int = 255) -> None:
        self.words = bytearray(struct.pack(f">{registers}H", *(number % 1000 for number in range(registers))))
        self.step = step
        self.notes = notes
        self.units = units
        self.turn = 0
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every whole request, if it is for a unit that is alive."""
        self.buffer += data
        while len(self.buffer) >= 12 and len(self.buffer) >= (end := 6 + self.buffer[4] * 256 + self.buffer[5]):
            frame, self.buffer = self.buffer[:end], self.buffer[end:]
            transaction, unit, function, address, count = struct.unpack_from(">HxxxxBBHH", frame)
            self.notes.requests += 1
            if not address:
                self.notes.polls.append((unit, time.monotonic()))
            if unit > self.units:
                continue
            if function in WRITES:
                self.transport.write(self._written(frame))
            else:
                block = self._block(address * 2, count * 2)
                self.transport.write(
                    struct.pack(">HHHBBB", transaction, 0, len(block) + 3, unit, function, len(block)) + block
                )

    def _written(self, frame: bytes) -> bytes:
        """Keep the registers of a write; the answer to it."""
        data = frame[13:] if frame[7] == WRITE_MANY else frame[10:12]
        start = 2 * int.from_bytes(frame[8:10], "big")
        self.words[start : start + len(data)] = data
        return frame[:4] + b"\0\6" + frame[6:12]

    def _block(self, start: int, size: int) -> bytes:
        if self.step:
            self.turn += 1
            end = min(start + size, len(self.words) - 2 * STILL)
            for place in range(start + 1 + 2 * (self.turn % self.step), end, 2 * self.step):
                self.words[place] = (self.words[place] + 7) & 0xFF
        return bytes(self.words[start : start + size])


async def serve(devices: int, registers: int, step: int, peers: Sequence[str]) -> None:
    """Serve `devices` machines and the peers, each on a free loopback port."""
    loop = asyncio.get_running_loop()
    notes = [Notes() for _ in range(devices + len(peers))]
    names = ["live"] * devices + [*peers]
    made = [_maker(name, registers, step, note) for name, note in zip(names, notes, strict=True)]
    servers = [await loop.create_server(make, "127.0.0.1", 0) for make in made]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        if line == "tell\n":
            print(json.dumps([[note.requests, list(note.polls)] for note in notes]), flush=True)
        for note in notes:
            note.polls.clear()
            note.requests = 0


def _maker(name: str, registers: int, step: int, notes: Notes) -> Callable[[], asyncio.Protocol]:
    if name in PEERS:
        return PEERS[name]
    units = int(name.removeprefix("line:")) if name != "live" else 255
    return lambda: Machine(registers, step, notes, units)


class Seen(NamedTuple):
    """`requests` of all ports; `polls` of each port: unit, and when."""

    requests: int
    polls: list[list[tuple[int, float]]]


class Plant:
    """The server, seen from the benchmark. Its ports: those of the devices, then those of the peers."""

    def __init__(self, process: Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        self._asks, self._tells = process.stdin, process.stdout
        self.ports = [int(port) for port in self._tells.readline().split()]

    def watch(self) -> None:
        """Start noting anew."""
        self._asks.write("watch\n")
        self._asks.flush()

    def seen(self) -> Seen:
        """What came since `watch`."""
        self._asks.write("tell\n")
        self._asks.flush()
        notes = json.loads(self._tells.readline())
        return Seen(sum(requests for requests, _ in notes), [[(unit, at) for unit, at in polls] for _, polls in notes])


@contextmanager
def plant(devices: int, registers: int, step: int, peers: Sequence[str] = ()) -> Iterator[Plant]:
    """The server in a process of its own."""
    command = [sys.executable, "-m", "bench.modbus_plant", str(devices), str(registers), str(step), *peers]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdin is not None
        try:
            yield Plant(process)
        finally:
            process.stdin.close()
            process.wait(5)


if __name__ == "__main__":
    _, how_many, length, changing, *others = sys.argv
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(how_many), int(length), int(changing), others))
