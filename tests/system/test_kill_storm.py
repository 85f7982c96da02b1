"""kill -9 of the rules in a storm of alarms, twice: whatever stands is in the records once, told once, journalled once.

The broker, the process with ingest, rules and API, its databases and the phone are real; the gateway is this test:
it sends every batch again until ingest has confirmed it, as a spool does.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from facility.clock import SystemClock
from facility.mqtt_bus import Broker, MqttBus
from facility.readings import Sample
from facility.wire import Batch, Stored, decode, encode, readings_topic, stored_topic
from rules.role.outbox import MESSAGE_SLOTS
from simulators.phone import phone
from tests.services.waiting import until
from tests.system.crew import Role

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(240)]
SITE, GATEWAY = "storm-site", "gw-1"
LIFTS = [f"EL-{number:03}" for number in range(60)]
LIMITS = tuple(range(2, 38))
TOP = 50
HIGH, HIGHEST, LOW = 45, 55, 20
PEAKS = set(LIFTS[::10])
"""Lifts that become emergencies too."""
KILLS = (300, 1300)
"""Transitions in the journal at which the process dies."""

FILES = {
    "site.yaml": f"""\
site: {SITE}
labels: {{zh: 楼, en: House}}
gateways: [{GATEWAY}]
broker: {{host: 127.0.0.1, port: PORT, username: USER, password: 'PASSWORD'}}
api: {{port: 0}}
""",
    "assets.yaml": "assets:\n"
    + "".join(f"  - {{id: {name}, class: elevator, labels: {{zh: 电梯, en: Lift}}}}\n" for name in LIFTS),
    "devices.yaml": "devices:\n"
    + "".join(
        f"  - {{id: box-{name}, profile: box, asset: {name}, gateway: {GATEWAY}, port: {10_000 + number}}}\n"
        for number, name in enumerate(LIFTS)
    ),
    "people.yaml": """\
channels:
  - {id: phone, kind: webhook, url: "URL"}
routes:
  - {to: [phone], severities: [1], events: [raise, clear]}
""",
    "profiles/box.yaml": """\
profile: box
class: elevator
labels: {zh: 盒子, en: Box}
source: "this test"
table: holding
registers:
  - {point: car.position, address: 0, interval: 1}
""",
    "rules/own.yaml": "class: elevator\nrules:\n"
    + "".join(
        f"""\
  - id: own.above_{limit}
    labels: {{zh: 高于{limit}, en: Above {limit}}}
    guidance: {{zh: 查看, en: Look}}
    when: car.position > {limit}
    severity: {1 if limit == TOP else 3}
    raises: {"emergency" if limit == TOP else "ticket"}
"""
        for limit in (*LIMITS, TOP)
    ),
}


@dataclass
class Line:
    """The gateway: keeps each batch until it is confirmed."""

    bus: MqttBus
    clock: SystemClock = field(default_factory=SystemClock)
    seq: int = 0
    waiting: dict[int, bytes] = field(default_factory=dict)

    async def tell(self, values: dict[str, float]) -> None:
        """One batch."""
        self.seq += 1
        at = self.clock.ms()
        batch = Batch("b1", self.seq, [Sample(name, at, {"car.position": value}) for name, value in values.items()])
        self.waiting[self.seq] = encode(batch)
        await self.bus.publish(readings_topic(SITE, GATEWAY), self.waiting[self.seq])

    async def listen(self) -> None:
        """Take note of what is stored."""
        async with self.bus.subscribe(stored_topic(SITE, GATEWAY)) as messages:
            async for message in messages:
                stored = decode(Stored, message.payload)
                for first, last in stored.ranges if stored.boot == "b1" else ():
                    for seq in range(first, last + 1):
                        self.waiting.pop(seq, None)

    async def all_stored(self) -> None:
        """Send again what is not confirmed, until all is."""
        async with asyncio.timeout(60):
            while self.waiting:
                for payload in list(self.waiting.values()):
                    await self.bus.publish(readings_topic(SITE, GATEWAY), payload)
                await asyncio.sleep(0.5)


def ask(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What the records say, read by somebody else."""
    with closing(sqlite3.connect(f"file:{folder / 'data' / 'records.sqlite'}?mode=ro", uri=True)) as database:
        return database.execute(sql).fetchall()


def has_journalled(folder: Path, number: int) -> bool:
    """Whether so many transitions of our rules are in the journal."""
    sql = (
        "SELECT count(*) FROM journal JOIN alarms ON alarms.id = alarm_id "
        "WHERE rule LIKE 'own.%' AND event IN ('raise', 'clear')"
    )
    return bool(ask(folder, sql)[0][0] >= number)


def free_leases(folder: Path) -> None:
    """As if those of the dead worker had run out, which takes a quarter of a minute."""
    with closing(sqlite3.connect(folder / "data" / "records.sqlite", timeout=10)) as database, database:
        database.execute("UPDATE outbox SET lease_until = 0 WHERE state = 'pending'")


def above(value: float) -> set[int]:
    """The limits that a position is above."""
    return {limit for limit in (*LIMITS, TOP) if value > limit}


