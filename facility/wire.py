"""The MQTT contract of Caretaker: topic names, payloads, limits.

Every payload is JSON. The schema version is in the topic (`fm/v1/...`), so a payload carries none; a change that an
old reader would misunderstand gets `v2`. `docs/wire.md` shows an example of each, and a test decodes them.

The way of a reading batch: a gateway numbers its batches per start (`boot`, `seq` from 1 upwards without holes),
keeps each in its spool and publishes it at QoS 1. Ingest answers on `stored` with the ranges of `seq` that are in the
store (or in quarantine, when they can never be stored). Only then the gateway forgets them; what is not confirmed in
time is sent again. `hist` marks a batch whose readings waited in the spool, or that a device sent as its own history:
it fills history and, once it is old, pages nobody.

A payload is bounded before it is parsed (`MAX_PAYLOAD`), and what does not decode raises `DecodeError` with a short
reason; the caller keeps the bytes in its dead letters.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from facility.assets import ID
from facility.errors import DecodeError
from facility.readings import Sample

VERSION = "v1"
ROOT = f"fm/{VERSION}"
MAX_PAYLOAD = 262_144
"""Bytes; the embedded broker takes no more."""

T = TypeVar("T", bound=msgspec.Struct)


DERIVED = "rules"
"""The name under which the rules tell the points that they work out, as if it were a gateway's; no gateway has it."""


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Samples of one gateway, numbered. The idempotency key is (gateway, boot, seq)."""

    boot: str
    seq: int
    samples: list[Sample]
    hist: bool = False

    @property
    def count(self) -> int:
        """How many readings (asset, point, instant) it holds."""
        return sum(len(sample.values) for sample in self.samples)


ANYBODY = ""
"""The `boot` of a `Stored` without ranges: ingest listens from now on, send again what is not confirmed."""


class Stored(msgspec.Struct, frozen=True):
    """Ingest to gateway: these batches are safe. `ranges` are inclusive (first, last) of `seq`.

    With `boot` ANYBODY and no ranges it says that ingest has just begun to listen.
    """

    boot: str
    ranges: list[tuple[int, int]]


class DeviceStatus(msgspec.Struct, frozen=True):
    """One device as its gateway sees it: state is up, failing or down; `error` is the last one, empty when up.

    `learnt`: what it was found to refuse, in short; empty when nothing. `answered`: per cent of its last requests that
    had an answer, in steps of 5; 100 where that is not known.
    """

    state: str
    error: str = ""
    learnt: str = ""
    answered: int = 100


class Status(msgspec.Struct, frozen=True):
    """A gateway about itself, retained; the last will is one with `online` false.

    `at`: ms UTC. `sent`: readings published for the first time since boot. `last_seq`: the newest batch number.
    `spool_*`: what waits for confirmation; `shed` counts readings that the full spool dropped.
    `problem`: what is wrong with the gateway itself (disk full, spool nearly full), empty when nothing is;
    `storage_ok` is false when that is the disk. `command_problem`: which commands failed lately, and why.
    """

    online: bool
    boot: str
    at: int = 0
    version: str = ""
    devices: dict[str, DeviceStatus] = {}
    sent: int = 0
    last_seq: int = 0
    spool_batches: int = 0
    spool_bytes: int = 0
    spool_limit: int = 0
    shed: int = 0
    clock_offset_ms: float | None = None
    problem: str = ""
    storage_ok: bool = True
    command_problem: str = ""


class AlarmNotice(msgspec.Struct, frozen=True):
    """One alarm transition for the live stream and for outsiders.

    `state` and `suppression` are the values of rules.alarm; `event` is what happened; `version` grows by one with
    each transition of the alarm, so that a late copy can be told from a newer one. `drill`: the drill that it belongs
    to, empty for a real one.
    """

    id: str
    rule: str
    asset: str
    asset_class: str
    severity: int
    state: str
    suppression: str
    event: str
    at: int
    version: int
    zh: str
    en: str
    drill: str = ""


class Command(msgspec.Struct, frozen=True):
    """Set a point of an asset to a value. The `id` is the sender's own; a second one with that id is not carried out.

    `by` asks, `second` has approved (another person, where the profile wants two). `at`, `expires`: ms UTC; what
    arrives later than that is refused. `ttl`: seconds after which the value from before is put back; 0 lets it stand.
    `asset`, `point`, `value` as in readings: an enum by its number.
    """

    id: str
    asset: str
    point: str
    value: float | int | bool
    by: str
    at: int
    expires: int
    second: str = ""
    ttl: float = 0.0
    reason: str = ""


class CommandStep(msgspec.Struct, frozen=True):
    """A gateway on one command: it has come to `step` (gateway.commands names them) at `at` (ms UTC).

    `value`: what was written, read back or seen, where the step has one. `final`: nothing follows, except that an
    override reverts. `message` says why it failed or was refused.
    """

    id: str
    asset: str
    point: str
    step: str
    at: int
    value: float | int | bool | str | None = None
    message: str = ""
    final: bool = False


def commands_topic(site: str, gateway: str) -> str:
    """Where a gateway takes commands."""
    return f"{ROOT}/{site}/{gateway}/commands"


def results_topic(site: str, gateway: str) -> str:
    """Where a gateway tells each step of a command."""
    return f"{ROOT}/{site}/{gateway}/results"


def readings_topic(site: str, gateway: str) -> str:
    """Where a gateway publishes its batches."""
    return f"{ROOT}/{site}/{gateway}/readings"


def stored_topic(site: str, gateway: str) -> str:
    """Where ingest confirms to a gateway."""
    return f"{ROOT}/{site}/{gateway}/stored"


def again_topic(site: str, gateway: str) -> str:
    """Where a gateway is asked to tell every value again; the payload is empty."""
    return f"{ROOT}/{site}/{gateway}/again"


def status_topic(site: str, gateway: str) -> str:
    """Where a gateway keeps its retained status."""
    return f"{ROOT}/{site}/{gateway}/status"


def alarms_topic(site: str) -> str:
    """Where alarm transitions are told."""
    return f"{ROOT}/{site}/alarms"


def parse_topic(topic: str) -> tuple[str, str, str]:
    """(site, gateway, leaf) of a gateway's topic; DecodeError for anything else."""
    parts = topic.split("/")
    if len(parts) != 5 or "/".join(parts[:2]) != ROOT or not (ID.fullmatch(parts[2]) and ID.fullmatch(parts[3])):
        raise DecodeError(f"not a topic of {ROOT}/site/gateway/...")
    return parts[2], parts[3], parts[4]


_encoder = msgspec.json.Encoder()
_decoders: dict[type[msgspec.Struct], msgspec.json.Decoder[Any]] = {}


def encode(message: msgspec.Struct) -> bytes:
    """JSON bytes of a message. NaN and infinities never get here: the codec made them bad readings."""
    return _encoder.encode(message)


def decode(kind: type[T], payload: bytes) -> T:
    """The message of type `kind` in `payload`; DecodeError when it is too large or not what the schema says."""
    if len(payload) > MAX_PAYLOAD:
        raise DecodeError(f"payload of {len(payload)} bytes; the limit is {MAX_PAYLOAD}")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        message: T = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(str(error) or type(error).__name__) from error
    return message
