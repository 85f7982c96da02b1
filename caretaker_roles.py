"""The roles of one process: what each needs, made once, started in order, stopped backwards.

A role is an entry in `ROLES`. Roles never see each other: what one needs of another is handed to it here as a function.
What only one role needs is imported when it starts: a gateway on a small machine has no use for a web server.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from facility.broker import embedded_broker
from facility.bus import Bus, Message
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import CaretakerError
from facility.hardware import Control
from facility.mqtt_bus import Broker, MqttBus
from facility.wire import Batch

if TYPE_CHECKING:
    from api.deps import Deps
    from gateway.service import Gateway
    from ingest.deadletters import DeadLetters
    from ingest.service import Ingest
    from ingest.store import ReadingStore
    from rules.book.compiled import Rulebook
    from rules.records.records import Records
    from rules.role.service import Rules

log = logging.getLogger(__name__)

VERSION = "0.1.0"
DEAD_LETTERS = "data/deadletters.sqlite"
ADOPT = "in site.yaml, or rename the file to a gateway that has none"
Observer = Callable[[str, Batch, int], None]
Between = Callable[[str, Bus, Message], Bus]
"""(gateway, its connection, its last will) -> the connection that it is given instead."""


class RoleError(CaretakerError):
    """The named roles can't run together like this; says what to change."""


