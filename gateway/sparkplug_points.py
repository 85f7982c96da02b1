"""Pure: what the metrics of an edge node mean for the points of one device, and at which instant each is told.

A metric that came in a data message is told at its own timestamp, when that is newer than what was last told of the
point and at most `AHEAD` ms ahead of our clock; else at the instant of its receipt, as is everything of a birth: a
birth says what holds now, however long ago it was measured. So a node whose clock is wrong is told by ours, and what
is told of a point never goes back in time.

A metric that is marked historical is told as history at its own timestamp, every one of them, and leaves what holds now
alone: where it is newer than what was last told of the point, that is told once more after it, for stores go by time.
Without a timestamp, or with one from the future, it can't be placed: it is counted (`undated`) and left out.

A node speaks only when something changes. What it said last holds while it lives, and is told again once per heartbeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from facility.assets import Device
from facility.points import NodeMetric, Point, Profile
from facility.readings import Quality, Value
from gateway.mapping import convert, fill
from gateway.report import HEARTBEAT, PointReport
from gateway.sparkplug_payload import GOOD, STALE, Metric
from gateway.sparkplug_session import NODE, Lost, Told, Update

AHEAD = 60_000
"""Milliseconds that a node's clock may be ahead of ours."""
_GOOD_ENDS = 256
"""Below it, and from `GOOD` on, all qualities are good ones with a remark, where a node uses those of OPC."""

Address = tuple[str, str]
"""Group and name of an edge node."""


def address(device: Device) -> Address:
    """The edge node of a device; ValueError when its params name none that MQTT could know."""
    found = device.params.get("group", ""), device.params.get("node", "")
    for name, text in zip(("group", "node"), found, strict=True):
        if not text or set(text) & set("+/#\0"):
            raise ValueError(f"the param {name!r} is {text!r}: it may not be empty, nor have any of + / #")
    return found


@dataclass(slots=True)
class Telling:
    """What a sink is told of one asset at one instant."""

    at: int
    values: dict[str, Value] = field(default_factory=dict)
    quality: dict[str, Quality] = field(default_factory=dict)
    hist: bool = False


