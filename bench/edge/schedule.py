"""How punctual polls are: 20 devices at 10 Hz, seen by the devices and by the gateway itself.

`lateness_p50_ms`, `lateness_p99_ms`, `lateness_max_ms`: how far a request arrives behind the device's grid of 100 ms,
which stands where the most punctual request of the run came. `interval_p99_ms`: between two polls of a device.
`late_ms`: the latest poll as the gateway tells it. `missed`: polls that the grid has and the device did not see.
"""

from __future__ import annotations

import asyncio

from bench.edge import maps, own
from bench.edge.periods import intervals, lateness, percentile
from bench.modbus_plant import plant

DEVICES = 20
POINTS = 100
PERIOD = 0.1
WARM = 2.0


async def measure(seconds: float) -> dict[str, float]:
    """Watch for `seconds`."""
    with plant(DEVICES, POINTS, 10) as served:
        site, catalog = maps.site_of(maps.devices_at(served.ports), maps.contiguous(POINTS), PERIOD)
        async with own.running(site, catalog) as gateway:
            await asyncio.sleep(WARM)
            own.clear_late(gateway)
            served.watch()
            await asyncio.sleep(seconds)
            seen, said = served.seen(), own.late(gateway)
    polls = [[at for _, at in device] for device in seen.polls]
    behind = sorted(late for device in polls for late in lateness(device, PERIOD))
    gaps = sorted(intervals(polls))
    return {
        "lateness_p50_ms": percentile(behind, 50) * 1000,
        "lateness_p99_ms": percentile(behind, 99) * 1000,
        "lateness_max_ms": behind[-1] * 1000,
        "interval_p50_ms": percentile(gaps, 50) * 1000,
        "interval_p99_ms": percentile(gaps, 99) * 1000,
        "late_ms": said * 1000,
        "missed": sum(max(0, round(gap / PERIOD) - 1) for gap in gaps),
    }
