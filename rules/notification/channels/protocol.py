"""Channel: what the outbox needs of a way out of the house."""

from __future__ import annotations

from typing import Protocol

from facility.errors import CaretakerError
from rules.notification.notify import Message


class ChannelError(CaretakerError):
    """A message did not leave: `retry` says whether the same message may leave later. Holds no secret."""

    def __init__(self, channel: str, message: str, *, retry: bool) -> None:
        self.channel = channel
        self.retry = retry
        super().__init__(f"channel {channel}: {message}")


class Channel(Protocol):
    """One way out. The same message may be sent twice; its `key` lets the receiver tell."""

    async def send(self, message: Message) -> None:
        """Return when the other side has taken the message; ChannelError when it has not."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...