class NodePoints:
    """The points of one device of ours, which may be spread over the node and several devices of the node."""

    def __init__(self, device: Device, profile: Profile, points: Mapping[str, Point]) -> None:
        self.device = device
        self.silence = profile.stale_after
        self.counts = {"historical": 0, "undated": 0}
        self._points = points
        self._map: dict[tuple[str, str], list[tuple[str, NodeMetric]]] = {}
        self._keys: dict[str, list[str]] = {}
        self._absent: dict[str, list[str]] = {}
        self._report = PointReport(HEARTBEAT)
        self._held: dict[str, tuple[Value, Quality]] = {}
        self._stamps: dict[str, int] = {}
        for metric in profile.metrics:
            self._add(metric)

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices of the node that the points come from; `NODE` for the node itself."""
        return tuple(self._keys)

    @property
    def bad(self) -> int:
        """How many points were told last as having no value."""
        return self._report.bad

    @property
    def absent(self) -> tuple[str, ...]:
        """The points whose metric is not in the births that came."""
        return tuple(key for keys in self._absent.values() for key in keys)

    def _add(self, metric: NodeMetric) -> None:
        device, point = self.device, metric.value.point
        key = device.rename.get(point, point)
        if (device.points and point not in device.points) or key not in self._points:
            return
        place = fill(metric.device, device.params), fill(metric.name, device.params)
        self._map.setdefault(place, []).append((key, metric))
        self._keys.setdefault(place[0], []).append(key)

    def take(self, told: Told, now: int) -> list[Telling]:
        """What a session has told, as readings; `now` is ms UTC."""
        return self._lost(told, now) if isinstance(told, Lost) else self._update(told, now)

    def beat(self, now: int) -> list[Telling]:
        """What holds and was not told for a whole heartbeat."""
        at = self._at(self._held, now)
        told = Telling(at)
        for key, (value, quality) in self._held.items():
            self._offer(told, key, value, quality)
        return [told] if told.values else []

    def again(self, now: int, *, lost: Iterable[str] = ()) -> list[Telling]:
        """Everything once more; of the node's devices in `lost`, that they are."""
        self._report.again()
        keys = [key for device in lost for key in self._keys[device]]
        return self._gone([*keys, *self.absent], now) + self.beat(now)

    def _update(self, update: Update, now: int) -> list[Telling]:
        gone = self._born(update, now) if update.birth else []
        tellings: dict[tuple[int, bool], Telling] = {}
        overtaken: set[str] = set()
        for metric in update.metrics:
            for key, item in self._map.get((update.device, metric.name), ()):
                value, quality = _value(metric, item, self._points[key])
                if metric.is_historical:
                    if self._history(tellings, metric, now, key, (value, quality)):
                        overtaken.add(key)
                    continue
                self._held[key] = value, quality
                at = self._instant(key, metric, now, birth=update.birth)
                self._offer(tellings.setdefault((at, False), Telling(at)), key, value, quality)
        told = [tellings[place] for place in sorted(tellings) if tellings[place].values]
        return gone + told + self._repeat(overtaken, now)

    def _repeat(self, keys: set[str], now: int) -> list[Telling]:
        """What holds, though it was told: history has overtaken it."""
        held = {key: self._held[key] for key in sorted(keys) if key in self._held}
        if not held:
            return []
        at = self._at(held, now)
        self._stamps.update(dict.fromkeys(held, at))
        bad = {key: quality for key, (_, quality) in held.items() if not quality.is_good}
        return [Telling(at, {key: value for key, (value, _) in held.items()}, bad)]

    def _born(self, update: Update, now: int) -> list[Telling]:
        """Which of a device's points its birth does not know."""
        names = {metric.name for metric in update.metrics}
        absent = [
            key
            for (device, name), items in self._map.items()
            if device == update.device and name not in names
            for key, _ in items
        ]
        self._absent[update.device] = absent
        return self._gone(absent, now)

    def _history(
        self,
        tellings: dict[tuple[int, bool], Telling],
        metric: Metric,
        now: int,
        key: str,
        reading: tuple[Value, Quality],
    ) -> bool:
        """Place it; whether it is newer than what was last told of the point."""
        at = metric.timestamp
        if not at or at > now + AHEAD:
            self.counts["undated"] += 1
            return False
        self.counts["historical"] += 1
        telling = tellings.setdefault((at, True), Telling(at, hist=True))
        telling.values[key], quality = reading
        if not quality.is_good:
            telling.quality[key] = quality
        last = self._stamps.get(key, 0)
        self._stamps[key] = max(last, at)
        return at >= last

    def _offer(self, telling: Telling, key: str, value: Value, quality: Quality) -> None:
        if not self._report.offer(self._points[key], value, quality, telling.at):
            return
        self._stamps[key] = telling.at
        telling.values[key] = value
        if not quality.is_good:
            telling.quality[key] = quality

    def _instant(self, key: str, metric: Metric, now: int, *, birth: bool) -> int:
        said = metric.timestamp
        if not birth and said is not None and self._stamps.get(key, 0) < said <= now + AHEAD:
            return said
        return self._at((key,), now)

    def _at(self, keys: Iterable[str], now: int) -> int:
        """The instant of receipt, after all that was told of these points; a clock that was put right is believed."""
        last = max((self._stamps.get(key, 0) for key in keys), default=0)
        return last + 1 if now <= last <= now + AHEAD else now

    def _lost(self, lost: Lost, now: int) -> list[Telling]:
        devices = [device for device in self._keys if lost.device in (NODE, device)]
        return self._gone([key for device in devices for key in self._keys[device]], now)

    def _gone(self, keys: Sequence[str], now: int) -> list[Telling]:
        for key in keys:
            self._held.pop(key, None)
        at = self._at(keys, now)
        change = self._report.lost(keys, Quality.STALE, at)
        if change is None:
            return []
        self._stamps.update(dict.fromkeys(change[0], at))
        return [Telling(at, *change)]


def _value(metric: Metric, item: NodeMetric, point: Point) -> tuple[Value, Quality]:
    if metric.quality == STALE:
        return None, Quality.STALE
    if not GOOD <= metric.quality < _GOOD_ENDS:
        return None, Quality.SENSOR
    return convert(metric.value, item.value, point)
