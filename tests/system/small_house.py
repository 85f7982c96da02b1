"""A house of one lift, whole and in this process: a broker, a gateway, a device made of raw words, ingest and rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from caretaker_roles import ROLES, House, open_house, start_one_gateway
from facility.bus import Subscription
from facility.clock import SystemClock
from facility.config import load_site
from facility.errors import StoreError
from facility.mqtt_bus import Broker, MqttBus
from facility.readings import Reading
from facility.wire import Batch, Stored, decode, stored_topic
from gateway.file_spool import FileSpool
from gateway.service import Gateway
from ingest.deadletters import Letter
from ingest.store import Delivery, ReadingStore, WriteResult
from rules.book.rulebook import load_rulebook
from rules.life.rows import AlarmRow
from tests.gateway.plant import good_reply, raw_server
from tests.services.hook import Hook, a_hook
from tests.services.require import require

SITE = "small-house"
GATEWAY = "gw-1"
PEER = "gw-2"
"""A gateway of the site that does not run: a stranger's program speaks in its name."""

FILES = {
    "site.yaml": """\
site: small-house
labels: {zh: 小楼, en: Small house}
gateways: [gw-1, gw-2]
broker: {embedded: true}
api: {port: 0}
""",
    "assets.yaml": "assets:\n  - {id: EL-01, class: elevator, labels: {zh: 电梯, en: Lift}}\n",
    "devices.yaml": """\
devices:
  - {id: box, profile: box, asset: EL-01, gateway: gw-1, port: PORT, speedup: 10}
""",
    "people.yaml": """\
channels:
  - {id: phone, kind: webhook, url: "URL"}
routes:
  - {to: [phone], severities: [1, 2, 3], events: [raise, clear]}
""",
    "profiles/box.yaml": """\
profile: box
class: elevator
labels: {zh: 盒子, en: Box}
source: "this test"
table: holding
limits: {registers: 20, gap: 4, timeout: 0.5}
registers:
  - {point: car.position, address: 0, interval: 1}
  - {point: car.load, address: 1, scale: 0.1, sentinels: [65535], interval: 1}
  - {point: mr.temp, address: 2, type: int16, scale: 0.1, interval: 1}
  - {point: mode.service, address: 3, interval: 1}
  - {point: drive.motor_temp, address: 4, scale: 0.1, interval: 1}
  - {point: drive.current, address: 5, scale: 0.1, interval: 1}
  - {point: brake.release_time, address: 6, interval: 1}
  - {point: level.error, address: 7, type: int16, scale: 0.1, interval: 1}
  - {point: alarm.car_button, table: discrete, address: 0, interval: 1}
""",
    "rules/own.yaml": """\
class: elevator
rules:
  - id: own.button
    labels: {zh: 有人按铃, en: Somebody rings}
    guidance: {zh: 接听, en: Answer}
    when: alarm.car_button
    severity: 1
    raises: emergency
""",
    "rules/gateway.yaml": """\
class: gateway
rules:
  - id: gateway.offline
    labels: {zh: 网关离线, en: Gateway offline}
    guidance: {zh: 查看, en: Look}
    when: not gw.online
    severity: 2
    raises: ticket
""",
}


@dataclass
class Box:
    """The device: its words, and whether they move between polls. `button` is its only bit."""

    words: list[int] = field(default_factory=lambda: [0, 0, 200, 1, 300, 0, 150, 0])
    button: bool = False
    moves: bool = False
    polls: int = 0

    def reply(self, frame: bytes) -> Sequence[bytes]:
        """The answer to one request."""
        self.polls += 1
        if self.moves:
            turn = self.polls % 100
            self.words[:] = [turn * 100, turn * 5, 200 + turn, 1, 300 + 2 * turn, turn * 3, 100 + turn, turn % 2 * 50]
        return [good_reply(frame, self.words, int(self.button))]


class Flaky:
    """The house's readings store, which can be away."""

    def __init__(self, store: ReadingStore) -> None:
        self.away = False
        self.refused = 0
        self._store = store

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """As the real one, unless it is away."""
        if self.away:
            self.refused += 1
            raise StoreError("readings", "away for a test")
        return await self._store.write(deliveries)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@dataclass
