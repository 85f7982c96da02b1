"""The rules role whole, in virtual time: killed, fed twice, fed late, its records never differ from the model on paper.

Everything is real but the clock and the tasks: batches on their way in, the engine, the transactions in a database
file, the cursors, what is read back from the store after a start, housekeeping. Steps are taken one after another, so
that a kill can come between any two of them.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from facility.assets import Asset
from facility.bus import MemoryBus, Message
from facility.readings import Quality, Sample
from facility.settings import RecordsSettings
from facility.wire import Batch, encode, readings_topic
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.derived import place
from rules.book.kinship import Kinship
from rules.language.expression import compile_expression
from rules.life.alarm import PROCESS, SUPPRESSION, State, Suppression
from rules.records import schema
from rules.records.records import Records, open_records
from rules.role.service import SETTLED_MS, TICK_LAG_MS, Rules
from rules.rule import Raises, Rule, Severity
from tests.rules.plant import Store, a_site
from tests.rules.reference import Known, Paper, known_by_second, over, transitions
from tests.rules.test_against_paper import PAPERS
from tests.rules.test_derived import a_catalog
from tests.rules.test_engine import LABEL, T0

ASSETS = {
    "PM-01": Asset("PM-01", "power", LABEL, rated={"p": 100.0}),
    "EL-001": Asset("EL-001", "elevator", LABEL, parents=("PM-01",)),
    "EL-002": Asset("EL-002", "elevator", LABEL, parents=("PM-01",)),
}
LIFTS = ("EL-001", "EL-002")
GIVEN = {
    "PM-01": frozenset({"p.total"}),
    **dict.fromkeys(LIFTS, frozenset({"car.moving", "car.overload", "drive.motor_temp", "car.speed"})),
}
TAIL = 90
TRAVEL_MS = 50
"""From a device to the rules."""


def _loaded(known: Known) -> bool | None:
    return over("PM-01/p.total", 80)(known)


def _loaded_ride(known: Known) -> bool | None:
    moving, loaded = known.get("car.moving"), _loaded(known)
    if moving is False or loaded is False:
        return False
    return None if moving is None or loaded is None else True


DERIVED: dict[str, tuple[str, dict[str, float], Paper]] = {
    "share": ("load.high", {"delay": 3.0}, Paper(_loaded, None, 3)),
    "fed": ("car.moving and feed.high", {"delay": 2.0, "clear_delay": 4.0}, Paper(_loaded_ride, None, 2, 4)),
    "asked": ("upstream('power', p.total > 80) >= 1", {}, Paper(_loaded)),
}
"""Rules over points that are worked out, from one's own readings and from another asset's."""

lift = st.one_of(
    *(
        st.tuples(st.just(key), st.one_of(st.none(), values))
        for key, values in {
            "car.moving": st.booleans(),
            "car.overload": st.booleans(),
            "drive.motor_temp": st.sampled_from([80, 95, 105]),
            "car.speed": st.sampled_from([0.0, 0.25, 1.0]),
        }.items()
    )
)
gaps = st.integers(1, 9)
samples = st.one_of(
    st.tuples(st.just("sample"), gaps, st.sampled_from(LIFTS), st.lists(lift, min_size=1, max_size=3).map(dict)),
    st.tuples(
        st.just("sample"), gaps, st.just("PM-01"), st.fixed_dictionaries({"p.total": st.sampled_from([50.0, 90.0])})
    ),
)
steps = st.one_of(
    samples,
    samples,
    samples,
    st.tuples(st.just("hold"), gaps, st.sampled_from(LIFTS), st.lists(lift, min_size=1, max_size=2).map(dict)),
    st.tuples(st.just("tick"), st.integers(0, 900)),
    st.tuples(st.just("write")),
    st.tuples(st.just("tend")),
    st.tuples(st.just("again"), st.integers(1, 4)),
    st.tuples(st.just("kill"), st.integers(0, 3)),
)
stories = st.lists(steps, min_size=4, max_size=30)


@dataclass
class Clock:
    """Virtual time: it moves when the test says so."""

    at: int = T0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at / 1000, UTC)

    def ms(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000

    async def sleep(self, _seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Whole:
    """The rules over a database file, what the gateway has sent, and what ingest has stored."""

    folder: Path
    book: Rulebook
    catalog: Any
    clock: Clock = field(default_factory=Clock)
    store: Store = field(default_factory=Store)
    second: int = 0
    sent: list[Sample] = field(default_factory=list)
    batches: list[Batch] = field(default_factory=list)
    held: list[Sample] = field(default_factory=list)
    down: int = 0

    async def start(self) -> None:
        """A new process: nothing is left of the one before but the files."""
        self.context = open_records(RecordsSettings(path="records.sqlite"), self.folder)
        self.records: Records = await self.context.__aenter__()
        site = replace(a_site(self.folder, "http://127.0.0.1:9/", lifts=LIFTS), assets=ASSETS)
        self.rules = Rules(
            site,
            self.catalog,
            self.book,
            bus=MemoryBus(),
            records=self.records,
            channels={},
            clock=self.clock,
            history=self.store.history,
        )
        await self.rules._start()

    async def kill(self) -> None:
        """What was not written is gone."""
        for task in self.rules.readback.tasks:
            task.cancel()
        await asyncio.gather(*self.rules.readback.tasks, return_exceptions=True)
        await self.context.__aexit__(None, None, None)

    async def sample(self, gap: int, asset: str, values: Mapping[str, Any]) -> None:
        """The next reading; the batch that it ends arrives."""
        await self.hold(gap, asset, values)
        await self.flush()

    async def hold(self, gap: int, asset: str, values: Mapping[str, Any]) -> None:
        """The next reading waits in the gateway for the rest of its batch."""
        self.second += gap
        quality = {key: Quality.COMM for key, value in values.items() if value is None}
        sample = Sample(asset, T0 + self.second * 1000, dict(values), quality)
        self.clock.at = sample.at + TRAVEL_MS
        self.sent.append(sample)
        self.held.append(sample)

    async def flush(self) -> None:
        """What waits in the gateway is sent, and stored by ingest whether or not the rules are there."""
        if not self.held:
            return
        batch = Batch("b1", len(self.batches) + 1, list(self.held))
        self.batches.append(batch)
        self.store.samples += self.held
        self.held.clear()
        if self.down > 0:
            self.down -= 1
            if not self.down:
                await self.start()
        else:
            self.receive(batch)

    def receive(self, batch: Batch) -> None:
        """A batch comes from the bus."""
        self.rules._receive(Message(readings_topic("s1", "g0"), encode(batch)))

    async def tick(self, offset: int) -> None:
        """Time goes by, less than a second."""
        await self.flush()
        self.clock.at = max(self.clock.at, T0 + self.second * 1000 + TRAVEL_MS + offset)
        if not self.down:
            self.rules._try("tick", lambda: self.rules.judges.on_tick(self.clock.ms() - TICK_LAG_MS))

    async def write(self) -> None:
        """A transaction."""
        if not self.down:
            assert await self.rules.keeper.write()

    async def tend(self) -> None:
        """Housekeeping."""
        if not self.down:
            await self.rules._settle(SETTLED_MS)

    async def again(self, back: int) -> None:
        """A batch comes once more, for its confirmation was lost."""
        if not self.down and self.batches:
            self.receive(self.batches[-min(back, len(self.batches))])

    async def die(self, missed: int) -> None:
        """kill -9; `missed` batches are sent before the next start."""
        await self.flush()
        if self.down:
            return
        await self.kill()
        self.down = missed
        if not missed:
            await self.start()

    async def play(self, story: list[tuple[Any, ...]]) -> None:
        """The whole story, and then quiet until all delays are over."""
        for asset, values in (("PM-01", {"p.total": 50.0}), *((name, {"car.overload": False}) for name in LIFTS)):
            await self.sample(1, asset, values)
        await self.write()
        doing: dict[str, Callable[..., Any]] = {
            "sample": self.sample, "hold": self.hold, "tick": self.tick, "write": self.write, "tend": self.tend,
            "again": self.again, "kill": self.die,
        }  # fmt: skip
        for name, *arguments in story:
            await doing[name](*arguments)
        await self.flush()
        if self.down:
            self.down = 0
            await self.start()
        await asyncio.gather(*self.rules.readback.tasks)
        self.end = self.second + TAIL
        self.clock.at = T0 + self.end * 1000 + TICK_LAG_MS
        for _ in range(2):
            await self.tick(0)
            self.clock.at += 1
        await self.write()
        self.clock.at += SETTLED_MS
        await self.tend()


@contextmanager
def a_house(template: Path) -> Iterator[Path]:
    """A folder with a database that has all its tables and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(template, Path(folder) / "records.sqlite")
        yield Path(folder)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: migrations take longer than a story."""
    folder = tmp_path_factory.mktemp("template")

    async def make() -> None:
        async with (
            open_records(RecordsSettings(path="records.sqlite"), folder) as records,
            records.engine.connect() as connection,
        ):
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    asyncio.run(make())
    return folder / "records.sqlite"


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Rulebook, Any]:
    """All rules of the model on paper at both lifts, and those over derived points, with their catalog."""
    catalog, problems = a_catalog(tmp_path_factory.mktemp("catalog"))
    derived, points = place(catalog, ASSETS, GIVEN, {}, problems)
    assert problems == []
    by_asset = {name: tuple(rule for rule, _ in PAPERS.values()) for name in LIFTS}
    by_asset["PM-01"] = (a_rule(catalog, "power", "share"),)
    for name in LIFTS:
        by_asset[name] += (a_rule(catalog, "elevator", "fed"), a_rule(catalog, "elevator", "asked"))
    return Rulebook(by_asset, derived=derived, kinship=Kinship(ASSETS, {}, points)), catalog


def a_rule(catalog: Any, asset_class: str, name: str) -> CompiledRule:
    """One of DERIVED."""
    when, delays, _ = DERIVED[name]
    rule = Rule(name, asset_class, LABEL, LABEL, Severity.URGENT, Raises.TICKET, when, **delays)  # type: ignore[arg-type]
    return CompiledRule(rule, compile_expression(when, catalog.classes[asset_class], classes=catalog.classes))


def on_paper(sent: list[Sample], end: int) -> list[tuple[str, str, str, int]]:
    """(asset, rule, event, instant) of the whole story; a lift knows its feed's readings too."""
    papers = {name: [(rule, paper) for rule, (_, paper) in PAPERS.items()] for name in LIFTS}
    for name in LIFTS:
        papers[name] += [(rule, DERIVED[rule][2]) for rule in ("fed", "asked")]
    papers["PM-01"] = [("share", DERIVED["share"][2])]
    found = []
    for asset, rules in papers.items():
        changes = [
            (
                (item.at - T0) // 1000,
                {
                    **(item.values if item.asset == asset else {}),
                    **{f"{item.asset}/{k}": v for k, v in item.values.items()},
                },
            )
            for item in sent
            if item.asset in (asset, "PM-01")
        ]
        story = known_by_second(changes, end)
        found += [
            (asset, rule, event, T0 + second * 1000)
            for rule, paper in rules
            for event, second in transitions(paper, story)
        ]
    return sorted(found)


