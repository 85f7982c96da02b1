"""One Modbus line over pymodbus: connect, read a block as bytes, write, tell what went wrong.

pymodbus takes care of framing and transaction ids; retries, reconnecting and back-off are the poller's. What is added
to it here: responses keep their bytes instead of a list of integers (25 instead of 70 us a request), an answer that is
no Modbus or not to the question ends the request at once instead of after the time-out, a lost connection too, and
unit, function and length of every answer are checked.

With RTU frames there is no transaction id, and a late answer to the request before can look like the answer to this
one. Bytes that came before a request was sent are thrown away; another unit's answer is not taken; and a unit that did
not answer in time is asked nothing more for once its time-out, in which its late answer can come and be dropped. Other
units do not wait for that.

One request at a time, commands before polls (see turn.py), and never sooner after the last answer than line and device
ask for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

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
from gateway.planner import Read
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
REFUSALS = frozenset({1, 2, 3})
"""Codes of a device that does not have what it was asked for."""
DEAD = frozenset({10, 11})
"""Codes by which a device in between says that it gets no answer itself."""

_SILENT = 3
"""Time-outs in a row, of whatever unit, after which a connection is taken for dead."""


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
        self._function = 0
        self._heard = 0
        self._silent = 0
        self._asking = False
        self._quiet_from = float("-inf")
        self._late: dict[int, float] = {}

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._client is not None and self._client.connected

    async def read(
        self, device: str, unit: int, read: Read, timeout: float, *, quiet: float = 0.0, urgent: bool = False
    ) -> bytes:
        """The data bytes of one read of `unit`, as many as `read.size`. `quiet`: seconds that the device wants between
        two requests; `urgent` goes before polls.

        DeviceError names `device` and a kind: refused or timeout (no connection, no answer), exception (with its
        code), garbage.
        """
        request = _REQUESTS[read.table](address=read.address, count=read.count, dev_id=unit)
        response = await self._exchange(device, request, timeout, quiet=quiet, urgent=urgent)
        if response.isError():
            raise _exception(device, response, f"{read.table} {read.address}..{read.end - 1}")
        if not isinstance(response, _Bytes) or response.said != read.size or len(response.raw) != read.size:
            got = len(response.raw) if isinstance(response, _Bytes) else 0
            raise DeviceError(device, "garbage", f"{got} bytes came for {read.size} asked")
        return response.raw

    async def write(self, device: str, unit: int, write: Write, timeout: float, *, quiet: float = 0.0) -> None:
        """Write before any poll; returns when the device has confirmed. DeviceError as for `read`."""
        response = await self._exchange(device, _request(unit, write), timeout, quiet=quiet, urgent=True)
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
        self, device: str, request: ModbusPDU, timeout: float, *, quiet: float, urgent: bool
    ) -> ModbusPDU:
        loop = asyncio.get_running_loop()
        if self._late and (wait := self._late.get(request.dev_id, 0.0) - loop.time()) > 0:
            await asyncio.sleep(wait)
        await self._turn.take(urgent=urgent)
        try:
            wait = self._quiet_from + max(quiet, self.line.delay) - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
            began = loop.time()
            try:
                return await self._ask(device, request, timeout)
            finally:
                self._quiet_from = loop.time()
                self.took = self._quiet_from - began
        finally:
            self._turn.release()

    async def _ask(self, device: str, request: ModbusPDU, timeout: float) -> ModbusPDU:
        client = self._client if self.connected else None
        if client is None:
            client = await self._connect(device, timeout)
        client.ctx.comm_params.timeout_connect = timeout
        self._function, self._heard = request.function_code, 0
        self._asking = True
        try:
            response: ModbusPDU = await client.execute(False, request)
        except _LostError as error:
            raise DeviceError(device, error.kind, f"{self._opener.place}: {error}") from error
        except ModbusException as error:
            raise self._silence(device, request.dev_id, timeout) from error
        finally:
            self._asking = False
        _not_cancelled()
        self._silent = 0
        if response.function_code & 0x7F != self._function:
            raise DeviceError(
                device, "garbage", f"function {response.function_code} came as the answer to {self._function}"
            )
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
        self._client, self._silent = client, 0
        return client

    def _silence(self, device: str, unit: int, timeout: float) -> DeviceError:
        """No answer in time: what to say of it, and what to be careful of."""
        if self._is_rtu:
            self._late[unit] = asyncio.get_running_loop().time() + timeout
        self._silent += 1
        if self._silent >= _SILENT and not self.line.serial:
            self.close()
            self._opener.give_up()
        where = f"no answer of unit {unit} from {self._opener.place} within {timeout:g} s"
        if self._is_rtu and self._heard:
            why = "wrong baud rate or parity, a bad line, or another unit's late answer"
            return DeviceError(device, "garbage", f"{where}; {self._heard} bytes came that are none: {why}")
        hint = f"; are unit id, {self.line.baud} baud, parity {self.line.parity} and wiring right?" * bool(
            self.line.serial
        )
        return DeviceError(device, "timeout", where + hint)

    def _inspect(self, sending: bool, data: bytes) -> bytes:
        """Called with every frame: an answer that can't be one fails the request now."""
        if sending:
            return data
        self._heard += len(data)
        if self._is_rtu or len(data) < 8:
            return data
        length = int.from_bytes(data[4:6], "big")
        stale = int.from_bytes(data[:2], "big") != (self._client.ctx.request_transaction_id if self._client else 0)
        if data[2:4] != b"\0\0" or not 3 <= length <= 254:
            self._fail(_LostError("garbage", "what came is no Modbus frame"))
        elif not stale and data[7] & 0x7F != self._function:
            self._fail(_LostError("garbage", f"function {data[7]} came as the answer to {self._function}"))
        else:
            return data
        return b""

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


def _not_cancelled() -> None:
    """Before Python 3.12 `asyncio.wait_for`, which pymodbus uses, forgets a cancellation that comes with the answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class _LostError(Exception):
    """A request that need not wait for its time-out."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)
