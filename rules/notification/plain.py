"""Messages that are about no single alarm: floods, drills, impairments. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from facility.readings import Value
from rules.notification.notify import Message, Routing, Words
from rules.notification.queued import queued

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What is told at `at` (ms): `key` with a channel behind it makes the idempotency key; `path` leads to the console.

    `rule` says what kind of thing speaks (flood, drill, impairment). `ticket` is one that belongs to it.
    """

    rule: str
    event: str
    key: str
    at: int
    since: int
    severity: int
    zh: Words
    en: Words
    path: str
    ticket: str | None = None
    drill: str | None = None
    facts: Mapping[str, Value] = field(default_factory=dict)


def outbox_rows(telling: Telling, routing: Routing, channels: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of the outbox, one for each channel, in its language."""
    return [_row(telling, routing, channel) for channel in channels]


def _row(telling: Telling, routing: Routing, channel: str) -> dict[str, Any]:
    words = telling.zh if routing.channels[channel] == "zh" else telling.en
    key = f"{routing.site}:{telling.key}:{channel}"
    message = Message(
        key=key,
        site=routing.site,
        event=telling.event,
        alarm="",
        ticket=telling.ticket,
        rule=telling.rule,
        asset="",
        asset_class="",
        severity=telling.severity,
        raises="nothing",
        state="",
        at=telling.at,
        since=telling.since,
        facts=dict(telling.facts),
        title=words.title,
        text=words.text,
        guidance=words.guidance,
        zh=telling.zh,
        en=telling.en,
        url=f"{routing.url}{telling.path}" if routing.url else "",
        drill=telling.drill,
    )
    return queued(
        telling.at,
        site=routing.site,
        kind="message",
        channel=channel,
        alarm_id=None,
        ticket_id=None,
        priority=telling.severity,
        payload=_encoder.encode(message).decode(),
        key=key,
    )
