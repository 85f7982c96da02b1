"""One Modbus TCP connection over pymodbus: connect, read a block as bytes, tell what went wrong.

pymodbus takes care of framing and transaction ids; retries, reconnecting and back-off are the poller's. What is added
to it here: responses keep their bytes instead of a list of integers (25 instead of 70 us a request), an answer that is
no Modbus or not to the question ends the request at once instead of after the time-out, a lost connection too, and
the length of every answer is checked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import (
    ReadCoilsRequest,
    ReadCoilsResponse,
    ReadDiscreteInputsRequest,
    ReadDiscreteInputsResponse,
)
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    ReadInputRegistersResponse,
)

from facility.errors import DeviceError
from facility.points import Table
from gateway.planner import Read

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
_FUNCTIONS = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}


class ModbusConnection:
    """One TCP connection, shared by every unit behind it; one request at a time. Connects when it is first needed."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._client: AsyncModbusTcpClient | None = None
        self._function = 0
        self._silent = 0
        self._asking = False

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        return self._client is not None and self._client.connected

    async def read(self, device: str, unit: int, read: Read, timeout: float) -> bytes:
        """The data bytes of one read of `unit`, as many as `read.size`.

        DeviceError names `device` and a kind: refused or timeout (no connection, no answer), exception (with its
        code), garbage.
        """
        client = self._client if self.connected else None
        if client is None:
            client = await self._connect(device, timeout)
        client.ctx.comm_params.timeout_connect = timeout
        self._function = _FUNCTIONS[read.table]
        request = _REQUESTS[read.table](address=read.address, count=read.count, dev_id=unit)
        self._asking = True
        try:
            response = await client.execute(False, request)
        except _LostError as error:
            raise DeviceError(device, error.kind, f"{self.host}:{self.port}: {error}") from error
        except ModbusException as error:
            raise self._silence(device, timeout) from error
        finally:
            self._asking = False
        _not_cancelled()
        self._silent = 0
        return self._checked(device, read, response)

    def close(self) -> None:
        """Close the connection; the next read opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    async def _connect(self, device: str, timeout: float) -> AsyncModbusTcpClient:
        self.close()
        # it prints the last frames of every connection on each error
        logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
        client = AsyncModbusTcpClient(
            self.host,
            port=self.port,
            retries=0,
            reconnect_delay=0,
            timeout=timeout,
            trace_packet=self._inspect,
            trace_connect=self._changed,
        )
        for response in (_Holding, _Input, _Coils, _Discrete):
            client.register(response)
        try:
            async with asyncio.timeout(timeout):
                # not client.connect(): that keeps the reason to itself
                await client.ctx.call_create()
        except TimeoutError as error:
            raise DeviceError(device, "timeout", f"{self.host}:{self.port} accepts no connection") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise DeviceError(device, "refused", f"no connection to {self.host}:{self.port}: {reason}") from error
        self._client, self._silent = client, 0
        return client

    def _silence(self, device: str, timeout: float) -> DeviceError:
        self._silent += 1
        if self._silent >= _SILENT:
            self.close()
        return DeviceError(device, "timeout", f"no answer from {self.host}:{self.port} within {timeout:g} s")

    def _checked(self, device: str, read: Read, response: ModbusPDU) -> bytes:
        if response.isError():
            code = response.exception_code
            place = f"{read.table} {read.address}..{read.end - 1}"
            raise DeviceError(
                device, "exception", f"{place}: exception {code}, {MEANING.get(code, 'unknown')}", code=code
            )
        if not isinstance(response, _Bytes) or response.said != read.size or len(response.raw) != read.size:
            got = len(response.raw) if isinstance(response, _Bytes) else 0
            raise DeviceError(device, "garbage", f"{got} bytes came for {read.size} asked")
        return response.raw

    def _inspect(self, sending: bool, data: bytes) -> bytes:
        """Called with every frame: an answer that can't be one fails the request now."""
        if sending or len(data) < 8:
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
            self._fail(_LostError("refused", "the device closed the connection"))

    def _fail(self, error: _LostError) -> None:
        future = self._client.ctx.response_future if self._client else None
        if self._asking and future is not None and not future.done():
            future.set_exception(error)


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
