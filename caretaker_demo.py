"""The demonstration: a simulated building and all roles in one process, real Modbus TCP and MQTT between them.

It runs in a folder of its own that is gone afterwards, on free ports, with a freshly made password, and can write what
it proved as a report.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from api.accounts import Accounts
from api.auth import Passwords, Role
from caretaker_people import OnDuty
from caretaker_roles import ROLES, House, open_house
from facility.assets import Device, Line
from facility.broker import EmbeddedBroker
from facility.bus import Bus, Message
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site, load_site
from facility.points import Kind
from facility.readings import Value
from facility.settings import ApiSettings, ChannelSettings
from facility.wire import Batch
from rules.book.rulebook import load_rulebook
from rules.desk.commands import Commands
from rules.notification.notify import Routing
from simulators.control import SimulationControl
from simulators.devices.faulty_bus import FaultyBus
from simulators.phone import Phone, phone
from simulators.report import Observed, Push, Turn, report
from simulators.scenario import Scenario, load_scenario, scenario_seed
from simulators.service import Simulation

log = logging.getLogger(__name__)

DEMO_SITE = Path(__file__).parent / "simulators" / "demo"
USER = "operator"
EMERGENCY = 1


@dataclass(frozen=True, slots=True)
class Options:
    """What `caretaker demo` was asked for. `seconds` None runs until it is stopped; `scenario` None plays none.

    `seed` None takes the scenario's. `site` is the folder of the building; what runs writes into `folder` only.
    """

    folder: Path
    scenario: Path | None = None
    seconds: float | None = None
    speed: float = 1.0
    port: int = 8000
    seed: int | None = None
    site: Path = DEMO_SITE


@dataclass
class Stored:
    """When each discrete reading became durable: (asset, point) -> [(reading instant, durable instant, value)]."""

    points: frozenset[tuple[str, str]]
    rows: dict[tuple[str, str], list[tuple[int, int, Value]]] = field(default_factory=lambda: defaultdict(list))
    first: int = 0
    """The instant (ms) of the first durable reading."""

    def observe(self, _gateway: str, batch: Batch, at: int) -> None:
        """Called for every batch that is in the store."""
        self.first = self.first or at
        for sample in batch.samples:
            for point, value in sample.values.items():
                if (sample.asset, point) in self.points:
                    self.rows[sample.asset, point].append((sample.at, at, value))


@dataclass
class Demo:
    """A running demonstration."""

    house: House
    simulation: Simulation
    phone: Phone
    stored: Stored
    password: str
    started: float

    @property
    def address(self) -> str:
        """Where the console is."""
        return self.house.address


def scenario_file(name: str, site: Path = DEMO_SITE) -> Path:
    """The file of a scenario in the site's folder or of a shipped one, or the path itself."""
    known = (folder / "scenarios" / f"{name}.yaml" for folder in (site, DEMO_SITE))
    return next((file for file in known if file.exists()), Path(name))


def _seed(options: Options) -> int:
    """As asked for, else the scenario's, else 1."""
    if options.seed is not None or options.scenario is None:
        return options.seed or 1
    return scenario_seed(options.scenario)


@asynccontextmanager
async def open_demo(options: Options, clock: Clock, tell: Callable[[str], None]) -> AsyncIterator[Demo]:
    """Start everything; stops it on leaving. `tell` hears one line for each step, so that nobody waits in silence."""
    site, catalog = load_site(options.site, env=os.environ)
    rulebook = load_rulebook(site, catalog)
    password = secrets.token_urlsafe(12)
    async with phone(clock) as receiver:
        site = demo_site(site, options, receiver)
        discrete = _turning(site, catalog)
        stored = Stored(discrete)
        house = House(site, catalog, rulebook, clock, observer=stored.observe)
        async with open_house(house, ["broker"]):
            tell(f"broker on {house.broker.host}:{house.broker.port}")
            simulation = await start_hardware(house, seed=_seed(options), speed=options.speed)
            tell(f"{len(site.devices)} simulated devices, {len(site.assets)} assets")
            house.hardware = SimulationControl(simulation)
            records = await house.records()
            simulation.people = OnDuty(records, Commands(records, Routing.of(site)), clock)
            for role in ("ingest", "rules", "api", "gateway"):
                await ROLES[role](house)
            accounts = Accounts(await house.records())
            digest = Passwords().hash_now(password)
            await accounts.add(USER, Role.ADMIN, language="zh", password_hash=digest, at=clock.ms(), actor="demo")
            yield Demo(house, simulation, receiver, stored, password, clock.monotonic())
            await simulation.stop()


async def start_hardware(house: House, *, seed: int = 1, speed: float = 1.0) -> Simulation:
    """The simulated building of a house whose broker runs; the house's devices are then where it listens.

    The connections of gateways that start later, and an embedded broker, can be disturbed by a scenario.
    """
    lines: dict[str, FaultyBus] = {}

    def between(gateway: str, bus: Bus, will: Message) -> Bus:
        lines[gateway] = FaultyBus(bus, will=will)
        return lines[gateway]

    house.between = between
    broker = house.broker if isinstance(house.broker, EmbeddedBroker) else None
    bus, clock = await house.bus("simulation"), house.clock
    simulation = Simulation(
        house.site, house.catalog, bus=bus, clock=clock, seed=seed, speed=speed, gateways=lines, broker=broker
    )
    ports = await simulation.start(ports="free")
    house.site = dataclasses.replace(house.site, devices=_rewired(house.site, ports))
    house.spawn("simulation", simulation.run())
    return simulation


