"""The newest reading of every point, out of InfluxDB: read whole now and then, followed by what is new in between.

InfluxQL gives the instant of a last value only one field at a time, which is too slow for every call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from facility.readings import Quality, Reading, Sample
from ingest import influxql
from ingest.latest import Latest
from ingest.lineprotocol import BAD

Ask = Callable[[str], Awaitable[list[influxql.Series]]]

FRESH = 0.5
"""Seconds for which an answer may be given again."""
WHOLE = 300.0
"""Seconds between readings of everything; until then history that comes in late from elsewhere may be missed."""
OVERLAP = 10_000
"""ms that are read again, for rows that were written a little out of order."""
AT_ONCE = 8
"""Statements under way at the same time."""


class InfluxLatest:
    """`ask` runs one statement; `classes` are the measurements of the site."""

    def __init__(self, ask: Ask, *, site: str, classes: Sequence[str], kind_of: influxql.KindOf) -> None:
        self._ask = ask
        self._site = site
        self._classes = classes
        self._kind_of = kind_of
        self._latest = Latest(kind_of)
        self._lock = asyncio.Lock()
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._read_at = self._whole_at = float("-inf")
        self._since = 0

    def adopt(self, classes: Sequence[str]) -> None:
        """The measurements of the site from now on; a new one is read whole."""
        if set(classes) - set(self._classes):
            self._whole_at = float("-inf")
        self._classes = classes

    def note(self, sample: Sample, asset_class: str) -> None:
        """A sample that this process wrote itself."""
        if self._whole_at > float("-inf"):
            self._latest.note(sample, asset_class)

    async def readings(self, assets: Sequence[str]) -> list[Reading]:
        """The newest readings of these assets (of all, if empty). StoreError when the server is not there."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._whole_at > WHOLE:
                await self._read_whole()
                self._whole_at = self._read_at = now
            elif now - self._read_at > FRESH:
                await asyncio.gather(*(self._read_new(asset_class) for asset_class in self._classes))
                self._read_at = now
        found = self._latest.readings(assets)
        self._since = max((reading.at for reading in found), default=self._since) if not assets else self._since
        return found

    async def _read_new(self, asset_class: str) -> None:
        condition = influxql.where(self._site, self._since - OVERLAP, None) + " AND time < now() + 1m"
        for sample in influxql.samples(await self._ask(influxql.select_rows(asset_class, condition)), self._kind_of):
            self._latest.note(sample, asset_class)

    async def _read_whole(self) -> None:
        self._latest = Latest(self._kind_of)
        for asset_class in self._classes:
            tables = await self._ask(influxql.show_fields(asset_class))
            # values first: at one instant a quality that follows wins
            names = {row[0] for table in tables for row in table.values}
            fields = sorted(names, key=lambda field: field.startswith(BAD))
            answers = await asyncio.gather(*(self._last(asset_class, field) for field in fields))
            for field, answer in zip(fields, answers, strict=True):
                for table in answer:
                    at, value = table.values[0]
                    self._put(asset_class, field, Reading(table.tags["asset"], field, at, value))
        self._since = max((reading.at for reading in self._latest.readings()), default=0)

    async def _last(self, asset_class: str, field: str) -> list[influxql.Series]:
        # nothing that lies in the future stands for the present
        condition = influxql.where(self._site, None, None) + " AND time < now() + 1m"
        async with self._limit:
            return await self._ask(influxql.select_last(asset_class, field, condition))

    def _put(self, asset_class: str, field: str, last: Reading) -> None:
        if field.startswith(BAD):
            point, quality = field.removeprefix(BAD), influxql.quality_of(last.value)
            self._latest.put(asset_class, Reading(last.asset, point, last.at, None, quality))
        else:
            self._latest.put(asset_class, Reading(last.asset, field, last.at, last.value, Quality.GOOD))
