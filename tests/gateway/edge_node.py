"""A small Sparkplug B edge node for tests: births, aliases, sequence, last will; it speaks by what it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from facility.points import NodeMetric, Profile, TopicValue
from gateway.sparkplug_payload import (
    BDSEQ,
    BOOLEAN,
    DOUBLE,
    INT32,
    INT64,
    REBIRTH,
    STRING,
    UINT32,
    Metric,
    Payload,
    decode,
    encode,
)
from tests.gateway.plant import LABEL

Say = Callable[[str, bytes], Awaitable[None]]

NODE_PROFILE = Profile(
    "node", "machine", LABEL, "test", "sparkplug", params=("group", "node"), stale_after=120.0,
    metrics=(
        NodeMetric("Inputs/Volts", "{device}", TopicValue("volts")),
        NodeMetric("Inputs/Temp", "{device}", TopicValue("temp")),
        NodeMetric("Energy", "{device}", TopicValue("energy")),
        NodeMetric("Mode", "{device}", TopicValue("mode", values={"off": 0, "on": 1})),
        NodeMetric("Running", "{device}", TopicValue("running")),
        NodeMetric("Alarm", "", TopicValue("alarm")),
    ),
)  # fmt: skip
"""The test machine behind an edge node: all in one of its devices, but for the alarm, which the node itself tells."""
PARAMS = {"group": "G", "node": "N", "device": "M1"}
TYPES = {"Inputs/Volts": DOUBLE, "Inputs/Temp": INT32, "Energy": UINT32, "Mode": STRING, "Running": BOOLEAN}


@dataclass
class EdgeNode:
    """One node with one device. `lose` keeps the next message from being said, though it has its number."""

    say: Say
    group: str = "G"
    node: str = "N"
    device: str = "M1"
    at: int | None = None
    bdseq: int = 7
    seq: int = -1
    lose: bool = False
    values: dict[str, float | bool | str | None] = field(
        default_factory=lambda: {
            "Inputs/Volts": 230.0, "Inputs/Temp": 20, "Energy": 70_000, "Mode": "on", "Running": True,
        }
    )  # fmt: skip
    alarm: bool = False
    shift: int = 0
    """Added to the aliases at each birth, so that an old table is a wrong one."""

    def topic(self, kind: str) -> str:
        """The topic of one kind of message."""
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{self.device}" if kind.startswith("D") else "")

    def will(self) -> bytes:
        """What the broker says when the node is gone."""
        return encode(Payload(self.at, metrics=(Metric(BDSEQ, self.bdseq, INT64),)), seq=False)

    def alias(self, name: str) -> int:
        """The alias of a metric since the last birth."""
        return self.shift + 10 + list(TYPES).index(name)

    async def birth(self) -> None:
        """Node and device."""
        await self.birth_node()
        await self.birth_device()

    async def birth_node(self) -> None:
        """NBIRTH alone."""
        self.seq, self.shift = -1, self.shift + 1
        metrics = (
            Metric(BDSEQ, self.bdseq, INT64),
            Metric(REBIRTH, False, BOOLEAN),
            Metric("Alarm", self.alarm, BOOLEAN, alias=5),
        )
        await self._send("NBIRTH", metrics)

    async def birth_device(self) -> None:
        """DBIRTH alone."""
        metrics = [Metric(name, self.values[name], kind, alias=self.alias(name)) for name, kind in TYPES.items()]
        await self._send("DBIRTH", tuple(replace(item, is_null=item.value is None) for item in metrics))

    async def tell(self, values: Mapping[str, float | bool | str | None], **changes: object) -> None:
        """DDATA with aliases, without names and data types."""
        self.values.update(values)
        found = [Metric("", value, 0, self.alias(name), is_null=value is None) for name, value in values.items()]
        await self._send("DDATA", tuple(replace(item, **changes) for item in found))  # type: ignore[arg-type]

    async def part(self) -> None:
        """DDEATH: the device is gone, the node is there."""
        await self._send("DDEATH", ())

    async def command(self, payload: bytes) -> None:
        """A node command came."""
        if decode(payload).value(REBIRTH) is True:
            await self.birth()

    async def _send(self, kind: str, metrics: tuple[Metric, ...]) -> None:
        self.seq = (self.seq + 1) % 256
        if self.lose:
            self.lose = False
            return
        await self.say(self.topic(kind), encode(Payload(self.at, self.seq, metrics)))
