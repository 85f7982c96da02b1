"""The process under the gateway, asked of the operating system."""

from __future__ import annotations

import psutil

from facility.clock import Clock
from gateway.selfwatch import Process


class Machine:
    """What the process takes. CPU is that since the last look, in per cent of one core."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._process = psutil.Process()
        self._process.cpu_percent()

    def figures(self, late: float) -> Process:
        """Now; `late` is the most that a poll began after its time since the last look, in seconds."""
        return Process(
            uptime=self._clock.monotonic() - self._began,
            cpu=self._process.cpu_percent(),
            memory=self._process.memory_info().rss,
            disk_free=_disk_free(),
            late=late,
        )


def _disk_free() -> float | None:
    """Per cent of the disk that the process works on; None where that can't be told."""
    try:
        return round(100.0 - psutil.disk_usage(".").percent, 1)
    except OSError:
        return None
