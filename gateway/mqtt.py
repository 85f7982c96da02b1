"""Driver for one device that speaks MQTT itself: its topics by profile, availability, requests, staleness."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from facility.assets import Device
from facility.bus import Bus, Message, Subscription, matches
from facility.clock import Clock
from facility.duration import seconds
from facility.errors import BusError, DecodeError
from facility.points import Ask, Availability, Point, Profile
from facility.readings import Quality, Value
from facility.wire import DeviceStatus
from gateway.driver import Sink
from gateway.health import State
from gateway.mapping import Mapped, TopicMap, fill, presence
from gateway.meter import Figures
from gateway.report import HEARTBEAT, PointReport, next_stamp

STALE_AFTER = "stale_after"
"""The param by which a device has a silence of its own: one that sleeps for a day, one that speaks every minute."""
ASK_AGAIN = 2.0
"""Seconds until a request is repeated that could not be published."""
_SHORTEST = 0.001
"""Seconds to listen at least, so that a due time that lies a rounding error ahead is not waited for in a spin."""


class MqttDevice:
    """One native MQTT device. It is down when its availability topic says so, or after `stale_after` s of silence.

    ValueError when its param `stale_after` is no duration (`gateway.check` tells it before).

    A retained message gives values, for they are the device's last word, but is no sign of life.
    """

    def __init__(self, device: Device, profile: Profile, points: Mapping[str, Point], bus: Bus, clock: Clock) -> None:
        self.device = device
        self._profile = profile
        self._points = points
        self._bus = bus
        self._clock = clock
        self._map = TopicMap(profile, device, points)
        self._report = PointReport(HEARTBEAT)
        self._availability = _filled(profile.availability, device)
        self._asks = [
            Ask(fill(ask.topic, device.params), fill(ask.payload, device.params), ask.every) for ask in profile.asks
        ]
        self._ask_at = [0.0] * len(self._asks)
        self._stale_after = stale_after(profile, device)
        self._silent_at = 0.0
        self._gone = Quality.STALE
        self._state, self._error = State.FAILING, "not heard yet"
        self._counts = {"messages": 0, "foreign": 0, "garbage": 0, "asks": 0, "dropped": 0}
        self._stamp = 0

    @property
    def name(self) -> str:
        """The device's id."""
        return f"mqtt {self.device.id}"

    def status(self) -> Mapping[str, DeviceStatus]:
        """The one device."""
        return {self.device.id: DeviceStatus(self._state, self._error)}

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """messages, foreign (another device's), garbage, asks, dropped (our queue was full)."""
        return {self.device.id: self._counts}

    def figures(self) -> Mapping[str, Figures]:
        """See Driver."""
        return {self.device.id: Figures(bad_points=self._report.bad)}

    def again(self, sink: Sink) -> None:
        """See Driver. What a quiet device said last is asked for, where the profile knows how."""
        self._report.again()
        self._ask_at = [0.0] * len(self._asks)
        if self._state is State.DOWN:
            self._lost(self._gone, sink)

    async def run(self, sink: Sink) -> None:
        """Listen and ask until cancelled."""
        filters = [*self._map.filters, *([self._availability.topic] if self._availability else [])]
        self._silent_at = self._clock.monotonic() + self._stale_after
        async with self._bus.subscribe(*dict.fromkeys(filters), limit=1_000) as messages:
            while True:
                await self._ask()
                await self._listen(messages, sink)
                self._counts["dropped"] = messages.dropped
                if self._clock.monotonic() >= self._silent_at:
                    self._silence(sink)

    async def _listen(self, messages: Subscription, sink: Sink) -> None:
        """Take the next message, or come back when there is something else to do."""
        wake = min([self._silent_at, *self._ask_at])
        try:
            async with asyncio.timeout(max(_SHORTEST, wake - self._clock.monotonic())):
                message = await anext(messages)
        except TimeoutError:
            return
        self._take(message, sink)

    async def _ask(self) -> None:
        now = self._clock.monotonic()
        for index, ask in enumerate(self._asks):
            if now < self._ask_at[index]:
                continue
            try:
                await self._bus.publish(ask.topic, ask.payload.encode())
            except BusError:
                self._ask_at[index] = now + ASK_AGAIN
            else:
                self._counts["asks"] += 1
                self._ask_at[index] = now + ask.every / self.device.speedup

    def _take(self, message: Message, sink: Sink) -> None:
        if self._availability and message.topic == self._availability.topic:
            self._available(message, self._availability, sink)
            return
        self._counts["messages"] += 1
        found: list[Mapped] = []
        ours = False
        try:
            for filter_ in self._map.filters:
                if matches(filter_, message.topic):
                    values = self._map.values(filter_, message.payload)
                    ours = ours or values is not None
                    found += values or []
        except DecodeError as error:
            self._counts["garbage"] += 1
            self._error = f"{message.topic}: {error.reason}"
            if self._state is not State.DOWN:  # garbage is no sign of life
                self._state = State.FAILING
            return
        if not ours:
            self._counts["foreign"] += 1
            return
        if not message.retain:
            self._alive()
        self._tell(found, sink)

    def _alive(self) -> None:
        self._silent_at = self._clock.monotonic() + self._stale_after
        self._state, self._error = State.UP, ""

    def _available(self, message: Message, availability: Availability, sink: Sink) -> None:
        said = presence(message.payload[:256].decode(errors="replace"))
        if said == availability.offline:
            self._state, self._error = State.DOWN, f"{availability.topic} says {said}"
            self._lost(Quality.COMM, sink)
        elif said == availability.online:
            if self._state is State.DOWN:
                self._state, self._error = State.FAILING, "back, not heard yet"
            if not message.retain:
                self._alive()
            self._ask_at = [0.0] * len(self._asks)

    def _silence(self, sink: Sink) -> None:
        """Nothing was heard in time; an announced absence stays what it is."""
        self._silent_at = self._clock.monotonic() + self._stale_after
        if self._state is not State.DOWN:
            self._state, self._error = State.DOWN, f"silent for {self._stale_after:g} s"
            self._lost(Quality.STALE, sink)

    def _lost(self, quality: Quality, sink: Sink) -> None:
        self._gone = quality
        at = self._next()
        keys = dict.fromkeys((*self._map.keys, *self._report.keys))
        change = self._report.lost(keys, quality, at)
        if change:
            sink.add(self.device.asset, at, *change)

    def _tell(self, found: list[Mapped], sink: Sink) -> None:
        at = self._next()
        values: dict[str, Value] = {}
        quality: dict[str, Quality] = {}
        for mapped in found:
            if self._report.offer(self._points[mapped.key], mapped.value, mapped.quality, at):
                values[mapped.key] = mapped.value
                if not mapped.quality.is_good:
                    quality[mapped.key] = mapped.quality
        if values:
            sink.add(self.device.asset, at, values, quality)

    def _next(self) -> int:
        self._stamp = next_stamp(self._clock.ms(), self._stamp)
        return self._stamp


def _filled(availability: Availability | None, device: Device) -> Availability | None:
    if availability is None:
        return None
    online, offline = presence(availability.online), presence(availability.offline)
    return Availability(fill(availability.topic, device.params), online, offline)


def stale_after(profile: Profile, device: Device) -> float:
    """Seconds of silence until a native device is stale: its param `stale_after`, such as 25h, else its profile's.

    ValueError when the param is no duration.
    """
    own = device.params.get(STALE_AFTER)
    return profile.stale_after if own is None else seconds(own)
