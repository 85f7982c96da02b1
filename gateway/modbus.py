"""One Modbus line over pymodbus: connect, read a block as bytes, write, tell what went wrong.

pymodbus takes care of framing and transaction ids; retries, reconnecting and back-off are the poller's. What is added
to it here: responses keep their bytes instead of a list of integers (25 instead of 70 us a request); over TCP an answer
that is no Modbus or not to the question ends the request at once instead of after the time-out, a lost connection too;
unit, function and length of every answer are checked (frames.py). When a time-out cuts a frame over TCP, the connection
is made anew, so that its rest is not taken for the beginning of another answer.

With RTU frames there is no transaction id, and a late answer to the request before can look like the answer to this
one. Bytes that came before a request was sent are thrown away; what can't be the answer is stepped over; and a unit
whose answer did not come (in time, or before its asker was cancelled) is asked nothing more for once its time-out, in
which the late answer can come and be dropped. Other units do not wait for that. A unit must answer within twice its
time-out: what comes later still, to a request of the same unit, function and length, no master can tell apart.

One request at a time, commands before polls (see turn.py), and never sooner after the last answer than line and device
ask for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
    WriteMultipleCoilsRequest,
    WriteSingleCoilRequest,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from facility.assets import Framing, Line
from facility.errors import DeviceError
from facility.points import Table
from gateway.frames import Asked, in_rtu, in_tcp
from gateway.planner import Read
from gateway.timing import silence
from gateway.transport import Client, Opener, UnreachableError
from gateway.turn import Turn

MEANING = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target failed to respond",
}
"""Modbus exception codes."""
_FUNCTIONS = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}
REFUSALS = frozenset({1, 2, 3})
"""Codes of a device that does not have what it was asked for."""
DEAD = frozenset({10, 11})
"""Codes by which a device in between says that it gets no answer itself."""

_FRUITLESS = 3
"""Requests in a row, of whatever unit, without an answer, after which a connection is taken for dead."""
_BUFFER = 1024
"""Bytes that may lie on a line of RTU frames before the answer is given up."""


class _Bytes(ModbusPDU):
    """A read response that keeps its data as it came. `said` is the byte count of the answer, -1 if there is none."""

    raw = b""
    said = -1

    def decode(self, data: bytes) -> None:
        self.said = data[0] if data else -1
        self.raw = data[1:]

    def __str__(self) -> str:
        return "read response"


class _Holding(_Bytes, ReadHoldingRegistersResponse):
    """Function 3."""


class _Input(_Bytes, ReadInputRegistersResponse):
    """Function 4."""


class _Coils(_Bytes, ReadCoilsResponse):
    """Function 1."""


class _Discrete(_Bytes, ReadDiscreteInputsResponse):
    """Function 2."""


_REQUESTS: dict[Table, Callable[..., ModbusPDU]] = {
    Table.HOLDING: ReadHoldingRegistersRequest,
    Table.INPUT: ReadInputRegistersRequest,
    Table.COIL: ReadCoilsRequest,
    Table.DISCRETE: ReadDiscreteInputsRequest,
}


@dataclass(frozen=True, slots=True)
class Write:
    """Coils (0 or 1 each) or holding registers to be written from `address` on. `multiple`: with the function for
    several cells even if it is one."""

    table: Table
    address: int
    words: tuple[int, ...]
    multiple: bool = False


class ModbusConnection:
    """One line, shared by every unit behind it; one request at a time. Connects when it is first needed."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.took = 0.0
        """Seconds from sending the last request to its answer, its exception or its failure."""
        self._opener = Opener(line, inspect=self._inspect, changed=self._changed)
        self._client: Client | None = None
        self._turn = Turn()
        self._is_rtu = line.framing is Framing.RTU
        self._quiet = max(line.delay, silence(line) if line.serial else 0.0)
        self._asked = Asked()
        self._came, self._seen = 0, ""
        self._fruitless = 0
        self._proven = False
        self._out_of_step = False
        self._asking = False
        self._quiet_from = float("-inf")
        self._late: dict[int, float] = {}

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._client is not None and self._client.connected

    def quarantine(self, unit: int) -> float:
        """Seconds for which a unit is asked nothing, because its late answer may come; none if not above 0."""
        if unit not in self._late:
            return 0.0
        left = self._late[unit] - asyncio.get_running_loop().time()
        if left <= 0:
            del self._late[unit]
        return left

    async def read(
        self, device: str, unit: int, read: Read, timeout: float, *, quiet: float = 0.0, urgent: bool = False
    ) -> bytes:
        """The data bytes of one read of `unit`, as many as `read.size`. `quiet`: seconds that the device wants between
        two requests; `urgent` goes before polls.

        DeviceError names `device` and a kind: refused or timeout (no connection, no answer), exception (with its
        code), garbage.
        """
        request = _REQUESTS[read.table](address=read.address, count=read.count, dev_id=unit)
        asked = _asked_to_read(unit, read.table, read.count)
        response = await self._exchange(device, request, asked, timeout, quiet=quiet, urgent=urgent)
        if response.isError():
            raise _exception(device, response, f"{read.table} {read.address}..{read.end - 1}")
        raw = response.raw if isinstance(response, _Bytes) else b""
        if len(raw) + 1 != asked.size or getattr(response, "said", -1) != len(raw):
            raise DeviceError(device, "garbage", f"{len(raw)} bytes came for {read.size} asked")
        return raw

    async def write(self, device: str, unit: int, write: Write, timeout: float, *, quiet: float = 0.0) -> None:
        """Write before any poll; returns when the device has confirmed. DeviceError as for `read`."""
        request = _request(unit, write)
        response = await self._exchange(device, request, _asked_to_write(request), timeout, quiet=quiet, urgent=True)
        if response.isError():
            raise _exception(device, response, f"writing {write.table} {write.address}")
        if response.address != write.address:
            raise DeviceError(device, "garbage", f"confirmed address {response.address} for {write.address}")

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _exchange(
        self, device: str, request: ModbusPDU, asked: Asked, timeout: float, *, quiet: float, urgent: bool
    ) -> ModbusPDU:
        if self._late or not self._turn.seize():
            await self._take(request.dev_id, urgent=urgent)
        loop = asyncio.get_running_loop()
        try:
            began = loop.time()
            wait = self._quiet_from + max(quiet, self._quiet) - began
            if wait > 0:
                await asyncio.sleep(wait)
                began = loop.time()
            try:
                return await self._ask(device, request, asked, timeout)
            finally:
                self._quiet_from = loop.time()
                self.took = self._quiet_from - began
        finally:
            self._turn.release()

    async def _take(self, unit: int, *, urgent: bool) -> None:
        """The turn, when the unit is not in quarantine; it may get there while another request waits for the turn."""
        while True:
            if (wait := self.quarantine(unit)) > 0:
                await asyncio.sleep(wait)
            await self._turn.take(urgent=urgent)
            if self.quarantine(unit) <= 0:
                return
            self._turn.release()

    async def _ask(self, device: str, request: ModbusPDU, asked: Asked, timeout: float) -> ModbusPDU:
        client = self._client if self.connected and not self._out_of_step else None
        if client is None:
            client = await self._connect(device, timeout)
        self._asked, self._came, self._seen = asked, 0, ""
        self._asking, answered = True, False
        try:
            response = await _answer(client, request, timeout)
            answered = True
        except _LostError as error:
            raise self._lost(device, error) from error
        except (TimeoutError, ModbusException) as error:
            raise self._silence(device, request.dev_id, timeout) from error
        finally:
            self._asking = False
            if self._is_rtu and not answered:
                self._late[request.dev_id] = asyncio.get_running_loop().time() + timeout
        self._fruitless, self._proven = 0, True
        return response

    async def _connect(self, device: str, timeout: float) -> Client:
        self.close()
        # it prints the last frames of every connection on each error
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        try:
            client = await self._opener.open(timeout)
        except UnreachableError as error:
            raise DeviceError(device, error.kind, str(error)) from error
        for response in (_Holding, _Input, _Coils, _Discrete):
            client.register(response)
        client.ctx.max_buffer_size = _BUFFER
        if not self._out_of_step:
            self._fruitless, self._proven = 0, False
        self._client, self._out_of_step = client, False
        return client

    def _lost(self, device: str, error: _LostError) -> DeviceError:
        """The request ended before its time: what to say of it, and where to go next."""
        where = self._opener.place
        if error.kind == "garbage":
            self._give_up_in_time()
        elif not self._proven:
            # it takes connections and closes them: nobody is behind it
            self._opener.give_up()
        return DeviceError(device, error.kind, f"{where}: {error}")

    def _silence(self, device: str, unit: int, timeout: float) -> DeviceError:
        """No answer in time: what to say of it, and where to go next."""
        where = f"no answer of unit {unit} from {self._opener.place} within {timeout:g} s"
        # the rest of a frame over TCP would come before the next answer, whoever's that is
        self._out_of_step = self._came > 0 and not self._is_rtu
        self._give_up_in_time()
        if self._seen:
            return DeviceError(device, "garbage", f"{where}; {self._seen}")
        if self._is_rtu and self._came:
            why = "wrong baud rate or parity, two devices with one unit id, or a bad line"
            return DeviceError(device, "garbage", f"{where}; {self._came} bytes came that are none: {why}")
        hint = f"; are unit id, {self.line.baud} baud, parity {self.line.parity} and wiring right?"
        return DeviceError(device, "timeout", where + hint * bool(self.line.serial))

    def _give_up_in_time(self) -> None:
        self._fruitless += 1
        if self._fruitless >= _FRUITLESS and not self.line.serial:
            self.close()
            self._out_of_step = False  # what comes next is another connection, and counts anew
            self._opener.give_up()

    def _inspect(self, sending: bool, data: bytes) -> bytes:
        """Called with every frame sent, and with all that came since when more has come: only the answer goes on."""
        if sending:
            return data
        if not self._asking or self._client is None:
            return b""
        self._came = max(self._came, len(data))
        transaction = self._client.ctx.request_transaction_id
        heard = in_rtu(data, self._asked) if self._is_rtu else in_tcp(data, transaction, self._asked)
        self._seen = heard.seen
        if heard.fault:
            self._fail(_LostError("garbage", heard.fault))
        return heard.frame

    def _changed(self, connected: bool) -> None:
        if not connected:
            what = "the serial port is gone" if self.line.serial else "the device closed the connection"
            self._fail(_LostError("refused", what))

    def _fail(self, error: _LostError) -> None:
        future = self._client.ctx.response_future if self._client else None
        if self._asking and future is not None and not future.done():
            future.set_exception(error)


