"""LiveCache: the newest reading of every point, what is wrong with it right now, and the stream of changes.

The one rule: a stale value must never look live. What the bus brought is kept as it came; whether it can still be
trusted is decided at the moment somebody looks, from its age, its gateway's state and the broker's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from api.doubt import Doubt
from api.fanout import Event, Fanout, event
from facility.again import ask_again
from facility.bus import Bus, Message
from facility.catalog import Catalog
from facility.clock import Clock
from facility.config import Site
from facility.errors import DecodeError, StoreError
from facility.points import Point
from facility.presence import HEARTBEAT_MS, INTERVALS, Presence
from facility.readings import Quality, Reading, Sample
from facility.wire import (
    DERIVED,
    AlarmNotice,
    Batch,
    Status,
    alarms_topic,
    decode,
    parse_topic,
    readings_topic,
    status_topic,
)
from ingest.store import ReadingStore

log = logging.getLogger(__name__)

GRACE_S = 5.0
"""How long the broker may be away before everything on the screens counts as stale."""
LOOK_S = 0.5
"""Seconds between looks at the broker and at the gateways' silence."""
SHARE = 10
"""Values that grow too old by themselves are looked for in so many shares, one at each look."""
KEPT_ALARMS = 1000
RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway as the screens show it. `status` is None until it has told one; `seen` is when it last spoke (ms)."""

    id: str
    online: bool
    seen: int
    status: Status | None


@dataclass(slots=True)
class _Held:
    reading: Reading
    gateway: str


class LiveCache:
    """Feed it by `run()`; ask it any time. Bounded by the site: what is not configured is counted, not kept."""

    def __init__(
        self, site: Site, catalog: Catalog, *, bus: Bus, clock: Clock, store: ReadingStore | None = None
    ) -> None:
        self.fanout = Fanout()
        self.warmed = asyncio.Event()
        self.listening = asyncio.Event()
        self.alarm_changes = 0
        self.counts = {"readings": 0, "older": 0, "historical": 0, "unknown": 0, "undecodable": 0, "alarms": 0}
        self._bus = bus
        self._clock = clock
        self._store = store
        self._held: dict[str, dict[str, _Held]] = {}
        self._statuses: dict[str, Status] = {}
        self._presence: dict[str, Presence] = {}
        self._there: frozenset[str] = frozenset()
        self._told_online: set[str] = set()
        self._doubt = Doubt(())
        self._looks = 0
        self._kept: deque[Event] = deque(maxlen=KEPT_ALARMS)
        self._told: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._epoch = f"{clock.ms():x}"
        self._lost_since: float | None = None
        self.adopt(site, catalog)

    def adopt(self, site: Site, catalog: Catalog) -> None:
        """The site and its catalog from now on; values of what is no longer there are forgotten, clients stay."""
        self._site = site
        self._points = _points(site, catalog)
        self._patience = _patience(site, catalog)
        serving: dict[str, set[str]] = {asset: set() for asset in site.assets}
        for device in site.devices:
            serving[device.asset].add(device.gateway)
        for name in site.gateways:
            if name in serving:  # a gateway may be an asset of the site itself: then it speaks for itself
                serving[name].add(name)
        self._serving = serving
        self._presence = {name: self._presence.get(name) or Presence() for name in site.gateways}
        self._statuses = {name: status for name, status in self._statuses.items() if name in self._presence}
        self._doubt.adopt(site.assets)
        self._held = {
            asset: {key: held for key, held in self._held.get(asset, {}).items() if key in points}
            for asset, points in self._points.items()
        }

    # -- asking ------------------------------------------------------------------------------------------------

    def latest(self, assets: Sequence[str] = ()) -> list[Reading]:
        """The newest reading of every point of these assets (of all, if empty), judged now."""
        now = self._clock.ms()
        return [
            self._judged(held, now)
            for asset in (assets or self._site.assets)
            for held in self._held.get(asset, {}).values()
        ]

    def reading(self, asset: str, point: str) -> Reading | None:
        """The newest reading of one point, judged now; None when there never was one."""
        held = self._held.get(asset, {}).get(point)
        return self._judged(held, self._clock.ms()) if held else None

    def points(self, asset: str) -> dict[str, Point]:
        """The points of an asset in its class's order: those its devices read, and any other that has a reading."""
        served = self._points.get(asset, {})
        held = self._held.get(asset, {})
        return {key: point for key, (point, expected) in served.items() if expected or key in held}

    def gateways(self) -> list[Gateway]:
        """Every configured gateway."""
        return [self._gateway(name) for name in self._site.gateways]

    @property
    def connected(self) -> bool:
        """Whether the broker is there, or was a moment ago."""
        if self._bus.connected:
            return True
        return self._lost_since is not None and self._clock.monotonic() - self._lost_since < GRACE_S

    def alarms_after(self, last: str) -> list[Event] | None:
        """The alarm events after the one with this id; None when that can't be told, and the client must read anew."""
        epoch, _, number = last.partition("-")
        if epoch != self._epoch or not number.isdigit():
            return None
        missing = self.counts["alarms"] - int(number)
        if missing < 0 or missing > len(self._kept):
            return None
        return list(self._kept)[len(self._kept) - missing :]

    def metrics(self) -> dict[str, float]:
        """Counters for /metrics."""
        return {
            **{f"live_{name}": count for name, count in self.counts.items()},
            "live_points": sum(len(points) for points in self._held.values()),
            "stream_clients": len(self.fanout),
            "stream_events": self.fanout.events,
            "stream_cut": self.fanout.cut,
        }

    # -- feeding -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Warm from the store, then follow the bus until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._warm(), name="live warm")
            group.create_task(self._watch(), name="live broker")
            group.create_task(self._listen(), name="live bus")

    def put(self, readings: Iterable[Reading], gateway: str = "") -> list[Reading]:
        """Take readings in; returns those that became the newest of their point."""
        now = self._clock.ms()
        ahead = now + round(self._site.settings.future_limit * 1000)
        taken = []
        for reading in readings:
            point = self._points.get(reading.asset, {}).get(reading.point)
            if point is None:
                self.counts["unknown"] += 1
                continue
            if reading.at > ahead:
                # from the future: shown as untrusted, at an instant that does not shut out its successors
                reading = Reading(reading.asset, reading.point, now, None, Quality.CLOCK)  # noqa: PLW2901
            held = self._held[reading.asset].get(reading.point)
            if held and held.reading.at > reading.at:
                self.counts["older"] += 1
                continue
            self._held[reading.asset][reading.point] = _Held(reading, gateway or (held.gateway if held else ""))
            taken.append(reading)
        self.counts["readings"] += len(taken)
        return taken

    def take(self, message: Message) -> None:
        """One message of the bus; what does not decode is counted (ingest keeps the bytes)."""
        try:
            if message.topic == alarms_topic(self._site.id):
                self._alarm(decode(AlarmNotice, message.payload))
                return
            _, gateway, leaf = parse_topic(message.topic)
            if gateway == DERIVED:
                if leaf == "readings":
                    self._batch(gateway, decode(Batch, message.payload))
            elif gateway not in self._site.gateways:
                self.counts["unknown"] += 1
            elif leaf == "status":
                self._status(gateway, decode(Status, message.payload), retained=message.retain)
            elif leaf == "readings":
                self._batch(gateway, decode(Batch, message.payload))
        except DecodeError as error:
            self.counts["undecodable"] += 1
            log.warning("live: %s: %s", message.topic, error.reason)

    async def _listen(self) -> None:
        site = self._site.id
        filters = (readings_topic(site, "+"), status_topic(site, "+"), alarms_topic(site))
        async with self._bus.subscribe(*filters) as subscription:
            self.listening.set()
            await ask_again(self._bus, site, self._site.gateways)
            async for message in subscription:
                self.take(message)
                while (more := subscription.take_nowait()) is not None:
                    self.take(more)
                await asyncio.sleep(0)

    async def _warm(self) -> None:
        while self._store is not None:
            try:
                self.put(await self._store.latest())
                break
            except StoreError as error:
                log.warning("live: not warmed yet: %s", error)
                await self._clock.sleep(RETRY_S)
        self.warmed.set()

    async def _watch(self) -> None:
        """Remember since when the broker is away, and tell what silence does: it sends no message."""
        was_connected = self.connected
        while True:
            missed = self._bus.connected and self._lost_since is not None
            if self._bus.connected:
                self._lost_since = None
            elif self._lost_since is None:
                self._lost_since = self._clock.monotonic()
            back = self._look_at_gateways()
            changed, was_connected = self.connected is not was_connected or back is not None, self.connected
            await self._tell_stale(everything=changed)
            asked = self._site.gateways if missed else sorted(back or ())
            if asked and self._bus.connected:
                # by exception they tell only what changes from now on
                await ask_again(self._bus, self._site.id, asked)
            await self._clock.sleep(LOOK_S)

    def _look_at_gateways(self) -> frozenset[str] | None:
        """Tell who fell silent; those that came back, None when nobody came or went."""
        now, before = self._clock.ms(), self._there
        there = frozenset(name for name, presence in self._presence.items() if presence.is_there(now))
        for name in sorted(self._told_online - there):
            self._tell_gateway(name, online=False)
        if there == before:
            return None
        self._there = there
        return there - before

    async def _tell_stale(self, *, everything: bool) -> None:
        """Tell the points that became stale, or count again; a share of the assets unless something has happened."""
        self._looks += 1
        assets = list(self._site.assets) if everything else list(self._site.assets)[self._looks % SHARE :: SHARE]
        for number, asset in enumerate(assets, 1):
            now = self._clock.ms()
            stale = {key for key, held in self._held[asset].items() if self._is_doubted(held, now)}
            if item := self._doubt.change(asset, frozenset(stale), now):
                self.fanout.publish(item)
            if number % 50 == 0:
                await asyncio.sleep(0)  # clients take what waits

    def _batch(self, gateway: str, batch: Batch) -> None:
        if batch.hist:
            self.counts["historical"] += batch.count
            return
        if gateway in self._presence:
            self._presence[gateway].spoke(self._clock.ms())
        for sample in batch.samples:
            taken = self.put(_apart(sample), gateway)
            if taken:
                self._doubt.renewed(sample.asset, [reading.point for reading in taken])
                self.fanout.publish(event("readings", _told(sample.asset, taken), asset=sample.asset))

    def _status(self, gateway: str, status: Status, *, retained: bool) -> None:
        if not self._presence[gateway].hear(status, self._clock.ms(), retained=retained):
            return
        self._statuses[gateway] = status
        self._tell_gateway(gateway, online=self._presence[gateway].is_there(self._clock.ms()))

    def _tell_gateway(self, gateway: str, *, online: bool) -> None:
        (self._told_online.add if online else self._told_online.discard)(gateway)
        self.fanout.publish(event("gateway", {"gateway": gateway, "online": online, "at": self._clock.ms()}))

    def _alarm(self, notice: AlarmNotice) -> None:
        key = (notice.id, notice.version)
        if key in self._told:
            return
        self._told[key] = None
        if len(self._told) > 2 * KEPT_ALARMS:
            self._told.popitem(last=False)
        self.counts["alarms"] += 1
        self.alarm_changes += 1
        item = event("alarm", notice, asset=notice.asset, id=f"{self._epoch}-{self.counts['alarms']}")
        self._kept.append(item)
        self.fanout.publish(item)

    # -- judging -----------------------------------------------------------------------------------------------

    def _judged(self, held: _Held, now: int) -> Reading:
        if not self._is_doubted(held, now):
            return held.reading
        return msgspec.structs.replace(held.reading, quality=Quality.STALE)

    def _is_doubted(self, held: _Held, now: int) -> bool:
        """Whether a value came as good and is to be believed no more."""
        return held.reading.quality is Quality.GOOD and self._stale(held, now)

    def _stale(self, held: _Held, now: int) -> bool:
        reading = held.reading
        point, _ = self._points[reading.asset][reading.point]
        limit = max(HEARTBEAT_MS + INTERVALS * point.interval * 1000, self._patience.get(reading.asset, 0.0) * 1000)
        return now - reading.at > limit or not self.connected or not self._alive(held, now)

    def _alive(self, held: _Held, now: int) -> bool:
        """Whether the gateway that brought a value is there; of a value from the store, any gateway that serves it."""
        if held.gateway == DERIVED:
            return True  # worked out here: that its sources are gone has been told as a value that is not good
        if held.gateway:
            presence = self._presence.get(held.gateway)  # a value may outlive its gateway's place in the site
            return presence is not None and presence.is_there(now)
        return any(self._presence[name].is_there(now) for name in self._serving[held.reading.asset])

    def _gateway(self, name: str) -> Gateway:
        presence = self._presence[name]
        there = presence.is_there(self._clock.ms())
        return Gateway(name, there, presence.heard or 0, self._statuses.get(name))


