"""pymodbus's TCP server with faults: its listener, framer and data stay; they stand between answer and socket.

pymodbus answers a request from fields of the connection (`last_pdu`), so that of two requests under way the first would
be answered under the name of the second. Here every request has a task; those to one unit are dealt with one after the
other, as a device does, and those to another unit do not wait for them.

A line with the frames of RTU is one of Modbus TCP inside: they are taken off a request and put on an answer at the
socket. A unit that is not there is silent on it, as on a serial line.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import SimDevice

from simulators.devices.wire import READS, RESET, Ask, Fate, Reply, Served, Wire, refusal

HEADER = 7
"""Bytes of a Modbus TCP frame before the function, the last of them the unit."""
WAITING = 32
"""Requests of one connection that may be under way; a device has no room for more and loses them."""
_SILENCE = Reply(b"", Fate.DROPPED)


class Answering(Protocol):
    """A unit as the line sees it."""

    unit: int
    silent: bool
    wire: Wire
    served: Served
    refresh: Callable[[], None]

    def device(self) -> SimDevice:
        """The registers as pymodbus serves them."""
        ...


class Listener(ModbusTcpServer):
    """Listens on a socket that is bound already, for the units behind it."""

    def __init__(self, units: Sequence[Answering], address: tuple[str, int], *, is_rtu: bool = False) -> None:
        super().__init__([unit.device() for unit in units], address=address)
        self.is_rtu = is_rtu
        self.units: Mapping[int, Answering] = {unit.unit: unit for unit in units}

    @property
    def resets(self) -> bool:
        """Whether a connection is reset as soon as it asks for something."""
        return any("reset" in unit.wire.on for unit in self.units.values())

    async def serve(self, bound: socket.socket) -> bool:
        """Listen; False when the port is somebody else's after all."""
        self.call_create = partial(self.loop.create_server, self.handle_new_connection, sock=bound)
        return await self.listen()

    def callback_new_connection(self) -> Line:
        """A client has come."""
        return Line(self)


class Line(ServerRequestHandler):
    """One client's connection."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener, None, None, None)  # type: ignore[no-untyped-call]
        self._listener = listener
        self._decoder = FramerRTU(self.framer.decoder) if listener.is_rtu else self.framer
        self._tasks: set[asyncio.Task[Reply]] = set()
        self._turns: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._before: dict[int, bytes] = {}
        self._built = b""
        self._rest = bytearray()

    def callback_data(self, data: bytes, addr: tuple[Any, ...] | None = None) -> int:  # noqa: ARG002
        """Take every whole frame; how many bytes are used up."""
        used = 0
        while used < len(data):
            length, unit, transaction, body = self._decoder.decode(data[used:])
            if not length:
                break
            used += length
            if body:
                self._take(unit, transaction, body)
        return used

    def callback_disconnected(self, exc: Exception | None) -> None:
        """The client is gone, and nobody waits for its answers."""
        for task in self._tasks:
            task.cancel()
        super().callback_disconnected(exc)

    def send(self, data: bytes, addr: tuple[Any, ...] | None = None) -> None:  # noqa: ARG002
        """pymodbus has built an answer: it is kept until its faults are known."""
        self._built = data

    def _take(self, number: int, transaction: int, body: bytes) -> None:
        request = self.framer.decoder.decode(body)
        ask = Ask(transaction, number, body[0])
        if request is not None:
            request.dev_id, request.transaction_id = number, transaction
            ask = Ask(transaction, number, body[0], request.address, request.count)
        unit = self._listener.units.get(number)
        if unit is None:
            if not self._listener.is_rtu:
                self._write(refusal(ask, ExcCodes.GATEWAY_NO_RESPONSE))
            return
        unit.served.requests += 1
        if len(self._tasks) >= WAITING:
            unit.served.count(ask, _SILENCE)
            return
        task = asyncio.create_task(self._serve(unit, ask, request), name=f"simulated unit {number} answers")
        self._tasks.add(task)
        task.add_done_callback(partial(self._served, unit, ask))

    def _served(self, unit: Answering, ask: Ask, task: asyncio.Task[Reply]) -> None:
        """Count a request that is over; a client that was gone before its answer went out did not get it."""
        self._tasks.discard(task)
        unit.served.count(ask, _SILENCE if task.cancelled() or task.exception() else task.result())
        if not task.cancelled():
            task.result()

    async def _serve(self, unit: Answering, ask: Ask, request: ModbusPDU | None) -> Reply:
        """Deal with one request; what became of it."""
        async with self._turns[ask.unit]:
            reply = await self._plan(unit, ask, request)
            if reply.wait:
                await asyncio.sleep(reply.wait)
            whole = await self._carry_out(reply)
        return reply if whole else replace(reply, fate=Fate.SPOILT)

    async def _plan(self, unit: Answering, ask: Ask, request: ModbusPDU | None) -> Reply:
        if self._listener.resets:
            return RESET
        unit.refresh()
        if unit.silent:
            return _SILENCE
        if request is None:
            frame = refusal(ask, ExcCodes.ILLEGAL_VALUE if ask.function in READS else ExcCodes.ILLEGAL_FUNCTION)
        else:
            frame = await self._answer(request)
        before, self._before[ask.unit] = self._before.get(ask.unit, b""), frame
        return unit.wire.reply(ask, frame, before)

    async def _answer(self, request: ModbusPDU) -> bytes:
        """pymodbus's own answer. Nothing in there waits for anything, so that the fields it uses stay ours."""
        self.last_pdu, self._built = request, b""
        await self.handle_request()  # type: ignore[no-untyped-call]
        return self._built

    async def _carry_out(self, reply: Reply) -> bool:
        """Send what is to be sent; whether all of it went out."""
        if reply.reset:
            self._reset()
        elif reply.each:
            return await self._drip(reply.frame, reply.each)
        elif reply.frame:
            self._write(reply.frame)
        return True

    def _write(self, frame: bytes) -> None:
        """Send at once. What still drips is given up, as it is by a client that has asked something else meanwhile."""
        self._rest.clear()
        transport: Any = self.transport
        if transport:
            transport.write(self._framed(frame))

    def _framed(self, frame: bytes) -> bytes:
        """As it goes over this line; what is no frame goes as it is."""
        if not self._listener.is_rtu or len(frame) <= HEADER:
            return frame
        body = frame[HEADER - 1 :]
        return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")

    async def _drip(self, frame: bytes, each: float) -> bool:
        """Send byte by byte; whether all of them went out."""
        self._rest.clear()
        framed = self._framed(frame)
        rest, sent = bytearray(framed), 0
        self._rest = rest
        while rest:
            transport: Any = self.transport
            transport.write(bytes(rest[:1]))
            del rest[:1]
            sent += 1
            if rest:
                await asyncio.sleep(each)
        return sent == len(framed)

    def _reset(self) -> None:
        """RST instead of FIN: lingering for no time at all."""
        transport: Any = self.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
