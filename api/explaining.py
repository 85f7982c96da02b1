"""Gathers what explains an alarm or a silence: the rules in force, stored and live readings, delays, the journal.

The rules role may be another process, so nothing is asked of it. The same engine is given the same readings (those of
a bounded span before the instant, and for now what the bus has told since), and what it comes to is laid open. Where
the records know better (that an alarm stands, that a delay runs, which readings a transition saw), they have the last
word.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from api.explaining_beside import Beside, Besides
from api.live import LiveCache
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import ConfigError, StoreError
from facility.points import Label
from facility.readings import Quality, Reading, Sample, Value
from ingest.store import ReadingStore
from rules.book.compiled import CompiledRule, Rulebook, compiled
from rules.book.rulebook import load_rulebook
from rules.conditions import NORMAL, Phase, State
from rules.explain import linkage
from rules.explain.ahead import Next, ahead
from rules.explain.linkage import JudgedEffect
from rules.explain.scene import Account, Input, Scene, is_cut, span_of
from rules.explain.sentence import sentence
from rules.explain.telling import MESSAGE, Told, told
from rules.language.grammar import ExpressionError
from rules.language.summaries import HOUR_MS, Hour
from rules.life.rows import AlarmRow, JournalRow, NotFoundError, TicketRow
from rules.records.delays import load_delays
from rules.records.records import Records
from rules.records.rule_texts import version
from rules.records.summaries import KEPT_MS, load_hours
from rules.rule import Rule
from rules.versions import rule_of

MAX_SAMPLES = 100_000
"""Stored samples that are played at most; of more only the newest."""
MAX_MESSAGES = 500
_JUDGED = ("raise", "clear")

NOTES: Mapping[str, Label] = {
    "no_rule": Label(
        "此规则不在当前规则中（已删除或停用），无法展开其条件",
        "This rule is not among those in force (removed or disabled), so that its condition can't be laid open",
    ),
    "rules_unreadable": Label(
        "站点的规则文件有错误，无法展开条件：请运行 caretaker check",
        "The site's rule files have errors, so that no condition can be laid open: run `caretaker check`",
    ),
    "older_text": Label(
        "规则此后已修改：这里是触发时的版本", "The rule has been changed since: this is the version that raised it"
    ),
    "text_of_then": Label(
        "此规则已不再生效：这里是触发时的版本", "This rule is no longer in force: this is the version that raised it"
    ),
    "older_check": Label(
        "此数据检查的设定此后已修改：条件按当前设定重算，规则文本是触发时的",
        "This check of the data has been set differently since: its condition is worked out as it is set now, the "
        "rule's text is that of then",
    ),
    "version_lost": Label(
        "触发时的规则版本没有保存：这里是当前规则",
        "The version that raised it was not kept: this is the rule in force",
    ),
    "no_history": Label(
        "该时刻之前没有已存储的读数：早于历史数据或已超过保存期",
        "No readings are stored for that time: it lies before the history begins, or beyond what is kept",
    ),
    "store_down": Label(
        "读数数据库没有响应，历史数值未知", "The readings store does not answer: past values are unknown"
    ),
    "cut": Label(
        "延时长于可重算的 24 小时：过去某时刻它已计时多久可能未知",
        "A delay is longer than the 24 h that are worked out again here: how much of it had passed at an instant of "
        "the past may be unknown",
    ),
    "many": Label("读数过多，只用了最近的一部分", "There are too many readings: only the newest were used"),
    "recorded": Label(
        "数值以报警记录为准，与存储的读数有差异",
        "The values are those that the alarm's journal kept; the store differs",
    ),
    "rule_changed": Label(
        "按当前规则重算，该时刻条件不成立：规则可能已修改，或当时的读数未存储",
        "Worked out with the rule in force its condition was not true then: the rule may have changed since, or not "
        "every reading was stored",
    ),
    "not_recorded": Label(
        "按读数应已报警，但记录中没有：规则服务可能滞后或未运行",
        "By its readings it should have rung, and the records have no alarm: the rules role may be behind, or not run",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class View:
    """A rule at an instant: its account (None where it can't be laid open), and remarks (codes of NOTES).

    An alarm that is judged beside the rules has no account: `effect` is that of a fire linkage; `said` and `inputs` are
    what there is to say of another one.
    """

    at: int
    account: Account | None
    notes: tuple[str, ...] = ()
    effect: JudgedEffect | None = None
    said: Label | None = None
    inputs: tuple[Input, ...] = ()

    def sentence(self, language: str) -> str:
        """Why it is as it is; the remarks where nothing else is known."""
        if self.account:
            return sentence(self.account, language)
        if self.effect:
            return linkage.sentence(self.effect, language)
        return self.said.to(language) if self.said else " ".join(NOTES[code].to(language) for code in self.notes)

    @property
    def verdict(self) -> str:
        """One word of rules.explain.sentence.VERDICTS."""
        if self.account:
            return self.account.verdict
        if self.effect:
            return "active" if self.effect.standing else "watching"
        return "active" if self.said else "unknown"


@dataclass(frozen=True, slots=True)
class Explained:
    """An alarm explained: the rule that raised it, the view `then` (when it rang, or as asked), `now` while it is live.

    `rule` has the text of the version that raised it where that was kept, else the one in force.
    """

    row: AlarmRow
    rule: Rule | None
    then: View
    now: View | None
    told: list[Told]
    ticket: TicketRow | None

    @property
    def next(self) -> list[Next]:
        """What happens next."""
        view = self.now or self.then
        account = view.account if self.row.live else None
        coming = ahead(self.row, self.rule, account, self.ticket)
        return [*(linkage.ahead(view.effect) if view.effect and self.row.live else ()), *coming]


@dataclass(frozen=True, slots=True)
class _Played:
    scene: Scene
    notes: tuple[str, ...]


class Explainer:
    """Made once for the API; reads the rules when first asked, and again when the site has changed."""

    def __init__(
        self, site: Site, catalog: Catalog, *, store: ReadingStore, records: Records, live: LiveCache, clock: Clock
    ) -> None:
        self._store, self._records, self._live, self._clock = store, records, live, clock
        self._lock = asyncio.Lock()
        self.adopt(site, catalog)

    def adopt(self, site: Site, catalog: Catalog) -> None:
        """The site has changed: its rules are read anew."""
        self._site, self._catalog = site, catalog
        self._book: Rulebook | None = None
        self._besides = Besides(site, catalog, self._records, self._store)

    async def rulebook(self) -> Rulebook:
        """The rules in force; ConfigError when their files have errors."""
        async with self._lock:
            if self._book is None:
                self._book = await asyncio.to_thread(load_rulebook, self._site, self._catalog)
            return self._book

    async def alarm(self, row: AlarmRow, *, at: int | None = None) -> Explained:
        """Explain an alarm at `at`, by default when it was raised last; StoreError when the records are gone."""
        now = self._clock.ms()
        journal = await self._records.journal(row.id)
        instant = at if at is not None else row.raised_at or row.opened_at
        messages = await self._told(row, journal)
        ticket = await self._records.ticket(row.ticket_id) if row.ticket_id else None
        force, note = await self._item(row)
        raises = [entry.rule_version for entry in journal if entry.event == "raise" and entry.at <= instant]
        wanted = raises[-1] if raises else row.rule_version
        kept = await self._kept(row, wanted, force)
        rule = kept or (force.rule if force else None)
        if force is None and (beside := await self._besides.of(row, kept, self._book.linkage if self._book else ())):
            rule, force = beside.rule, beside.item
            if force is None:
                then = await self._beside(beside, row, instant)
                later = await self._beside(beside, row, now) if row.live and now > instant else None
                return Explained(row, rule, then, later, messages, ticket)
            wanted = ""
        item, remark = self._version(row, wanted, kept, force)
        if item is None:
            return Explained(row, rule, View(instant, None, (note,)), None, messages, ticket)
        then = await self._then(item, row, journal, instant)
        then = replace(then, notes=(*then.notes, *remark))
        current = await self._now([force], row.asset, [row]) if force and row.live and now > instant else None
        return Explained(row, rule, then, current[0] if current else None, messages, ticket)

    async def rule(self, item: CompiledRule, asset: str, *, at: int | None = None) -> View:
        """Explain what a rule comes to at an asset, now by default."""
        if at is None:
            alarms = await self._records.live_alarms(self._site.id)
            return (await self._now([item], asset, alarms))[0]
        played = await self._play([item], asset, at)
        return View(at, played.scene.account(item.rule, at), played.notes)

    async def asset(self, asset: str) -> list[View]:
        """Every rule that runs at an asset, as it is now; ConfigError, StoreError."""
        items = (await self.rulebook()).by_asset.get(asset, ())
        alarms = await self._records.live_alarms(self._site.id)
        return await self._now(items, asset, alarms) if items else []

    async def _item(self, row: AlarmRow) -> tuple[CompiledRule | None, str]:
        try:
            items = (await self.rulebook()).by_asset.get(row.asset, ())
        except ConfigError:
            return None, "rules_unreadable"
        found = (item for item in items if (item.rule.id, item.rule.index) == (row.rule, row.rule_index))
        return next(found, None), "no_rule"

    async def _kept(self, row: AlarmRow, wanted: str, force: CompiledRule | None) -> Rule | None:
        """The rule as it read when it raised the alarm; None where that is in force still, or was not kept."""
        if not wanted or (force is not None and force.rule.version == wanted):
            return None
        try:
            found = await version(self._records, self._site.id, row.rule, wanted)
            return rule_of(found.text, origin=found.origin, index=row.rule_index)
        except (NotFoundError, ValueError):
            return None

    def _version(
        self, row: AlarmRow, wanted: str, kept: Rule | None, force: CompiledRule | None
    ) -> tuple[CompiledRule | None, tuple[str, ...]]:
        """What is to be laid open, and remarks: the kept text, else what is in force."""
        if force is not None and (not wanted or force.rule.version == wanted):
            return force, ()
        if kept is None:
            return force, ("version_lost",) if force is not None and wanted else ()
        if force is not None and force.is_check:
            return force, ("older_check",)
        kind = self._catalog.classes.get(row.asset_class)
        if row.asset not in self._site.assets or kind is None or not kept.when:
            return force, ()
        try:
            found = compiled(kept, kind, self._catalog.classes)
        except ExpressionError:
            return force, ("version_lost",) if force is not None else ()
        return found, ("older_text" if force is not None else "text_of_then",)

    async def _beside(self, beside: Beside, row: AlarmRow, at: int) -> View:
        """At an instant, for an alarm that is judged beside the rules."""
        effect = self._besides.effect(beside, row, at)
        if effect:
            return View(at, None, effect=effect)
        inputs, notes = await self._besides.readings(beside, at)
        said = self._besides.said(beside, row, inputs, at)
        return View(at, None, notes if said else (*notes, "no_rule"), said=said, inputs=inputs)

    async def _then(self, item: CompiledRule, row: AlarmRow, journal: Sequence[JournalRow], at: int) -> View:
        """At an instant of the past, with what the journal knows of it."""
        played = await self._play([item], row.asset, at)
        scene, notes = played.scene, list(played.notes)
        seen: Mapping[str, Mapping[str, Value]] = next(
            (item.seen for item in journal if item.at == at and item.seen), {}
        )
        if scene.recorded(seen, at):
            notes = [note for note in notes if note != "no_history"] + ["recorded"]
        account = scene.account(item.rule, at)
        judged = [entry for entry in journal if entry.event in _JUDGED and entry.at <= at]
        known = _state_of(judged[-1], row, account.state) if judged else None
        if known is not None:
            account = replace(account, state=known)
        if judged and judged[-1].at == at and judged[-1].event == "raise" and account.when.value is not True:
            notes.append("rule_changed")
        return View(at, account, tuple(notes))

    async def _now(self, items: Sequence[CompiledRule], asset: str, alarms: Iterable[AlarmRow]) -> list[View]:
        """As they are now. `alarms`: those that are live."""
        at = self._clock.ms()
        played = await self._play(items, asset, at, now=True)
        async with self._records.reading() as connection:
            delays = await load_delays(connection, self._site.id)
        active = {(row.rule, row.rule_index): row for row in alarms if row.asset == asset and row.alarm.is_active}
        views = []
        for item in items:
            key, notes = (item.rule.id, item.rule.index), list(played.notes)
            account = played.scene.account(item.rule, at)
            row, state = active.get(key), delays.get((*key, asset))
            if state is None and row is not None and account.state.phase not in (Phase.ACTIVE, Phase.CLEARING):
                state = State(Phase.ACTIVE, since=row.since)
            elif state is None and row is not None and account.state.phase is Phase.ACTIVE:
                state = replace(account.state, since=row.since)
            elif row is None and account.state.phase is Phase.ACTIVE and (state is None or state.phase is Phase.NORMAL):
                notes.append("not_recorded")
            views.append(View(at, replace(account, state=state) if state else account, tuple(notes)))
        return views

    async def _play(self, items: Sequence[CompiledRule], asset: str, at: int, *, now: bool = False) -> _Played:
        """The readings before an instant, played; live ones beside the stored ones for `now`."""
        book = await self.rulebook()
        scene = Scene(book, asset, items, self._site.assets, self._catalog)
        start, notes = at - span_of(items), []
        samples: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        count = 0
        try:
            async for sample in self._store.samples(start, at + 1, assets=sorted(scene.assets)):
                samples.append(sample)
                count += 1
        except StoreError:
            notes.append("store_down")
        held = self._live.latest(sorted(scene.assets)) if now else []
        if not samples and not held and not notes:
            notes.append("no_history")
        if count > MAX_SAMPLES:
            notes.append("many")
        if any(is_cut(item) for item in items):
            notes.append("cut")
        if scene.series:
            scene.load(await self._hours(scene, at))
        together = sorted([*samples, *_newer(held, samples)], key=lambda sample: sample.at)
        await asyncio.to_thread(scene.play, together, start, at)
        scene.hush(((item.asset, item.point) for item in held if item.quality is Quality.STALE), at)
        return _Played(scene, tuple(notes))

    async def _hours(self, scene: Scene, at: int) -> dict[tuple[str, str], list[Hour]]:
        """The hours that were over at an instant, of the series that its baselines and trends look at."""
        found = await load_hours(
            self._records,
            self._site.id,
            at - KEPT_MS,
            before=at - HOUR_MS + 1,
            assets=scene.assets,
            series=scene.series,
        )
        return {key: [hour for hour in hours if hour.known] for key, hours in found.items()}

    async def _told(self, row: AlarmRow, journal: Sequence[JournalRow]) -> list[Told]:
        page = await self._records.outbox(kind=MESSAGE, alarm_id=row.id, limit=MAX_MESSAGES)
        attempts = {item.id: await self._records.deliveries(item.id) for item in page.items if item.attempts}
        return told(journal, page.items, attempts)


def _state_of(entry: JournalRow, row: AlarmRow, played: State) -> State | None:
    """The condition's state after what was judged last; None where the readings say the same."""
    if entry.event == "clear":
        return NORMAL if played.phase in (Phase.ACTIVE, Phase.CLEARING) else None
    since = row.since if row.since <= entry.at and row.raised_at == entry.at else entry.at
    if played.phase is Phase.CLEARING:
        return None
    return State(Phase.ACTIVE, since=since)


def _newer(held: Iterable[Reading], samples: Iterable[Sample]) -> list[Sample]:
    """Live readings that the store has not given, as samples: as they came, whether they are still believed or not."""
    known: dict[tuple[str, str], int] = {}
    for sample in samples:
        for key in sample.values:
            known[sample.asset, key] = sample.at
    return [
        Sample(
            item.asset, item.at, {item.point: item.value}, {} if item.value is not None else {item.point: item.quality}
        )
        for item in held
        if item.at > known.get((item.asset, item.point), 0)
    ]
