"""Devices that are there and no good: silent, resetting, late, garbling. `bench.modbus_plant` serves them."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import cast

LATE = 1.3
"""Seconds until a late peer answers: past the default time-out of a profile."""


class Silent(asyncio.Protocol):
    """Accepts and never answers."""

    transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self.transport = cast("asyncio.Transport", transport)  # not by isinstance: uvloop has its own


class Resets(Silent):
    """Takes a request and resets the connection."""

    def data_received(self, _data: bytes) -> None:
        """Close with RST instead of FIN."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Late(Silent):
    """Gives every request the right answer too late, when its transaction id is an old one."""

    def data_received(self, data: bytes) -> None:
        """Answer after `LATE`."""
        transaction, unit, function, count = struct.unpack_from(">H4xBB2xH", data)
        answer = struct.pack(">HHHBBB", transaction, 0, 2 * count + 3, unit, function, 2 * count) + bytes(2 * count)
        asyncio.get_running_loop().call_later(LATE, self._answer, answer)

    def _answer(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


class Garbage(Silent):
    """Answers what is no Modbus."""

    def data_received(self, data: bytes) -> None:
        """The request with half of its bits turned over: neither the length nor the protocol id is one."""
        self.transport.write(bytes(byte ^ 0xA5 for byte in data))


PEERS: dict[str, type[Silent]] = {"silent": Silent, "resets": Resets, "late": Late, "garbage": Garbage}
"""By the name that the plant is given."""
