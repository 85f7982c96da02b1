"""A quick Modbus TCP server for benchmarks: one process, many ports, a part of the registers changing before each read.

`python -m bench.modbus_plant DEVICES REGISTERS CHANGING` prints its ports on one line and serves until stdin closes.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Machine(asyncio.Protocol):
    """One device. Each answer counts up every `step`-th register of the block that it gives; 0 changes none."""

    def __init__(self, registers: int, step: int) -> None:
        self.words = bytearray(struct.pack(f">{registers}H", *(number % 1000 for number in range(registers))))
        self.step = step
        self.turn = 0
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.buffer += data
        while len(self.buffer) >= 12:
            frame, self.buffer = self.buffer[:12], self.buffer[12:]
            transaction, unit, function, address, count = struct.unpack(">HxxxxBBHH", frame)
            block = self._block(address * 2, count * 2)
            assert self.transport is not None
            self.transport.write(
                struct.pack(">HHHBBB", transaction, 0, len(block) + 3, unit, function, len(block)) + block
            )

    def _block(self, start: int, size: int) -> bytes:
        if self.step:
            self.turn += 1
            for place in range(start + 1 + 2 * (self.turn % self.step), start + size, 2 * self.step):
                self.words[place] = (self.words[place] + 7) & 0xFF
        return bytes(self.words[start : start + size])


async def serve(devices: int, registers: int, step: int) -> None:
    """Serve `devices` machines, each on a free loopback port."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Machine(registers, step), "127.0.0.1", 0) for _ in range(devices)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def plant(devices: int, registers: int, step: int) -> Iterator[list[int]]:
    """The server in a process of its own; gives its ports."""
    command = [sys.executable, "-m", "bench.modbus_plant", str(devices), str(registers), str(step)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.stdin.close()
            process.wait(5)


if __name__ == "__main__":
    asyncio.run(serve(*(int(word) for word in sys.argv[1:4])))
