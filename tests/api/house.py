"""A whole small building for tests of the API: site, catalog, stores, bus, users, some readings and alarms."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import msgspec

from api.accounts import Accounts
from api.auth import Passwords, Role
from api.deps import Deps
from api.live import LiveCache
from facility.bus import MemoryBus
from facility.catalog import Catalog
from facility.clock import SystemClock, from_ms
from facility.config import Site, load_site
from facility.points import Label
from facility.readings import Quality, Sample, Value
from facility.settings import RecordsSettings
from facility.wire import Batch, DeviceStatus, Status, encode, readings_topic, status_topic
from ingest.deadletters import DeadLetters
from ingest.memory_store import MemoryStore
from ingest.store import Delivery
from rules.effects import Judgement
from rules.notification.notify import Routing
from rules.records.database import new_engine
from rules.records.records import Records, open_records
from rules.rule import Raises, Rule, Severity
from simulators.control import SimulationControl
from simulators.service import Simulation

NOW = 1_790_000_000_000
"""2026-09-21, the instant at which the clock of a test house stands."""

PASSWORD = "correct horse battery"

SITE = """
site: tower
labels: {zh: 测试大厦, en: Test Tower}
gateways: [gw-1, gw-2]
locations:
  - {id: roof, labels: {zh: 屋顶机房, en: Roof machine room}}
  - {id: b2, labels: {zh: 地下二层, en: Basement 2}}
"""

ASSETS = """
assets:
  - {id: EL-01, class: elevator, labels: {zh: 1号客梯, en: Lift 1}, location: roof,
     rated: {speed: 2.5}, ledger: {maker: Meridian}}
  - {id: EL-02, class: elevator, labels: {zh: 2号客梯, en: Lift 2}, location: roof}
  - {id: PS-01, class: water_pump, labels: {zh: 生活水泵, en: Water supply}, location: b2, parents: [PW-01]}
  - {id: PW-01, class: power, labels: {zh: 低压总表, en: Main meter}, location: b2}
  - {id: FA-01, class: fire_alarm, labels: {zh: 火灾报警主机, en: Fire panel}}
  - {id: AC-01, class: access_control, labels: {zh: 大堂门禁, en: Lobby doors}}
"""

DEVICES = """
devices:
  - {id: lift-1, profile: fw-lift-1, asset: EL-01, port: 5020}
  - {id: lift-2, profile: fw-lift-1, asset: EL-02, port: 5021}
  - {id: pump-1, profile: grundfos-cim, asset: PS-01, port: 5022}
  - {id: meter-1, profile: eastron-sdm630, asset: PW-01, port: 5023}
  - {id: fire-1, profile: fw-fire-1, asset: FA-01, port: 5024, gateway: gw-2}
  - {id: doors-1, profile: fw-door-1, asset: AC-01, port: 5025, gateway: gw-2}
"""


class HeldClock:
    """A clock that a test moves by hand. `sleep` waits in the event loop's own time."""

    def __init__(self, at: int = NOW) -> None:
        self.at = at
        self._system = SystemClock()
        self.ticks = 0.0

    def now(self) -> datetime:
        """The held instant."""
        return from_ms(self.at)

    def ms(self) -> int:
        """The held instant in ms."""
        return self.at

    def monotonic(self) -> float:
        """Seconds since the start, moved along with `forward`."""
        return self.ticks

    async def sleep(self, seconds: float) -> None:
        """Really wait: only loops that a test does not wait for do so."""
        await self._system.sleep(seconds)

    def forward(self, seconds: float) -> None:
        """Move on."""
        self.at += round(seconds * 1000)
        self.ticks += seconds


