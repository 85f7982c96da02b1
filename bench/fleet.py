"""A fleet of simulated meters, `caretaker simulate --fleet 500x20`, polled at 1 Hz by a real gateway.

`fleet`: what the process of the simulators needs: `core_share` of one core, `cpu_us` per point read, `rate` points/s,
`late_ms` the latest poll. `fleet_idle.core_share`: the same while nobody polls. `fleet_plant`: the same polls answered
by the bare register server of the edge benchmark, which simulates nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import uvloop

from bench.edge.own import clear_late, late, requests_of, running
from bench.modbus_plant import plant
from facility.assets import Line
from facility.catalog import Catalog
from facility.config import Site, load_site
from gateway.poller import ModbusPoller
from gateway.service import Gateway

DEVICES, POINTS = 500, 20
SECONDS = 10.0
ROOT = Path(__file__).parents[1]


def run(seconds: float = SECONDS) -> dict[str, float]:
    """Simulate, poll, and look at the simulators' process from outside; some forty seconds."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "fleet"
        with simulators(place) as process:
            site, catalog = load_site(place)
            cpu, began = _cpu(process), time.perf_counter()
            time.sleep(seconds / 2)
            found["fleet_idle.core_share"] = (_cpu(process) - cpu) / (time.perf_counter() - began)
            found |= {f"fleet.{key}": value for key, value in _measure(site, catalog, process, seconds).items()}
        with plant(DEVICES, 2 * POINTS, 1) as served:
            site = dataclasses.replace(
                site,
                devices=tuple(
                    dataclasses.replace(device, line=Line(port=port))
                    for device, port in zip(site.devices, served.ports, strict=True)
                ),
            )
            bare = psutil.Process().children()[0]
            found |= {f"fleet_plant.{key}": value for key, value in _measure(site, catalog, bare, seconds).items()}
    return found


@contextmanager
def simulators(folder: Path) -> Iterator[psutil.Process]:
    """The fleet in a process of its own; returns when its last listener answers."""
    port = _free_ports()
    command = ["simulate", "--fleet", f"{DEVICES}x{POINTS}", "--port", str(port), "--out", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "caretaker", *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(port + DEVICES - 1, process)
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _free_ports() -> int:
    """The first of a run of ports that nobody listens on; another run may be tried when one is taken meanwhile."""
    for first in range(20_000, 60_000, DEVICES):
        try:
            for port in (first, first + DEVICES // 2, first + DEVICES - 1):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first
    raise RuntimeError("no run of free ports was found")


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the fleet ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the fleet does not listen")


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _measure(site: Site, catalog: Catalog, process: psutil.Process, seconds: float) -> dict[str, float]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_poll(site, catalog, process, seconds))


async def _poll(site: Site, catalog: Catalog, process: psutil.Process, seconds: float) -> dict[str, float]:
    async with running(site, catalog, "gw-1") as gateway:
        await asyncio.sleep(4)
        result = await _watch(gateway, process, seconds)
    down = {name: status.error for name, status in gateway.status().devices.items() if status.state != "up"}
    if down:
        raise RuntimeError(f"{len(down)} meters were not up: {list(down.items())[:3]}")
    return result


async def _watch(gateway: Gateway, process: psutil.Process, seconds: float) -> dict[str, float]:
    pollers = [driver for driver in gateway.drivers if isinstance(driver, ModbusPoller)]
    reads = sum(len(job.blocks) for job in pollers[0].units[0].jobs)
    clear_late(gateway)
    requests, cpu, began = requests_of(gateway), _cpu(process), time.perf_counter()
    await asyncio.sleep(seconds)
    points = (requests_of(gateway) - requests) / reads * POINTS
    spent, took = _cpu(process) - cpu, time.perf_counter() - began
    return {
        "rate": points / took,
        "core_share": spent / took,
        "cpu_us": spent / points * 1e6,
        "late_ms": late(gateway) * 1000,
    }
