"""Why each message was sent or not: an alarm's journal with what left the outbox because of each transition. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.life.rows import DeliveryRow, JournalRow, OutboxRow

MESSAGE = "message"
_SAME: Mapping[str, str] = {"announce": "raise", "ticket": "raise"}
"""Events of the journal that send another one's messages, and messages that another event sends."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message: its event, where it goes, and every attempt so far."""

    event: str
    row: OutboxRow
    attempts: tuple[DeliveryRow, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A transition (its reason is a code of rules.notify.REASONS) and the messages that it caused."""

    entry: JournalRow
    messages: tuple[Sent, ...]


def told(
    journal: Sequence[JournalRow], outbox: Sequence[OutboxRow], attempts: Mapping[int, Sequence[DeliveryRow]]
) -> list[Told]:
    """Every transition with its messages. A message belongs to the transition that was recorded when it was made."""
    found: dict[int, list[Sent]] = {entry.id: [] for entry in journal}
    for row in sorted(outbox, key=lambda item: item.id):
        if row.kind != MESSAGE:
            continue
        sent = Sent(event_of(row), row, tuple(attempts.get(row.id, ())))
        entry = _caused_by(sent, journal)
        if entry is not None:
            found[entry.id].append(sent)
    return [Told(entry, tuple(found[entry.id])) for entry in journal]


def event_of(row: OutboxRow) -> str:
    """The event that a message tells, from its key (rules.notify.key)."""
    parts = row.key.split(":")
    return parts[1].rstrip("0123456789") if len(parts) > 1 else ""


def _caused_by(sent: Sent, journal: Sequence[JournalRow]) -> JournalRow | None:
    """The transition of that instant that tells this event; else the last one before."""
    together = [entry for entry in journal if entry.recorded_at == sent.row.created_at]
    wanted = _SAME.get(sent.event, sent.event)
    fitting = [entry for entry in together if _SAME.get(entry.event, entry.event) == wanted] or together
    if fitting:
        return fitting[-1]
    before = [entry for entry in journal if entry.recorded_at <= sent.row.created_at]
    return before[-1] if before else None