def write_site(folder: Path) -> Path:
    """The site folder of the small house."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("site.yaml", SITE), ("assets.yaml", ASSETS), ("devices.yaml", DEVICES)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@dataclass
class House:
    """Everything a test touches. `tokens`: role -> a token of a user of that name; `simulation` moves when ticked."""

    deps: Deps
    bus: MemoryBus
    clock: HeldClock
    routing: Routing
    simulation: Simulation
    tokens: dict[str, str] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    said: dict[str, Status] = field(default_factory=dict)

    def auth(self, role: str) -> dict[str, str]:
        """Headers of a user with this role."""
        return {"authorization": f"Bearer {self.tokens[role]}"}

    async def publish(self, sample: Sample, *, gateway: str = "gw-1", hist: bool = False) -> None:
        """One sample on the bus and in the store."""
        seq = self.seqs[gateway] = self.seqs.get(gateway, 0) + 1
        batch = Batch("boot", seq, [sample], hist)
        asset_class = self.deps.site.assets[sample.asset].asset_class
        await self.deps.store.write([Delivery(gateway, batch, {sample.asset: asset_class})])
        await self.bus.publish(readings_topic(self.deps.site.id, gateway), encode(batch))

    async def reading(self, asset: str, point: str, value: Value, **kw: object) -> None:
        """One good reading now, through the live cache at once."""
        sample = Sample(asset, self.clock.ms(), {point: value})
        await self.publish(sample, **kw)  # type: ignore[arg-type]

    async def status(self, gateway: str, *, online: bool = True, down: Sequence[str] = ()) -> None:
        """A gateway's retained word about itself."""
        devices = {
            device.id: DeviceStatus("down", "timeout") if device.id in down else DeviceStatus("up")
            for device in self.deps.site.devices_of(gateway)
        }
        self.said[gateway] = Status(online=online, boot="boot", version="1", devices=devices, last_seq=7)
        await self.say(gateway)

    async def say(self, gateway: str) -> None:
        """The same word again, now."""
        status = msgspec.structs.replace(self.said[gateway], at=self.clock.ms())
        await self.bus.publish(status_topic(self.deps.site.id, gateway), encode(status), retain=True)

    async def alarm(self, asset: str, rule: Rule, event: str = "raise", *, at: int | None = None) -> str:
        """Raise (or clear) an alarm in the records; returns its id."""
        at = self.clock.ms() if at is None else at
        judgement = Judgement(rule, asset, event, at, at - 1000, {"car.floor": 7})  # type: ignore[arg-type]
        await self.deps.records.apply([judgement], self.routing, at)
        self.deps.board.touch()
        page = await self.deps.records.alarms(asset=asset)
        return next(row.id for row in page.items if row.rule == rule.id)


def a_rule(name: str = "stuck", severity: int = 2, **more: object) -> Rule:
    """A rule of the lifts, unless told otherwise."""
    values: dict[str, object] = {
        "id": name,
        "asset_class": "elevator",
        "label": Label("门区外停梯", "Stopped between floors"),
        "guidance": Label(
            "先用对讲安抚乘客，再通知维保单位。", "Speak to the passengers first, then call the contractor."
        ),
        "severity": Severity(severity),
        "raises": Raises.TICKET,
        "when": "car.moving",
        **more,
    }
    return Rule(**values)  # type: ignore[arg-type]


BAD = Quality.COMM


_SMALL: list[tuple[Site, Catalog]] = []


def small_site(folder: Path) -> tuple[Site, Catalog]:
    """The small house's site and catalog, read once for all tests of a process: both are frozen."""
    if not _SMALL:
        _SMALL.append(load_site(write_site(folder / "site"), env={}))
    return _SMALL[0]


@dataclass
class _Prepared:
    """Migrated records with users and tokens in them, made once for all tests of a process."""

    file: bytes
    tokens: dict[str, str]


_PREPARED: list[_Prepared] = []


@asynccontextmanager
async def a_house(
    folder: Path,
    *,
    site_folder: Path | None = None,
    loaded: tuple[Site, Catalog] | None = None,
    clock: HeldClock | None = None,
) -> AsyncIterator[House]:
    """A house with its users (one a role, named after it), nothing published yet, the live cache not running."""
    clock = clock or HeldClock()
    if not _PREPARED:
        _PREPARED.append(await _prepare(folder / "prepared"))
    site, catalog = loaded or (load_site(site_folder, env={}) if site_folder else small_site(folder))
    bus, store = MemoryBus(), MemoryStore(catalog)
    routing = Routing.of(site)
    letters = DeadLetters(":memory:")
    (folder / "records.sqlite").write_bytes(_PREPARED[0].file)
    engine = new_engine(RecordsSettings(path="records.sqlite"), folder)
    records = Records(engine)
    simulation = Simulation(site, catalog, bus=None, clock=clock)
    try:
        deps = Deps(
            site=site,
            catalog=catalog,
            store=store,
            records=records,
            dead_letters=letters,
            bus=bus,
            clock=clock,
            live=LiveCache(site, catalog, bus=bus, clock=clock, store=store),
            metrics=lambda: {"ingest": {"readings": 41.0, "spool:gw-1": 2.0}},
            version="0.1.0",
            hardware=SimulationControl(simulation),
        )
        yield House(deps, bus, clock, routing, simulation, dict(_PREPARED[0].tokens))
    finally:
        await engine.dispose()
        letters.close()


async def _prepare(folder: Path) -> _Prepared:
    tokens: dict[str, str] = {}
    async with open_records(RecordsSettings(path="records.sqlite"), folder) as records:
        accounts = Accounts(records)
        digest = Passwords().hash_now(PASSWORD)
        for role in Role:
            user = await accounts.add(role.value, role, language="zh", password_hash=digest, at=NOW, actor="test")
            tokens[role.value] = await accounts.add_token(user, "test", NOW, expires=None, actor="test")
    return _Prepared((folder / "records.sqlite").read_bytes(), tokens)
