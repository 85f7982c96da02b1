"""A new row of the outbox, due at once. Pure."""

from __future__ import annotations

from typing import Any


def queued(at: int, **what: object) -> dict[str, Any]:
    """What is to leave (site, kind, channel, alarm and ticket, priority, payload, key), from `at` (ms) on."""
    return what | {
        "state": "pending",
        "due_at": at,
        "attempts": 0,
        "lease_until": 0,
        "lease_owner": "",
        "error": "",
        "created_at": at,
        "sent_at": None,
    }