def demo_site(site: Site, options: Options, receiver: Phone) -> Site:
    """The demo site with its data in `options.folder`, its API on `options.port`, and the phone as a channel."""
    settings = site.settings.model_copy(update={"api": ApiSettings(port=options.port)})
    channel = ChannelSettings(id="phone", kind="webhook", url=receiver.url, language="zh")
    routes = tuple(route.model_copy(update={"to": [*route.to, channel.id]}) for route in site.routes)
    return dataclasses.replace(
        site, folder=options.folder, settings=settings, channels=(*site.channels, channel), routes=routes
    )


async def play(demo: Demo, options: Options, tell: Callable[[str], None]) -> None:
    """Play the scenario and run for the time asked; for ever without one. Raises what a failing role raised."""
    work: list[asyncio.Task[None]] = [asyncio.create_task(demo.house.wait(), name="roles")]
    if options.scenario:
        scenario: Scenario = load_scenario(options.scenario, demo.simulation.subjects)
        tell(f"scenario {options.scenario.stem}: {len(scenario.actions)} actions")
        work.append(asyncio.create_task(demo.simulation.play(scenario), name="scenario"))
    try:
        deadline = None if options.seconds is None else demo.started + options.seconds
        while deadline is None or (left := deadline - demo.house.clock.monotonic()) > 0:
            done, _ = await asyncio.wait(
                work, timeout=left if deadline is not None else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                task.result()
                work.remove(task)
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def conclude(demo: Demo, *, patience: float = 10.0) -> dict[str, object]:
    """Stop polling, let every queue run empty, and say what the run proved."""
    house = demo.house
    seconds = house.clock.monotonic() - demo.started
    rss = psutil.Process().memory_info().rss
    rss += sum(child.memory_info().rss for child in psutil.Process().children(recursive=True))
    for gateway in house.gateways:
        gateway.stop()
    await asyncio.wait([house.tasks[name] for name in house.site.gateways], timeout=patience)
    records = await house.records()
    deadline = house.clock.monotonic() + patience
    while (await records.counts()).outbox_pending and house.clock.monotonic() < deadline:
        await house.clock.sleep(0.05)
    totals = await (await house.store()).totals()
    counts = await records.counts()
    observed = Observed(
        seconds=seconds,
        sent=sum(gateway.sent for gateway in house.gateways),
        readings_stored=totals.readings,
        duplicated=totals.duplicated,
        alarms=counts.by_class,
        emergencies=counts.emergencies,
        tickets=counts.tickets,
        pushes_sent=counts.sent,
        pushes_failed=counts.dead,
        pushes_received=len(demo.phone.received),
        emergencies_received=sum(
            item.body.get("event") == "raise" and item.body.get("severity") == EMERGENCY for item in demo.phone.received
        ),
        rss_mb=rss / 1e6,
        first_value_s=demo.stored.first / 1000 - psutil.Process().create_time() if demo.stored.first else None,
        turns=[Turn(change.asset, change.point, change.at_ms, change.value) for change in demo.simulation.changes],
        pushes=[push for item in demo.phone.received if (push := _push(item.body, item.at, demo.stored.points))],
        stored=demo.stored.rows,
    )
    return report(observed, list(house.catalog.classes))


def _push(body: Mapping[str, object], at: int, turning: frozenset[tuple[str, str]]) -> Push | None:
    """A received raise as the report wants it; None for any other message.

    Also for one that looked at measured values: when those passed their limit nobody can say to the millisecond.
    """
    facts = body.get("facts")
    since, raised = body.get("since"), body.get("at")
    if body.get("event") != "raise" or not isinstance(facts, Mapping):
        return None
    if not isinstance(since, int) or not isinstance(raised, int):
        return None
    if not all((body.get("asset"), key) in turning for key in facts):
        return None
    return Push(str(body.get("asset")), tuple(str(key) for key in facts), since, raised, at)


def _turning(site: Site, catalog: Catalog) -> frozenset[tuple[str, str]]:
    """(asset, point) of every discrete and enum point of the site."""
    return frozenset(
        (asset.id, point.key)
        for asset in site.assets.values()
        for point in catalog.classes[asset.asset_class].points.values()
        if point.kind in (Kind.DISCRETE, Kind.ENUM)
    )


def _rewired(site: Site, ports: Mapping[str, tuple[str, int]]) -> tuple[Device, ...]:
    """The site's devices at the addresses where the simulated hardware really listens."""
    return tuple(
        dataclasses.replace(device, line=_simulated(device.line, *ports[device.id])) if device.id in ports else device
        for device in site.devices
    )


def _simulated(line: Line, host: str, port: int) -> Line:
    """The line as it is simulated: a serial port is RTU over TCP."""
    return dataclasses.replace(line, serial="", host=host, port=port, fallback=None)