async def test_a_storm_outlives_its_rules(tmp_path: Path, mosquitto: Broker) -> None:
    folder = tmp_path / "site"
    async with phone(SystemClock()) as receiver, MqttBus(mosquitto, client_id="storm-gateway") as bus:
        put_files(folder, mosquitto, receiver.url)
        await bus.wait_connected()
        line = Line(bus)
        listening = asyncio.create_task(line.listen())
        rules = Role(["run", str(folder), "--roles", "ingest,rules,api"], tmp_path / "rules.log")
        try:
            await rules.start(until="running ")
            await line.tell(dict.fromkeys(LIFTS, 0))
            await line.all_stored()
            storm = asyncio.create_task(the_storm(line))
            for threshold in KILLS:
                await until(partial(has_journalled, folder, threshold), limit=90)
                await rules.kill()
                free_leases(folder)
                await rules.start(until="running ")
            await storm
            standing = {name: above(LOW if number % 2 else peak(name)) for number, name in enumerate(LIFTS)}
            raises = sum(len(above(peak(name))) for name in LIFTS)
            clears = raises - sum(len(limits) for limits in standing.values())
            await until(partial(has_journalled, folder, raises + clears), limit=90)
            pending = "SELECT count(*) FROM outbox WHERE kind = 'message' AND state != 'sent'"
            await until(lambda: ask(folder, pending) == [(0,)], limit=90)
            await rules.kill()  # once more, now that all is still: what is durable is all there is
        finally:
            await rules.stop()
            listening.cancel()
            await asyncio.wait([listening])
        assert rules.starts == 1 + len(KILLS)
        prove_records(folder, standing, raises, clears)
        prove_told(folder, [(item.key, dict(item.body)) for item in receiver.received], receiver.repeated)


async def the_storm(line: Line) -> None:
    """Every lift rises, in batches of ten; when all that is stored, every second one falls."""
    for start in range(0, len(LIFTS), 10):
        await line.tell({name: peak(name) for name in LIFTS[start : start + 10]})
        await asyncio.sleep(0.05)
    await line.all_stored()
    for start in range(0, len(LIFTS), 10):
        await line.tell(dict.fromkeys(LIFTS[start + 1 : start + 10 : 2], LOW))
        await asyncio.sleep(0.02)
    await line.all_stored()


def peak(name: str) -> int:
    """How high a lift rises in the storm."""
    return HIGHEST if name in PEAKS else HIGH


def put_files(folder: Path, broker: Broker, url: str) -> None:
    """The site, with this broker and this phone."""
    words = {"PORT": str(broker.port), "USER": str(broker.username), "PASSWORD": str(broker.password), "URL": url}
    for name, text in FILES.items():
        for word, value in words.items():
            text = text.replace(word, value)  # noqa: PLW2901 - one word after the other
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def prove_records(folder: Path, standing: dict[str, set[int]], raises: int, clears: int) -> None:
    """Each alarm once, in the state that the last readings give; each transition and each ticket once."""
    alarms = ask(folder, "SELECT id, asset, rule, state FROM alarms WHERE rule LIKE 'own.%'")
    assert Counter((asset, rule) for _, asset, rule, _ in alarms) == {
        (name, f"own.above_{limit}"): 1 for name in LIFTS for limit in above(peak(name))
    }
    active = {(asset, int(rule.rpartition("_")[2])) for _, asset, rule, state in alarms if state == "unacknowledged"}
    assert active == {(name, limit) for name, limits in standing.items() for limit in limits}
    assert {state for *_, state in alarms} == {"unacknowledged", "returned"}
    journal = ask(folder, "SELECT alarm_id, event FROM journal WHERE event IN ('raise', 'clear')")
    events = Counter(journal)
    own = {id_ for id_, *_ in alarms}
    assert all(events[id_, "raise"] == 1 for id_ in own)
    assert sum(events[id_, "clear"] for id_ in own) == clears
    assert len(own) == raises
    tickets = Counter(ask(folder, "SELECT alarm_id FROM tickets WHERE alarm_id IS NOT NULL"))
    assert all(tickets[(id_,)] == 1 for id_ in own)
    assert ask(folder, "PRAGMA integrity_check") == [("ok",)]


def prove_told(folder: Path, received: list[tuple[str, dict[str, Any]]], repeated: int) -> None:
    """Every emergency was told, once; a message that was on its way at a kill may come twice, with the same key."""
    emergencies = {id_ for (id_,) in ask(folder, "SELECT id FROM alarms WHERE severity = 1")}
    assert len(emergencies) == len(PEAKS)
    told = Counter(str(body["alarm"]) for _, body in received if body["event"] == "raise" and body["alarm"])
    assert {id_: told[id_] for id_ in emergencies} == dict.fromkeys(emergencies, 1)
    assert repeated <= MESSAGE_SLOTS * len(KILLS)
    queued = Counter(
        json.loads(payload)["alarm"]
        for (payload,) in ask(folder, "SELECT payload FROM outbox WHERE kind = 'message' AND channel = 'phone'")
        if json.loads(payload)["event"] == "raise"
    )
    assert {id_: queued[id_] for id_ in emergencies} == dict.fromkeys(emergencies, 1)
    # the rest is more than anybody could read one by one: it stands in summaries
    quiet = ask(
        folder,
        "SELECT count(*) FROM alarms WHERE severity > 1 AND told = 0 AND quiet = '' AND state = 'unacknowledged'",
    )
    assert quiet == [(0,)]
