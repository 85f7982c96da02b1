"""A storm: 10,000 transitions in 10 s, from the readings on the bus to rows in SQLite and messages out of the house.

`rules_storm.durable_s`: seconds from the last reading until every transition is in the journal on disk;
`rules_storm.pushes`: messages that left, of 5,000 alarms, one of them an emergency; `rules_storm.folded`: those that
a summary stands for; `rules_storm.late_s`: seconds from the emergency's reading to its message.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path

from sqlalchemy import func, select

from facility.assets import Asset, Device
from facility.bus import MemoryBus
from facility.catalog import load_catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.points import Label
from facility.readings import Sample
from facility.settings import ChannelSettings, RecordsSettings, RouteSettings, Settings
from facility.wire import Batch, encode, readings_topic
from rules.book.compiled import CompiledRule, Rulebook
from rules.language.expression import compile_expression
from rules.notification.notify import Message
from rules.records import schema
from rules.records.records import Records, open_records
from rules.role.service import Rules
from rules.rule import Raises, Rule, Severity

LIFTS = 1_000
SECONDS = 10
PORTIONS = 100
"""Batches in the storm, one each 100 ms."""
POINTS = {"car.overload": 3, "pit.water": 2, "brake.fault": 2, "door.nudging": 4, "safety.motion_timer": 3}
BUTTON = "alarm.car_button"
SITE, GATEWAY, CHANNEL = "storm", "g", "duty"
LABEL = Label("规则", "rule")


class Counting:
    """A channel that only counts."""

    id = CHANNEL

    def __init__(self) -> None:
        self.messages: list[tuple[float, Message]] = []

    async def send(self, message: Message) -> None:
        """Count it."""
        self.messages.append((asyncio.get_running_loop().time(), message))

    async def close(self) -> None:
        """Nothing to close."""


def run() -> dict[str, float]:
    """The storm, in a fresh database file."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


async def _run(folder: Path) -> dict[str, float]:
    async with open_records(RecordsSettings(), folder) as records:
        channel, bus = Counting(), MemoryBus()
        rules = a_house(folder, records, channel, bus)
        task = asyncio.create_task(rules.run())
        try:
            await asyncio.wait_for(rules.live.wait(), 30)
            return await _storm(rules, records, channel, bus)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _storm(rules: Rules, records: Records, channel: Counting, bus: MemoryBus) -> dict[str, float]:
    loop, clock = asyncio.get_running_loop(), SystemClock()
    transitions = 2 * LIFTS * len(POINTS)
    begun, emergency = loop.time(), 0.0
    each = transitions // PORTIONS // len(POINTS)
    for portion in range(PORTIONS):
        await asyncio.sleep(max(0.0, begun + portion * SECONDS / PORTIONS - loop.time()))
        on, at = portion < PORTIONS // 2, clock.ms()
        first = portion * each % LIFTS
        samples = [Sample(lift(n), at, dict.fromkeys(POINTS, on)) for n in range(first, first + each)]
        if portion == PORTIONS // 4:
            samples.append(Sample(lift(0), at, {BUTTON: True}))
            emergency = loop.time()
        await bus.publish(readings_topic(SITE, GATEWAY), encode(Batch("b", portion + 1, samples)))
    last = loop.time()
    while await _journalled(records) < transitions + 1:
        if loop.time() - last > 120:
            raise RuntimeError(f"only {await _journalled(records)} of {transitions + 1} transitions after 120 s")
        await asyncio.sleep(0.05)
    durable = loop.time()
    await asyncio.sleep(3)  # a summary comes within a second, and leaves within the next
    late = [at - emergency for at, message in channel.messages if message.severity == 1 and message.alarm]
    return {
        "rules_storm.durable_s": durable - last,
        "rules_storm.pushes": len(channel.messages),
        "rules_storm.folded": rules.metrics()["told_flood"],
        "rules_storm.late_s": min(late),
    }


async def _journalled(records: Records) -> int:
    (row,) = await records.rows(select(func.count().label("number")).select_from(schema.journal))
    return int(row["number"])


def lift(number: int) -> str:
    """Its id."""
    return f"EL-{number:04}"


def a_house(folder: Path, records: Records, channel: Counting, bus: MemoryBus, *, lifts: int = LIFTS) -> Rules:
    """The rules of a house of lifts that has an alarm for each of POINTS, and one for its button."""
    catalog = load_catalog()
    found = []
    for key, severity in (POINTS | {BUTTON: 1}).items():
        raises = Raises.EMERGENCY if severity == 1 else Raises.TICKET
        rule = Rule(f"storm.{key}", "elevator", LABEL, LABEL, Severity(severity), raises, key)
        found.append(CompiledRule(rule, compile_expression(key, catalog.classes["elevator"])))
    names = [lift(number) for number in range(lifts)]
    site = Site(
        id=SITE,
        label=LABEL,
        folder=folder,
        time_zone="UTC",
        languages=("zh", "en"),
        gateways=(GATEWAY,),
        locations={},
        assets={name: Asset(name, "elevator", LABEL) for name in names},
        devices=tuple(Device(name, GATEWAY, "none", name) for name in names),
        settings=Settings(),
        channels=(ChannelSettings(id=CHANNEL, kind="log"),),
        routes=(RouteSettings(to=[CHANNEL], severities=[1, 2, 3, 4]),),
    )
    return Rules(
        site,
        catalog,
        Rulebook(dict.fromkeys(names, tuple(found))),
        bus=bus,
        records=records,
        channels={CHANNEL: channel},
        clock=SystemClock(),
        history=_nothing,
    )


async def _nothing(start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
    """No reading is stored, whatever is asked for."""
    for at in range(start, start):
        yield Sample(assets[0] if assets else "", min(at, end), {})
