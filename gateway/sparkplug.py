"""Driver for one Sparkplug B edge node and all devices of ours that are behind it. The session decides, this acts.

It listens to the node, asks it for its births (`Node Control/Rebirth`) when the session wants them, and tells a host
application's STATE where a device names one in its param `host`, for nodes that wait for that. The last will of the
gateway's connection is the gateway's own, so a gateway that is killed leaves that STATE saying online.

A retained message of a node is not believed: it has no place in the sequence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from facility.bus import Bus, Message, Subscription
from facility.clock import Clock
from facility.errors import BusError, DecodeError
from facility.wire import DeviceStatus
from gateway.driver import Sink
from gateway.health import State as Shown
from gateway.meter import Figures
from gateway.sparkplug_payload import decode, rebirth
from gateway.sparkplug_points import Address, NodePoints, Telling
from gateway.sparkplug_session import NODE, Session, State, Told

NAMESPACE = "spBv1.0"
KINDS = frozenset({"NBIRTH", "DBIRTH", "NDATA", "DDATA", "NDEATH", "DDEATH"})
BEAT = 10.0
"""Seconds between two looks for values that have been quiet for a whole heartbeat."""
LOOK = 1.0
"""Seconds between two looks whether the broker is back."""
_SHORTEST = 0.001
_ALIVE = (State.BORN, State.QUIET)


class HostState(msgspec.Struct, frozen=True):
    """What a host application says of itself, retained."""

    online: bool
    timestamp: int


class SparkplugNode:
    """One edge node."""

    def __init__(self, address: Address, devices: Sequence[NodePoints], bus: Bus, clock: Clock) -> None:
        self.devices = tuple(devices)
        self._group, self._node = address
        self._bus, self._clock = bus, clock
        self._hosts = {
            f"{NAMESPACE}/STATE/{points.device.params['host']}": False
            for points in devices
            if points.device.params.get("host")
        }
        self._session = self._new_session(0.0)
        self._error = ""
        self._counts = {"messages": 0, "garbage": 0, "retained": 0, "dropped": 0}
        self._beat_at = 0.0
        self._connected = False

    @property
    def name(self) -> str:
        """Group and node."""
        return f"sparkplug {self._group}/{self._node}"

    def status(self) -> Mapping[str, DeviceStatus]:
        """Each device of ours."""
        return {points.device.id: self._status(points) for points in self.devices}

    def counters(self) -> Mapping[str, Mapping[str, int]]:
        """Those of the node (messages, garbage, births, gaps, rebirths asked for, ...) and the device's history."""
        node = {**self._counts, **self._session.counts}
        return {points.device.id: {**node, **points.counts} for points in self.devices}

    def figures(self) -> Mapping[str, Figures]:
        """See Driver."""
        return {points.device.id: Figures(bad_points=points.bad) for points in self.devices}

    def again(self, sink: Sink) -> None:
        """See Driver. What holds is known, so the node is not asked."""
        for points in self.devices:
            lost = [device for device in points.devices if self._is_lost(device)]
            self._put(points, points.again(self._clock.ms(), lost=lost), sink)

    async def run(self, sink: Sink) -> None:
        """Listen and ask until cancelled."""
        now = self._clock.monotonic()
        counts, self._session = self._session.counts, self._new_session(now)
        self._session.counts = counts
        self._beat_at = now + BEAT
        self._connected = self._bus.connected
        topics = (f"{NAMESPACE}/{self._group}/+/{self._node}/#", *self._hosts)
        async with self._bus.subscribe(*topics, limit=1_000) as messages:
            try:
                while True:
                    await self._look()
                    await self._ask()
                    await self._listen(messages, sink)
                    self._counts["dropped"] = messages.dropped
                    self._pass(sink)
            finally:
                await self._tell_hosts(online=False)

    def _new_session(self, now: float) -> Session:
        wanted = {device for points in self.devices for device in points.devices}
        return Session(wanted, min(points.silence for points in self.devices), now)

    def _is_lost(self, device: str) -> bool:
        return self._session.state is State.DEAD or (
            self._session.state in _ALIVE and not self._session.is_born(device) and not self._session.is_awaited(device)
        )

    def _status(self, points: NodePoints) -> DeviceStatus:
        session = self._session
        if session.state is State.DEAD:
            return DeviceStatus(Shown.DOWN, session.error)
        if session.state not in _ALIVE:
            return DeviceStatus(Shown.FAILING, session.error)
        absent = [device for device in points.devices if not session.is_born(device)]
        if absent:
            state = Shown.FAILING if all(map(session.is_awaited, absent)) else Shown.DOWN
            return DeviceStatus(state, f"not born: {', '.join(device or 'the node' for device in absent)}")
        error = self._error or (session.error if session.state is State.BORN else "")
        if not error and points.absent:
            more = f" and {len(points.absent) - 5} more" if len(points.absent) > 5 else ""
            error = f"no value for {', '.join(points.absent[:5])}{more}: the births have no such metric"
        return DeviceStatus(Shown.FAILING if error else Shown.UP, error)

    async def _look(self) -> None:
        """Notice that the broker is back; tell the hosts' state where it is not told."""
        connected = self._bus.connected
        if connected and not self._connected:
            self._session.reconnected(self._clock.monotonic())
            self._hosts = dict.fromkeys(self._hosts, False)
        self._connected = connected
        if connected and not all(self._hosts.values()):
            await self._tell_hosts(online=True)

    async def _tell_hosts(self, *, online: bool) -> None:
        for topic, told in self._hosts.items():
            if told is online:
                continue
            payload = msgspec.json.encode(HostState(online, self._clock.ms()))
            try:
                await self._bus.publish(topic, payload, retain=True)
            except BusError:
                return
            self._hosts[topic] = online

    async def _ask(self) -> None:
        now = self._clock.monotonic()
        if not self._session.wants_rebirth(now):
            return
        topic = f"{NAMESPACE}/{self._group}/NCMD/{self._node}"
        try:
            await self._bus.publish(topic, rebirth(self._clock.ms()))
        except BusError:
            self._session.asked(now, published=False)
        else:
            self._session.asked(now, published=True)

    async def _listen(self, messages: Subscription, sink: Sink) -> None:
        """Take the next message, or come back when there is something else to do."""
        now = self._clock.monotonic()
        wait = min(self._session.due, self._beat_at, now + LOOK) - now
        try:
            async with asyncio.timeout(max(_SHORTEST, wait)):
                message = await anext(messages)
        except TimeoutError:
            return
        self._take(message, sink)

    def _take(self, message: Message, sink: Sink) -> None:
        if message.topic in self._hosts:
            self._heard_state(message)
            return
        kind, device = self._place(message.topic)
        if kind not in KINDS:
            return
        if message.retain:
            self._counts["retained"] += 1
            return
        self._counts["messages"] += 1
        try:
            payload = decode(message.payload)
        except DecodeError as error:
            self._counts["garbage"] += 1
            self._error = f"{message.topic}: {error.reason}"
            return
        self._error = ""
        self._tell(self._session.take(kind, device, payload, self._clock.monotonic()), sink)

    def _place(self, topic: str) -> tuple[str, str]:
        """Kind and device of a topic; an empty kind for a topic that the specification does not know."""
        kind, _, *devices = topic.split("/")[2:]
        if len(devices) != int(kind.startswith("D")) or devices == [""]:
            return "", NODE
        return kind, devices[0] if devices else NODE

    def _heard_state(self, message: Message) -> None:
        """Somebody says that a host which we stand for is offline, as its last life did: it is not."""
        try:
            state = msgspec.json.decode(message.payload, type=HostState)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if not state.online:
            self._hosts[message.topic] = False

    def _pass(self, sink: Sink) -> None:
        now = self._clock.monotonic()
        self._tell(self._session.tick(now), sink)
        if now < self._beat_at:
            return
        self._beat_at = now + BEAT
        if self._session.state in _ALIVE:
            for points in self.devices:
                self._put(points, points.beat(self._clock.ms()), sink)

    def _tell(self, told: Sequence[Told], sink: Sink) -> None:
        for item in told:
            for points in self.devices:
                self._put(points, points.take(item, self._clock.ms()), sink)

    def _put(self, points: NodePoints, tellings: Sequence[Telling], sink: Sink) -> None:
        for telling in tellings:
            sink.add(points.device.asset, telling.at, telling.values, telling.quality, hist=telling.hist)