async def check(whole: Whole) -> None:
    """What the records must say at the end."""
    alarms, journal, outbox = schema.alarms, schema.journal, schema.outbox
    query = (
        select(alarms.c.asset, alarms.c.rule, journal.c.event, journal.c.at)
        .join(alarms, alarms.c.id == journal.c.alarm_id)
        .where(journal.c.event.in_(["raise", "clear"]))
    )
    found = sorted((row["asset"], row["rule"], row["event"], row["at"]) for row in await whole.records.rows(query))
    assert found == on_paper(whole.sent, whole.end)
    rows = (await whole.records.alarms(limit=1000)).items
    assert len({(row.rule, row.asset) for row in rows}) == len(rows)  # nobody acknowledged: each is still the same one
    stands = {(row.asset, row.rule) for row in rows if row.alarm.is_active}
    balance = Counter[tuple[str, str]]()
    for asset, rule, event, _ in found:
        balance[asset, rule] += 1 if event == "raise" else -1
    assert stands == {key for key, number in balance.items() if number}
    for row in rows:
        assert row.state in {state for state, _ in PROCESS} | {State.NORMAL}
        assert row.suppression in {suppression for suppression, _ in SUPPRESSION} | {Suppression.NONE}
        if row.state is State.UNACKNOWLEDGED and row.suppression is Suppression.NONE and row.chattering_since is None:
            assert row.told or row.quiet
    twice = select(outbox.c.alarm_id, outbox.c.key).group_by(outbox.c.alarm_id, outbox.c.key).having(func.count() > 1)
    assert not await whole.records.rows(twice)
    for name in ("failed_samples", "failed_ticks", "database_errors"):
        assert not whole.rules.counts[name]


@pytest.mark.slow
@pytest.mark.timeout(300)
@settings(max_examples=40)
@given(story=stories)
def test_the_records_say_what_the_paper_says_whatever_happens(
    story: list[tuple[Any, ...]], template: Path, book: tuple[Rulebook, Any]
) -> None:
    async def live(folder: Path) -> None:
        whole = Whole(folder, *book)
        await whole.start()
        try:
            await whole.play(story)
            await check(whole)
        finally:
            await whole.kill()

    with a_house(template) as folder:
        asyncio.run(live(folder))
