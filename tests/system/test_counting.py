"""What the hardware served, what the gateways read and published, and what the store holds: it must add up.

A part of the demonstration building, real Modbus TCP and MQTT, both gateways, the embedded broker, ingest and DuckDB,
while links and lines are lost, the gateways stammer and freeze, and the broker is killed.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from caretaker_demo import start_hardware
from caretaker_roles import ROLES, House, open_house
from facility.broker import PID_FILE
from facility.clock import SystemClock
from facility.config import load_site
from facility.points import Kind
from facility.readings import Value
from rules.book.rulebook import load_rulebook
from simulators.scenario import load_scenario
from simulators.service import Simulation
from tests.services.waiting import until
from tests.simulators.tower import part
from tests.system.crew import DEMO, spooled

LINKS = """
duration: 4.5
steps:
  - {at: 0.3, fault: link_lost, device: PM-04-meter, for: 1.5}
  - {at: 1, fault: offline, gateway: gw-1, for: 2}
  - {at: 2.5, fault: repeats, device: PM-04-meter, for: 1.5}
"""
LINES = """
duration: 5
steps:
  - {at: 0.2, fault: duplicates, gateway: gw-1, for: 1.5}
  - {at: 0.3, fault: chatter, asset: EL-01, point: pit.water, for: 4.1, params: {period: 2}}
  - {at: 1.8, fault: frozen, gateway: gw-1, for: 1.2}
  - {at: 3.2, fault: broker_away, for: 1.2}
"""

pytestmark = [pytest.mark.system, pytest.mark.slow]


@dataclass
class Books:
    """The running house, and every account that is kept in it."""

    house: House
    hardware: Simulation

    async def play(self, text: str) -> None:
        """Play a scenario to its end."""
        file = self.house.site.folder / "played.yaml"
        file.write_text(text)
        await asyncio.wait_for(self.hardware.play(load_scenario(file, self.hardware.subjects)), 20)

    def counted(self, name: str) -> int:
        """A counter of the gateways' devices, summed over those that have it."""
        devices = (device for gateway in self.house.gateways for device in gateway.counters().values())
        return sum(device.get(name, 0) for device in devices)

    @property
    def waiting(self) -> int:
        """Batches that are not known to be stored."""
        return sum(gateway.status().spool_batches for gateway in self.house.gateways)


@asynccontextmanager
async def kept_books(folder: Path) -> AsyncIterator[Books]:
    """The house, its hardware running; the device on the broker has been heard."""
    site, catalog = load_site(DEMO, env={})
    site = dataclasses.replace(part(site, "EL-01", "WP-01", "PM-04"), folder=folder)
    house = House(site, catalog, load_rulebook(site, catalog), SystemClock())
    async with open_house(house, ["broker"]):
        books = Books(house, await start_hardware(house))
        for role in ("ingest", "gateway"):
            await ROLES[role](house)
        try:
            await until(lambda: books.counted("messages") > 3 and books.counted("requests") > 20, limit=10)
            yield books
        finally:
            await books.hardware.stop()


async def test_it_adds_up(tmp_path: Path) -> None:
    async with kept_books(tmp_path) as books:
        house, hardware = books.house, books.hardware

        # devices on the broker: what is published is heard, as often as it is, save what only says that one is there:
        # the last will of the lost link, and the greeting after it
        published, heard = hardware.published, books.counted("messages")
        await books.play(LINKS)
        announced = 2
        await until(lambda: hardware.published - published == books.counted("messages") - heard + announced)
        assert books.counted("garbage") == books.counted("foreign") == books.counted("dropped") == 0

        # batches: a gateway that is cut off, dead or stammers, and a broker that is killed
        first = (house.site.folder / "data" / "broker" / PID_FILE).read_text()
        await books.play(LINES)
        assert sum(change.point == "pit.water" for change in hardware.changes) >= 4
        await _shows_the_truth(books)
        for gateway in house.gateways:
            gateway.stop()
        await asyncio.wait([house.tasks[name] for name in house.site.gateways], timeout=10)
        assert books.waiting == 0
        assert (house.site.folder / "data" / "broker" / PID_FILE).read_text() != first
        assert sum(gateway.counters()["publisher"]["resent"] for gateway in house.gateways) > 0
        assert house.ingest
        assert house.ingest.metrics()["batches_again"] + house.ingest.metrics()["batches_waiting_again"] > 0

        # requests: all that were asked were served, save one a connection that the end may have cut short
        asked = books.counted("requests")
        assert books.counted("failures") == 0
        assert 0 <= asked - hardware.served.requests <= len({*hardware.addresses.values()})
        assert hardware.served.registers > hardware.served.requests > 50

        # readings: what was told once is in the ledger once and in the store once
        sent = sum(gateway.sent for gateway in house.gateways)
        totals = await (await house.store()).totals()
        assert sent > 150
        assert sum(readings for _, readings in spooled(tmp_path).values()) == sent == totals.readings
        assert totals.duplicated == 0
        assert house.ingest.gaps() == []
        assert house.dead_letters().list() == []


async def _shows_the_truth(books: Books) -> None:
    """The hardware stands still; then the store must come to show its contacts and modes as they are."""
    task = books.house.tasks.pop("simulation")
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    store, classes = await books.house.store(), books.house.catalog.classes
    truth: dict[tuple[str, str], Value] = {
        (asset, key): value
        for asset, values in books.hardware.building.values().items()
        for key, value in values.items()
        if (point := classes[books.house.site.assets[asset].asset_class].points[key]).interval <= 1
        and point.kind in (Kind.DISCRETE, Kind.ENUM)
    }

    async def stored() -> dict[tuple[str, str], Value]:
        latest = await store.latest(["EL-01", "WP-01"])
        return {(item.asset, item.point): item.value for item in latest if (item.asset, item.point) in truth}

    async def agrees() -> bool:
        found = await stored()
        return len(found) > 20 and found.items() <= truth.items() and books.waiting == 0

    await _until(agrees, limit=15)


async def _until(condition: Callable[[], Awaitable[bool]], *, limit: float) -> None:
    async with asyncio.timeout(limit):
        while not await condition():
            await asyncio.sleep(0.05)