def _exception(device: str, response: ModbusPDU, place: str) -> DeviceError:
    code = response.exception_code
    return DeviceError(device, "exception", f"{place}: exception {code}, {MEANING.get(code, 'unknown')}", code=code)


@lru_cache(maxsize=4096)
def _asked_to_read(unit: int, table: Table, count: int) -> Asked:
    """What the answer to a read must look like."""
    size = (count + 7) // 8 if table.is_bits else 2 * count
    return Asked(unit, _FUNCTIONS[table], bytes([size & 0xFF]), size + 1)


def _asked_to_write(request: ModbusPDU) -> Asked:
    """What the answer to a write must look like: its address, and its value or how many there were."""
    function, cells = request.function_code, request.encode()
    return Asked(request.dev_id, function, cells[: 4 if function in (15, 16) else 2], 4)


def _request(unit: int, write: Write) -> ModbusPDU:
    """Functions 5 and 6 for a single cell, 15 and 16 for several."""
    single = len(write.words) == 1 and not write.multiple
    if write.table is Table.COIL:
        bits = [bool(word) for word in write.words]
        if single:
            return WriteSingleCoilRequest(address=write.address, bits=bits, dev_id=unit)
        return WriteMultipleCoilsRequest(address=write.address, bits=bits, dev_id=unit)
    if write.table is not Table.HOLDING:
        raise ValueError(f"nothing can be written to the table {write.table}")
    if single:
        return WriteSingleRegisterRequest(address=write.address, registers=list(write.words), dev_id=unit)
    return WriteMultipleRegistersRequest(address=write.address, registers=list(write.words), dev_id=unit)


async def _answer(client: Client, request: ModbusPDU, timeout: float) -> ModbusPDU:
    """Send a request and wait for what pymodbus makes of the answer; TimeoutError.

    `client.execute` does the same with a lock, retries and `wait_for`, which costs a third more and before Python 3.12
    forgets a cancellation that comes with the answer. The turn of the line is lock enough.
    """
    loop, context = asyncio.get_running_loop(), client.ctx
    request.transaction_id = context.getNextTID()
    context.recv_buffer = b""
    context.response_future = future = loop.create_future()
    context.pdu_send(request)
    timer = loop.call_later(timeout, _expire, future)
    try:
        response: ModbusPDU = await future
    finally:
        timer.cancel()
    return response


def _expire(future: asyncio.Future[ModbusPDU]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


class _LostError(Exception):
    """A request that need not wait for its time-out."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)
