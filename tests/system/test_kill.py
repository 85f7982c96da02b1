"""kill -9 of every process in turn, in the middle of the tour: no reading, alarm or push is lost, none stored twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from facility.broker import PID_FILE, Kind, embedded_broker
from facility.catalog import Catalog
from facility.clock import SystemClock
from facility.config import Site, load_site
from facility.mqtt_bus import Broker
from ingest.open import open_store
from rules.records.records import open_records
from simulators.phone import Phone, phone
from tests.services.influx import InfluxServer
from tests.services.require import require
from tests.services.waiting import until
from tests.system.crew import DEMO, Crew, Role, make_site, spooled, spools_empty

ROLES = ("gateway", "ingest", "rules")
TOUR = {
    ("elevator.entrapment", "EL-02"),
    ("water_pump.dry_run", "WP-01"),
    ("power.mains_loss", "PM-01"),
    ("fire_alarm.confirmed", "FA-01"),
    ("access_control.forced", "AC-01"),
    ("access_control.reader_tamper", "AC-01"),
    ("elevator.pit_water", "EL-03"),
}
"""What the tour must raise, whoever dies."""

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
async def own_influx(tmp_path: Path) -> AsyncIterator[InfluxServer]:
    """An influxd of this test's own, since it is killed."""
    folder = tmp_path / "influx"
    folder.mkdir()
    server = InfluxServer(require("influxd", "influxdb"), folder)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.close)


@pytest.fixture(params=["mosquitto", "iotcore"])
async def own_broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Broker, Path]]:
    """A broker of this test's own and its folder."""
    kind: Kind = request.param
    if kind == "mosquitto":
        require("mosquitto", "mosquitto")
    async with embedded_broker(tmp_path / "broker", prefer=kind) as broker:
        yield broker, tmp_path / "broker"


async def test_nothing_is_lost_whoever_dies(
    tmp_path: Path, own_broker: tuple[Broker, Path], own_influx: InfluxServer
) -> None:
    broker, broker_folder = own_broker
    async with phone(SystemClock()) as receiver:
        folder = make_site(tmp_path / "site", broker, own_influx, receiver.url)
        crew = Crew(folder, tmp_path)
        tour = str(DEMO / "scenarios" / "tour.yaml")
        hardware = Role(["simulate", str(folder), "--scenario", tour], tmp_path / "simulate.log")
        try:
            await crew.start("ingest", "rules")
            await hardware.start(until="playing")
            await crew.start("gateway")
            await _die_in_turn(crew, broker_folder, own_influx)
            await _until_over(hardware, receiver)
            async with asyncio.timeout(60):
                await spools_empty("demo-tower", 2, broker)
            await crew.role("gateway").stop()
            await _prove(folder, receiver)
        finally:
            await hardware.stop()
            await crew.stop()


async def _die_in_turn(crew: Crew, broker_folder: Path, influx: InfluxServer) -> None:
    """Kill each part, a few seconds apart, and bring it back after a moment; the store perhaps as rules read it."""
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def at(second: float) -> None:
        await asyncio.sleep(max(0.0, began + second - loop.time()))

    for second, name in ((7, "gateway"), (15, "ingest"), (23, "rules")):
        await at(second)
        await crew.role(name).kill()
        await at(second + 1.5)
        await crew.start(name)
    await at(32)
    psutil.Process(int((broker_folder / PID_FILE).read_text())).send_signal(signal.SIGKILL)  # its keeper restarts it
    await at(39)
    psutil.Process(influx.pid).send_signal(signal.SIGKILL)
    await asyncio.to_thread(influx.stop)
    await at(43)
    await asyncio.to_thread(influx.start)


async def _until_over(hardware: Role, receiver: Phone) -> None:
    """Wait for the tour's last event, the fire's end; then the hardware stops, so that nothing new comes."""

    def over() -> bool:
        return ("fire_alarm.confirmed", "clear") in {
            (item.body["rule"], item.body["event"]) for item in receiver.received
        }

    await until(over, limit=120)
    await hardware.stop()


async def _prove(folder: Path, receiver: Phone) -> None:
    site, catalog = load_site(folder)
    await _prove_readings(site, catalog, folder)
    async with open_records(site.settings.records, site.folder) as records:
        async with asyncio.timeout(30):
            while (counts := await records.counts()).outbox_pending:
                await asyncio.sleep(0.2)
        alarms = {(row.rule, row.asset) for row in (await records.alarms(limit=500)).items}
        assert alarms >= TOUR, f"missing: {TOUR - alarms}"
        assert counts.dead == counts.outbox_dead == 0
        # one alarm of a rule and asset in the whole tour: a restart neither forgets nor repeats it
        assert len((await records.alarms(limit=500)).items) == len(alarms)
    raised = {(item.body["rule"], item.body["asset"]) for item in receiver.received if item.body["event"] == "raise"}
    assert raised >= TOUR, f"not pushed: {TOUR - raised}"


async def _prove_readings(site: Site, catalog: Catalog, folder: Path) -> None:
    ledger = spooled(folder)
    assert len(ledger) == 4, "two gateways in one process that was killed once"
    store = await open_store(site.settings.readings, site=site, catalog=catalog)
    totals = await store.totals()
    await store.close()
    assert totals.readings == sum(readings for _, readings in ledger.values())
    assert totals.duplicated == 0
