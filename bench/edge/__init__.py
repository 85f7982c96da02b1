"""The edge: devices polled flat out, the references beside it, the schedule, and what dead devices cost the others.

`edge_contiguous`: 1000 registers in one piece a device, a tenth of them changing between two reads.
`edge_scattered`: 1000 two-word values a device in groups of 8, of a model that does not want the holes read.
`edge_single`: 100 registers of a model that must be asked for one at a time.
`edge_paced`: the contiguous map at 5 Hz, that is 100,000 points/s. `edge_all_changing`: every register changes.
`edge_bare`, `edge_bare_scattered`, `edge_bare_single`: a bare asyncio client with the same requests, no more.
`edge_per_tag`: a pymodbus client with one request for each value. `thingsboard`: see `bench.edge.thingsboard`.
`edge_command` (at 100,000 points/s), `edge_command_flat_out`: see `bench.edge.commands`. `edge_schedule`,
`edge_fairness`: see the modules of that name.

Each is of 20 devices; `_1` and `_200` say another number. `rate` is points per second, `cpu_us` the CPU of the process
(all threads) per point.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial

import uvloop

from bench.edge import commands, fairness, maps, own, references, schedule, thingsboard
from bench.modbus_plant import plant
from facility.points import Profile

FLEETS = (1, 20, 200)
USUAL = 20
CHANGING = 10
"""Every tenth register."""
SECONDS = 1.0
FLAT_OUT = 0.001
PACE = 0.2
"""Seconds between two polls: of 1000 points on 20 devices that is 100,000 points/s."""
REGISTERS = 5000
"""As far as the scattered map reaches."""

Work = Callable[[], Coroutine[None, None, dict[str, float]]]


def run(seconds: float = SECONDS, fleets: Sequence[int] = FLEETS) -> dict[str, float]:
    """Every measurement of this package; some three and a half minutes by default."""
    found: dict[str, float] = {}
    for devices in fleets:
        found |= _table(devices, seconds)
    with plant(USUAL, 1000, CHANGING) as served:
        found |= _measured("edge_paced", lambda: _own(served.ports, maps.contiguous(), seconds, PACE))
    with plant(USUAL, 1000, 1) as served:
        found |= _measured("edge_all_changing", lambda: _own(served.ports, maps.contiguous(), seconds))
    found |= _measured("edge_schedule", lambda: schedule.measure(10 * seconds))
    found |= _measured("edge_command", lambda: commands.measure(PACE, round(300 * seconds)))
    found |= _measured("edge_command_flat_out", lambda: commands.measure(FLAT_OUT, round(300 * seconds)))
    found |= _uvloop(lambda: fairness.measure(30 * seconds))
    return found | thingsboard.run(5 * seconds)


def _table(devices: int, seconds: float) -> dict[str, float]:
    """Every map on so many devices, the references with the same one beside it."""
    found: dict[str, float] = {}
    end = "" if devices == USUAL else f"_{devices}"
    with plant(devices, REGISTERS, CHANGING) as served:
        ports = served.ports
        for name, profile in (
            ("contiguous", maps.contiguous()),
            ("scattered", maps.scattered()),
            ("single", maps.single()),
        ):
            reference = "edge_bare" if name == "contiguous" else f"edge_bare_{name}"
            found |= _measured(f"edge_{name}{end}", partial(_own, ports, profile, seconds))
            found |= _measured(f"{reference}{end}", partial(references.bare, ports, profile, seconds))
        found |= _measured(f"edge_per_tag{end}", lambda: references.per_tag(ports, seconds))
    return found


async def _own(ports: Sequence[int], profile: Profile, seconds: float, interval: float = FLAT_OUT) -> dict[str, float]:
    site, catalog = maps.site_of(maps.devices_at(ports), profile, interval)
    return await own.throughput(site, catalog, profile, seconds)


def _measured(name: str, work: Work) -> dict[str, float]:
    return {f"{name}.{key}": value for key, value in _uvloop(work).items()}


def _uvloop(work: Work) -> dict[str, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())
