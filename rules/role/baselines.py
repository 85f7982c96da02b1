"""Baselines and trends over restarts: the hourly summaries in the records, and what is missing from the store.

Summaries are written in the transaction that writes how far the rules are, so that what a killed process had not
written is summed up again from the readings that the next one reads anyway. A series that was never filled (a new rule)
is filled from the stored readings, in the background: until then it says unknown, or speaks of what it has.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.readings import Sample
from rules.book.compiled import CompiledRule, Rulebook
from rules.engine import Engine
from rules.language.summaries import HOUR_MS
from rules.language.trends import DAY_MS, TRENDS
from rules.records.records import Records
from rules.records.summaries import KEPT_MS, SeriesHour, load_hours
from rules.role.readback import ReadBack

log = logging.getLogger(__name__)

AGAIN = 60.0
"""Seconds until a store that is away is asked again."""
SETTLE_MS = HOUR_MS
"""Readings are filled in up to this long ago: what is younger this process has seen itself."""


class Baselines:
    """Made and used by the rules role; `counts` is its own: baselines_to_fill, baselines_filled, baseline_samples."""

    def __init__(  # noqa: PLR0917 - the parts of the role
        self, site: Site, engine: Engine, rulebook: Rulebook, catalog: Catalog, records: Records, counts: Counter[str]
    ) -> None:
        self._site, self._records, self._counts = site, records, counts
        self._rulebook, self._catalog = rulebook, catalog
        self._series = {(asset, series): hours for asset, series, hours in engine.summaries}
        self._waiting: list[SeriesHour] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def load(self, now: int) -> None:
        """Take up what the records have; before the engine is warmed. StoreError."""
        if not self._series:
            return
        for key, rows in (await load_hours(self._records, self._site.id, now - KEPT_MS)).items():
            if key in self._series:
                self._series[key].load(rows)

    def take(self) -> list[SeriesHour]:
        """The hours that have to be written; they wait until `written` is told of them."""
        for (asset, series), hours in self._series.items():
            if hours.closed:
                self._waiting += [SeriesHour(asset, series, hour) for hour in hours.take_closed()]
        return list(self._waiting)

    def written(self, hours: Sequence[SeriesHour]) -> None:
        """These are in the records."""
        del self._waiting[: len(hours)]

    def begin(self, readback: ReadBack, clock: Clock) -> None:
        """Fill in the background; a fault of ours in it is logged and counted, and ends nothing."""
        self.tasks.append(asyncio.create_task(self._fill(readback, clock), name="rules: baselines"))

    async def _fill(self, readback: ReadBack, clock: Clock) -> None:
        try:
            await self.fill(readback, clock)
        except Exception:
            self._counts["failed_baselines"] += 1
            log.exception("rules: baselines are not filled")

    async def fill(self, readback: ReadBack, clock: Clock) -> None:
        """Sum up the stored readings for the series that were never filled; then they are, and it is written down.

        A day at a time, with a second engine over the rules that want it, so that both see the same values.
        """
        wanted = {key: hours for key, hours in self._series.items() if not hours.is_filled}
        self._counts["baselines_to_fill"] = len(wanted)
        if not wanted:
            return
        shadow = Engine(self._trends_only(), self._site.assets, self._catalog)
        # what is worked out may look at any asset
        assets = [] if self._rulebook.derived.order else sorted({asset for asset, _ in wanted})

        def take(sample: Sample) -> None:
            shadow.learn(sample)
            self._counts["baseline_samples"] += 1

        now = clock.ms()
        start, end = now - max(hours.keep for hours in wanted.values()), now - SETTLE_MS
        while start < end:
            until = min(start + DAY_MS, end)
            while not await readback.read(start, until, take, assets=assets):
                await clock.sleep(AGAIN)
            start = until
        for asset, series, hours in shadow.summaries:
            if (asset, series) in wanted:
                filled = wanted[asset, series].fill(hours.rows)
                self._waiting += [SeriesHour(asset, series, hour) for hour in filled]
                self._counts["baselines_filled"] += 1
                self._counts["baselines_to_fill"] -= 1

    def _trends_only(self) -> Rulebook:
        book = self._rulebook
        by_asset = {asset: tuple(rule for rule in rules if _has_trend(rule)) for asset, rules in book.by_asset.items()}
        return replace(book, by_asset=by_asset)


def _has_trend(rule: CompiledRule) -> bool:
    return any(function in TRENDS for item in rule.expressions for function, _ in item.windows)
