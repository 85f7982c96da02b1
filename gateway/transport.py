"""A line opened: the pymodbus client of a TCP endpoint or a serial port, and why it can't be had, in words.

TCP with the frames of Modbus TCP or of RTU, or a serial port. Of a line with a fallback the place that worked last is
tried first, then the other one; both are the same devices, so there is no way back to make.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import termios
from collections.abc import Callable
from typing import Any

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.framer import FramerType

from facility.assets import Framing, Line

Client = AsyncModbusTcpClient | AsyncModbusSerialClient
PARITY = {"none": "N", "even": "E", "odd": "O"}
_SERIAL = {
    errno.ENOENT: "there is no such port; is the adapter plugged in?",
    errno.ENXIO: "the port is there but no device behind it; is the adapter plugged in?",
    errno.EACCES: "no right to use the port; the user must be in its group (dialout)",
    errno.EPERM: "no right to use the port; the user must be in its group (dialout)",
    errno.EBUSY: "the port is in use by another program",
    errno.EAGAIN: "the port is in use by another program",
    errno.ENOTTY: "this is no serial port",
    errno.EISDIR: "this is a folder, no serial port",
    errno.EIO: "the port does not work; is the adapter plugged in?",
}
_TCP = {
    errno.ECONNREFUSED: "is the device on, Modbus TCP enabled there and the port right?",
    errno.EHOSTUNREACH: "are the address right, the device on and the network up?",
    errno.ENETUNREACH: "are the address right and the network up?",
    errno.ETIMEDOUT: "are the address right, the device on and the network up?",
}


class UnreachableError(Exception):
    """A line can't be opened. `kind`: refused, or timeout where nothing answered at all."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        super().__init__(message)


class Opener:
    """Opens one line, again and again. `inspect` sees every frame, `changed` is told of connects and losses."""

    def __init__(self, line: Line, *, inspect: Callable[[bool, bytes], bytes], changed: Callable[[bool], None]) -> None:
        self.line = line
        self._inspect, self._changed = inspect, changed
        self._places = [(line.host, line.port), *([line.fallback] if line.fallback else [])]

    @property
    def place(self) -> str:
        """Where it leads now, for messages."""
        if self.line.serial:
            return self.line.serial
        host, port = self._places[0]
        return f"{host}:{port}"

    def give_up(self) -> None:
        """The place connected but nobody answers there: the other one comes first next time."""
        self._places.reverse()

    async def open(self, timeout: float) -> Client:
        """A connected client; UnreachableError names every place that was tried."""
        if self.line.serial:
            return await self._serial(timeout)
        failures: list[UnreachableError] = []
        for _ in self._places:
            try:
                return await self._tcp(*self._places[0], timeout)
            except UnreachableError as error:
                failures.append(error)
                self._places.reverse()
        raise UnreachableError(failures[-1].kind, "; ".join(str(failure) for failure in failures))

    async def _tcp(self, host: str, port: int, timeout: float) -> Client:
        client = AsyncModbusTcpClient(
            host,
            port=port,
            framer=FramerType.RTU if self.line.framing is Framing.RTU else FramerType.SOCKET,
            retries=0,
            reconnect_delay=0,
            timeout=timeout,
            trace_packet=self._inspect,
            trace_connect=self._changed,
        )
        where = f"{host}:{port}"
        try:
            async with asyncio.timeout(timeout):
                # not client.connect(): that keeps the reason to itself
                await client.ctx.call_create()
        except TimeoutError as error:
            message = f"{where} accepts no connection within {timeout:g} s; {_TCP[errno.ETIMEDOUT]}"
            raise UnreachableError("timeout", message) from error
        except (socket.gaierror, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            message = f"no address for the host {host!r}: {reason}; is the name right?"
            raise UnreachableError("refused", message) from error
        except OSError as error:
            raise UnreachableError("refused", f"no connection to {where}: {_why(error)}") from error
        return client

    async def _serial(self, timeout: float) -> Client:
        line = self.line
        client = AsyncModbusSerialClient(
            line.serial,
            baudrate=line.baud,
            parity=PARITY[line.parity],
            stopbits=line.stop_bits,
            retries=0,
            reconnect_delay=0,
            timeout=timeout,
            trace_packet=self._inspect,
            trace_connect=self._changed,
        )
        try:
            transport, _ = await client.ctx.call_create()
        except (OSError, ValueError, termios.error) as error:
            raise UnreachableError("refused", f"{line.serial}: {_why_serial(error)}") from error
        context: Any = client.ctx
        context.transport = transport  # it is told of its transport a moment later
        return client


def _why(error: OSError) -> str:
    number = error.errno or 0
    hint = f"; {_TCP[number]}" if number in _TCP else ""
    return (os.strerror(number) if number else str(error)) + hint


def _why_serial(error: Exception) -> str:
    """In words; of what the operating system refuses to configure pyserial hands on no number, only its cause."""
    for cause in (error, error.__context__):
        number = cause.args[0] if cause is not None and cause.args else None
        if isinstance(number, int) and number in _SERIAL:
            return _SERIAL[number]
    return str(error)
