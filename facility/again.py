"""Ask the gateways to tell every value again: a process that has just begun to listen knows only what changes."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from facility.bus import Bus
from facility.errors import BusError
from facility.wire import again_topic

log = logging.getLogger(__name__)


async def ask_again(bus: Bus, site: str, gateways: Iterable[str]) -> None:
    """Ask once the broker is there. A gateway that does not hear it tells everything with its heartbeat anyway."""
    await bus.wait_connected()
    try:
        for gateway in gateways:
            await bus.publish(again_topic(site, gateway), b"")
    except BusError as error:
        log.info("the gateways were not asked to tell everything again: %s", error)