@dataclass
class House:
    """One process's share of a site. Use as `async with open_house(...)`; `wait` ends only when a role fails."""

    site: Site
    catalog: Catalog
    rulebook: Rulebook
    clock: Clock
    observer: Observer | None = None
    hardware: Control | None = None
    between: Between | None = None
    broker: Broker = field(default_factory=Broker)
    gateways: list[Gateway] = field(default_factory=list)
    serves_all_gateways: bool = False
    ingest: Ingest | None = None
    rules: Rules | None = None
    deps: Deps | None = None
    address: str = ""
    metrics: dict[str, Callable[[], Mapping[str, float]]] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _parts: dict[str, AsyncExitStack] = field(default_factory=dict)
    _turned: asyncio.Event = field(default_factory=asyncio.Event)
    _store: ReadingStore | None = None
    _records: Records | None = None
    _dead_letters: DeadLetters | None = None

    async def bus(self, role: str, *, last_will: Message | None = None) -> MqttBus:
        """A connection of its own for a role; it stays until the role is ended or the house is left."""
        client = f"caretaker-{self.site.id}-{role}-{secrets.token_hex(4)}"
        if role not in self._parts:
            self._parts[role] = await self.stack.enter_async_context(AsyncExitStack())
        return await self._parts[role].enter_async_context(MqttBus(self.broker, client_id=client, will=last_will))

    async def store(self) -> ReadingStore:
        """The readings store, opened once."""
        if self._store is None:
            from ingest.open import open_store

            self._store = await open_store(self.site.settings.readings, site=self.site, catalog=self.catalog)
            self.stack.push_async_callback(self._store.close)
        return self._store

    @property
    def opened_store(self) -> ReadingStore | None:
        """The readings store, if somebody opened it."""
        return self._store

    async def records(self) -> Records:
        """Alarms, tickets and people, opened once."""
        if self._records is None:
            from rules.records.records import open_records

            opened = open_records(self.site.settings.records, self.site.folder)
            self._records = await self.stack.enter_async_context(opened)
        return self._records

    def dead_letters(self) -> DeadLetters:
        """What could not be stored, opened once."""
        if self._dead_letters is None:
            from ingest.deadletters import DeadLetters

            self._dead_letters = DeadLetters(self.site.path(DEAD_LETTERS))
            self.stack.callback(self._dead_letters.close)
        return self._dead_letters

    def spawn(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Run a role until the house is left."""
        self.tasks[name] = asyncio.create_task(work, name=name)
        self._turned.set()

    async def wait(self) -> None:
        """Wait until a role ends, which it does only by failing; raises what it raised."""
        while True:
            self._turned.clear()
            turned = asyncio.create_task(self._turned.wait(), name="roles changed")
            try:
                await asyncio.wait({turned, *self.tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                turned.cancel()
            for name, task in self.tasks.items():
                if task.done():
                    task.result()
                    raise RoleError(f"the role {name} ended by itself")

    async def end(self, name: str) -> None:
        """Cancel one role, given time to flush, and close its connections; the others go on."""
        task = self.tasks.pop(name, None)
        self._turned.set()
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError, asyncio.TimeoutError):
                await asyncio.wait_for(task, 5)
            log.info("stopped %s", name)
        if part := self._parts.get(name):
            await part.aclose()

    async def end_gateway(self, gateway: Gateway) -> int:
        """Stop a gateway in order; how many batches stay in its spool unconfirmed."""
        self.gateways.remove(gateway)
        self.metrics.pop(f"gateway_{gateway.id}", None)
        await self.end(gateway.id)
        return gateway.status().spool_batches

    async def stop(self) -> None:
        """Cancel the roles, the newest first, each given time to flush."""
        for name in reversed(list(self.tasks)):
            await self.end(name)


async def start_broker(house: House) -> None:
    """A broker of our own, on loopback."""
    settings = house.site.settings.broker
    port = 0 if settings.port == 1883 else settings.port
    house.broker = await house.stack.enter_async_context(embedded_broker(house.site.path("data/broker"), port=port))


async def start_ingest(house: House) -> None:
    """Readings into the store."""
    from ingest.service import Ingest

    bus = await house.bus("ingest")
    store = await house.store()
    house.ingest = Ingest(
        house.site,
        house.catalog,
        bus=bus,
        store=store,
        dead_letters=house.dead_letters(),
        clock=house.clock,
        observer=house.observer,
    )
    house.metrics["ingest"] = house.ingest.metrics
    house.spawn("ingest", house.ingest.run())


async def start_rules(house: House) -> None:
    """Alarms, tickets, messages."""
    from rules.notification.channels import open_channels
    from rules.role.service import Rules

    store = await house.store()
    house.rules = Rules(
        house.site,
        house.catalog,
        house.rulebook,
        bus=await house.bus("rules"),
        records=await house.records(),
        channels=open_channels(house.site.channels),
        clock=house.clock,
        history=store.samples,
    )
    house.metrics["rules"] = house.rules.metrics
    house.spawn("rules", house.rules.run())


async def start_api(house: House) -> None:
    """HTTP, live stream, console. Returns when it answers."""
    from api.app import create_app
    from api.deps import Deps
    from api.live import LiveCache
    from api.server import serve

    settings = house.site.settings.api
    bus = await house.bus("api")
    store = await house.store()
    live = LiveCache(house.site, house.catalog, bus=bus, clock=house.clock, store=store)
    records = await house.records()
    deps = Deps(
        site=house.site,
        catalog=house.catalog,
        store=store,
        records=records,
        dead_letters=house.dead_letters(),
        bus=bus,
        clock=house.clock,
        live=live,
        metrics=lambda: {name: metrics() for name, metrics in house.metrics.items()},
        version=VERSION,
        hardware=house.hardware,
    )
    if house.ingest:
        deps.gaps = house.ingest.gaps
    house.deps = deps
    app = create_app(deps)
    answered: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    scheme = "https" if settings.tls_certificate else "http"

    def ready(host: str, port: int) -> None:
        answered.set_result(f"{scheme}://{host}:{port}")

    house.spawn("live", live.run())
    house.spawn("commands", deps.commander.run())
    certificate = house.site.path(settings.tls_certificate) if settings.tls_certificate else None
    key = house.site.path(settings.tls_key) if settings.tls_key else None
    house.spawn("api", serve(app, settings.host, settings.port, ready=ready, certificate=certificate, key=key))
    futures: list[asyncio.Future[Any]] = [answered, house.tasks["api"]]
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    if not answered.done():
        house.tasks["api"].result()
    house.address = answered.result()


async def start_gateway(house: House) -> None:
    """Every gateway of the site, also those that it comes to have later."""
    from gateway.file_spool import left_behind

    house.serves_all_gateways = True
    folder = house.site.path(house.site.settings.spool.directory)
    for path, batches in left_behind(folder, house.site.gateways):
        log.warning("%s: %d batches wait for a gateway that the site does not have; name it %s", path, batches, ADOPT)
    for name in house.site.gateways:
        await start_one_gateway(house, name)


async def start_one_gateway(house: House, name: str) -> None:
    """One gateway with its spool and its own connection, whose last will says that it is gone."""
    from gateway.file_spool import FileSpool
    from gateway.lesson_book import open_book
    from gateway.override_book import open_overrides
    from gateway.service import Gateway, new_boot, will

    settings = house.site.settings.spool
    boot = new_boot()
    file = house.site.path(settings.directory) / f"{name}.sqlite"
    spool = FileSpool(
        file,
        limit=settings.megabytes * 1_000_000,
        days=settings.days,
        synchronous=settings.synchronous,
        clock=house.clock,
    )
    last_will = will(house.site.id, name, boot)
    bus: Bus = await house.bus(name, last_will=last_will)
    if house.between:
        bus = house.between(name, bus, last_will)
    gateway = Gateway(
        house.site,
        name,
        house.catalog,
        bus=bus,
        spool=spool,
        clock=house.clock,
        boot=boot,
        version=VERSION,
        book=open_book(house.site, name),
        overrides=open_overrides(house.site, name),
    )
    house.gateways.append(gateway)
    house.metrics[f"gateway_{name}"] = lambda: gateway_metrics(gateway)
    house.spawn(name, gateway.run())


def _device_metrics(gateway: Gateway) -> dict[str, float]:
    """Its devices in figures, each by id; seconds."""
    found: dict[str, float] = {}
    for device, figures in gateway.figures().items():
        numbers = {
            "device_requests": figures.requests,
            "device_overruns": figures.overruns,
            "device_bad_points": figures.bad_points,
            "device_rtt_p50": figures.rtt_p50,
            "device_rtt_p99": figures.rtt_p99,
            "device_cycle_predicted": figures.cycle_predicted,
            "device_cycle": figures.cycle,
            **{f"device_{kind}": count for kind, count in figures.errors.items()},
        }
        found |= {f"{name}:{device}": number for name, number in numbers.items() if number is not None}
    return found


def gateway_metrics(gateway: Gateway) -> Mapping[str, float]:
    """A gateway in figures, from its status."""
    status = gateway.status()
    states = [device.state for device in status.devices.values()]
    return _device_metrics(gateway) | {
        "readings_sent": status.sent,
        "last_seq": status.last_seq,
        "spool_batches": status.spool_batches,
        "spool_bytes": status.spool_bytes,
        "readings_shed": status.shed,
        "devices_up": states.count("up"),
        "devices_failing": states.count("failing"),
        "devices_down": states.count("down"),
        "overrides": gateway.commander.overrides,
        **{f"commands_{name}": count for name, count in gateway.commander.counts.items()},
    }


ROLES: Mapping[str, Callable[[House], Awaitable[None]]] = {
    "broker": start_broker,
    "ingest": start_ingest,
    "rules": start_rules,
    "api": start_api,
    "gateway": start_gateway,
}
"""In the order of starting."""


def check_roles(site: Site, roles: Sequence[str]) -> list[str]:
    """What is wrong with running these roles in one process; empty when nothing is."""
    known = set(ROLES) | {f"gateway:{name}" for name in site.gateways}
    problems = [f"there is no role {role!r}; known: {', '.join(sorted(known))}" for role in roles if role not in known]
    wanted = {role.partition(":")[0] for role in roles}
    if site.settings.broker.embedded and "broker" not in wanted:
        problems.append("broker.embedded serves only its own process: name broker.host in site.yaml, or run all roles")
    together = {"ingest", "rules", "api"}
    if site.settings.readings.kind == "duckdb" and wanted & together and not together <= wanted:
        problems.append("a DuckDB file belongs to one process: run ingest, rules and api together, or use InfluxDB")
    return problems


@asynccontextmanager
async def open_house(house: House, roles: Sequence[str]) -> AsyncIterator[House]:
    """Start the roles (in the order of ROLES, whatever the order given); stop them backwards on leaving."""
    problems = check_roles(house.site, roles)
    if problems:
        raise RoleError("; ".join(problems))
    settings = house.site.settings.broker
    house.broker = Broker(settings.host, settings.port, settings.username, settings.password, settings.tls)
    async with house.stack:
        try:
            for name, start in ROLES.items():
                if name in roles and not (name == "broker" and not settings.embedded):
                    await start(house)
                for role in roles:
                    if role.startswith(f"{name}:"):
                        await start_one_gateway(house, role.partition(":")[2])
            yield house
        finally:
            await house.stop()
