"""Get discovery configs: listen on a broker for what it keeps, or read a dump of it. Bounded before it is parsed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from facility.bus import Bus, Message
from facility.errors import BusError, DecodeError
from gateway.discovery.expand import Entity, expand
from gateway.discovery.mapping import Refused
from gateway.mapping import MAX_PAYLOAD

MAX_CONFIGS = 5_000
"""Config topics that are kept; what comes after them is refused."""
MAX_FILE = 32_000_000
"""Bytes of a dump."""
CONNECT = 10.0
"""Seconds to wait for the broker."""


@dataclass(slots=True)
class Configs:
    """The newest payload of each config topic."""

    prefix: str
    payloads: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def add(self, topic: str, payload: bytes) -> None:
        """Take one message; an empty payload deletes, one of another topic is passed over."""
        if not (topic.startswith(f"{self.prefix}/") and topic.endswith("/config")):
            return
        self.refused.pop(topic, None)
        if not payload:
            self.payloads.pop(topic, None)
        elif len(payload) > MAX_PAYLOAD:
            self.refused[topic] = f"{len(payload)} bytes; the limit is {MAX_PAYLOAD}"
        elif topic in self.payloads or len(self.payloads) < MAX_CONFIGS:
            self.payloads[topic] = payload
        else:
            self.refused[f"{self.prefix}/..."] = f"more than {MAX_CONFIGS} config topics; the others were left out"

    def entities(self) -> tuple[list[Entity], list[Refused]]:
        """The entities of all topics, by topic, and the topics that are no config."""
        found: list[Entity] = []
        refused = [Refused(topic, why) for topic, why in self.refused.items()]
        for topic in sorted(self.payloads):
            try:
                found += expand(topic, self.payloads[topic], self.prefix)
            except DecodeError as error:
                refused.append(Refused(topic, error.reason))
        return found, refused


async def listen(bus: Bus, prefix: str, seconds: float) -> Configs:
    """What a broker keeps, and what is published meanwhile; BusError when the broker is not there."""
    configs = Configs(prefix)
    try:
        async with asyncio.timeout(CONNECT):
            await bus.wait_connected()
    except TimeoutError as error:
        raise BusError(f"there is no connection after {CONNECT:g} s") from error
    filters = (f"{prefix}/+/+/config", f"{prefix}/+/+/+/config")
    async with bus.subscribe(*filters, limit=2 * MAX_CONFIGS) as messages:
        try:
            async with asyncio.timeout(seconds):
                async for message in messages:
                    configs.add(message.topic, message.payload)
        except TimeoutError:
            pass
        while (message_ := messages.take_nowait()) is not None:
            configs.add(message_.topic, message_.payload)
        if messages.dropped:
            configs.refused[f"{prefix}/..."] = f"{messages.dropped} messages came faster than they were taken"
    return configs


def read_dump(path: Path, prefix: str) -> Configs:
    """A dump: one JSON object `{topic: payload}`, or lines of `topic payload`; ValueError when it is neither."""
    size = path.stat().st_size
    if size > MAX_FILE:
        raise ValueError(f"{path}: {size} bytes; the limit is {MAX_FILE}")
    raw = path.read_bytes()
    configs = Configs(prefix)
    for message in _object(path, raw) if raw.lstrip()[:1] == b"{" else _lines(raw):
        configs.add(message.topic, message.payload)
    return configs


def _object(path: Path, raw: bytes) -> Iterable[Message]:
    try:
        found = msgspec.json.decode(raw, type=Mapping[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: is no JSON object of topic and payload: {error}") from error
    for topic, payload in found.items():
        if payload is None:
            yield Message(topic, b"")
        else:
            yield Message(topic, payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload))


def _lines(raw: bytes) -> Iterator[Message]:
    """Lines as `mosquitto_sub -v` prints them: the topic, a blank, the payload, which may be missing."""
    for line in raw.splitlines():
        topic, _, payload = line.strip().partition(b" ")
        try:
            yield Message(topic.decode(), payload)
        except UnicodeDecodeError:
            continue
