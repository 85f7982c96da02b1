"""A small site of lifts with two rules, and the rules role over it: for tests of the service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from facility.assets import Asset, Device
from facility.bus import MemoryBus
from facility.catalog import Catalog, load_catalog
from facility.clock import SystemClock
from facility.config import Site
from facility.points import Label
from facility.readings import Sample, Value
from facility.settings import AlarmSettings, ApiSettings, ChannelSettings, FloodSettings, RouteSettings, Settings
from facility.wire import Batch, encode, readings_topic
from rules.book.compiled import CompiledRule, Rulebook
from rules.language.expression import compile_expression
from rules.notification.channels import Channel, open_channels
from rules.records.records import Records
from rules.role.service import Rules
from rules.rule import Raises, Rule, Severity

CATALOG = load_catalog()
CLOCK = SystemClock()
LIFTS = tuple(f"EL-{n:03}" for n in range(1, 301))


def a_compiled(rule_id: str, when: str, severity: Severity, raises: Raises, *, latch: bool = False) -> CompiledRule:
    """A rule of lifts."""
    label = Label("电梯规则", rule_id)
    rule = Rule(rule_id, "elevator", label, label, severity, raises, when, latch=latch)
    return CompiledRule(rule, compile_expression(when, CATALOG.classes["elevator"]))


OVERLOAD = a_compiled("overload", "car.overload", Severity.MAINTENANCE, Raises.TICKET)
BUTTON = a_compiled("button", "alarm.car_button", Severity.EMERGENCY, Raises.EMERGENCY)


NO_FLOOD = AlarmSettings(flood=FloodSettings(start=10_000))


def a_site(folder: Path, url: str, *, lifts: Sequence[str] = LIFTS, alarms: AlarmSettings = NO_FLOOD) -> Site:
    """Lifts behind two gateways (odd and even), one webhook; maintenance and worse goes there."""
    assets = {name: Asset(name, "elevator", Label("电梯", name)) for name in lifts}
    devices = [
        Device(id=name, gateway=f"g{number % 2}", profile="none", asset=name) for number, name in enumerate(lifts)
    ]
    return Site(
        id="s1",
        label=Label("楼", "house"),
        folder=folder,
        time_zone="Asia/Shanghai",
        languages=("zh", "en"),
        gateways=("g0", "g1"),
        locations={},
        assets=assets,
        devices=tuple(devices),
        settings=Settings(api=ApiSettings(port=8443), alarms=alarms),
        channels=(ChannelSettings(id="duty", kind="webhook", url=url),),
        routes=(RouteSettings(to=["duty"], severities=[1, 2, 3], events=["raise", "clear"]),),
    )


def a_book(site: Site, rules: Sequence[CompiledRule] = (OVERLOAD, BUTTON)) -> Rulebook:
    """Every rule at every lift."""
    return Rulebook(dict.fromkeys(site.assets, tuple(rules)), time_zone=site.time_zone)


def a_sample(asset: str, at: int, **values: Value) -> Sample:
    """`car_overload=True` stands for the point `car.overload`."""
    return Sample(asset, at, {name.replace("_", ".", 1): value for name, value in values.items()})


class Store:
    """What ingest has stored: the samples of the test."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self.samples = list(samples)
        self.asked: list[tuple[int, int]] = []
        self.fault: Callable[[], Exception | None] = lambda: None

    async def history(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """As ReadingStore.samples."""
        self.asked.append((start, end))
        error = self.fault()
        if error:
            raise error
        for sample in sorted(self.samples, key=lambda item: item.at):
            if start <= sample.at < end and (not assets or sample.asset in assets):
                yield sample


class Line:
    """A gateway's side: numbers its batches and publishes them."""

    def __init__(self, bus: MemoryBus, gateway: str = "g0", *, boot: str = "b1", seq: int = 0) -> None:
        self.bus, self.gateway, self.boot, self.seq = bus, gateway, boot, seq

    async def send(self, *samples: Sample, hist: bool = False, seq: int | None = None) -> None:
        """The next batch, or one with a number of the test's choice."""
        self.seq = seq or self.seq + 1
        batch = Batch(self.boot, self.seq, list(samples), hist)
        await self.bus.publish(readings_topic("s1", self.gateway), encode(batch))


@asynccontextmanager
async def at_work(
    site: Site,
    records: Records,
    *,
    bus: MemoryBus | None = None,
    store: Store | None = None,
    book: Rulebook | None = None,
    channels: dict[str, Channel] | None = None,
    catalog: Catalog = CATALOG,
) -> AsyncIterator[Rules]:
    """The rules role, running and live."""
    rules = Rules(
        site,
        catalog,
        book or a_book(site),
        bus=bus or MemoryBus(),
        records=records,
        channels=channels if channels is not None else open_channels(site.channels),
        clock=CLOCK,
        history=(store or Store()).history,
    )
    task = asyncio.create_task(rules.run())
    live = asyncio.create_task(rules.live.wait())
    try:
        done, _ = await asyncio.wait({task, live}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            task.result()
        assert rules.live.is_set()
        yield rules
    finally:
        live.cancel()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