class SmallHouse:
    """What a test holds of the running house."""

    house: House
    box: Box
    hook: Hook
    store: Flaky
    stored: list[Batch] = field(default_factory=list)
    """Every batch that became durable, in that order."""
    seqs: count[int] = field(default_factory=lambda: count(1))

    @property
    def gateway(self) -> Gateway:
        """The running gateway."""
        return self.house.gateways[-1]

    @property
    def spool(self) -> FileSpool:
        """Its spool."""
        spool = self.gateway._spool
        assert isinstance(spool, FileSpool)
        return spool

    def ingest_metrics(self) -> dict[str, float]:
        """Counters of ingest."""
        assert self.house.ingest
        return self.house.ingest.metrics()

    def rules_metrics(self) -> dict[str, float]:
        """Counters of the rules."""
        assert self.house.rules
        return self.house.rules.metrics()

    def letters(self) -> list[Letter]:
        """The dead letters, oldest first."""
        return list(reversed(self.house.dead_letters().list()))

    def pushed(self, rule: str) -> list[str]:
        """The events of a rule that reached the phone."""
        return [str(post.body["event"]) for post in self.hook.posts if post.body["rule"] == rule]

    async def latest(self, point: str) -> Reading | None:
        """The newest stored reading of the lift's point."""
        return next((item for item in await self.store.latest(["EL-01"]) if item.point == point), None)

    async def alarms(self) -> dict[str, AlarmRow]:
        """Alarms by rule, the newest of each."""
        found = (await (await self.house.records()).alarms(limit=200)).items
        return {row.rule: row for row in reversed(found)}

    async def stop(self, role: str) -> None:
        """End a role in order, as on a restart."""
        task = self.house.tasks.pop(role)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def start(self, role: str) -> None:
        """Start a role again."""
        if role == GATEWAY:
            await start_one_gateway(self.house, GATEWAY)
        else:
            await ROLES[role](self.house)

    async def say(self, topic: str, payload: bytes) -> None:
        """Publish with Mosquitto's own program, as anybody in the network might."""
        broker: Broker = self.house.broker
        login = ("-u", str(broker.username), "-P", str(broker.password))
        place = ("-h", broker.host, "-p", str(broker.port), "-q", "1", "-t", topic, "-s")
        process = await asyncio.create_subprocess_exec(
            require("mosquitto_pub", "mosquitto-clients"), *login, *place, stdin=asyncio.subprocess.PIPE
        )
        await process.communicate(payload)
        assert process.returncode == 0

    async def ledger(self) -> int:
        """How many readings the spool ever took in."""
        spool = self.spool
        (total,) = await spool._call(lambda: spool._sql.execute("SELECT sum(readings) FROM ledger").fetchone())
        return int(total)


@asynccontextmanager
async def small_house(folder: Path) -> AsyncIterator[SmallHouse]:
    """The house, running; every part is stopped on leaving."""
    require("mosquitto", "mosquitto")
    box = Box()
    async with a_hook() as hook, raw_server(box.reply) as port:
        for name, text in FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.replace("PORT", str(port)).replace("URL", hook.url))
        site, catalog = load_site(folder, env={})
        house = House(site, catalog, load_rulebook(site, catalog), SystemClock())
        async with open_house(house, ["broker"]):
            flaky = Flaky(await house.store())
            house._store = flaky  # type: ignore[assignment]
            small = SmallHouse(house, box, hook, flaky)
            house.observer = lambda _gateway, batch, _at: small.stored.append(batch)
            for role in ("ingest", "rules", GATEWAY):
                await small.start(role)
            yield small


@asynccontextmanager
async def confirmations(small: SmallHouse, gateway: str = PEER) -> AsyncIterator[Subscription]:
    """What ingest tells a gateway."""
    async with MqttBus(small.house.broker, client_id="watcher") as bus:
        await bus.wait_connected()
        async with bus.subscribe(stored_topic(SITE, gateway)) as told:
            yield told


async def confirmed(told: Subscription, boot: str, seq: int, *, limit: float = 5.0) -> None:
    """Return when a batch is confirmed."""
    async with asyncio.timeout(limit):
        async for message in told:
            stored = decode(Stored, message.payload)
            if stored.boot == boot and any(first <= seq <= last for first, last in stored.ranges):
                return
