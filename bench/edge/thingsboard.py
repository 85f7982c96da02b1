"""ThingsBoard's IoT gateway (PyPI, pinned) polling the same plant, publishing by MQTT to where points are counted.

`thingsboard`: 20 devices of 100 values asked for ten times a second, more than it can. `thingsboard_paced`: the same
once a second. `thingsboard_1`: one device ten times a second. `thingsboard_fairness`: ten devices of one value, five
times a second, five of them silent. `thingsboard_fairness_line`: the same as ten units behind one connection; `_0`:
all of them alive, against which `slowdown_pct` is taken.

It makes one request for each value. `read_rate`: values read per second, `rate`: values that arrived, `cpu_us`: CPU of
its process per value read; `period_ms` (mean), `period_p50_ms`, `period_p99_ms`: between two polls of a live device as
the device sees them; not seen twice, it counts as the whole run. Where polls take longer than their period it begins
new ones beside them, so at more than it can do the period stays and little arrives. Limits, statistics and remote
configuration are off and its store is memory: each as fast as it goes. Nothing is measured where it can't be
installed; the reason is printed.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import aiomqtt
import psutil

from bench.edge.peer_venv import UnavailableError, interpreter
from bench.edge.periods import by_unit, intervals, percentile
from bench.edge.thingsboard_files import Demand, settings
from bench.modbus_plant import Plant, Seen, plant
from facility.broker import embedded_broker
from facility.mqtt_bus import Broker

RUNS = {
    "thingsboard": Demand(20, 0.1),
    "thingsboard_paced": Demand(20, 1.0),
    "thingsboard_1": Demand(1, 0.1),
    "thingsboard_fairness": Demand(10, 0.2, values=1, dead=5),
    "thingsboard_fairness_line_0": Demand(10, 0.2, values=1, line=True),
    "thingsboard_fairness_line": Demand(10, 0.2, values=1, dead=5, line=True, windows=4),
}
WARM = 3.0
"""Seconds from the first request on until it counts."""
START = 40.0
"""Seconds in which the first request must come."""
LIMITS_ASKED = "v1/devices/me/rpc/request/+"
TELEMETRY = "v1/gateway/telemetry"
LAUNCHER = Path(__file__).parent / "loopback_only.py"


def run(seconds: float, runs: Mapping[str, Demand] = RUNS) -> dict[str, float]:
    """Each run for `seconds`; empty when it can't be had."""
    try:
        python = interpreter()
    except UnavailableError as error:
        print(f"    thingsboard is left out, it can't be installed: {error}")
        return {}
    found: dict[str, float] = {}
    for name, demand in runs.items():
        live = demand.devices - demand.dead
        peers = [f"line:{live}"] if demand.line else ["silent"] * demand.dead
        with plant(0 if demand.line else live, demand.values, 10, peers) as served:
            figures = asyncio.run(_measure(python, served, demand, demand.windows * seconds))
        found |= {f"{name}.{key}": value for key, value in figures.items()}
    usual = found.get("thingsboard_fairness_line_0.period_ms")
    for name in ("thingsboard_fairness", "thingsboard_fairness_line"):
        if usual and f"{name}.period_ms" in found:
            found[f"{name}.slowdown_pct"] = (found[f"{name}.period_ms"] / usual - 1) * 100
    return found


async def _measure(python: Path, served: Plant, demand: Demand, seconds: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with embedded_broker(folder / "broker") as broker, _Counter(broker) as counter:
            with _running(python, folder / "gateway", settings(broker, served.ports, demand)) as process:
                await _started(process, served)
                served.watch()
                points, cpu, began = counter.points, _cpu(process), time.perf_counter()
                await asyncio.sleep(seconds)
                arrived, spent, took = counter.points - points, _cpu(process) - cpu, time.perf_counter() - began
                seen, memory = served.seen(), process.memory_info().rss / 2**20
    gaps = _gaps(seen, demand, took)
    return {
        "rate": arrived / took,
        "read_rate": seen.requests / took,
        "cpu_us": spent / seen.requests * 1e6,
        "core_share": spent / took,
        "period_ms": sum(gaps) / len(gaps) * 1000,
        "period_p50_ms": percentile(gaps, 50) * 1000,
        "period_p99_ms": percentile(gaps, 99) * 1000,
        "rss_mb": memory,
    }


def _gaps(seen: Seen, demand: Demand, window: float) -> list[float]:
    """In order; a live device that was not polled twice has one gap as long as the window."""
    live = demand.devices - demand.dead
    devices = [unit for polls in seen.polls for unit in by_unit(polls, live if demand.line else 255)]
    often = [polls for polls in devices if len(polls) > 1]
    return sorted(intervals(often) + [window] * (live - len(often)))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def _started(process: psutil.Process, served: Plant) -> None:
    """Until it has polled for a while; RuntimeError when it ends, TimeoutError when it does not begin."""
    async with asyncio.timeout(START):
        while not served.seen().requests:
            if process.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError("thingsboard ended before its first poll")
            await asyncio.sleep(0.2)
    await asyncio.sleep(WARM)


class _Counter:
    """Stands in for the server: tells the limits that the gateway waits for, counts the points that come."""

    def __init__(self, broker: Broker) -> None:
        self.points = 0
        self._client = aiomqtt.Client(broker.host, broker.port, username=broker.username, password=broker.password)
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> _Counter:
        await self._client.__aenter__()
        await self._client.subscribe([(LIMITS_ASKED, 1), (TELEMETRY, 1)])
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.__aexit__(None, None, None)

    async def _listen(self) -> None:
        async for message in self._client.messages:
            topic = message.topic.value
            payload = json.loads(bytes(message.payload))
            if topic == TELEMETRY:
                self.points += sum(len(row["values"]) for rows in payload.values() for row in rows)
            elif payload.get("method") == "getSessionLimits":
                await self._client.publish(topic.replace("request", "response"), json.dumps(SESSION), qos=1)


SESSION = {
    "maxPayloadSize": 65536,
    "maxInflightMessages": 1000,
    "rateLimits": {},
    "gatewayRateLimits": {"messages": "", "telemetryMessages": "", "telemetryDataPoints": ""},
}


@contextmanager
def _running(python: Path, folder: Path, files: Mapping[str, object]) -> Iterator[psutil.Process]:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [str(python), str(LAUNCHER)],
            cwd=folder,
            env={"TB_GW_CONFIG_DIR": str(folder), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield psutil.Process(process.pid)
    except (TimeoutError, RuntimeError) as error:
        raise RuntimeError(f"{error!r}: {(folder / 'output').read_text()[-2000:]}") from error
    finally:
        process.kill()
        process.wait()
