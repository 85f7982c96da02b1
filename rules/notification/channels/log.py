"""The channel `log`: one line a message, for a site without a messenger and for the demo."""

from __future__ import annotations

import logging

from rules.notification.notify import Message

log = logging.getLogger("caretaker.alerts")


class LogChannel:
    """Writes to the logger `caretaker.alerts` at INFO."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, message: Message) -> None:
        """Write the line; never fails."""
        # texts come from rules, but an asset's label is free text: one message stays one line
        text = " ".join(f"{message.text} {message.guidance}".split())
        log.info("%s [%s] %s", self.name, message.key, text)

    async def close(self) -> None:
        """Nothing to release."""
