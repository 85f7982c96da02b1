"""ReadingStore over InfluxDB 1.8, 2.x or 3: v2 writes of line protocol, InfluxQL reads; the path that all three share.

The bucket must exist. Retention is the bucket's own. A token of the form `user:password` is that of InfluxDB 1.8.
Writing the same batch again overwrites it, so there is nothing to recognise. Where a batch was trusted one time and
not the other (clock), value and quality stand side by side, and the quality wins.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, cast

import aiohttp
import httpx
import msgspec
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client_async import InfluxDBClientAsync
from influxdb_client.domain.write_precision import WritePrecision

from facility.assets import Asset
from facility.catalog import Catalog
from facility.errors import StoreError
from facility.points import Kind
from facility.readings import Reading, Sample, readings
from facility.settings import ReadingsSettings
from facility.wire import AlarmNotice
from ingest import influxql
from ingest.influx_latest import InfluxLatest
from ingest.lineprotocol import Lines
from ingest.store import NUMERIC, Bucket, Delivery, Refused, Totals, WriteResult, fill, steps

CHUNK = 10_000
"""Lines of one write request."""
TIMEOUT = 20.0
WINDOW = 60_000
"""ms; the first window that `samples` asks for; it grows while little comes back."""
TARGET_ROWS = 10_000

_BAD_DATA = re.compile(
    r"partial write|unable to parse|parse failed|parsing|field type|type conflict|retention|line protocol|invalid "
    r"(field|tag|number|boolean|integer|float|timestamp|column|string)|missing (field|tag|measurement)|bad timestamp",
    re.IGNORECASE,
)
"""What a 400 says when the data is at fault, and not the request."""


class InfluxStore:
    """Readings of one site in an InfluxDB bucket. Opens connections when they are first needed."""

    def __init__(self, settings: ReadingsSettings, *, site: str, assets: Mapping[str, Asset], catalog: Catalog) -> None:
        self._settings = settings
        self._site = site
        self._client: InfluxDBClientAsync | None = None
        user, colon, password = settings.token.partition(":")
        login = (user, password) if colon else ("caretaker", settings.token)
        self._http = httpx.AsyncClient(base_url=settings.url.rstrip("/"), auth=login, timeout=TIMEOUT)
        self._latest = InfluxLatest(self._ask, site=site, classes=(), kind_of=self._kind)
        self.adopt(assets, catalog)

    def adopt(self, assets: Mapping[str, Asset], catalog: Catalog) -> None:
        """See ReadingStore."""
        self._catalog = catalog
        self._classes = {asset.id: asset.asset_class for asset in assets.values()}
        self._lines = Lines(self._site, catalog)
        self._latest.adopt(sorted(set(self._classes.values())))

    def _kind(self, asset_class: str, point: str) -> Kind | None:
        found = self._catalog.point(asset_class, point)
        return found.kind if found else None

    # --- writing

    async def write(self, deliveries: Sequence[Delivery]) -> WriteResult:
        """Write the deliveries; lines that InfluxDB can't take come back as refused, all others are in."""
        refused: list[Refused] = []
        lines: list[str] = []
        counts: list[int] = []
        for delivery in deliveries:
            more, numbers = self._lines.build(delivery, refused)
            lines += more
            counts += numbers
        stored = sum(counts)
        for start in range(0, len(lines), CHUNK):
            for index, reason in await self._write_lines(lines, start, min(start + CHUNK, len(lines))):
                stored -= counts[index]
                refused.append(Refused(lines[index], reason))
        for delivery in deliveries:
            for sample in delivery.batch.samples:
                self._latest.note(sample, delivery.classes[sample.asset])
        return WriteResult(stored, 0, tuple(refused))

    async def _write_lines(self, lines: list[str], start: int, end: int) -> list[tuple[int, str]]:
        """Write lines[start:end]; returns (index, reason) of those refused.

        InfluxDB takes the good lines of a refused request too, but does not always say which were bad; writing is
        idempotent, so halves are written again until the bad ones stand alone.
        """
        reason = await self._post("\n".join(lines[start:end]))
        if not reason:
            return []
        if end - start == 1:
            return [(start, reason)]
        middle = (start + end) // 2
        return await self._write_lines(lines, start, middle) + await self._write_lines(lines, middle, end)

    async def _post(self, body: str) -> str:
        """Write a body; returns why the server refused some of it, or an empty text. StoreError for all else."""
        if self._client is None:
            settings = self._settings
            self._client = InfluxDBClientAsync(
                settings.url, settings.token, org=settings.org, timeout=int(TIMEOUT * 1000)
            )
        try:
            await self._client.write_api().write(
                self._settings.bucket,
                record=body.encode(errors="replace"),
                write_precision=cast("WritePrecision", WritePrecision.MS),
            )
        except InfluxDBError as error:
            return self._judge(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error
        return ""

    def _judge(self, error: InfluxDBError) -> str:
        """The reason of a refusal that is the data's own fault; a StoreError for any other."""
        response: Any = error.response
        status = int(response.status) if response is not None else 0
        message = error.message.decode(errors="replace") if isinstance(error.message, bytes) else str(error.message)
        if status == 413 or (status in (400, 422) and _BAD_DATA.search(message)):
            return message[:500]
        raise self._complain(status, message)

    def _complain(self, status: int, message: str) -> StoreError:
        """A StoreError that says what to do about an HTTP status."""
        bucket, url = self._settings.bucket, self._settings.url
        if status in (401, 403):
            return StoreError("InfluxDB", f"{url} refuses the token (readings.token): {message}", retry=False)
        if status == 404:
            return StoreError("InfluxDB", f"{url} has no bucket {bucket!r}; create it: {message}", retry=False)
        retry = status == 0 or status == 429 or status >= 500
        return StoreError("InfluxDB", f"{url} answered {status}: {message[:500]}", retry=retry)

    def _unreachable(self, error: BaseException) -> StoreError:
        reason = str(error) or type(error).__name__
        return StoreError("InfluxDB", f"{self._settings.url} can't be reached: {reason}")

    async def write_alarm(self, notice: AlarmNotice) -> None:
        """Write an alarm transition as a point of the measurement `alarm`."""
        await self.write_alarms([notice])

    async def write_alarms(self, notices: Sequence[AlarmNotice]) -> None:
        """Write several alarm transitions. StoreError also when the server can't take one of them."""
        lines = [self._lines.alarm(notice) for notice in notices]
        refused = await self._write_lines(lines, 0, len(lines)) if lines else []
        if refused:
            raise StoreError("InfluxDB", f"refuses an alarm transition: {refused[0][1]}", retry=False)

    # --- reading

    async def _ask(self, query: str) -> list[influxql.Series]:
        """Run one InfluxQL statement."""
        parameters = {"db": self._settings.bucket, "q": query, "epoch": "ms"}
        try:
            response = await self._http.get("/query", params=parameters)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status_code != httpx.codes.OK:
            raise self._complain(response.status_code, response.text[:500])
        try:
            answer = msgspec.json.decode(response.content, type=influxql.Answer)
        except msgspec.DecodeError as error:
            raise StoreError("InfluxDB", f"{self._settings.url} does not answer as InfluxDB does: {error}") from error
        failure = answer.failure()
        if failure:
            raise self._complain(404 if "not found" in failure else 400, failure)
        return answer.series()

    async def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point; at most half a second behind other writers."""
        return await self._latest.readings(assets)

    async def between(
        self, asset: str, points: Sequence[str], start: int, end: int, *, limit: int = 10_000
    ) -> list[Reading]:
        """Readings of a time range, oldest first; the newest `limit` of them."""
        asset_class = self._classes.get(asset)
        known = [point for point in points if asset_class and self._kind(asset_class, point)]
        if asset_class is None or limit < 1 or (points and not known):
            return []
        condition = influxql.where(self._site, start, end, [asset])
        query = influxql.select_rows(asset_class, condition, points=known, newest=limit)
        found = influxql.samples(await self._ask(query), self._kind, asset=asset)
        taken = [reading for sample in found for reading in readings(sample)]
        return sorted(taken, key=lambda reading: (reading.at, reading.point))[-limit:]

    async def buckets(self, asset: str, point: str, start: int, end: int, *, count: int = 300) -> list[Bucket]:
        """The history of a numeric point in equal steps."""
        asset_class = self._classes.get(asset, "")
        if self._kind(asset_class, point) not in NUMERIC:
            return []
        step, number = steps(start, end, count)
        condition = influxql.where(self._site, start, end, [asset])
        query = influxql.select_buckets(asset_class, point, condition, step=step, start=start)
        return fill(start, step, number, influxql.buckets(await self._ask(query), start, step))

    async def samples(self, start: int, end: int, *, assets: Sequence[str] = ()) -> AsyncIterator[Sample]:
        """All samples, oldest first, asked for in windows of time."""
        classes = sorted({self._classes[asset] for asset in assets or self._classes if asset in self._classes})
        window = WINDOW
        while start < end and classes:
            stop = min(end, start + window)
            held: list[Sample] = []
            for asset_class in classes:
                wanted = [asset for asset in assets if self._classes.get(asset) == asset_class]
                condition = influxql.where(self._site, start, stop, wanted)
                held += influxql.samples(await self._ask(influxql.select_rows(asset_class, condition)), self._kind)
            for sample in sorted(held, key=lambda sample: (sample.at, sample.asset)):
                yield sample
            start = stop
            window = window * 2 if len(held) < TARGET_ROWS else max(1000, window // 2)

    async def alarms(self, start: int, end: int, *, limit: int = 1000) -> list[AlarmNotice]:
        """Alarm transitions of a time range, oldest first; the newest `limit` of them."""
        query = influxql.select_alarms(influxql.where(self._site, start, end), max(1, limit))
        found = list(influxql.alarms(await self._ask(query)))
        return sorted(found, key=lambda notice: (notice.at, notice.version))[-limit:] if limit > 0 else []

    async def totals(self) -> Totals:
        """How much is stored: the values of every field, of good points and of others."""
        detail: dict[str, int] = {}
        for asset_class in sorted(set(self._classes.values())):
            query = influxql.select_counts(asset_class, influxql.where(self._site, None, None))
            counted = sum(sum(filter(None, row[1:])) for table in await self._ask(query) for row in table.values)
            if counted:
                detail[asset_class] = counted
        return Totals(sum(detail.values()), 0, detail)

    async def expire(self, before: int) -> int:  # noqa: ARG002 - the bucket's own retention does it
        """Nothing to do: the bucket has a retention of its own."""
        return 0

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._client is not None:
            await self._client.close()  # type: ignore[no-untyped-call]
            self._client = None