def _apart(sample: Sample) -> Iterable[Reading]:
    for point, value in sample.values.items():
        quality = sample.quality_of(point)
        yield Reading(sample.asset, point, sample.at, value if quality is Quality.GOOD else None, quality)


def _told(asset: str, taken: Sequence[Reading]) -> dict[str, object]:
    """The data of a `readings` event: asset, at (ms), values, and the qualities that are not good."""
    bad = {reading.point: reading.quality for reading in taken if reading.quality is not Quality.GOOD}
    return {
        "asset": asset,
        "at": taken[0].at,
        "values": {reading.point: reading.value for reading in taken},
        "quality": bad,
    }


def _points(site: Site, catalog: Catalog) -> dict[str, dict[str, tuple[Point, bool]]]:
    """Asset -> point key -> (the point, whether a device of the asset is there to read it)."""
    expected: dict[str, set[str]] = {asset: set() for asset in site.assets}
    for device in site.devices:
        profile = catalog.profiles[device.profile]
        keys = device.points or frozenset(profile.points)
        expected[device.asset] |= {device.rename.get(key, key) for key in keys}
    found: dict[str, dict[str, tuple[Point, bool]]] = {}
    for asset in site.assets.values():
        points = catalog.classes[asset.asset_class].points
        found[asset.id] = {key: (point, key in expected[asset.id]) for key, point in points.items()}
    return found


def _patience(site: Site, catalog: Catalog) -> dict[str, float]:
    """Asset -> seconds of silence that its slowest MQTT device (battery!) is allowed."""
    found: dict[str, float] = {}
    for device in site.devices:
        profile = catalog.profiles[device.profile]
        if profile.protocol == "mqtt":
            found[device.asset] = max(found.get(device.asset, 0.0), profile.stale_after)
    return found
